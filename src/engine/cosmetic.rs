//! Whether an edit only changed how a manifest is written (design §7): comments, blank lines, quotes and the order of keys. Pure.
//!
//! It is asked of the parsed documents alone, where a plain `1` and a quoted `"1"` differ, so that no reader of YAML can disagree. A file
//! that goes somewhere as it is (into a ConfigMap by a generator) has no cosmetic edits: a comment in it restarts pods.

use super::change::Meaning;
use super::manifest::{Node, parse};

/// What a file is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is parsed as YAML or JSON, and what it says is used.
    Parsed,
    /// Its bytes are used (see [`super::ownership::Link::takes_bytes`]).
    Bytes,
}

/// Whether two texts of one path say the same. What does not parse, or is no YAML or JSON by its name, is the same only byte for byte.
pub fn meaning(path: &str, before: &str, after: &str, used: Use) -> Meaning {
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
    let same = before == after
        || (used == Use::Parsed
            && is_manifest
            && matches!((parse(before), parse(after)), (Ok(before), Ok(after)) if say_the_same(&before, &after)));
    if same { Meaning::Same } else { Meaning::Changed }
}

/// Whether two files hold equal documents in the same order.
fn say_the_same(before: &[Node], after: &[Node]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(before, after)| before.says(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_it_otherwise_is_cosmetic() {
        let same = |before: &str, after: &str| meaning("a.yaml", before, after, Use::Parsed) == Meaning::Same;
        assert!(same("a: 1 # x\nb: 'y'\n", "\n# new\nb: \"y\"\na:   1\n"));
        assert!(same("a: [1, 2]\r\n", "a:\n- 1\n- 2\n"));
        assert!(!same("a: 1\n", "a: '1'\n"));
        assert!(!same("a: yes\n", "a: 'yes'\n"));
        assert!(!same("a: [1, 2]\n", "a: [2, 1]\n"));
        assert!(!same("a: |\n  # x\n", "a: |\n  # y\n"));
        assert!(!same("a: 1\n", "a: 1\n---\nb: 2\n"));
        assert!(!same("a: {{ .x }}\n", "a: {{ .x  }}\n"), "what does not parse cannot be compared");
    }

    #[test]
    fn what_is_used_as_it_is_has_no_cosmetic_edits() {
        assert_eq!(meaning("a.yaml", "a: 1\n", "a: 1 # x\n", Use::Bytes), Meaning::Changed);
        assert_eq!(meaning("run.sh", "# a\n", "# b\n", Use::Parsed), Meaning::Changed);
        assert_eq!(meaning("run.sh", "# a\n", "# a\n", Use::Bytes), Meaning::Same);
    }
}
