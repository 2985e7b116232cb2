//! The YAML parser's complaints in our own words.

use serde_yaml::granit_parser::ErrorKind;

use super::yaml::MAX_DEPTH;

/// What is wrong, and what to do about it, for what the parser found.
#[expect(clippy::too_many_lines, reason = "a list of one repeated thing: complaint, sentence, advice")]
pub fn words(kind: &ErrorKind) -> (String, Option<String>) {
    let (message, hint) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => ("a tab cannot indent or separate here", Some("use spaces")),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            ("a quoted text is not closed", Some("add the closing quote; a text inside single quotes doubles its own: `'it''s'`"))
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("something follows the closing quote of a text", Some("put the whole text into quotes"))
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            return (format!("`{open}` is not closed"), Some(format!("add the closing `{}`", closing(*open))));
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("`{open}` is closed by `{close}`"), Some(format!("close it with `{}`", closing(*open))));
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => (
            "a list in brackets lacks a `,` or its `]`",
            Some("write `[one, two]`, with quotes round a text that holds `: `, `,` or a bracket"),
        ),
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::FlowMappingValueAdjacentCollection => (
            "an object in braces lacks a `,`, a `:` or its `}`",
            Some("write `{one: 1, two: 2}`, with quotes round a text that holds `: `, `,` or a bracket"),
        ),
        ErrorKind::MisplacedFlowCollectionEnd => ("a bracket is closed that was not opened", Some("put a text with brackets into quotes")),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey | ErrorKind::ExpectedBlockMappingKey => {
            ("a key with `:` is expected here", Some("write `key: value`, indented like its neighbours"))
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent | ErrorKind::InvalidBlockScalarIndent => {
            ("the indentation fits nothing above", Some("indent it like its neighbours"))
        }
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace => {
            ("a `key: value` cannot stand here", Some("put a text that holds `: ` into quotes, or begin a new line for a new key"))
        }
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::PlainScalarStartsWithDashFlowIndicator => {
            ("a `-` of a list cannot stand here", Some("put each `- item` on a line of its own, all with the same indentation"))
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let shown = character.escape_default();
            return (format!("a text cannot begin with `{shown}`"), Some("put it into quotes".to_owned()));
        }
        ErrorKind::CommentNotSeparated => ("a comment needs a space before its `#`", Some("add the space, or put the text into quotes")),
        ErrorKind::RecursionLimitExceeded => return (format!("lists and objects are nested more than {MAX_DEPTH} deep"), None),
        ErrorKind::DirectiveDisallowed => ("a `%` directive is not allowed", Some("remove the line")),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::MissingLowSurrogate => {
            ("an escape in a double-quoted text is wrong", Some("write `\\\\` for a backslash, or use single quotes"))
        }
        ErrorKind::MissingAnchorOrAliasName => {
            ("`*` and `&` begin an alias or an anchor, which are not allowed", Some("put a text that begins with one into quotes"))
        }
        ErrorKind::InvalidDocumentEnd | ErrorKind::ExpectedDocumentStart => {
            ("this belongs to nothing above", Some("indent it like its neighbours, or begin a new document with a `---` line"))
        }
        _ => ("this is not YAML", None),
    };
    (message.to_owned(), hint.map(str::to_owned))
}

fn closing(open: char) -> char {
    if open == '{' { '}' } else { ']' }
}
