//! Secrets: values that no log, error or `Debug` shows (promise P10).
//!
//! A secret is read from a file when it is needed, so that a rotated one is picked up, and its memory is cleared when it is dropped.
//! What reads one calls [`Secret::expose`] at the place where it becomes a header and nowhere else.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

/// The longest secret file that is read, in bytes. A key with its certificates has a few KiB; more is the wrong file.
pub const LONGEST_SECRET_FILE: u64 = 64 * 1024;

/// A text that is shown nowhere.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why a secret could not be read. Never says what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file is not there or cannot be read.
    #[error("cannot read the secret file {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The first line is empty.
    #[error("the secret file {} has an empty first line", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// Its bytes are no text.
    #[error("the secret file {} is not UTF-8 text", path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
    },
    /// It is longer than [`LONGEST_SECRET_FILE`].
    #[error("the secret file {} is longer than 64 KiB", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
}

// === impl Secret ===

impl Secret {
    /// Takes a text that must not be shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Reads the first line of a file, without white space around it.
///
/// # Errors
/// A file that is absent, not readable, not UTF-8, longer than 64 KiB, or whose first line is empty.
pub fn read_secret_file(path: &Path) -> Result<Secret, SecretFileError> {
    let bytes = read_bounded(path)?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(SecretFileError::NotText { path: path.to_owned() });
    };
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line)),
        None => Err(SecretFileError::Empty { path: path.to_owned() }),
    }
}

/// Reads a secret that goes over several lines, as a key in PEM does.
///
/// # Errors
/// As [`read_secret_file`].
pub fn read_secret_text(path: &Path) -> Result<Secret, SecretFileError> {
    let bytes = read_bounded(path)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.trim().is_empty() => Err(SecretFileError::Empty { path: path.to_owned() }),
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(SecretFileError::NotText { path: path.to_owned() }),
    }
}

fn read_bounded(path: &Path) -> Result<secrecy::zeroize::Zeroizing<Vec<u8>>, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = zeroizing();
    File::open(path).and_then(|file| file.take(LONGEST_SECRET_FILE + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_SECRET_FILE {
        return Err(SecretFileError::TooLong { path: path.to_owned() });
    }
    Ok(bytes)
}

/// A buffer that is cleared when it is dropped. It is as large as it can get, so that growing leaves no copy behind.
fn zeroizing() -> secrecy::zeroize::Zeroizing<Vec<u8>> {
    secrecy::zeroize::Zeroizing::new(Vec::with_capacity(LONGEST_SECRET_FILE as usize + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn the_first_line_is_the_secret() {
        let (_folder, path) = file(b"  canary-7f3a \r\nsecond line\n");
        assert_eq!(read_secret_file(&path).unwrap().expose(), "canary-7f3a");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("canary-7f3a");
        assert_eq!(format!("{secret} {secret:?} {:#?}", Some(&secret)), "[redacted] [redacted] Some(\n    [redacted],\n)");
    }

    #[test]
    fn a_bad_file_gets_a_sentence_without_its_content() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "has an empty first line"),
            (b"\ncanary-7f3a", "has an empty first line"),
            (b"   \t \n", "has an empty first line"),
            (b"canary-7f3a\xff", "is not UTF-8 text"),
            (&[b'c'; 64 * 1024 + 1], "is longer than 64 KiB"),
        ];
        for (content, words) in cases {
            let (_folder, path) = file(content);
            let error = read_secret_file(&path).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(error.to_string().ends_with(words), "{error}");
            assert!(!said.contains("canary") && !said.contains("cccc"), "{said}");
        }
        let error = read_secret_file(Path::new("/nonexistent/token")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the secret file /nonexistent/token");
    }
}
