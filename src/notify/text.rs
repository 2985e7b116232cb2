//! Untrusted text in the markup of each chat: no mention, no link, no formatting (catalogue of failures N1). Pure.
//!
//! Two layers, because no chat documents its parser completely. [`harmless`] is the same for all: no control or invisible characters, and
//! a zero width space inside whatever a chat could turn into a mention or a link. On top of it each chat's own escaping. Where a chat has
//! a literal form (Slack's rich text, the text runs of Adaptive Cards), that is used and nothing is escaped.

use super::Link;

/// Breaks a word for parsers and shows nothing.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Writes one character of text in a chat's markup.
pub type Escape = fn(&mut String, char);

/// Text on one line that no chat takes for a mention or a link.
pub fn harmless(text: &str) -> String {
    let clean: String = text.chars().filter(|&character| !is_invisible(character)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut safe = String::with_capacity(clean.len() + 8);
    let mut rest = clean.trim();
    while let Some(character) = rest.chars().next() {
        let starts = |prefix: &str| rest.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        // How many bytes stand before the break, where there is one.
        let broken = match character {
            '@' | '＠' => Some(character.len_utf8()),
            // The name of a channel, a hashtag or an issue.
            '#' | '~' => Some(1),
            // An entity that stands for one of those.
            '&' => Some(1),
            ':' if starts("://") => Some(1),
            // `www.` and `www2.` are links without a scheme.
            'w' | 'W' if starts("www") => Some(3),
            _ => None,
        };
        let taken = broken.unwrap_or(character.len_utf8());
        safe.push_str(&rest[..taken]);
        if broken.is_some() {
            safe.push(ZERO_WIDTH_SPACE);
        }
        rest = &rest[taken..];
    }
    safe
}

/// Text on one line for a field that no markup is read in, such as a title of a pager: without control and invisible characters.
pub fn plain(text: &str) -> String {
    let clean: String = text.chars().filter(|&character| !is_invisible(character)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim().to_owned()
}

/// Characters that reorder or hide text, or break words without being seen.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// As it is, for literal fields.
pub fn literal(out: &mut String, character: char) {
    out.push(character);
}

/// Slack's mrkdwn, which has three special characters and no way to escape formatting.
pub fn slack(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

/// The Markdown of Mattermost and Discord.
pub fn markdown(out: &mut String, character: char) {
    if matches!(character, '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '(' | ')' | '#' | '>' | '<' | '|' | '-' | '+' | '=' | '!') {
        out.push('\\');
    }
    out.push(character);
}

/// Text of at most `limit` UTF-16 units, the measure that is no chat's undercount, with `…` where it was cut. An escape is never cut.
pub fn fitted(text: &str, escape: Escape, limit: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut length = 0;
    // The end of what still leaves room for the ellipsis.
    let mut end = 0;
    for character in text.chars() {
        let before = out.len();
        escape(&mut out, character);
        length += units(&out[before..]);
        if length > limit {
            out.truncate(end);
            if limit > 0 {
                out.push('…');
            }
            return out;
        }
        if length < limit {
            end = out.len();
        }
    }
    out
}

/// The length in UTF-16 units.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Lines of at most `limit` UTF-16 units together, made harmless and escaped; the last line says how many did not fit.
pub fn lines(lines: &[String], escape: Escape, limit: usize) -> Vec<String> {
    const LAST: usize = 24;
    let mut left = limit.saturating_sub(LAST);
    let mut fitting = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let line = fitted(&harmless(line), escape, usize::MAX);
        // One for the end of the line.
        let length = units(&line) + 1;
        if length > left {
            fitting.push(match lines.len() - index {
                1 => "… and one line more".to_owned(),
                more => format!("… and {more} lines more"),
            });
            break;
        }
        left -= length;
        fitting.push(line);
    }
    fitting
}

/// The address of a link where it can be one: `http` or `https`, short, with what would end it in some markup percent-encoded.
pub fn address(link: &Link) -> Option<String> {
    const LONGEST: usize = 1000;
    let lower = link.url.get(..8).unwrap_or(&link.url).to_ascii_lowercase();
    if !(lower.starts_with("http://") || lower.starts_with("https://")) {
        return None;
    }
    let mut safe = String::with_capacity(link.url.len());
    for character in link.url.chars() {
        if character.is_ascii_graphic() && !"<>()[]|\"'`\\^{}*".contains(character) {
            safe.push(character);
        } else {
            character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| safe.push_str(&format!("%{byte:02X}")));
        }
    }
    (safe.len() <= LONGEST).then_some(safe)
}

/// A command for a code block: printable ASCII (what commands consist of) without what ends the block or mentions somebody.
pub fn command(command: &str) -> String {
    let typed: String = command.chars().filter(|&c| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '`' | '@')).collect();
    fitted(typed.trim(), literal, 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_a_mention_or_a_link() {
        for (text, safe) in [
            ("@everyone and <!channel>", "@\u{200b}everyone and <!channel>"),
            ("see http://evil.example/?a@b", "see http:\u{200b}//evil.example/?a@\u{200b}b"),
            ("WwW2.evil.example", "WwW\u{200b}2.evil.example"),
            ("#general ~town &commat;here", "#\u{200b}general ~\u{200b}town &\u{200b}commat;here"),
            ("＠here", "＠\u{200b}here"),
            ("a\r\nb\u{1b}[31m\u{202e}c\u{200b}d", "a  b [31mcd"),
            ("@\u{2060}here", "@\u{200b}here"),
            ("ünïcode 日本 ok", "ünïcode 日本 ok"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), safe, "{text:?}");
        }
    }

    #[test]
    fn an_escape_is_never_cut() {
        assert_eq!(fitted("****", markdown, 8), "\\*\\*\\*\\*");
        assert_eq!(fitted("****", markdown, 7), "\\*\\*\\*…");
        assert_eq!(fitted("****", markdown, 6), "\\*\\*…");
        assert_eq!(fitted("a&b", slack, 6), "a…");
        assert_eq!(fitted("a&b", slack, 7), "a&amp;b");
        assert_eq!(fitted("\u{1f600}\u{1f600}", literal, 3), "\u{1f600}…");
        assert_eq!(fitted("ab", literal, 0), "");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let many: Vec<String> = (0..9).map(|index| format!("line {index}")).collect();
        assert_eq!(lines(&many, literal, 24 + 14), ["line 0", "line 1", "… and 7 lines more"]);
        assert_eq!(lines(&many, literal, 1000).len(), 9);
        assert_eq!(lines(&["x".repeat(50)], literal, 40), ["… and one line more"]);
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        let url = |url: &str| address(&Link { text: String::new(), url: url.into() });
        assert_eq!(url("https://git.example/x/pull/7#issuecomment-1").as_deref(), Some("https://git.example/x/pull/7#issuecomment-1"));
        assert_eq!(url("https://x/a)b<c>|d e\n").as_deref(), Some("https://x/a%29b%3Cc%3E%7Cd%20e%0A"));
        for bad in ["javascript:alert(1)", "slack://open", "", "ftp://x", "h", "日本語日本語日本語"] {
            assert_eq!(url(bad), None, "{bad}");
        }
        assert_eq!(url(&format!("https://x/{}", "a".repeat(1000))), None);
    }

    #[test]
    fn a_command_stays_in_its_block() {
        assert_eq!(command("/revertd approve `1a2b`\n```\n@all ünd"), "/revertd approve 1a2ball nd");
    }
}
