//! A message as Slack's blocks (<https://docs.slack.dev/reference/block-kit/blocks/>). Pure.
//!
//! All text goes into `rich_text` elements: their text is literal, so no mention and no markup in it is read. The `text` beside them is
//! what notifications show; it is mrkdwn whatever one asks for, and so escaped.

use serde_json::{Value, json};

use crate::notify::card::Card;
use crate::notify::text::{address, command, fitted, harmless, lines, literal, slack};

/// The most characters of a title.
const LONGEST_TITLE: usize = 300;

/// The most characters of all lines. Slack recommends 4,000 for a whole message.
const LONGEST_LINES: usize = 2800;

/// The most characters on a button, by Slack's reference.
const LONGEST_BUTTON: usize = 75;

/// What notifications and old clients show.
pub fn fallback(card: &Card<'_>) -> String {
    fitted(&harmless(card.status.as_deref().unwrap_or(card.title)), slack, LONGEST_TITLE)
}

/// The blocks.
pub fn blocks(card: &Card<'_>) -> Value {
    let title = |text: &str| fitted(&harmless(text), literal, LONGEST_TITLE);
    // An empty text element is refused.
    let mut runs: Vec<Value> = Vec::new();
    for (text, style) in [
        (title(card.title), Some("bold")),
        (card.status.as_deref().map(title).unwrap_or_default(), Some("italic")),
        (lines(card.lines, literal, LONGEST_LINES).join("\n"), None),
    ] {
        if text.is_empty() {
            continue;
        }
        let text = if runs.is_empty() { text } else { format!("\n{text}") };
        runs.push(match style {
            Some(style) => json!({"type": "text", "text": text, "style": {style: true}}),
            None => json!({"type": "text", "text": text}),
        });
    }
    let mut elements = vec![json!({"type": "rich_text_section", "elements": runs})];
    if let Some(typed) = card.command.map(command).filter(|typed| !typed.is_empty()) {
        elements.push(json!({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": typed}]}));
    }
    let mut blocks = vec![json!({"type": "rich_text", "elements": elements})];
    if let Some((link, url)) = card.link.and_then(|link| Some((link, address(link)?))) {
        let text =
            Some(fitted(&harmless(&link.text), literal, LONGEST_BUTTON)).filter(|text| !text.is_empty()).unwrap_or("Open".to_owned());
        let button =
            json!({"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": text, "emoji": false}, "url": url});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    Value::Array(blocks)
}
