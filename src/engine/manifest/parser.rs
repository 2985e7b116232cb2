//! YAML text to the tree, from the parser's events: bounds hold whatever the library accepts, and every scalar keeps its bytes.
//!
//! Aliases and merge keys are followed, because manifests use them, within the same bounds as everything else. Tags are not: what they mean
//! is up to each reader.

use std::collections::HashMap;

use serde_yaml::granit_parser::{BorrowedInput, Event, Options, Parser, ScalarStyle, Span};

use super::{Entry, MAX_BYTES, MAX_DEPTH, MAX_NODES, Node, Origin, Place, Scalar, Style, Unreadable, Value};

/// Reads all documents of a file, YAML or JSON; those that say nothing are left out.
///
/// # Errors
/// Why it cannot be read. Text with `{{` that is no YAML is taken for a template.
pub fn parse(text: &str) -> Result<Vec<Node>, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let documents = read(text).map_err(|error| match error {
        Unreadable::NotYaml { .. } if text.contains("{{") => Unreadable::Template,
        other => other,
    })?;
    // An action on a line of its own can pass for more of the plain text above it. In quotes and blocks it is what somebody else fills in.
    let is_action = |node: &&Node| node.scalar().is_some_and(|scalar| scalar.style == Style::Plain && scalar.text.contains("{{"));
    if documents.iter().flat_map(Node::scalars).any(|node| is_action(&node)) { Err(Unreadable::Template) } else { Ok(documents) }
}

fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.flow_nesting_limit = MAX_DEPTH + 2;
    options.block_nesting_limit = MAX_DEPTH + 2;
    let mut builder = Builder { text, parser: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = builder.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => {
                let root = builder.node(event, &span, 0)?;
                builder.anchors.clear();
                if !root.scalar().is_some_and(Scalar::is_null) {
                    documents.push(root);
                }
            }
        }
    }
    Ok(documents)
}

