//! Issues: which open ones have a label, and who put it on. GitHub counts pull requests as issues; they are left out here.

use serde::Deserialize;

use super::client::{Api, Reading, segment};
use super::wire::{WireLabel, WireUser};
use crate::forge::{Answered, Call, LabelledIssue, User};

#[derive(Deserialize)]
struct WireIssue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct WireEvent {
    event: String,
    actor: Option<WireUser>,
    label: Option<WireLabel>,
}

impl Api {
    pub(super) async fn labelled_issues(&self, call: Call, label: &str) -> Answered<Vec<LabelledIssue>> {
        let what = format!("read the open issues with the label {label}");
        let path = format!("/issues?state=open&labels={}&per_page=100", segment(label));
        let wires: Vec<WireIssue> = self.all(call, &what, &path, Reading::Conditional).await?;
        let mut issues = Vec::new();
        for issue in wires.into_iter().filter(|issue| issue.pull_request.is_none()) {
            let number = issue.number;
            let path = format!("/issues/{number}/events?per_page=100");
            let events: Vec<WireEvent> = self.all(call, &format!("read who labelled the issue {number}"), &path, Reading::Fresh).await?;
            let puts_on = |event: &WireEvent| {
                // GitHub takes upper and lower case for the same in labels.
                event.event == "labeled" && event.label.as_ref().is_some_and(|put| put.name.to_lowercase() == label.to_lowercase())
            };
            let newest = events.into_iter().rfind(puts_on);
            issues.push(LabelledIssue { number, labelled_by: newest.and_then(|event| event.actor).map(User::from) });
        }
        Ok(issues)
    }
}
