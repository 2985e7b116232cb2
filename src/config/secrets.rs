//! What a file may hold that no diagnostic shows: the values of headers, and what stands under a key that sounds like a secret.
//!
//! Passwords in addresses are masked on every line by [`super::diagnostic::Source`] itself.

use super::check::nearest;
use super::diagnostic::Source;
use super::node::{Node, Piece, Value};

const SECRET_WORDS: &[&str] =
    &["password", "passphrase", "token", "secret", "authorization", "cookie", "apikey", "privatekey", "credential"];

/// Masks the secrets of a document that parses.
pub fn mask_tree(node: &Node, text: &str, source: &mut Source) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter().for_each(|item| mask_tree(item, text, source)),
        Value::Map(entries) => {
            for entry in entries {
                // A list of keys named `credentials` names files; its own keys are judged below.
                let holds_secrets =
                    sounds_secret(&entry.key) && !(is_object(&entry.value) && entry.key.eq_ignore_ascii_case("credentials"));
                if holds_secrets {
                    mask_all(&entry.value, text, source);
                } else {
                    mask_tree(&entry.value, text, source);
                }
            }
        }
    }
}

/// Hides a document that does not parse from the first word that sounds like a secret on: what belongs to what is not known.
pub fn hide_text(piece: Piece<'_>, source: &mut Source) {
    let lines: Vec<&str> = piece.text.split('\n').collect();
    let first =
        lines.iter().position(|line| line.split(|char: char| !char.is_alphanumeric() && !matches!(char, '-' | '_')).any(sounds_secret));
    if let Some(first) = first {
        source.hide(piece.first_line + first, piece.first_line + lines.len() - 1);
    }
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
    SECRET_WORDS.iter().any(|word| lower.contains(word)) || nearest(key, ["headers", "header"].into_iter()).is_some()
}

fn mask_all(node: &Node, text: &str, source: &mut Source) {
    match &node.value {
        Value::Scalar { .. } => mask_scalar(node, text, source),
        Value::List(items) => items.iter().for_each(|item| mask_all(item, text, source)),
        Value::Map(entries) => entries.iter().for_each(|entry| mask_all(&entry.value, text, source)),
    }
}

/// Masks a scalar, to the end of its block where it goes over several lines.
fn mask_scalar(node: &Node, text: &str, source: &mut Source) {
    source.mask(node.span.line, node.span.column, node.span.length);
    let Value::Scalar { text: value, .. } = &node.value else { return };
    let first = text.split('\n').nth(node.span.line.saturating_sub(1)).unwrap_or_default();
    let on_one_line = first.chars().skip(node.span.column.saturating_sub(1)).take(node.span.length).collect::<String>();
    if !on_one_line.contains(value.as_str()) {
        // Folded, quoted over several lines or escaped: at most as many lines follow as the value has characters.
        let last = node.span.line.saturating_add(value.chars().count());
        source.hide(node.span.line, last);
    }
}
