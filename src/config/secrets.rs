//! What a file may hold that no diagnostic shows: the values of headers, and what stands under a key that sounds like a secret.
//!
//! Passwords in addresses are masked on every line by [`super::diagnostic::Source`] itself.

use super::check::nearest;
use super::diagnostic::Source;
use super::node::{Entry, Node, Scalar, Value};
use super::yaml::Piece;

const SECRET_WORDS: &[&str] =
    &["password", "passphrase", "token", "secret", "authorization", "cookie", "apikey", "privatekey", "routingkey", "credential"];

/// Under this key, addresses may be secrets as well: a webhook's address is all that it takes to use it.
const NOTIFIERS: &str = "notifiers";

/// Under this key, an OpenSLO `DataSource` has whatever a connection needs.
const CONNECTION: &str = "connectionDetails";

/// Masks the secrets of a document that parses.
pub fn mask_tree(node: &Node, source: &mut Source) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| mask_tree(item, source)),
        Value::Map(entries) => {
            for entry in entries {
                // A list of keys named `credentials` names files; its own keys are judged below.
                let holds_secrets =
                    sounds_secret(&entry.key) && !(is_object(&entry.value) && entry.key.eq_ignore_ascii_case("credentials"));
                if holds_secrets {
                    mask_all(&entry.value, source);
                } else {
                    if nearest(&entry.key, [NOTIFIERS].into_iter()).is_some() {
                        mask_addresses(&entry.value, source);
                    }
                    mask_tree(&entry.value, source);
                }
            }
        }
    }
}

/// Masks every address.
fn mask_addresses(node: &Node, source: &mut Source) {
    match &node.value {
        Value::Scalar { text, .. } if text.contains("://") => mask_scalar(node, source),
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| mask_addresses(item, source)),
        Value::Map(entries) => {
            for entry in entries {
                // `{webhook https://…}` is a key without its colon.
                if entry.key.contains("://") {
                    source.mask(entry.span.line, entry.span.column, entry.span.length);
                }
                mask_addresses(&entry.value, source);
            }
        }
    }
}

/// Hides a document that does not parse from the first word that sounds like a secret on: what belongs to what is not known.
pub fn hide_text(piece: Piece<'_>, source: &mut Source) {
    let lines: Vec<&str> = piece.text.split('\n').collect();
    let first =
        lines.iter().position(|line| line.split(|char: char| !char.is_alphanumeric() && !matches!(char, '-' | '_')).any(may_hold_secrets));
    if let Some(first) = first {
        source.hide(piece.first_line + first, piece.first_line + lines.len() - 1);
    }
}

/// Whether secrets may follow a word of a text that cannot be read.
fn may_hold_secrets(word: &str) -> bool {
    sounds_secret(word) || nearest(word, [NOTIFIERS, "webhook"].into_iter()).is_some()
}

fn is_object(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

/// Whether a key may hold secrets: it names one and no file, or is near to `headers`.
fn sounds_secret(key: &str) -> bool {
    let lower: String = key.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if lower.ends_with("file") || lower == "credentials" && key == "credentials" {
        return false;
    }
    SECRET_WORDS.iter().any(|word| lower.contains(word)) || nearest(key, ["headers", "header", CONNECTION].into_iter()).is_some()
}

fn mask_all(node: &Node, source: &mut Source) {
    match &node.value {
        Value::Scalar { .. } => mask_scalar(node, source),
        Value::List(items) => items.iter().for_each(|item| mask_all(item, source)),
        Value::Map(entries) => entries.iter().for_each(|entry| mask_entry(entry, source)),
    }
}

/// Masks a value, and its key where that may be a value without its colon: `{Authorization Bearer x}`.
fn mask_entry(entry: &Entry, source: &mut Source) {
    if entry.value.scalar() == Some(Scalar::Null) || entry.key.contains(char::is_whitespace) {
        source.mask(entry.span.line, entry.span.column, entry.span.length);
    }
    mask_all(&entry.value, source);
}

/// Masks a scalar; the lines of one that goes over several are not shown at all.
fn mask_scalar(node: &Node, source: &mut Source) {
    source.mask(node.span.line, node.span.column, node.span.length);
    if let Value::Scalar { last_line, .. } = &node.value
        && *last_line > node.span.line
    {
        source.hide(node.span.line, *last_line);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::check_texts;

    /// Everything that is shown of a metrics server whose headers are these, with a mistake on every line.
    fn shown(headers: &str) -> String {
        let text = format!(
            "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  metrics:\n    - name: main\n      prometheus:\n        url: x\n        {headers}\n"
        );
        let found = check_texts(&[("a.yaml".to_owned(), text.into_bytes())]);
        assert!(!found.is_empty());
        found.iter().map(|found| format!("{found}{}", serde_json::to_string(found).unwrap())).collect()
    }

    #[test]
    fn addresses_of_webhooks_are_shown_in_no_form() {
        for notifier in [
            "{name: a, slack: {webhook: https://hooks.example/hunter2}}",
            "{name: a, slack: {url: https://hooks.example/hunter2, x: 1}}",
            "{name: a, slack: {webhookFile: https://hooks.example/hunter2}}",
            "{name: a, slack: https://hooks.example/hunter2}",
            "{name: a, slack: {webhook https://hooks.example/hunter2}}",
            "{name: a, slack: {token: xoxb-hunter2}}",
            "{name: a, pagerduty: {routingKey: hunter2}}",
            "{name: a, slack: {webhook: 'https://hooks.example/hunter2}}",
            "{name: a, webhook: [https://hooks.example/hunter2]}",
        ] {
            for key in ["notifiers", "notifier"] {
                let text = format!("apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  {key}:\n    - {notifier}\n");
                let found = check_texts(&[("a.yaml".to_owned(), text.into_bytes())]);
                let shown: String = found.iter().map(|found| format!("{found}{}", serde_json::to_string(found).unwrap())).collect();
                assert!(!found.is_empty() && !shown.contains("hunter2"), "{notifier}\n{shown}");
            }
        }
    }

    #[test]
    fn headers_are_shown_in_no_form() {
        for headers in [
            "headers: {Authorization: Bearer hunter2, : }",
            "headers: {Authorization: hunter2, Authorization: hunter2}",
            "headers: {Authorization Bearer hunter2}",
            "headers: {Authorization Bearer hunter2, Authorization Bearer hunter2}",
            "headers: Bearer hunter2",
            "headers: [Bearer hunter2]",
            "headers: {A: [hunter2, {b: hunter2}]}",
            "headers: {A: \"x\\\n\\\n\\\n hunter2\\u0007\"}",
            "headers:\n          A: |\n\n\n            x\n            hunter2\n\n            hunter2\n",
            "headers:\n          A: x\n\n\n            hunter2\n",
            "headers:\n          A: 'hunter2",
            "headers:\n          A: 'hunter2'\n          <<: hunter2",
            "headers:\n          A: *hunter2",
            "headers:\n          A: !hunter2 hunter2",
            "headers:\n          A: &hunter2 hunter2",
            "headers:\n\t A: hunter2",
            "Headers: {A: hunter2}",
            "hedaers: {A: hunter2}",
            "bearerToken: hunter2",
            "\"headers\" : {\"A\": \"hunter2\"}",
            "? headers\n        : {A: hunter2, B: 5}",
        ] {
            assert!(!shown(headers).contains("hunter2"), "{headers}\n{}", shown(headers));
        }
    }
}
