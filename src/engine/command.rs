//! What a comment asks for: one command, nothing, or something that is refused with a sentence (design §11, failures A5 and A6).
//!
//! The comment is read as the CommonMark tree that the forge shows, never line by line: what stands in a quote, in code, in HTML, in a link or
//! in a heading was not said by the writer. A command is the whole of one line of a paragraph at the top level, in printable ASCII that stands
//! in the source as it is shown. Who wrote it, and whether they may, is judged in `engine::consent`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::PlanDigest;
use super::lookalike::{folded, turns_direction};

mod lines;

/// GitHub's limit for the body of a comment, in characters. A longer one is not read.
pub const LONGEST_BODY: usize = 65_536;
/// The longest reason, in characters: it goes into a commit message and a chat line.
pub const LONGEST_REASON: usize = 300;
/// The fewest hexadecimal digits that name a plan.
pub const SHORTEST_PLAN: usize = 8;
/// The longest snooze. Longer is a pause, which is a setting of the repository.
pub const LONGEST_SNOOZE: Duration = Duration::from_secs(24 * 3600);
const NAME: &str = "/revertd";

/// What a comment asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// Land the plan.
    Approve {
        /// The first digits of the plan that is meant; without them, the one that was published when the comment was written.
        plan: Option<PlanPrefix>,
    },
    /// Land nothing until somebody resumes. A reason may follow; it is not read, because a hold must never fail for its wording.
    Hold,
    /// End a hold.
    Resume,
    /// Close the proposal for good.
    Cancel,
    /// Take up again what was closed or refused.
    Retry,
    /// Do not remind anybody for this long.
    Snooze(Duration),
    /// Land the plan, over the budgets as well.
    Force {
        /// Why.
        reason: String,
    },
    /// Bring the change back.
    Reland {
        /// Why.
        reason: String,
    },
    /// Say why.
    Explain,
    /// Say how it stands.
    Status,
    /// Say what can be typed.
    Help,
}

/// The first digits of a plan's digest: 8 to 64 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanPrefix(String);

/// What a comment comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// It holds no command.
    None,
    /// It holds this one.
    One(Command),
    /// It holds something that is meant as a command, or pretends to be one.
    Refused(CommandRefusal),
}

/// Why a comment that seems to hold a command is not obeyed. The text is the sentence that is replied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// More than one command.
    #[error("This comment holds {0} commands; write one command per comment, on a line of its own.")]
    Several(usize),
    /// A character that is no printable ASCII.
    #[error(
        "That line looks like a command but holds a character other than plain ASCII (an invisible one, a look-alike or a typographic one); type it anew."
    )]
    NotAscii,
    /// Control characters or characters that turn the direction of text, anywhere in the comment.
    #[error("This comment holds control characters, so what it shows may not be what it says; write the command in a comment of its own.")]
    Disguised,
    /// Formatting, an escape, an entity or an indentation within the line.
    #[error("A command is a line of plain text without formatting, escapes or indentation; type it anew.")]
    NotPlain,
    /// HTML before it.
    #[error(
        "A comment with HTML before the command is not obeyed, because it can hide what it says; write the command in a comment of its own."
    )]
    AfterHtml,
    /// Over [`LONGEST_BODY`].
    #[error("This comment is longer than 65,536 characters and is not read; write the command in a comment of its own.")]
    TooLong,
    /// Nothing after the name.
    #[error("`/revertd` alone does nothing; `/revertd help` says what can be typed.")]
    NoVerb,
    /// A verb that does not exist.
    #[error("revertd does not know that command; `/revertd help` says what can be typed.")]
    UnknownVerb,
    /// An argument where none is taken.
    #[error("`/revertd {0}` takes nothing after it; write it alone on its line.")]
    NoArgument(&'static str),
    /// A plan that is no 8 to 64 hexadecimal digits, or words after it.
    #[error("After `/revertd approve` only the plan may follow, as 8 to 64 hexadecimal digits; or write it alone.")]
    WrongPlan,
    /// A duration that is none or out of bounds.
    #[error("`/revertd snooze` needs one duration from 1m to 24h, such as `/revertd snooze 30m`.")]
    WrongDuration,
    /// No reason, or one without a letter.
    #[error("`/revertd {0}` needs a reason after it, in words.")]
    NoReason(&'static str),
    /// A reason over [`LONGEST_REASON`].
    #[error("The reason is longer than 300 characters; say it shorter.")]
    LongReason,
}

/// Reads the body of a comment. Pure, never panics, and linear in the body's length.
pub fn parse(body: &str) -> Parsed {
    if body.chars().nth(LONGEST_BODY).is_some() {
        return if folded(body).contains(NAME) { Parsed::Refused(CommandRefusal::TooLong) } else { Parsed::None };
    }
    // Forges store what browsers send, which ends lines with CR LF; a CR alone is no line that anybody sees.
    let text = body.replace("\r\n", "\n");
    let disguised =
        text.chars().any(|character| (character.is_control() && !matches!(character, '\n' | '\t')) || turns_direction(character));
    let text = text.replace('\r', "\n");
    let mut found: Vec<Result<Command, CommandRefusal>> = lines::top_level(&text).iter().filter_map(read_line).collect();
    match (found.len(), found.pop()) {
        (_, None) => Parsed::None,
        (1, Some(_)) if disguised => Parsed::Refused(CommandRefusal::Disguised),
        (1, Some(Ok(command))) => Parsed::One(command),
        (1, Some(Err(refusal))) => Parsed::Refused(refusal),
        (several, Some(_)) => Parsed::Refused(CommandRefusal::Several(several)),
    }
}

/// `None` where the line has nothing to do with commands.
fn read_line(line: &lines::Line<'_>) -> Option<Result<Command, CommandRefusal>> {
    let shown = line.shown.trim_matches(' ');
    let source = line.source.trim_matches(' ');
    if line.standing == lines::Standing::Inside || source.starts_with('\\') || !pretends(shown) {
        return None;
    }
    if !shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Some(Err(CommandRefusal::NotAscii));
    }
    let indented = line.source.len() - line.source.trim_start().len() > 3;
    if line.standing == lines::Standing::Mixed || shown != source || indented {
        return Some(Err(CommandRefusal::NotPlain));
    }
    if line.after_html {
        return Some(Err(CommandRefusal::AfterHtml));
    }
    Some(read_command(shown))
}

