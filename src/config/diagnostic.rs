//! One finding about a configuration file: where it is, what is wrong and what to write instead, for people and as JSON.
//!
//! What is shown of a file never holds a secret: [`Source`] keeps the lines with the values of headers and passwords masked, and a
//! diagnostic takes its excerpt from there. Control characters and characters that turn the writing direction are shown escaped.

use std::fmt;

use serde::Serialize;

/// How many characters of a line are shown round the place.
const EXCERPT_WIDTH: usize = 110;

/// How many characters of what was typed are repeated in a message.
const QUOTED_WIDTH: usize = 60;

/// Whether a finding makes the file unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used but does not do what it seems to.
    Warning,
}

/// What sort of finding it is; the exit code depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// What the file says.
    Content,
    /// The file cannot be read at all.
    Unreadable,
}

/// A place in a file: line and column from 1, the length in characters, at least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The line, from 1; 0 for a finding about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters, on this line only.
    pub length: usize,
    /// Which file: 0 for the one that the findings are about, from 1 for those that it takes values from.
    pub file: usize,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether the file can be used.
    pub severity: Severity,
    /// Whether the file could be read.
    pub cause: Cause,
    /// The file as it was named.
    pub file: String,
    /// The line, from 1; 0 for a finding about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters the place has on its line.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line with secrets masked, where it may be shown.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

/// Every finding of one load, at least one of them an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

/// A file's name and its lines as they may be shown.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    lines: Vec<Option<String>>,
}

/// Collects the findings of one file.
pub struct Findings<'a> {
    source: &'a Source,
    further: &'a [&'a Source],
    list: &'a mut Vec<Diagnostic>,
}

// === impl Diagnostic ===

impl Diagnostic {
    /// A finding about a file as a whole, such as one that cannot be read.
    pub fn whole_file(cause: Cause, file: &str, message: String, hint: Option<String>) -> Self {
        Self { severity: Severity::Error, cause, file: file.to_owned(), line: 0, column: 0, length: 0, message, hint, excerpt: None }
    }

    /// Whether the file cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}: {}", self.message)?;
        if self.line == 0 {
            writeln!(f, "  --> {}", escaped(&self.file))?;
        } else {
            writeln!(f, "  --> {}:{}:{}", escaped(&self.file), self.line, self.column)?;
        }
        if let Some(line) = &self.excerpt {
            let number = self.line.to_string();
            let margin = " ".repeat(number.chars().count());
            let (text, before, carets) = excerpt(line, self.column.saturating_sub(1), self.length);
            writeln!(f, " {margin} |\n {number} | {text}\n {margin} | {}{}", " ".repeat(before), "^".repeat(carets))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

// === impl Diagnostics ===

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

// === impl Source, Findings ===

impl Source {
    /// A file with every line shown as it is.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), lines: text.split('\n').map(|line| Some(mask_passwords(line))).collect() }
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hides `length` characters from `column` (1-based) on a line; columns stay where they are.
    pub fn mask(&mut self, line: usize, column: usize, length: usize) {
        if let Some(Some(text)) = line.checked_sub(1).and_then(|index| self.lines.get_mut(index)) {
            let hidden = column.saturating_sub(1)..column.saturating_sub(1).saturating_add(length);
            *text = text.chars().enumerate().map(|(index, char)| if hidden.contains(&index) { '*' } else { char }).collect();
        }
    }

    /// Shows none of the lines from `first` to `last`.
    pub fn hide(&mut self, first: usize, last: usize) {
        for line in self.lines.iter_mut().take(last).skip(first.saturating_sub(1)) {
            *line = None;
        }
    }

    fn line(&self, line: usize) -> Option<String> {
        self.lines.get(line.checked_sub(1)?).cloned().flatten()
    }
}

impl<'a> Findings<'a> {
    /// Findings about `source`, added to `list`.
    pub fn new(source: &'a Source, list: &'a mut Vec<Diagnostic>) -> Self {
        Self { source, further: &[], list }
    }

    /// The same, also about places of other files, from which the first takes values: the file numbers of their places count from 1.
    pub fn with(self, further: &'a [&'a Source]) -> Self {
        Self { further, ..self }
    }

    /// Adds an error.
    pub fn error(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Error, span, message.into(), hint.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, span: Span, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.add(Severity::Warning, span, message.into(), hint.into());
    }

    /// The first of some words from a place on, on its line or the lines of its text; the place itself where none is there.
    pub fn within(&self, span: Span, words: &[String]) -> Span {
        /// So many lines of a text are looked through.
        const LINES: usize = 40;
        for line in span.line..span.line.saturating_add(LINES) {
            let Some(text) = self.source_of(span).line(line) else { return span };
            let from = if line == span.line { span.column.saturating_sub(1) } else { 0 };
            let characters: Vec<char> = text.chars().collect();
            let rest: String = characters.iter().skip(from).collect();
            let found = words.iter().filter_map(|word| Some((rest.find(word.as_str())?, word))).min();
            if let Some((at, word)) = found {
                let column = from + rest[..at].chars().count() + 1;
                return Span { line, column, length: word.chars().count(), file: span.file };
            }
        }
        span
    }

    /// How many errors there are so far, in all files of the list.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.is_error()).count()
    }

    fn source_of(&self, span: Span) -> &'a Source {
        span.file.checked_sub(1).and_then(|index| self.further.get(index)).copied().unwrap_or(self.source)
    }

    fn add(&mut self, severity: Severity, span: Span, message: String, hint: Option<String>) {
        let source = self.source_of(span);
        self.list.push(Diagnostic {
            severity,
            cause: Cause::Content,
            file: source.name.clone(),
            line: span.line,
            column: span.column,
            length: span.length,
            message,
            hint,
            excerpt: source.line(span.line),
        });
    }
}

