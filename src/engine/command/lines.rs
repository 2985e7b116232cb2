//! The lines of a comment's paragraphs at the top level of its CommonMark tree, each with what it says and what it is made of.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// One line of a paragraph at the top level.
pub struct Line<'a> {
    /// The line in the source.
    pub source: &'a str,
    /// The text that it shows.
    pub shown: String,
    /// What it is made of.
    pub standing: Standing,
    /// Whether HTML other than a comment stands before it. What such a line looks like is for a browser to say, not for us.
    pub after_html: bool,
    start: usize,
}

/// What a line is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Text alone.
    Plain,
    /// Text, then something else: code, a link, emphasis.
    Mixed,
    /// It begins inside of something else.
    Inside,
}

/// The lines, in order. What a forge of today renders is switched on, so that it is seen as what it is: tables, footnotes, task lists,
/// alerts, strike-through and mathematics.
pub fn top_level(text: &str) -> Vec<Line<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut depth = 0_usize;
    let mut paragraph: Option<usize> = None;
    let mut html = false;
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        let first = paragraph.unwrap_or(lines.len());
        match &event {
            Event::Start(Tag::Paragraph) if depth == 0 => {
                paragraph = Some(lines.len());
                lines.extend(source_lines(text, range.start, range.end, html));
            }
            Event::End(TagEnd::Paragraph) if depth == 1 => paragraph = None,
            Event::Start(Tag::HtmlBlock) => html |= !is_comment(text.get(range.clone()).unwrap_or_default()),
            Event::Text(shown) => {
                if let Some(line) = lines[first..].iter_mut().rfind(|line| line.start <= range.start) {
                    line.shown.push_str(shown);
                }
            }
            Event::Start(_)
            | Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Html(_) => {
                let is_html = matches!(&event, Event::InlineHtml(tag) if !is_comment(tag));
                html |= is_html;
                for line in &mut lines[first..] {
                    line.cover(range.start, range.end);
                    line.after_html |= is_html && line.start >= range.start;
                }
            }
            Event::End(_) | Event::SoftBreak | Event::HardBreak | Event::Rule | Event::TaskListMarker(_) => {}
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    lines
}

fn source_lines(text: &str, start: usize, end: usize, after_html: bool) -> impl Iterator<Item = Line<'_>> {
    // The tree's paragraph begins after its indentation.
    let start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let mut at = start;
    text.get(start..end).unwrap_or_default().split('\n').map(move |source| {
        let line = Line { source, shown: String::new(), standing: Standing::Plain, after_html, start: at };
        at += source.len() + 1;
        line
    })
}

/// One whole HTML comment and nothing after it.
fn is_comment(html: &str) -> bool {
    let html = html.trim();
    // `<!-->` and `<!--->` are whole comments to a browser, so what follows in them is shown.
    html.strip_prefix("<!--")
        .filter(|rest| !rest.starts_with('>') && !rest.starts_with("->"))
        .and_then(|rest| rest.strip_suffix("-->"))
        .is_some_and(|inside| !inside.contains("--"))
}

impl Line<'_> {
    fn cover(&mut self, start: usize, end: usize) {
        let begins = self.start + (self.source.len() - self.source.trim_start().len());
        if start >= self.start + self.source.len() || end <= begins {
            return;
        }
        self.standing = match (start <= begins, self.standing) {
            (true, _) | (_, Standing::Inside) => Standing::Inside,
            _ => Standing::Mixed,
        };
    }
}
