//! Engine values → text for people. Pure: what is said depends on the values alone.
//!
//! `neutral` takes the effect out of what somebody else wrote, `templates` holds the words that an operator may replace, and one file each says
//! what a commit, a proposal, its sticky comment, an answer and a chat message are made of.

pub mod back;
pub mod backtest;
mod candidate;
pub mod chat;
pub mod commit;
pub mod neutral;
pub mod plot;
pub mod postmortem;
pub mod proposal;
pub mod reply;
pub mod report;
pub mod running;
pub mod spread;
pub mod sticky;
pub mod templates;

/// The most characters of a proposal's text or of a comment (GitHub: 65,536).
pub const LONGEST_BODY: usize = 65_536;
const CUT: &str = "\n\n*The rest is left out here because the text would be too long. `revertd explain` has all of it.*\n";

/// A text within [`LONGEST_BODY`], cut at a line and with a note where it is longer. `kept` still stands in it.
fn within_limit(text: &str, kept: &str) -> String {
    if text.chars().nth(LONGEST_BODY).is_none() {
        return text.to_owned();
    }
    let end = format!("{CUT}\n{kept}\n");
    let room = LONGEST_BODY - end.chars().count() - 20;
    let start: String = text.chars().take(room).collect();
    let start = start.rsplit_once('\n').map_or(start.as_str(), |(before, _)| before);
    // A block that the cut leaves open would take the note in.
    let open = start.lines().filter_map(|line| line.split_once("```").filter(|(before, _)| before.trim().is_empty())).count() % 2 == 1;
    format!("{start}{}{end}", if open { "\n```" } else { "" })
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_line_and_says_so() {
        let text = format!("start\n```\n{}", "a line of it\n".repeat(10_000));
        let cut = within_limit(&text, "<!-- mark -->");
        assert!(cut.chars().count() <= LONGEST_BODY && cut.starts_with("start\n"));
        assert!(cut.contains("a line of it\n```\n") && cut.contains("too long") && cut.trim_end().ends_with("<!-- mark -->"));
        assert_eq!(within_limit("short", "x"), "short");
    }
}