/// What was typed, in backticks, escaped and cut.
pub fn quoted(text: &str) -> String {
    let mut cut: String = text.chars().take(QUOTED_WIDTH).collect();
    if text.chars().nth(QUOTED_WIDTH).is_some() {
        cut.push('…');
    }
    format!("`{}`", escaped(&mask_passwords(&cut)))
}

fn escaped(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// A character as a terminal may see it.
fn shown(char: char) -> String {
    match char {
        '\t' => " ".to_owned(),
        // Directional marks and overrides reorder what follows them on the screen.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => char.escape_unicode().to_string(),
        _ if char.is_control() => char.escape_unicode().to_string(),
        _ => char.to_string(),
    }
}

/// The part of a line that is shown, how far the carets are indented and how many there are.
fn excerpt(line: &str, column: usize, length: usize) -> (String, usize, usize) {
    let characters: Vec<char> = line.chars().collect();
    let column = column.min(characters.len());
    let start = if characters.len() <= EXCERPT_WIDTH { 0 } else { column.saturating_sub(EXCERPT_WIDTH / 2) };
    let end = characters.len().min(start + EXCERPT_WIDTH);
    let marked = column.max(start)..(column + length.max(1)).min(end);
    let mut text = String::new();
    let (mut before, mut carets) = (0, 0);
    if start > 0 {
        text.push('…');
        before += 1;
    }
    for (index, char) in characters.iter().enumerate().take(end).skip(start) {
        let piece = shown(*char);
        let width = piece.chars().count();
        if index < column {
            before += width;
        } else if marked.contains(&index) {
            carets += width;
        }
        text.push_str(&piece);
    }
    if end < characters.len() {
        text.push('…');
    }
    (text.trim_end().to_owned(), before, carets.max(1))
}

/// Hides the user information of addresses: what stands between `://` and the last `@` of the authority, if a password or token can be in it.
fn mask_passwords(line: &str) -> String {
    let mut characters: Vec<char> = line.chars().collect();
    let mut index = 0;
    while index + 2 < characters.len() {
        if characters[index..index + 3] == [':', '/', '/'] {
            let start = index + 3;
            let end = (start..characters.len())
                .find(|at| characters[*at].is_whitespace() || matches!(characters[*at], '/' | '"' | '\'' | ',' | '}' | ']'))
                .unwrap_or(characters.len());
            if let Some(at) = (start..end).rev().find(|at| characters[*at] == '@') {
                // A password may itself hold the characters that end an authority; the nearest `@` decides.
                characters[start..at].fill('*');
            } else if let Some(at) = late_at(&characters, start) {
                characters[start..at].fill('*');
            }
            index = end.max(start);
        } else {
            index += 1;
        }
    }
    characters.into_iter().collect()
}

/// The `@` of an authority whose password holds a separator: `user:pa/ss@host`.
fn late_at(characters: &[char], start: usize) -> Option<usize> {
    let word_end = (start..characters.len()).find(|at| characters[*at].is_whitespace()).unwrap_or(characters.len());
    let at = (start..word_end).rev().find(|at| characters[*at] == '@')?;
    let colon = (start..at).find(|at| characters[*at] == ':')?;
    let slash = (start..at).find(|at| characters[*at] == '/').unwrap_or(at);
    // `http://host:80/a@b` is a port and a path; digits between colon and slash say so.
    (colon < slash && !characters[colon + 1..slash].iter().all(char::is_ascii_digit)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(line: &str, column: usize, length: usize) -> String {
        let source = Source::new("a.yaml", line);
        let mut list = Vec::new();
        Findings::new(&source, &mut list).error(Span { line: 1, column, length, file: 0 }, "wrong", Some("right".to_owned()));
        list[0].to_string()
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            render("objective: {target: 99.9}", 21, 4),
            "error: wrong\n  --> a.yaml:1:21\n   |\n 1 | objective: {target: 99.9}\n   |                     ^^^^\nhint: right\n"
        );
    }

    #[test]
    fn tabs_and_control_characters_keep_the_caret_in_place() {
        let rendered = render("a:\t\u{1b}[31m\u{202e}x", 10, 1);
        assert!(!rendered.contains('\u{1b}') && !rendered.contains('\u{202e}'));
        let lines: Vec<&str> = rendered.lines().collect();
        assert_eq!(lines[3].find('x'), lines[4].find('^'));
    }

    #[test]
    fn a_long_line_is_cut_round_the_caret() {
        let line = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        let rendered = render(&line, 5001, 4);
        assert!(rendered.len() < 1000);
        let lines: Vec<Vec<char>> = rendered.lines().map(|line| line.chars().collect()).collect();
        assert_eq!(lines[3].iter().position(|c| *c == 'H'), lines[4].iter().position(|c| *c == '^'));
        assert_eq!(lines[4].iter().filter(|c| **c == '^').count(), 4);
    }

    #[test]
    fn passwords_in_addresses_are_masked() {
        for line in ["url: https://u:hunter2@host/x", "url: \"https://hunter2@host\"", "{url: https://u:hun/hunter2@host, a: b}"] {
            let masked = mask_passwords(line);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.chars().count(), line.chars().count());
        }
        assert_eq!(mask_passwords("url: http://host:80/a@b"), "url: http://host:80/a@b");
    }
}
