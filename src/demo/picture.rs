//! Pure text for people who watch the demo: the log, the error line, the revert as its reader sees it, the times.
//!
//! No colour and no cursor movement: the output reads the same on a terminal, in a pipe and in a report.

use std::fmt::Write as _;
use std::time::Duration;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::engine::id::CommitId;
use crate::engine::incident::Durations;
use crate::engine::time::Timestamp;
use crate::git::scratch::LogLine;

use super::traffic::Second;

/// From no errors to nothing but errors.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// As many seconds fit on a line.
const WIDTH: usize = 60;

/// A log, newest first, a line per commit. `M` marks merges; commits in `remarks` carry one at the end of their line.
pub fn log(lines: &[LogLine], remarks: &[(CommitId, &str)]) -> String {
    let names = lines.iter().map(|line| line.author.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for line in lines {
        let sign = if line.parents.len() > 1 { 'M' } else { '*' };
        let remark = remarks.iter().find(|(commit, _)| *commit == line.id).map(|(_, remark)| format!("  <-- {remark}")).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{sign} {}  {}  {:names$}  {}{remark}", line.id.short(), minute(line.at), line.author.name, line.subject);
    }
    text
}

/// The error line of a service: a bar per second, the worst and the newest share of failed requests.
pub fn error_line(service: &str, seconds: &[Second]) -> String {
    let seconds = &seconds[seconds.len().saturating_sub(WIDTH)..];
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else {
        return format!("{service} errors: nobody asked yet\n");
    };
    let mut bars = String::new();
    let mut number = first.number;
    for second in seconds {
        // A second in which nobody asked is a gap, not a zero.
        while number < second.number && bars.chars().count() < WIDTH {
            bars.push(' ');
            number += 1;
        }
        bars.push(bar(second));
        number = second.number + 1;
    }
    let worst = seconds.iter().map(percent).max().unwrap_or_default();
    format!("{service} errors  {bars}  at worst {worst} %, now {} %\n", percent(last))
}

fn percent(second: &Second) -> u32 {
    (second.bad * 100).checked_div(second.good + second.bad).unwrap_or_default()
}

fn bar(second: &Second) -> char {
    let steps = BARS.len() - 1;
    // Rounded up: one failure among many requests is seen.
    let height = (percent(second) as usize * steps).div_ceil(100);
    BARS[height.max(usize::from(second.bad > 0)).min(steps)]
}

/// A commit the way `git show` prints it.
pub fn commit(line: &LogLine, message: &str, patch: &str) -> String {
    let mut text = format!("commit {}\nAuthor: {} <{}>\nDate:   {}\n\n", line.id, line.author.name, line.author.email, line.at);
    for line in message.lines() {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    let _ = write!(text, "\n{patch}");
    text
}

/// The first lines of Markdown as they read on a page: headings, paragraphs and list items a line each, code indented, without diagrams, folded
/// parts and comments.
pub fn markdown(text: &str, lines: usize) -> String {
    let mut reader = Reader::default();
    for event in Parser::new(text) {
        reader.take(event);
    }
    reader.end_line();
    let cut = reader.lines.len() > lines;
    reader.lines.truncate(lines);
    let more = if cut { "…\n" } else { "" };
    reader.lines.iter().map(|line| format!("{line}\n")).chain([more.to_owned()]).collect()
}

/// The lines of a Markdown text so far.
#[derive(Default)]
struct Reader {
    lines: Vec<String>,
    line: String,
    hidden: bool,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { .. }) => self.line.push_str("== "),
            Event::Start(Tag::Item) => {
                self.end_line();
                self.line.push_str("* ");
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => self.hidden = &*language == "mermaid",
            Event::End(TagEnd::CodeBlock) => {
                self.end_line();
                self.hidden = false;
            }
            Event::End(TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::Item) | Event::HardBreak => self.end_line(),
            Event::Text(text) | Event::Code(text) if !self.hidden => self.line.push_str(text.trim_end_matches('\n')),
            Event::SoftBreak => self.line.push(' '),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.trim().is_empty() {
            self.lines.push(line);
        }
    }
}

/// How long each part took: `detect 6 s, decide 0.1 s, act 0.2 s, verify 5 s`. What did not happen is left out.
pub fn timings(durations: &Durations) -> String {
    let parts = [("detect", durations.detect), ("decide", durations.decide), ("act", durations.act), ("verify", durations.verify)];
    let said: Vec<String> = parts.iter().filter_map(|(name, took)| Some(format!("{name} {}", seconds((*took)?)))).collect();
    said.join(", ")
}

fn seconds(took: Duration) -> String {
    let tenths = (took.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (0, 0) => "under 0.1 s".to_owned(),
        (whole, 0) => format!("{whole} s"),
        (whole, _) if whole >= 10 => format!("{whole} s"),
        (whole, tenth) => format!("{whole}.{tenth} s"),
    }
}

/// What a story had to show, a line each.
pub fn checks<'a>(checks: impl Iterator<Item = (&'a str, bool)>) -> String {
    checks.fold(String::new(), |mut text, (what, held)| {
        let _ = writeln!(text, "{} {what}", if held { "[x]" } else { "[ ] NOT:" });
        text
    })
}

