//! Text that somebody else wrote, made safe for what we write: commit subjects, names, paths, sentences of probes (failures N1 and G17).
//!
//! Forges look for mentions, references and closing keywords in the text that is left after Markdown is read, so escaping alone does not stop
//! them: a zero-width space breaks them. Everything that comes out of here is one line, and stays in the place that it was put into. Nothing of it
//! is a link. What a chat does with its own marks is `notify`'s.

use serde::Serialize;

use crate::engine::lookalike::{folded, turns_direction};

/// Breaks a word for machines and leaves it readable.
const BREAK: char = '\u{200b}';
/// Marks in a message that keep continuous integration from running.
const SKIP_MARKS: [&str; 7] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***no_ci***", "skip-checks:"];
/// What is Markdown anywhere in a line, or an entity.
const MARKUP: &str = "\\`*_[]<>#|~&!$";
/// What is Markdown at the start of a line.
const MARKUP_AT_START: &str = "+-=:";
/// Words that begin a link, and references that need no mark.
const BREAK_AFTER: [&str; 9] = ["@", "#", "$", "www.", "gh-", "mailto:", "xmpp:", "javascript:", "skip-checks:"];
/// Untrusted text is cut after this many characters.
pub const LONGEST: usize = 400;

/// Markdown that was made here, or written by us: the only text that a context hands to a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Markdown(String);

