//! YAML text to a tree with places: the only file that meets the YAML parser.
//!
//! The tree is built from the parser's events, not by deserialising: anchors, aliases, tags, `<<`, duplicate keys, depth and size are then
//! refused here, in our own words and at the very place, whatever the library accepts by default. A text is cut at its `---` lines first,
//! so that each document is judged on its own and one that does not parse hides no error of another.

use std::collections::HashMap;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span as EventSpan, StructureStyle};

use super::diagnostic::Span;
use super::node::{Entry, Node, Origin, Scalar, Style, Value, key_name};
use super::syntax;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// The deepest nesting of lists and objects.
pub const MAX_DEPTH: usize = 32;

/// The most values in one document.
const MAX_NODES: usize = 20_000;

/// What stops a document from being read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructureError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A document's text with the number of its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The text, from its `---` line where it has one.
    pub text: &'a str,
    /// The number of its first line, from 1.
    pub first_line: usize,
}

/// Cuts a text at its `---` lines. A `---` at column 0 always ends a document, also inside a quoted text, which is then not closed.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---");
        if offset > 0 && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n'])) {
            pieces.push(Piece { text: &text[start..offset], first_line });
            (start, first_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    pieces.push(Piece { text: &text[start..], first_line });
    pieces
}

/// Reads one document; `None` for one that holds nothing but comments.
///
/// # Errors
/// The first thing that stops it from being read.
pub fn parse(piece: Piece<'_>) -> Result<Option<Node>, StructureError> {
    if let Some(error) = forbidden_character(piece) {
        return Err(error);
    }
    let mut options = Options::default();
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.emit_comments = false;
    // Lets the first level over our own limit through, so that the message is ours.
    options.flow_nesting_limit = MAX_DEPTH + 2;
    options.block_nesting_limit = MAX_DEPTH + 2;
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(piece.text, options),
        lines: piece.text.split('\n').collect(),
        first_line: piece.first_line,
        nodes: 0,
        open: Vec::new(),
    };
    builder.document()
}

struct Builder<'a, I: serde_yaml::granit_parser::BorrowedInput<'a>> {
    parser: Parser<'a, I>,
    lines: Vec<&'a str>,
    first_line: usize,
    nodes: usize,
    /// The brackets that are open, with their lines.
    open: Vec<(char, usize)>,
}

// === impl Builder ===