/// Commands with what they are for, in two columns.
pub fn commands(commands: &[(String, String)]) -> String {
    let width = commands.iter().map(|(what, _)| what.chars().count()).max().unwrap_or_default();
    commands.iter().fold(String::new(), |mut text, (what, command)| {
        let _ = writeln!(text, "{what:width$}  {command}");
        text
    })
}

/// A text with a prefix before each line, so that stories that run at once can be told apart.
pub fn prefixed(prefix: &str, text: &str) -> String {
    text.lines().fold(String::new(), |mut prefixed, line| {
        let _ = writeln!(prefixed, "{}", format!("{prefix:7} | {line}").trim_end());
        prefixed
    })
}

/// A text, indented by two.
pub fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut indented, line| {
        let _ = writeln!(indented, "{}", format!("  {line}").trim_end());
        indented
    })
}

fn minute(at: Timestamp) -> String {
    at.to_string().get(..16).map(|minute| minute.replace('T', " ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::Person;

    fn line(byte: u8, name: &str, parents: usize, subject: &str) -> LogLine {
        LogLine {
            id: CommitId([byte; 20]),
            parents: vec![CommitId([0; 20]); parents],
            author: Person { name: name.into(), email: format!("{}@shop.example", name.to_lowercase()) },
            at: Timestamp::from_secs(1_795_230_245),
            subject: subject.into(),
        }
    }

    fn second(number: u64, good: u32, bad: u32) -> Second {
        Second { number, good, bad }
    }

    #[test]
    fn a_log_marks_the_bad_bump() {
        let lines = [
            line(0xab, "Mara", 1, "checkout: bump image to 1.5.0"),
            line(2, "Tomas", 2, "Merge pull request #226"),
            line(3, "Yuki", 1, "search: run 4 replicas"),
        ];
        insta::assert_snapshot!(log(&lines, &[(CommitId([0xab; 20]), "breaks checkout")]), @r"
        * ababababab  2026-11-21 03:04  Mara   checkout: bump image to 1.5.0  <-- breaks checkout
        M 0202020202  2026-11-21 03:04  Tomas  Merge pull request #226
        * 0303030303  2026-11-21 03:04  Yuki   search: run 4 replicas
        ");
    }

    #[test]
    fn an_error_line_rises_and_falls() {
        let seconds =
            [second(3, 5, 0), second(4, 4, 1), second(5, 1, 4), second(6, 0, 5), second(9, 2, 3), second(10, 5, 0), second(11, 199, 1)];
        insta::assert_snapshot!(error_line("checkout", &seconds), @"checkout errors  ▁▃▇█  ▆▁▂  at worst 100 %, now 0 %");
        assert_eq!(error_line("checkout", &[]), "checkout errors: nobody asked yet\n");
    }

    #[test]
    fn a_long_error_line_keeps_its_end() {
        let seconds: Vec<Second> = (0..100).map(|number| second(number, 1, 0)).collect();
        assert_eq!(error_line("a", &seconds).matches('▁').count(), 60);
    }

    #[test]
    fn a_commit_reads_as_git_shows_it() {
        let line = line(0xab, "revertd", 1, "Revert");
        let patch = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n";
        insta::assert_snapshot!(commit(&line, "Revert \"x\"\n\nThis reverts commit 1.", patch), @r#"
        commit abababababababababababababababababababab
        Author: revertd <revertd@shop.example>
        Date:   2026-11-21T03:04:05Z

            Revert "x"

            This reverts commit 1.

        diff --git a/a b/a
        --- a/a
        +++ b/a
        @@ -1 +1 @@
        -1
        +2
        "#);
    }

    #[test]
    fn markdown_reads_as_on_a_page() {
        let text = "<!-- mark -->\n## What *broke*\n\nsearch breaches\n`a` rule:\n\n* one\n* two\n\n```mermaid\nxychart\n```\n\n```text\n/revertd \
                    approve\n```\n\n<details><summary>x</summary>\n\nend";
        assert_eq!(markdown(text, 5), "== What broke\nsearch breaches a rule:\n* one\n* two\n/revertd approve\n…\n");
        assert_eq!(markdown("one\n\ntwo", 2), "one\ntwo\n");
    }

    #[test]
    fn times_are_said_in_seconds() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let all = Durations { detect: millis(6012), decide: millis(103), act: millis(12), verify: millis(12_345) };
        insta::assert_snapshot!(timings(&all), @"detect 6 s, decide 0.1 s, act under 0.1 s, verify 12 s");
        assert_eq!(timings(&Durations { detect: millis(1550), ..Durations::default() }), "detect 1.6 s");
    }

    #[test]
    fn lists_and_prefixes() {
        insta::assert_snapshot!(checks([("it was reverted", true), ("it is healthy", false)].into_iter()), @r"
        [x] it was reverted
        [ ] NOT: it is healthy
        ");
        insta::assert_snapshot!(commands(&[("the log".into(), "git log".into()), ("why".into(), "revertd explain".into())]), @r"
        the log  git log
        why      revertd explain
        ");
        insta::assert_snapshot!(prefixed("merge", "one\n\n  two\n"), @r"
        merge   | one
        merge   |
        merge   |   two
        ");
        assert_eq!(indented("a\n\nb"), "  a\n\n  b\n");
    }
}