struct Builder<'a, I: BorrowedInput<'a>> {
    text: &'a str,
    parser: Parser<'a, I>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

// === impl Builder ===

impl<'a, I: BorrowedInput<'a>> Builder<'a, I> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Unreadable> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(next)) => Ok(Some(next)),
            Some(Err(error)) => Err(Unreadable::NotYaml { line: error.marker().line(), why: first_line(&error.to_string()) }),
        }
    }

    /// The next event inside a collection, which must come.
    fn expect(&mut self, start: &Span) -> Result<(Event<'a>, Span), Unreadable> {
        self.next()?.ok_or_else(|| not_yaml(start, "a list or a map does not end"))
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Unreadable> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(Unreadable::TooLarge);
        }
        if event.tag().is_some() {
            return Err(not_yaml(span, "a tag (`!name`) means something else to each reader"));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Scalar(text, style, ..) => {
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Text };
                Node { value: Value::Scalar(Scalar { text: text.into_owned(), style }), place: place(span, span) }
            }
            Event::SequenceStart(..) => self.list(span, depth)?,
            Event::MappingStart(..) => self.map(span, depth)?,
            Event::Alias(id) => return self.alias(id, span, depth),
            _ => return Err(not_yaml(span, "a value is missing")),
        };
        if let Some(anchor) = anchor {
            // What an anchor keeps is counted once here; each alias counts what it repeats.
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: &Span, depth: usize) -> Result<Node, Unreadable> {
        let Some(target) = self.anchors.get(&id) else { return Err(not_yaml(span, "an alias stands for nothing that ends before it")) };
        let (size, height) = extent(target);
        self.nodes += size;
        if self.nodes > MAX_NODES || depth + height > MAX_DEPTH {
            return Err(Unreadable::TooLarge);
        }
        Ok(brought(target.clone(), &place(span, span)))
    }

    fn list(&mut self, start: &Span, depth: usize) -> Result<Node, Unreadable> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.expect(start)?;
            if event == Event::SequenceEnd {
                return Ok(Node { value: Value::List(items), place: place(start, &span) });
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn map(&mut self, start: &Span, depth: usize) -> Result<Node, Unreadable> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.expect(start)?;
            if event == Event::MappingEnd {
                self.merge(&mut entries, &seen, merged)?;
                return Ok(Node { value: Value::Map(entries), place: place(start, &span) });
            }
            let key = self.node(event, &span, depth + 1)?;
            let Value::Scalar(key) = key.value else { return Err(not_yaml(&span, "a key is a list or a map")) };
            let (event, value_span) = self.expect(start)?;
            let mut value = self.node(event, &value_span, depth + 1)?;
            self.place_nothing(&mut value, &span);
            if key.style == Style::Plain && key.text == "<<" {
                merged.push(value);
                continue;
            }
            if let Some(line) = seen.insert(key.text.clone(), span.start.line()) {
                return Err(not_yaml(&span, &format!("the key is there twice, first at line {line}")));
            }
            entries.push(Entry { key: key.text, value });
        }
    }

    /// A value that is not written stands right behind its colon; the parser sees it where the next thing begins.
    fn place_nothing(&self, value: &mut Node, key: &Span) {
        let (Some(end), true) = (key.end.byte_offset(), value.place.bytes.is_empty() && value.scalar().is_some_and(Scalar::is_null)) else {
            return;
        };
        let behind = self.text.get(end..).unwrap_or_default();
        let room = behind.len() - behind.trim_start_matches(' ').len();
        if behind.get(room..).is_some_and(|rest| rest.starts_with(':')) {
            let at = end + room + 1;
            value.place.bytes = at..at;
        }
    }

    /// Adds what merge keys bring and the map itself does not say; the first of several wins.
    fn merge(&mut self, entries: &mut Vec<Entry>, seen: &HashMap<String, usize>, merged: Vec<Node>) -> Result<(), Unreadable> {
        let mut brought_keys = std::collections::HashSet::new();
        for source in merged {
            let whole = source.place.clone();
            let maps = match source.value {
                Value::List(items) => items,
                value => vec![Node { value, place: whole.clone() }],
            };
            for map in maps {
                let Value::Map(found) = map.value else {
                    return Err(Unreadable::NotYaml { line: whole.line, why: "`<<` merges something that is no map".to_owned() });
                };
                for entry in found {
                    if !seen.contains_key(&entry.key) && brought_keys.insert(entry.key.clone()) {
                        entries.push(Entry { key: entry.key, value: brought(entry.value, &whole) });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The same value as something brought from elsewhere: all of it stands at the place of what brings it.
fn brought(mut node: Node, by: &Place) -> Node {
    node.place = Place { origin: Origin::Aliased, ..by.clone() };
    node.value = match node.value {
        Value::Scalar(scalar) => Value::Scalar(scalar),
        Value::List(items) => Value::List(items.into_iter().map(|item| brought(item, by)).collect()),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|entry| Entry { key: entry.key, value: brought(entry.value, by) }).collect())
        }
    };
    node
}

/// The number of values in a tree and its height.
fn extent(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Value::Scalar(_) => Vec::new(),
        Value::List(items) => items.iter().map(extent).collect(),
        Value::Map(entries) => entries.iter().map(|entry| extent(&entry.value)).collect(),
    };
    children.into_iter().fold((1, 1), |(size, height), (child_size, child_height)| (size + child_size, height.max(child_height + 1)))
}

fn place(start: &Span, end: &Span) -> Place {
    // Offsets are always there for a text that was handed in whole.
    let (from, to) = (start.start.byte_offset().unwrap_or_default(), end.end.byte_offset().unwrap_or_default());
    Place { line: start.start.line(), bytes: from..to.max(from), origin: Origin::Written }
}

fn not_yaml(span: &Span, why: &str) -> Unreadable {
    Unreadable::NotYaml { line: span.start.line(), why: why.to_owned() }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::objects;
    use super::*;

    #[test]
    fn a_scalar_knows_its_bytes() {
        let text = "# ü\na: 1.2 # why\r\nb:\r\n  - \"x y\" \n  - {c: 'd', é: f}\n---\ntop\n";
        let documents = parse(text).unwrap();
        let raw: Vec<&str> = documents.iter().flat_map(Node::scalars).map(|node| &text[node.place.bytes.clone()]).collect();
        assert_eq!(raw, ["1.2", "\"x y\"", "'d'", "f", "top"]);
        assert_eq!(documents[0].get("b").unwrap().items()[1].place.line, 5);
    }

    #[test]
    fn order_and_place_do_not_change_what_is_said_but_quotes_do() {
        let same = |one: &str, two: &str| parse(one).unwrap()[0].says(&parse(two).unwrap()[0]);
        assert!(same("a: 1\nb: [x]\n", "b:\n- x # c\n\na: 1\n"));
        assert!(same("a: ~\n", "a:\n"));
        assert!(same("a: 'x'\n", "a: \"x\"\n"));
        assert!(!same("a: 1\n", "a: \"1\"\n"));
        assert!(!same("a: [1, 2]\n", "a: [2, 1]\n"));
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let documents = parse("base: &b {x: 1, y: 2}\nhere:\n  <<: *b\n  y: 3\nlist: [*b]\n").unwrap();
        assert_eq!(documents[0].text_at(&["here", "x"]), Some("1"));
        assert_eq!(documents[0].text_at(&["here", "y"]), Some("3"));
        assert_eq!(documents[0].at(&["here", "x"]).unwrap().place.origin, Origin::Aliased);
        assert_eq!(documents[0].get("list").unwrap().items()[0].text_at(&["y"]), Some("2"));
        assert_eq!(documents[0].at(&["base", "x"]).unwrap().place.origin, Origin::Written);
    }

    #[test]
    fn what_grows_without_end_is_too_large() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", ")));
        }
        assert_eq!(parse(&bomb).unwrap_err(), Unreadable::TooLarge);
        let tower: String = (1..200).map(|level| format!("b{level}: &b{level} [*b{}]\n", level - 1)).collect();
        assert_eq!(parse(&format!("b0: &b0 x\n{tower}")).unwrap_err(), Unreadable::TooLarge);
        assert!(parse(&format!("{}x{}", "[".repeat(5000), "]".repeat(5000))).is_err());
        assert!(parse(&"- ".repeat(5000)).is_err());
        assert_eq!(parse(&"x".repeat(MAX_BYTES + 1)).unwrap_err(), Unreadable::TooLarge);
        assert_eq!(parse(&format!("[{}]", "a,".repeat(MAX_NODES))).unwrap_err(), Unreadable::TooLarge);
    }

    #[test]
    fn templates_and_other_texts_are_not_readable() {
        for text in ["image: {{ .Values.image }}\n", "{{- if .x }}\na: 1\n{{- end }}\n", "a: 1\n  {{ toYaml . }}\n"] {
            assert_eq!(parse(text).unwrap_err(), Unreadable::Template, "{text}");
        }
        assert!(parse("path: '{{path}}'\nblock: |\n  {{ define \"x\" }}\n").is_ok(), "a quoted text is a text");
        for text in ["a: [", "a: 1\na: 2\n", "? [a]\n: b\n", "a: !x b\n", "a: *none\n", "a: &x [*x]\n", "a: b: c\n", "\t- x\n\tb\n"] {
            assert!(matches!(parse(text), Err(Unreadable::NotYaml { .. })), "{text}");
        }
        assert!(parse("").unwrap().is_empty());
        assert!(parse("# nothing\n---\n---\nnull\n").unwrap().is_empty());
    }

    #[test]
    fn lists_hold_objects() {
        let documents =
            parse("kind: List\nitems:\n- {kind: A, metadata: {name: x}}\n- {kind: B, metadata: {name: y, namespace: n}}\n---\nx: 1\n");
        let names: Vec<String> = objects(&documents.unwrap()).iter().map(|object| object.identity.to_string()).collect();
        assert_eq!(names, ["A x", "B n/y"]);
    }

    #[test]
    fn json_is_read_too() {
        assert_eq!(parse("{\n\t\"a\": {\"b\": [1, \"x\"]}\n}\n").unwrap()[0].at(&["a", "b"]).unwrap().items().len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_text_makes_it_panic_and_bytes_stay_inside(text in "[a-c:\\-\\[\\]{}&*!|>'\"#,? \n\r\t~é<%@]{0,80}") {
            if let Ok(documents) = parse(&text) {
                for node in documents.iter().flat_map(Node::scalars) {
                    prop_assert!(text.get(node.place.bytes.clone()).is_some());
                }
            }
        }
    }
}