impl<'a, I: serde_yaml::granit_parser::BorrowedInput<'a>> Builder<'a, I> {
    fn document(&mut self) -> Result<Option<Node>, StructureError> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(self.error(
                        &span,
                        "another document begins here without a `---` line",
                        Some("put a line `---` between two documents"),
                    ));
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, &span, 0)?),
            }
        }
        let Some(root) = root else { return Ok(None) };
        Ok((root.scalar() != Some(Scalar::Null)).then_some(root))
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, EventSpan)>, StructureError> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => Err(self.scan_error(&error)),
        }
    }

    fn scan_error(&self, error: &ScanError) -> StructureError {
        let at = error.marker();
        let (message, hint) = syntax::words(error.kind());
        let span = self.place(at.line(), at.col(), 1);
        match self.open.last() {
            // What the parser stumbles over is far from what was forgotten.
            Some((bracket, line)) if *line < span.line => {
                let hint = format!("add the `{}` of the `{bracket}` at line {line}", if *bracket == '{' { '}' } else { ']' });
                StructureError { span, message: format!("the `{bracket}` of line {line} is still open here"), hint: Some(hint) }
            }
            _ => StructureError { span, message, hint },
        }
    }

    fn node(&mut self, event: Event<'a>, span: &EventSpan, depth: usize) -> Result<Node, StructureError> {
        self.refuse_properties(&event, span)?;
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(span, format!("the document holds more than {MAX_NODES} values"), Some("split it into several files")));
        }
        if depth > MAX_DEPTH || (depth == MAX_DEPTH && !matches!(event, Event::Scalar(..))) {
            return Err(self.error(span, format!("lists and objects are nested more than {MAX_DEPTH} deep"), None));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                let last_line = self.place(span.end.line(), 0, 1).line;
                Ok(Node { value: Value::Scalar { text: text.into_owned(), style, last_line }, span: self.span(span) })
            }
            Event::SequenceStart(style, ..) => {
                self.opened('[', style, span);
                self.list(style, span, depth)
            }
            Event::MappingStart(style, ..) => {
                self.opened('{', style, span);
                self.map(style, span, depth)
            }
            _ => Err(self.error(span, "this is not YAML", None)),
        }
    }

    fn opened(&mut self, bracket: char, style: StructureStyle, span: &EventSpan) {
        if style == StructureStyle::Flow {
            self.open.push((bracket, self.span(span).line));
        }
    }

    fn closed(&mut self, style: StructureStyle) {
        if style == StructureStyle::Flow {
            self.open.pop();
        }
    }

    fn list(&mut self, style: StructureStyle, start: &EventSpan, depth: usize) -> Result<Node, StructureError> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                self.closed(style);
                return Ok(Node { value: Value::List(items), span: self.collection_span(style, start, &span) });
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
        Err(self.error(start, "this list does not end", None))
    }

    fn map(&mut self, style: StructureStyle, start: &EventSpan, depth: usize) -> Result<Node, StructureError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                self.closed(style);
                let span = match entries.first() {
                    Some(entry) if style == StructureStyle::Block => entry.span,
                    _ => self.collection_span(style, start, &span),
                };
                return Ok(Node { value: Value::Map(entries), span });
            }
            let (key, place) = self.key(event, &span, depth)?;
            if let Some(line) = seen.insert(key.clone(), place.line) {
                let message = format!("the key {} is there twice; it is first seen at line {line}", key_name(&key));
                return Err(StructureError { span: place, message, hint: Some("remove one of the two".to_owned()) });
            }
            let Some((event, value_span)) = self.next()? else {
                return Err(self.error(start, "this object does not end", None));
            };
            let value = self.node(event, &value_span, depth + 1)?;
            entries.push(Entry { key, span: place, value, origin: Origin::Typed });
        }
        Err(self.error(start, "this object does not end", None))
    }

    fn key(&mut self, event: Event<'a>, span: &EventSpan, depth: usize) -> Result<(String, Span), StructureError> {
        let node = self.node(event, span, depth + 1)?;
        match node.value {
            Value::Scalar { text, style: Style::Plain, .. } if text == "<<" => Err(StructureError {
                span: node.span,
                message: "the merge key `<<` is not allowed".to_owned(),
                hint: Some("write the keys out: a reader sees what holds without looking elsewhere".to_owned()),
            }),
            Value::Scalar { text, .. } => Ok((text, node.span)),
            _ => Err(StructureError { span: node.span, message: "a key is a word, not a list or an object".to_owned(), hint: None }),
        }
    }

    fn refuse_properties(&self, event: &Event<'a>, span: &EventSpan) -> Result<(), StructureError> {
        let write_out = Some("write the value out; a text that begins with `*` or `&` needs quotes");
        match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(self.error(span, "an alias (`*name`) is not allowed", write_out)),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) if *anchor != 0 => {
                Err(self.error(span, "an anchor (`&name`) is not allowed", write_out))
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, _, Some(_)) | Event::MappingStart(_, _, Some(_)) => {
                // Its name is not repeated: a password may begin with `!`.
                Err(self.error(span, "a tag (`!name`) is not allowed", Some("remove it; a text that begins with `!` needs quotes")))
            }
            _ => Ok(()),
        }
    }

    fn error(&self, span: &EventSpan, message: impl Into<String>, hint: Option<&str>) -> StructureError {
        StructureError { span: self.span(span), message: message.into(), hint: hint.map(str::to_owned) }
    }

    /// The place of an event, as far as it goes on its first line.
    fn span(&self, span: &EventSpan) -> Span {
        let length = if span.end.line() == span.start.line() { span.end.col().saturating_sub(span.start.col()) } else { usize::MAX };
        self.place(span.start.line(), span.start.col(), length)
    }

    fn collection_span(&self, style: StructureStyle, start: &EventSpan, end: &EventSpan) -> Span {
        match style {
            StructureStyle::Flow => {
                let mut whole = *start;
                whole.end = end.end;
                self.span(&whole)
            }
            StructureStyle::Block => self.place(start.start.line(), start.start.col(), 1),
        }
    }

    /// A place from the parser's line (from 1) and column (from 0), kept inside the text.
    fn place(&self, line: usize, column: usize, length: usize) -> Span {
        let line = line.clamp(1, self.lines.len().max(1));
        let width = self.lines.get(line - 1).map_or(0, |text| text.chars().count());
        let column = column.min(width);
        let length = length.min(width - column).max(1);
        Span { line: line + self.first_line - 1, column: column + 1, length, file: 0 }
    }
}

