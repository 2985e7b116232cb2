//! Markdown as the pages show it. All of it was written by others: no HTML of theirs gets through, and links go to web addresses only.

use std::collections::VecDeque;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use super::chart;
use super::page::escaped;

/// As much of a commit's id as is shown of it.
const SHORT: usize = 10;

/// Renders Markdown. HTML comments are left out (as GitHub does), the tags of a folded part are kept, any other HTML is shown as text, and
/// a link that is none to the web or to this page loses its address. The id of a commit becomes a link below `commits`.
pub(super) fn rendered(markdown: &str, commits: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut shown = Vec::new();
    let mut events: VecDeque<Event<'_>> = Parser::new_ext(markdown, options).collect();
    let mut links = 0_usize;
    while let Some(event) = events.pop_front() {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => shown.extend(html_shown(&html)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "mermaid" => {
                shown.extend(diagram(&mut events));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                links += 1;
                shown.push(Event::Start(Tag::Link { link_type, dest_url: safe_address(dest_url), title, id }));
            }
            // Loading a picture would tell others who reads.
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                shown.push(Event::Start(Tag::Image { link_type, dest_url: safe_address(dest_url), title, id }));
            }
            Event::End(TagEnd::Link) => {
                links = links.saturating_sub(1);
                shown.push(Event::End(TagEnd::Link));
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                shown.push(Event::Start(Tag::CodeBlock(kind)));
                // Its text is nothing but text.
                while let Some(inner) = events.pop_front() {
                    let ends = inner == Event::End(TagEnd::CodeBlock);
                    shown.push(inner);
                    if ends {
                        break;
                    }
                }
            }
            Event::Text(text) if links == 0 && has_commit(&text) => shown.push(Event::Html(linked(&text, commits).into())),
            other => shown.push(other),
        }
    }
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, shown.into_iter());
    html
}

/// The tags that fold a part away, without any attribute.
const FOLDING: [&str; 4] = ["<details>", "</details>", "<summary>", "</summary>"];

/// What becomes of a piece of HTML.
fn html_shown(html: &str) -> Vec<Event<'static>> {
    if is_comment(html) {
        return Vec::new();
    }
    let mut shown = Vec::new();
    let mut rest = html;
    while let Some((at, tag)) = FOLDING.iter().filter_map(|tag| Some((rest.find(tag)?, *tag))).min() {
        shown.push(Event::Text(CowStr::from(rest[..at].to_owned())));
        shown.push(Event::Html(CowStr::Borrowed(tag)));
        rest = &rest[at + tag.len()..];
    }
    shown.push(Event::Text(CowStr::from(rest.to_owned())));
    shown
}

fn is_comment(html: &str) -> bool {
    let html = html.trim();
    html.starts_with("<!--") && html.ends_with("-->") && html.matches("-->").count() == 1
}

fn safe_address(address: CowStr<'_>) -> CowStr<'_> {
    let lower = address.trim().to_ascii_lowercase();
    let is_safe = ["http://", "https://", "mailto:", "#"].iter().any(|start| lower.starts_with(start));
    if is_safe { address } else { CowStr::Borrowed("#") }
}

/// The drawing of the code block that the events are in, or the block as text.
fn diagram<'a>(events: &mut VecDeque<Event<'a>>) -> Vec<Event<'a>> {
    let mut source = String::new();
    while let Some(event) = events.pop_front() {
        match event {
            Event::Text(text) => source.push_str(&text),
            Event::End(TagEnd::CodeBlock) => break,
            _ => {}
        }
    }
    if let Some(drawing) = chart::drawn(&source) {
        return vec![Event::Html(drawing.into())];
    }
    let block = Tag::CodeBlock(CodeBlockKind::Fenced(CowStr::Borrowed("mermaid")));
    vec![Event::Start(block), Event::Text(source.into()), Event::End(TagEnd::CodeBlock)]
}

fn is_commit(word: &str) -> bool {
    word.len() == 40 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn has_commit(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_alphanumeric()).any(is_commit)
}

/// A text, escaped, in which the id of each commit is a link.
fn linked(text: &str, commits: &str) -> String {
    text.split_inclusive(|character: char| !character.is_ascii_alphanumeric())
        .map(|piece| match piece.get(..40) {
            Some(id) if is_commit(id) && piece[40..].bytes().all(|byte| !byte.is_ascii_alphanumeric()) => {
                format!("<a href=\"{}/{id}\"><code>{}</code></a>{}", escaped(commits), &id[..SHORT], escaped(&piece[40..]))
            }
            _ => escaped(piece),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn commits_become_links_and_stay_text_in_code() {
        let html =
            rendered(&format!("it is {ID}, <b>{ID}</b> `{ID}` [{ID}](https://a.example)\n\n```text\n{ID}\n```"), "/shop/manifests/commit");
        let link = format!("<a href=\"/shop/manifests/commit/{ID}\"><code>0123456789</code></a>");
        assert_eq!(html.matches(&link).count(), 2, "{html}");
        assert!(html.contains(&format!("it is {link}, &lt;b&gt;{link}&lt;/b&gt; <code>{ID}</code>")), "{html}");
        assert!(!rendered(&format!("{ID}a x{ID}"), "").contains("href"));
    }

    #[test]
    fn a_folded_part_stays_folded_and_no_other_html_gets_through() {
        let html = rendered("<details><summary>Who</summary>\n\n* one\n\n</details>\n\n<details open onclick=x>", "");
        assert!(html.contains("<details><summary>Who</summary>") && html.contains("</details>"), "{html}");
        assert!(html.contains("&lt;details open onclick=x&gt;"), "{html}");
    }

    #[test]
    fn a_chart_is_drawn_and_any_other_diagram_is_code() {
        let chart = "```mermaid\nxychart-beta\n  title \"t\"\n  x-axis \"s\" 0 --> 1\n  y-axis \"%\" 0 --> 100\n  line [0, 100]\n```";
        assert!(rendered(chart, "").contains("<svg"));
        let flow = rendered("```mermaid\nflowchart <b>\n```\n\nafter", "");
        assert!(flow.contains("<code class=\"language-mermaid\">flowchart &lt;b&gt;") && flow.contains("<p>after</p>"), "{flow}");
    }
}
