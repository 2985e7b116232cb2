//! Files in short: whether an edit changed what they say, and which kinds they hold; `git/` hands in the bytes.

use serde_json::Value;

use super::super::plan::ManifestContent;

/// Whether two versions of a file say the same: equal documents, and equal text but for comments, blank lines and indentation.
///
/// Both are asked for. Equal documents alone would call `yes` and `"yes"` the same, which Kubernetes' YAML does not; equal text alone would
/// take a line of a block scalar for a comment.
pub fn same_documents(old: &[u8], new: &[u8]) -> bool {
    let (Ok(old_text), Ok(new_text)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else { return false };
    significant(old_text) == significant(new_text) && matches!((documents(old_text), documents(new_text)), (Ok(old), Ok(new)) if old == new)
}

/// The text without comment lines, blank lines and the amount of white space.
fn significant(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first().is_some_and(|word| !word.starts_with('#')))
        .collect()
}

/// What a file holds: the `kind` of each document, `-` where a document has none. The items of a `List` count one by one.
pub fn content(bytes: &[u8], path: &str) -> ManifestContent {
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
    if !is_manifest {
        return ManifestContent::Unreadable("it is neither YAML nor JSON by its name".to_owned());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return ManifestContent::Unreadable("it is not UTF-8".to_owned()) };
    match documents(text) {
        Ok(documents) => ManifestContent::Kinds(documents.iter().flat_map(kinds).collect()),
        Err(why) => ManifestContent::Unreadable(why),
    }
}

fn documents(text: &str) -> Result<Vec<Value>, String> {
    serde_yaml::from_multiple::<Value>(text).map_err(|error| {
        let first = error.to_string();
        format!("it does not parse as YAML: {}", first.lines().next().unwrap_or_default())
    })
}

fn kinds(document: &Value) -> Vec<String> {
    if document.is_null() {
        return Vec::new();
    }
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or("-");
    match document.get("items").and_then(Value::as_array) {
        Some(items) if kind.ends_with("List") => items.iter().flat_map(kinds).collect(),
        _ => vec![kind.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_indentation_say_nothing() {
        assert!(same_documents(b"# a\na: 1\nb:\n  c: 2\n", b"a:  1\n\n# other\nb:\n    c: 2\n"));
        assert!(!same_documents(b"a: 1\n", b"a: 2\n"));
        assert!(!same_documents(b"a: yes\n", b"a: \"yes\"\n"));
        assert!(!same_documents(b"a: |\n  #!/bin/sh\n  true\n", b"a: |\n  #!/bin/bash\n  true\n"));
        assert!(!same_documents(b"a: {{ .x }}\n", b"a: {{ .x  }}\n"), "what does not parse cannot be compared");
    }

    #[test]
    fn kinds_are_read_from_every_document_and_from_lists() {
        let text = b"kind: Deployment\n---\nkind: List\nitems:\n- {kind: Secret}\n- {kind: Job}\n---\nreplicas: 3\n";
        assert_eq!(content(text, "a.yaml"), ManifestContent::Kinds(["Deployment", "Secret", "Job", "-"].map(str::to_owned).into()));
        assert!(matches!(content(b"image: {{ .tag }}", "a.yaml"), ManifestContent::Unreadable(_)));
        assert!(matches!(content(b"x", "run.sh"), ManifestContent::Unreadable(_)));
    }
}