/// Control characters, which YAML forbids and a terminal obeys.
fn forbidden_character(piece: Piece<'_>) -> Option<StructureError> {
    for (index, line) in piece.text.split('\n').enumerate() {
        let found = line.chars().enumerate().find(|(_, char)| char.is_control() && *char != '\t' && *char != '\u{85}');
        if let Some((column, char)) = found {
            return Some(StructureError {
                span: Span { line: piece.first_line + index, column: column + 1, length: 1, file: 0 },
                message: format!("the character U+{:04X} is not allowed in a configuration file", u32::from(char)),
                hint: Some("save the file as UTF-8 text without control characters".to_owned()),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Node>, StructureError> {
        parse(Piece { text, first_line: 1 })
    }

    fn message(text: &str) -> (usize, usize, String) {
        let error = read(text).unwrap_err();
        (error.span.line, error.span.column, error.message)
    }

    #[test]
    fn a_tree_knows_its_places() {
        let node = read("a: 1\nb:\n  - {c: x, d: [y]}\n  - \"2\"\n").unwrap().unwrap();
        assert_eq!(node.get("a").unwrap().scalar(), Some(Scalar::Integer(1)));
        let b = node.get("b").unwrap();
        assert_eq!(b.items()[0].span, Span { line: 3, column: 5, length: 14, file: 0 });
        assert_eq!(b.items()[0].get("c").unwrap().span, Span { line: 3, column: 9, length: 1, file: 0 });
        assert_eq!(b.items()[1].scalar(), Some(Scalar::Text("2")));
        assert_eq!(node.to_json(), serde_json::json!({"a": 1, "b": [{"c": "x", "d": ["y"]}, "2"]}));
    }

    #[test]
    fn documents_are_cut_with_their_lines() {
        let text = "# only a comment\n---\na: 1\n--- # two\nb: [\n---\nc: 3\n";
        let pieces = pieces(text);
        assert_eq!(pieces.iter().map(|piece| piece.first_line).collect::<Vec<_>>(), [1, 2, 4, 6]);
        assert_eq!(parse(pieces[0]), Ok(None));
        assert_eq!(parse(pieces[1]).unwrap().unwrap().entries()[0].span.line, 3);
        assert!(parse(pieces[2]).is_err());
        assert_eq!(parse(pieces[3]).unwrap().unwrap().entries()[0].span.line, 7);
    }

    #[test]
    fn what_hides_or_multiplies_values_is_refused() {
        assert_eq!(message("a: &x 1\n"), (1, 7, "an anchor (`&name`) is not allowed".into()));
        assert_eq!(message("a: *x\n"), (1, 4, "an alias (`*name`) is not allowed".into()));
        assert_eq!(message("a:\n  <<: {b: 1}\n"), (2, 3, "the merge key `<<` is not allowed".into()));
        assert_eq!(message("a: !secret x\n").2, "a tag (`!name`) is not allowed");
        assert_eq!(message("a: 1\nb: 2\na: 3\n"), (3, 1, "the key `a` is there twice; it is first seen at line 1".into()));
        assert_eq!(message("[a]: 1\n").2, "a key is a word, not a list or an object");
        assert_eq!(message("a: 1\n...\nb: 2\n").2, "another document begins here without a `---` line");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let flow = format!("{}x{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(read(&flow).is_ok());
        let deep = "lists and objects are nested more than 32 deep";
        assert_eq!(message(&format!("[{flow}]")).2, deep);
        assert_eq!(message(&format!("{}x{}", "[".repeat(5000), "]".repeat(5000))).2, deep);
        assert_eq!(message(&format!("{}x", "- ".repeat(5000))).2, deep);
        let block: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert_eq!(message(&block).2, deep);
        assert_eq!(message(&format!("[{}]", "a,".repeat(MAX_NODES))).2, "the document holds more than 20000 values");
    }
}
