//! Reads a GraphQL document: as much of the language as clients of this server write.
//!
//! One operation, named or not; fields with aliases, arguments and variables; inline fragments. No named fragments, no directives, no
//! block strings: these are answered with an error, and not misread.

use serde_json::{Map, Value};

/// An operation.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Operation {
    pub(in super::super) is_mutation: bool,
    pub(in super::super) selections: Vec<Selection>,
}

/// What is selected of an object.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Selection {
    Field {
        name: String,
        alias: String,
        arguments: Map<String, Value>,
        selections: Vec<Selection>,
    },
    /// `... on Type { … }`.
    Fragment {
        on: String,
        selections: Vec<Selection>,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
    Spread,
}

/// How deep selections and values may be nested.
const DEEPEST: usize = 32;

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    variables: &'a Map<String, Value>,
    defaults: Map<String, Value>,
}

/// Reads a document with its variables put in.
pub(in super::super) fn parse(text: &str, variables: &Map<String, Value>) -> Result<Operation, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), variables, defaults: Map::new() };
    let mut is_mutation = false;
    if let Some(Token::Name(word)) = parser.tokens.peek().cloned() {
        match word.as_str() {
            "query" => {}
            "mutation" => is_mutation = true,
            other => return Err(format!("Expected one of QUERY, MUTATION, actual: IDENTIFIER (\"{other}\")")),
        }
        parser.tokens.next();
        if matches!(parser.tokens.peek(), Some(Token::Name(_))) {
            parser.tokens.next();
        }
        if parser.tokens.peek() == Some(&Token::Sign('(')) {
            parser.declarations()?;
        }
    }
    let selections = parser.selections(0)?;
    match parser.tokens.next() {
        None => Ok(Operation { is_mutation, selections }),
        Some(token) => Err(format!("a document of one operation ends before {token:?}")),
    }
}

// === words ===

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}' => {}
            '#' => while characters.next_if(|next| *next != '\n').is_some() {},
            '"' => found.push(Token::Text(quoted(&mut characters)?)),
            '.' => {
                if characters.next() != Some('.') || characters.next() != Some('.') {
                    return Err("a single `.` means nothing".to_owned());
                }
                found.push(Token::Spread);
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '!' | '=' | '$' => found.push(Token::Sign(character)),
            '_' | 'a'..='z' | 'A'..='Z' => {
                let mut name = character.to_string();
                while let Some(next) = characters.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                    name.push(next);
                }
                found.push(Token::Name(name));
            }
            '-' | '0'..='9' => {
                let mut number = character.to_string();
                while let Some(next) = characters.next_if(|next| next.is_ascii_digit() || matches!(next, '.' | 'e' | 'E' | '+' | '-')) {
                    number.push(next);
                }
                found.push(Token::Number(number));
            }
            other => return Err(format!("unexpected character {other:?}")),
        }
    }
    Ok(found)
}

/// The rest of a text, whose escapes are those of JSON.
fn quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut raw = String::from("\"");
    while let Some(character) = characters.next() {
        raw.push(character);
        match character {
            '"' => return serde_json::from_str(&raw).map_err(|error| format!("a text cannot be read: {error}")),
            '\\' => raw.extend(characters.next()),
            _ => {}
        }
    }
    Err("a text does not end".to_owned())
}

