//! What revertd answers to a command: one comment of a sentence or a story, with a hidden mark by which it is found again after a crash.

use super::neutral::{self, Markdown};
use super::report;
use crate::engine::broken_sync::Broke;
use crate::engine::consent::SaidId;
use crate::engine::id::ProposalKey;
use crate::engine::incident::Incident;

/// What can be typed.
const HELP: &str = "\
Write one command in a comment, on a line of its own:

| command | what it does |
|---|---|
| `/revertd approve [plan]` | allow exactly the plan that is shown; it is merged |
| `/revertd hold` | nothing is merged until `resume` |
| `/revertd resume` | lift the hold; for who set it, or somebody who may approve |
| `/revertd cancel` | close this proposal for good |
| `/revertd force reason` | allow it over the budgets too; for the teams that may |
| `/revertd reland reason` | after the revert has landed: let the change back in, and propose to bring it back |
| `/revertd explain` | the evidence, with the arithmetic |
| `/revertd status` | where it stands |";

/// `/revertd help`.
pub fn help() -> Markdown {
    Markdown::trusted(HELP)
}

/// Why a command was refused.
pub fn refused(sentence: &str) -> Markdown {
    neutral::sentence(sentence)
}

/// `/revertd explain`: the stories of the proposal's incidents.
pub fn explanation(incidents: &[&Incident]) -> Markdown {
    let stories: Vec<String> = incidents.iter().map(|incident| report::story(incident)).collect();
    neutral::block(&stories.join("\n\n"))
}

/// `/revertd status`: one sentence for each incident.
pub fn standing(incidents: &[&Incident]) -> Markdown {
    let sentences: Vec<String> = incidents
        .iter()
        .map(|incident| {
            let why = incident.decision.as_ref().map(|decision| neutral::sentence(&decision.sentence)).unwrap_or_default();
            format!("{}: {}. {}", neutral::code(&incident.service()).as_str(), incident.phase.words(), why.as_str()).trim_end().to_owned()
        })
        .collect();
    Markdown::trusted(sentences.join(" "))
}

/// `/revertd reland`: what it comes to. `found_wrong`: the revert is known to have changed nothing, and the proposal is there already.
pub fn relanded(found_wrong: Option<&str>) -> Markdown {
    let proposal = match found_wrong {
        Some(address) => format!("Bringing it back waits for an approval in {address}."),
        None => "revertd proposes to take its revert back; that waits for an approval.".to_owned(),
    };
    Markdown::trusted(format!("What was reverted may come back: nothing holds it up any more. {proposal}"))
}

/// Marks the answer to something that was said. Forges do not show it.
pub fn mark(said: SaidId) -> String {
    match said {
        SaidId::Comment(number) => format!("<!-- revertd:reply comment {number} -->"),
        SaidId::Review(number) => format!("<!-- revertd:reply review {number} -->"),
    }
}

/// Marks the comment that supports somebody's own revert. Forges do not show it.
pub fn support_mark(key: &ProposalKey) -> String {
    format!("<!-- revertd:support {key} -->")
}

/// The one comment on somebody's own revert: what was measured, and that revertd opens none beside it.
pub fn support(incident: &Incident, mark: &str) -> String {
    let arithmetic: Vec<String> = incident.arithmetic.iter().map(|sentence| neutral::sentence(sentence).as_str().to_owned()).collect();
    let comment = format!(
        "revertd comes to the same revert: {} {} since {} ({}). It opens none beside this one, and watches the recovery once this lands. If this is \
         closed, it proposes none of its own.\n\n{mark}\n",
        neutral::code(&incident.service()).as_str(),
        match incident.broke() {
            Broke::Objectives => "breaches",
            Broke::Sync => "is not synced",
        },
        incident.onset,
        arithmetic.join("; "),
    );
    super::within_limit(&comment, mark)
}

/// The comment: to whom, the answer, the mark.
pub fn body(login: &str, reply: &Markdown, mark: &str) -> String {
    // Who wrote a comment is told of answers by the forge; a mention would only tell them twice.
    let comment = format!("To **{}**:\n\n{}\n\n{mark}\n", neutral::plain(login).as_str(), reply.as_str());
    super::within_limit(&comment, mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::{Parsed, parse};

    #[test]
    fn an_answer_names_the_writer_without_a_mention_and_carries_its_mark() {
        let said = SaidId::Comment(7);
        let text = body("robin", &refused("`mallory` may not approve this: @shop/sre may."), &mark(said));
        insta::assert_snapshot!(text.replace('\u{200b}', "~"), @r"
        To **robin**:

        `mallory` may not approve this: @~shop/sre may.

        <!-- revertd:reply comment 7 -->
        ");
        assert_ne!(mark(said), mark(SaidId::Review(7)));
    }

    #[test]
    fn the_help_is_no_command() {
        assert_eq!(parse(help().as_str()), Parsed::None);
    }
}
