//! Takes secrets out of any text before people or a log see it (promise P10).
//!
//! By value for the secrets that are known, because no pattern knows every token's form, and by form for the user information of an
//! address (`https://user:password@host`), because Git and HTTP libraries quote addresses in their errors.

use super::secret::Secret;

/// What stands where a secret stood.
const PLACEHOLDER: &str = "[redacted]";

/// A secret shorter than this is not searched for: its value would be found inside ordinary words.
const SHORTEST_SEARCHED: usize = 4;

/// Removes known secrets and the user information of addresses.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Removes these secrets. One of fewer than four characters is not searched for: its value stands in ordinary words.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<Secret> = secrets.into_iter().filter(|secret| secret.expose().len() >= SHORTEST_SEARCHED).collect();
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
}