// === impl Parser ===

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, String> {
        self.tokens.next().ok_or_else(|| "the document ends too early".to_owned())
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.next()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(format!("expected `{sign}`, found {other:?}")),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Name(name) => Ok(name),
            other => Err(format!("expected a name, found {other:?}")),
        }
    }

    fn has(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    /// `($name: [Type!]! = default …)`.
    fn declarations(&mut self) -> Result<(), String> {
        self.sign('(')?;
        while !self.has(')') {
            self.sign('$')?;
            let name = self.name()?;
            self.sign(':')?;
            let brackets = self.has('[');
            self.name()?;
            self.has('!');
            if brackets {
                self.sign(']')?;
                self.has('!');
            }
            if self.has('=') {
                let value = self.value(0)?;
                self.defaults.insert(name.clone(), value);
            }
            if !self.variables.contains_key(&name) && !self.defaults.contains_key(&name) {
                self.defaults.insert(name, Value::Null);
            }
        }
        Ok(())
    }

    fn selections(&mut self, depth: usize) -> Result<Vec<Selection>, String> {
        if depth > DEEPEST {
            return Err("the document is nested too deeply".to_owned());
        }
        self.sign('{')?;
        let mut selections = Vec::new();
        while !self.has('}') {
            match self.next()? {
                Token::Spread => match (self.name()?.as_str(), self.name()) {
                    ("on", Ok(on)) => selections.push(Selection::Fragment { on, selections: self.selections(depth + 1)? }),
                    _ => return Err("named fragments are not read by this server".to_owned()),
                },
                Token::Name(name) => selections.push(self.field(name, depth)?),
                other => return Err(format!("expected a field, found {other:?}")),
            }
        }
        if selections.is_empty() { Err("a selection is empty".to_owned()) } else { Ok(selections) }
    }

    fn field(&mut self, first: String, depth: usize) -> Result<Selection, String> {
        let name = if self.has(':') { self.name()? } else { first.clone() };
        let arguments = if self.has('(') { self.entries(')', depth)? } else { Map::new() };
        let nested = self.tokens.peek() == Some(&Token::Sign('{'));
        let selections = if nested { self.selections(depth + 1)? } else { Vec::new() };
        Ok(Selection::Field { name, alias: first, arguments, selections })
    }

    fn entries(&mut self, end: char, depth: usize) -> Result<Map<String, Value>, String> {
        let mut entries = Map::new();
        while !self.has(end) {
            let name = self.name()?;
            self.sign(':')?;
            let value = self.value(depth + 1)?;
            entries.insert(name, value);
        }
        Ok(entries)
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err("the document is nested too deeply".to_owned());
        }
        match self.next()? {
            Token::Text(text) => Ok(Value::String(text)),
            Token::Number(text) => serde_json::from_str(&text).map_err(|_| format!("`{text}` is no number")),
            Token::Name(name) => Ok(match name.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                _ => Value::String(name),
            }),
            Token::Sign('$') => {
                let name = self.name()?;
                let value = self.variables.get(&name).or_else(|| self.defaults.get(&name)).cloned();
                value.ok_or_else(|| format!("Variable ${name} is used by anonymous query but not declared"))
            }
            Token::Sign('{') => self.entries('}', depth).map(Value::Object),
            Token::Sign('[') => {
                let mut list = Vec::new();
                while !self.has(']') {
                    list.push(self.value(depth + 1)?);
                }
                Ok(Value::Array(list))
            }
            other => Err(format!("expected a value, found {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variables() -> Map<String, Value> {
        json!({"id": "IC_1", "list": [1, 2]}).as_object().cloned().unwrap_or_default()
    }

    fn field(name: &str, alias: &str, arguments: Value, selections: Vec<Selection>) -> Selection {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        Selection::Field { name: name.to_owned(), alias: alias.to_owned(), arguments, selections }
    }

    #[test]
    fn an_operation_is_read_with_its_variables() {
        let text = "query Q($id: ID!, $many: [Int!]! = [3]) { # a comment\n first: node(id: $id, many: $many, on: MAIN) { id ... on IssueComment { body } } }";
        let operation = parse(text, &variables()).unwrap();
        assert!(!operation.is_mutation);
        let plain = |name: &str| field(name, name, json!({}), Vec::new());
        let fragment = Selection::Fragment { on: "IssueComment".to_owned(), selections: vec![plain("body")] };
        let first = field("node", "first", json!({"id": "IC_1", "many": [3], "on": "MAIN"}), vec![plain("id"), fragment]);
        assert_eq!(operation.selections, [first]);
    }

    #[test]
    fn texts_have_their_escapes_undone() {
        let operation = parse(r#"mutation { do(input: {text: "a \"b\"\n", list: [1, -2.5, true, null]}) { ok } }"#, &Map::new()).unwrap();
        assert!(operation.is_mutation);
        let arguments = json!({"input": {"text": "a \"b\"\n", "list": [1, -2.5, true, null]}});
        assert_eq!(operation.selections, [field("do", "do", arguments, vec![field("ok", "ok", json!({}), Vec::new())])]);
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in [
            "",
            "{",
            "{}",
            "subscription { a }",
            "{ a(b: $none) }",
            "{ a } { b }",
            "{ ...F }",
            "{ a(b: \"x) }",
            "{ a @skip }",
            &"{a".repeat(99),
        ] {
            assert!(parse(text, &Map::new()).is_err(), "{text}");
        }
    }
}
