//! Takes secrets out of any text before people or a log see it (promise P10).
//!
//! By value for the secrets that are known, because no pattern knows every token's form, and by form for the user information of an
//! address (`https://user:password@host`), because Git and HTTP libraries quote addresses in their errors.

use super::secret::Secret;

/// What stands where a secret stood.
const PLACEHOLDER: &str = "[redacted]";

/// A secret shorter than this is not searched for: its value would be found inside ordinary words.
const SHORTEST_SEARCHED: usize = 4;

/// A secret shorter than this is not searched for in base64: the digits that it alone decides would be too few.
const SHORTEST_ENCODED: usize = 8;

/// Removes known secrets and the user information of addresses.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Removes these secrets, also where they stand in base64: a server may quote the header of basic authentication that it was sent. One
    /// of fewer than four characters is not searched for: its value stands in ordinary words.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<Secret> = secrets
            .into_iter()
            .filter(|secret| secret.expose().len() >= SHORTEST_SEARCHED)
            .flat_map(|secret| encoded(&secret).into_iter().chain([secret]))
            .collect();
        // The longest first, so that a secret that holds another is removed whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self { secrets }
    }

    /// The text without secrets.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            if clean.contains(secret.expose()) {
                clean = clean.replace(secret.expose(), PLACEHOLDER);
            }
        }
        without_user_information(&clean)
    }
}

/// The digits that a secret has inside a longer text in base64, for each of the three places where it may begin. Digits that it shares
/// with its neighbours are left out.
fn encoded(secret: &Secret) -> Vec<Secret> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = secret.expose().as_bytes();
    if bytes.len() < SHORTEST_ENCODED {
        return Vec::new();
    }
    let bit = |position: usize| bytes[position / 8] >> (7 - position % 8) & 1;
    let digit = |first: usize| {
        let value = (first..first + 6).fold(0, |value, position| value << 1 | bit(position));
        char::from(DIGITS[usize::from(value)])
    };
    // A secret that begins 0, 1 or 2 bytes into a group of three has its first whole digit at its bit 0, 4 or 2.
    [0, 4, 2].map(|first| Secret::new((first..=bytes.len() * 8 - 6).step_by(6).map(digit).collect::<String>())).to_vec()
}

/// The text with `user:password@` of every `scheme://user:password@host` replaced. Text without one comes back as it is.
pub fn without_user_information(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        clean.push_str(before);
        // The authority ends where a path, a query, a fragment or the quotation around an address begins.
        let end = after
            .find(|character: char| character.is_whitespace() || character.is_control() || "/?#\\\"'`<>".contains(character))
            .unwrap_or(after.len());
        // A password may hold an unescaped `@`; the last one ends it.
        match after[..end].rfind('@') {
            Some(at) => {
                clean.push_str(PLACEHOLDER);
                rest = &after[at..];
            }
            None => rest = after,
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_information_is_removed_wherever_an_address_stands() {
        let cases = [
            ("fatal: https://bot:hunter2@git.example/x.git not found", "fatal: https://[redacted]@git.example/x.git not found"),
            ("'http://token@host:80/a@b'", "'http://[redacted]@host:80/a@b'"),
            ("a ssh://git@host/x b https://u:p@ss@host", "a ssh://[redacted]@host/x b https://[redacted]@host"),
            ("https://host/path?mail=a@b", "https://host/path?mail=a@b"),
            ("no address, a@b and ://", "no address, a@b and ://"),
            ("https://u:pä@hôst/ü", "https://[redacted]@hôst/ü"),
        ];
        for (text, clean) in cases {
            assert_eq!(without_user_information(text), clean);
        }
    }

    #[test]
    fn known_values_are_removed_longest_first() {
        let redactor = Redactor::new(["canary", "canary-long", "", "abc"].map(Secret::new));
        assert_eq!(redactor.redact("Bearer canary-long, canary; abc"), "Bearer [redacted], [redacted]; abc");
        assert!(!format!("{redactor:?}").contains("canary"));
    }

    #[test]
    fn what_is_quoted_in_base64_is_removed_wherever_it_begins() {
        let redactor = Redactor::new([Secret::new("canary-password")]);
        for (header, clean) in [
            // Of `canary-password` alone and after `:`, `a:` and `ab:`.
            ("Basic Y2FuYXJ5LXBhc3N3b3Jk", "Basic [redacted]"),
            ("Basic OmNhbmFyeS1wYXNzd29yZA==", "Basic Om[redacted]A=="),
            ("Basic YTpjYW5hcnktcGFzc3dvcmQ=", "Basic YTp[redacted]Q="),
            ("Basic YWI6Y2FuYXJ5LXBhc3N3b3Jk", "Basic YWI6[redacted]"),
        ] {
            assert_eq!(redactor.redact(header), clean);
        }
        assert_eq!(Redactor::new([Secret::new("short")]).redact("c2hvcnQ="), "c2hvcnQ=");
    }
}