/// Whether an eye would take the line for a command: it begins with the name, and the name ends there.
fn pretends(line: &str) -> bool {
    let folded = folded(line);
    let Some(rest) = folded.trim_start().strip_prefix(NAME) else { return false };
    // `/revertd/config.yaml` and `/revertdx` are paths and other programs' commands, if they are what they seem.
    let ends = rest.chars().next().is_none_or(|next| !(next.is_ascii_alphanumeric() || matches!(next, '/' | '.' | '-' | '_')));
    ends || !line.is_ascii()
}

fn read_command(line: &str) -> Result<Command, CommandRefusal> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    if !words.next().is_some_and(|name| name.eq_ignore_ascii_case(NAME)) {
        return Err(CommandRefusal::UnknownVerb);
    }
    // Phones capitalise; the case of ASCII letters hides nothing.
    let verb = words.next().ok_or(CommandRefusal::NoVerb)?.to_ascii_lowercase();
    let rest: Vec<&str> = words.collect();
    let alone = |verb, command| if rest.is_empty() { Ok(command) } else { Err(CommandRefusal::NoArgument(verb)) };
    match verb.as_str() {
        "approve" => plan(&rest).map(|plan| Command::Approve { plan }),
        "hold" => Ok(Command::Hold),
        "resume" => alone("resume", Command::Resume),
        "cancel" => alone("cancel", Command::Cancel),
        "retry" => alone("retry", Command::Retry),
        "snooze" => snooze(&rest).map(Command::Snooze),
        "force" => reason("force", &rest).map(|reason| Command::Force { reason }),
        "reland" => reason("reland", &rest).map(|reason| Command::Reland { reason }),
        "explain" => alone("explain", Command::Explain),
        "status" => alone("status", Command::Status),
        "help" => alone("help", Command::Help),
        _ => Err(CommandRefusal::UnknownVerb),
    }
}

fn plan(words: &[&str]) -> Result<Option<PlanPrefix>, CommandRefusal> {
    match words {
        [] => Ok(None),
        [digits] if (SHORTEST_PLAN..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Some(PlanPrefix(digits.to_ascii_lowercase())))
        }
        _ => Err(CommandRefusal::WrongPlan),
    }
}

fn snooze(words: &[&str]) -> Result<Duration, CommandRefusal> {
    let [word] = words else { return Err(CommandRefusal::WrongDuration) };
    let unit: u64 = match word.bytes().last() {
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => return Err(CommandRefusal::WrongDuration),
    };
    let digits = &word[..word.len() - 1];
    // `u64::from_str` takes a sign.
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CommandRefusal::WrongDuration);
    }
    let count: u64 = digits.parse().map_err(|_| CommandRefusal::WrongDuration)?;
    let duration = Duration::from_secs(count * unit);
    if duration.is_zero() || duration > LONGEST_SNOOZE { Err(CommandRefusal::WrongDuration) } else { Ok(duration) }
}

fn reason(verb: &'static str, words: &[&str]) -> Result<String, CommandRefusal> {
    let reason = words.join(" ");
    if !reason.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Err(CommandRefusal::NoReason(verb));
    }
    if reason.len() > LONGEST_REASON { Err(CommandRefusal::LongReason) } else { Ok(reason) }
}

// === impl Command, PlanPrefix ===

impl Command {
    /// The word that is typed.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "approve",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Snooze(_) => "snooze",
            Self::Force { .. } => "force",
            Self::Reland { .. } => "reland",
            Self::Explain => "explain",
            Self::Status => "status",
            Self::Help => "help",
        }
    }
}

impl PlanPrefix {
    /// Whether these are the first digits of the plan's digest.
    pub fn names(&self, plan: &PlanDigest) -> bool {
        plan.as_str().starts_with(&self.0)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
