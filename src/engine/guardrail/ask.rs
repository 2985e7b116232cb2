//! Who is asked before a merge and may only refuse (`guardrails.ask`, design §8). No approval stands in for the answer, and no answer means no.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::assurance::AskAnswer;
use crate::engine::id::PlanDigest;
use crate::engine::situation::Situation;

/// What the receiver of the policy said to this plan on this head. It is asked when nothing else stands against the merge.
pub fn asked(situation: &Situation, plan: &PlanDigest) -> Option<Refusal> {
    let policy = &situation.service.policy;
    let ask = policy.guardrails.assurance.ask.as_ref()?;
    let about_this =
        situation.asked.iter().rev().find(|asked| asked.policy == policy.name && asked.plan == *plan && asked.head == situation.head);
    match about_this.map(|asked| &asked.answer) {
        Some(AskAnswer::Allowed) => None,
        Some(AskAnswer::Refused { why }) => Some(refuse(
            RefusalCode::AskRefused,
            format!("`{}` asks {} before a merge, and did not get a yes: {why}.", policy.name, host(&ask.url)),
        )),
        None => {
            Some(refuse(RefusalCode::NotAsked, format!("`{}` asks {} before a merge, which was not done.", policy.name, host(&ask.url))))
        }
    }
}

/// The host of an address: the rest may hold more than people should read.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("`{host}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_an_address_is_told() {
        assert_eq!(host("https://user:word@gate.example:8443/a/secret?token=1"), "`gate.example:8443`");
        assert_eq!(host("https://gate.example"), "`gate.example`");
    }
}