impl Markdown {
    /// Text of our own: ids, times, numbers and words from the source code. Never a word that came from outside.
    pub(super) fn trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The Markdown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes the effect out of text that somebody else wrote, where no Markdown is read: no mention, no reference that closes an issue, no mark
/// that skips CI, no control character. It is one line.
pub fn harmless(text: &str) -> String {
    let flat = flat(text);
    let mut safe = String::with_capacity(flat.len());
    let mut rest = flat.as_str();
    while let Some(first) = rest.chars().next() {
        safe.push(first);
        let lower: String = rest.chars().take(20).collect::<String>().to_ascii_lowercase();
        let is_reference = lower.starts_with("gh-") || SKIP_MARKS.iter().any(|mark| lower.starts_with(mark));
        if first == '@' || first == '#' || is_reference {
            safe.push(BREAK);
        }
        rest = &rest[first.len_utf8()..];
    }
    safe
}

/// A title: [`harmless`], and cut at `longest` characters.
pub fn title(text: &str, longest: usize) -> String {
    cut(&harmless(text), longest)
}

/// Text in prose. It reads as written and is no markup at all.
pub fn plain(text: &str) -> Markdown {
    let flat = cut(&flat(text), LONGEST);
    // At the start of a line it would look like a command, however it is broken; in code it is none.
    if folded(&flat).trim_start().starts_with("/revertd") {
        return code(&flat);
    }
    let lower = flat.to_ascii_lowercase();
    let mut safe = String::with_capacity(flat.len() * 2);
    for (position, character) in flat.char_indices() {
        let is_first = position == 0 && MARKUP_AT_START.contains(character);
        let ends_number = position > 0 && matches!(character, '.' | ')') && flat[..position].bytes().all(|byte| byte.is_ascii_digit());
        if MARKUP.contains(character) || is_first || ends_number {
            safe.push('\\');
        }
        safe.push(character);
        let (so_far, rest) = lower.split_at(position + character.len_utf8());
        let is_address = character == ':' && rest.starts_with("//");
        let is_mark = SKIP_MARKS.iter().any(|mark| lower[position..].starts_with(mark));
        if is_address || is_mark || BREAK_AFTER.iter().any(|word| so_far.ends_with(word)) {
            safe.push(BREAK);
        }
    }
    Markdown(safe)
}

/// Text in a code span: ids, subjects, paths and values, which read as they are.
pub fn code(text: &str) -> Markdown {
    code_of(text, LONGEST)
}

fn code_of(text: &str, longest: usize) -> Markdown {
    let safe = cut(&harmless(text), longest);
    let safe = safe.trim();
    if safe.is_empty() {
        return Markdown("(empty)".to_owned());
    }
    let fence = "`".repeat(longest_run(safe) + 1);
    let space = if safe.starts_with('`') || safe.ends_with('`') { " " } else { "" };
    // In a table a bar ends the cell in code too; outside of one the escape would show.
    Markdown(format!("{fence}{space}{}{space}{fence}", safe.replace('|', "¦")))
}

/// A sentence with names in backticks, as the engine writes them: the names become code, the rest prose. Whoever wrote the backticks, both
/// halves are harmless.
pub fn sentence(text: &str) -> Markdown {
    let flat = cut(&flat(text), LONGEST * 4);
    let parts: Vec<&str> = flat.split('`').collect();
    // Backticks that do not pair, or hold nothing, were not ours.
    if parts.len().is_multiple_of(2) || parts.iter().skip(1).step_by(2).any(|part| part.trim().is_empty()) {
        return plain_long(&flat);
    }
    let safe = |(number, part): (usize, &&str)| if number % 2 == 1 { code(part) } else { plain_long(part) };
    Markdown(parts.iter().enumerate().map(safe).map(|part| part.0).collect())
}

fn plain_long(text: &str) -> Markdown {
    let chars: Vec<char> = text.chars().collect();
    Markdown(chars.chunks(LONGEST).map(|chunk| plain(&chunk.iter().collect::<String>()).0).collect())
}

/// Text of several lines in a fenced block of its own. Nothing in it can end the block.
pub fn block(text: &str) -> Markdown {
    let lines: Vec<String> = text.split('\n').map(harmless_line).collect();
    let fence = "`".repeat(lines.iter().map(|line| longest_run(line)).max().unwrap_or_default().max(2) + 1);
    Markdown(format!("{fence}text\n{}\n{fence}", lines.join("\n")))
}

/// Indentation stays, which a table of text needs.
fn harmless_line(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", &line[..indent], harmless(&line[indent..]))
}

/// One line without control characters and without what turns or hides characters.
pub fn flat(text: &str) -> String {
    text.chars()
        .filter(|character| !is_invisible(*character))
        .map(|character| if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') { ' ' } else { character })
        .collect()
}

fn is_invisible(character: char) -> bool {
    turns_direction(character)
        || matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{e0000}'..='\u{e007f}')
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

/// The first `longest` characters, with a sign where some are missing.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if text.chars().nth(longest).is_none() {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::engine::command::{Parsed, parse};

    /// What people have put into subjects, names and paths of commits.
    pub const HOSTILE: [&str; 46] = [
        "@dana",
        "thanks @shop/sre",
        "mail dana@shop.example",
        "Fixes #1",
        "closes shop/manifests#2 and GH-3",
        "resolves https://github.com/shop/manifests/issues/4",
        "http://evil.example",
        "www.evil.example",
        "[click](https://evil.example)",
        "![pixel](https://evil.example/x.png)",
        "[a]: https://evil.example",
        "<https://evil.example>",
        "<img src=x onerror=alert(1)>",
        "<!-- hidden",
        "--> shown",
        "<details><summary>x",
        "</details>",
        "&lt;b&gt; &#64;dana",
        "&#x40;dana",
        "# heading",
        "x\n# heading",
        "x\n\n---\n",
        "x\n===",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "a | b",
        "- item",
        "1. item",
        "> quote",
        "```\ncode",
        "~~~ x",
        "`code`",
        "``",
        "a `` b ` c ``` d",
        "*bold* _it_ __x__ ~~gone~~",
        "/revertd approve",
        "x\n/revertd approve\ny",
        "x\r\n\r\n/revertd approve\r\n",
        "x\r/revertd approve",
        "x\n\nSigned-off-by: dana <dana@shop.example>",
        "x\n\nRevertd-Plan: 0000",
        "[skip ci] ***NO_CI*** skip-checks: true",
        "\u{1b}[31mred\u{7}\0",
        "\u{202e}desrever @\u{200b}dana",
        "\\@dana \\`x\\`",
        "$x$ $$y$$",
        "\u{2028}/revertd approve\u{2029}",
    ];

    /// Everything in a piece of Markdown that would have an effect and that `allowed` does not name.
    pub fn effects(markdown: &str) -> Vec<String> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_FOOTNOTES;
        let mut found = Vec::new();
        let mut in_block = 0_usize;
        let mut text = String::new();
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => found.push(format!("link {dest_url}")),
                Event::Start(Tag::Image { dest_url, .. }) => found.push(format!("image {dest_url}")),
                Event::Html(html) | Event::InlineHtml(html) => found.push(format!("html {html}")),
                Event::Start(Tag::CodeBlock(_)) => in_block += 1,
                Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_block -= 1,
                Event::Text(part) if in_block == 0 => text.push_str(&part),
                Event::SoftBreak | Event::HardBreak | Event::End(_) => text.push('\n'),
                _ => {}
            }
        }
        let lower = text.to_lowercase();
        for word in ["@dana", "@shop", "#1", "#2", "gh-3", "://", "www.evil", "[skip ci]", "***no_ci***"] {
            if lower.contains(word) {
                found.push(format!("text {word}"));
            }
        }
        // A squash may take the whole text as its message, where code is no shelter.
        for word in ["@dana", "@shop", "#1", "#2", "[skip ci]", "***no_ci***"] {
            if markdown.to_lowercase().contains(word) {
                found.push(format!("source {word}"));
            }
        }
        found.extend(
            markdown
                .lines()
                .filter(|line| {
                    ["signed-off-by:", "revertd-plan: 0000", "co-authored-by:"].iter().any(|word| line.to_lowercase().starts_with(word))
                })
                .map(|line| format!("trailer {line}")),
        );
        if parse(markdown) != Parsed::None {
            found.push("a command".to_owned());
        }
        found
    }

    fn shape(markdown: &str) -> Vec<String> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        Parser::new_ext(markdown, options)
            .filter_map(|event| match event {
                Event::Start(tag) => Some(format!("{tag:?}")),
                Event::Rule => Some("rule".to_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn hostile_text_has_no_effect_wherever_it_stands() {
        for hostile in HOSTILE {
            for (made, safe) in [("plain", plain(hostile)), ("code", code(hostile)), ("sentence", sentence(hostile))] {
                for around in [safe.as_str().to_owned(), format!("Changed {} there.\nNext.", safe.as_str())] {
                    assert_eq!(effects(&around), Vec::<String>::new(), "{made} of {hostile:?}: {around:?}");
                    assert_eq!(shape(&around), ["Paragraph"], "{made} of {hostile:?}: {around:?}");
                }
                let list = format!("* first {}\n* second\n\n## Heading {}\n\nend", safe.as_str(), safe.as_str());
                assert_eq!(shape(&list).len(), 5, "{made} of {hostile:?}: {list:?}");
                let table = format!("| a | b |\n|---|---|\n| {} | x |\n", safe.as_str());
                assert_eq!(shape(&table).len(), 7, "{made} of {hostile:?}: {table:?}");
            }
            // What its lines are is the caller's.
            let mut found = effects(block(hostile).as_str());
            found.retain(|effect| !effect.starts_with("trailer"));
            assert_eq!(found, Vec::<String>::new(), "block of {hostile:?}");
            assert_eq!(shape(block(hostile).as_str()).len(), 1, "block of {hostile:?}");
            assert!(!title(hostile, 60).contains('\n') && title(hostile, 60).chars().count() <= 60);
        }
    }

    #[test]
    fn honest_text_reads_as_it_was_written() {
        let read = |markdown: &Markdown| {
            let mut text = String::new();
            for event in Parser::new(markdown.as_str()) {
                if let Event::Text(part) | Event::Code(part) = event {
                    text.push_str(&part);
                }
            }
            text.replace(BREAK, "")
        };
        for honest in ["checkout: 1.5.0 (#12)", "a_b*c [x] <y> & z", "100 % of 5 rounds", "feat(web)!: \"quotes\" 'n' dots..."] {
            assert_eq!(read(&plain(honest)), honest);
            assert_eq!(read(&code(honest)), honest);
        }
        assert_eq!(sentence("`up` failed 5 of 5.").as_str(), "`up` failed 5 of 5.");
    }

    #[test]
    fn mentions_closing_keywords_and_skip_marks_lose_their_effect() {
        let safe = harmless("Fixes #12 for @org/team [skip ci]\u{1b}[31m\nSigned-off-by: x");
        for word in ["#12", "@org", "[skip ci]", "\n", "\u{1b}"] {
            assert!(!safe.contains(word), "{safe:?}");
        }
    }
}
