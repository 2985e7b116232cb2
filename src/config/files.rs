//! Configuration files on the disk: which there are and what is in them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::diagnostic::{Cause, Diagnostic};
use super::yaml::MAX_BYTES;

/// Reads a file, one byte more than may be at most.
///
/// # Errors
/// A sentence about a file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Box<Diagnostic>> {
    let name = path.display().to_string();
    let unreadable = |message: String| Box::new(Diagnostic::whole_file(Cause::Unreadable, &name, message, None));
    let metadata = fs::metadata(path).map_err(|error| unreadable(format!("cannot read the file: {}", reason(&error))))?;
    if !metadata.is_file() {
        return Err(unreadable("cannot read it: it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(format!("cannot read the file: {}", reason(&error))))?;
    Ok(bytes)
}

/// A file by itself; of a directory its `*.yaml` and `*.yml` files, sorted, without those that begin with a dot.
///
/// # Errors
/// A sentence about a path that is not there, cannot be listed or is a directory without such a file.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let name = path.display().to_string();
    let unreadable =
        |error: io::Error| Diagnostic::whole_file(Cause::Unreadable, &name, format!("cannot read the path: {}", reason(&error)), None);
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if yaml && !hidden && fs::metadata(&file).map_err(unreadable)?.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        let message = "the directory has no `*.yaml` or `*.yml` file".to_owned();
        return Err(Box::new(Diagnostic::whole_file(Cause::Unreadable, &name, message, None)));
    }
    Ok(files)
}

/// The operating system's reason without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_lowercase(),
        None => text,
    }
}
