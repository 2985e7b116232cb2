//! What vouches for the state that a merge leads to, and who is asked before it: `healthyFor`, `render` and `ask` of a policy (design §8).
//!
//! Pure. Which revisions held the same files is found by `git/`, what the render command and the receiver said is fetched by `agent/`; all
//! of it is evidence here, and missing evidence counts against merging (promise P2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attribution::applied_fact;
use super::id::{CommitId, PlanDigest, PolicyName, RenderName};
use super::landing::Landing;
use super::policy::Slo;
use super::round::Round;
use super::situation::ServiceEvidence;
use super::slo::{self, Quality, Verdict, quality};
use super::sync::applied::AppliedFact;
use super::time::{Interval, Timestamp, millis, spoken};

/// How long a state ran healthy before a merge goes back to it, where the policy says nothing (design §8).
pub const HEALTHY_FOR: Duration = Duration::from_secs(30 * 60);

/// The part of a policy's guardrails that is about the state that a merge leads to and about who is asked before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Assurance {
    /// The service's files become what was applied and healthy for at least this long.
    #[serde(with = "millis")]
    pub healthy_for: Duration,
    /// The operator's command that stands in for it when it passes on the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render: Option<RenderName>,
    /// Who is asked right before a merge, and may only refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<Ask>,
}

/// A receiver that may refuse a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// Its address.
    pub url: String,
    /// The limit for its whole answer, in milliseconds.
    #[serde(with = "millis")]
    pub timeout: Duration,
}

/// What the operator's command made of a plan's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Rendered {
    /// It ended with 0.
    Passed {
        /// Its name in the agent file.
        by: RenderName,
    },
    /// It did not, or could not be run.
    Failed {
        /// Its name in the agent file.
        by: RenderName,
        /// Why, in a few words, with its last line where it has one; without a full stop.
        why: String,
    },
}

/// What a receiver said to one plan on one head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Whose receiver it is.
    pub policy: PolicyName,
    /// The plan that was asked about.
    pub plan: PlanDigest,
    /// The head that it would land on.
    pub head: CommitId,
    /// Its answer.
    pub answer: AskAnswer,
}

/// A receiver's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AskAnswer {
    /// It has nothing against it.
    Allowed,
    /// It refuses, or there is no answer that can be read: no answer means no.
    Refused {
        /// Why, without a full stop.
        why: String,
    },
}

/// Nothing is asked about more than so many landings before the breach: no round reaches back further.
pub const MOST_HEADS: usize = 300;

// === impl Assurance ===

impl Default for Assurance {
    fn default() -> Self {
        Self { healthy_for: HEALTHY_FOR, render: None, ask: None }
    }
}

impl Assurance {
    /// Whether a policy says nothing about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Takes the stricter of both: tightening holds for open incidents too.
    pub fn tighten(&mut self, newer: &Self) {
        self.healthy_for = self.healthy_for.max(newer.healthy_for);
        // What stands in for something is given up with the newer policy; who is asked is asked in any case.
        self.render = self.render.take().filter(|own| newer.render.as_ref() == Some(own));
        self.ask = newer.ask.clone().or(self.ask.take());
    }
}

// === healthyFor ===

/// The heads of the watched branch at which it is worth looking whether the service's files were those that a plan leads to, newest first.
pub fn heads_to_compare(service: &ServiceEvidence, landings: &[Landing]) -> Vec<CommitId> {
    let mut heads: Vec<CommitId> = Vec::new();
    for landing in landings.iter().rev().filter(|landing| landing.repository == service.policy.repository) {
        for head in [Some(landing.to), landing.from].into_iter().flatten() {
            if !heads.contains(&head) {
                heads.push(head);
            }
        }
        if heads.len() >= MOST_HEADS {
            break;
        }
    }
    heads
}

/// When the service last ran healthy for at least `needed` with the files of these heads; the sentence says why it is not known, without a full
/// stop. Healthy is: every round of every SLO is known and no alert was over its limit. `heads` are all at which the files were the same.
///
/// # Errors
/// It did not, or that is not known.
pub fn ran_healthy(service: &ServiceEvidence, landings: &[Landing], heads: &[CommitId], needed: Duration) -> Result<Interval, String> {
    let stretches = stretches(service, landings, heads);
    if stretches.is_empty() {
        return Err("no state with these files was seen applied".to_owned());
    }
    let mut longest = Duration::ZERO;
    let mut found = None;
    for (from, to) in stretches {
        let mut runs = vec![(from, to)];
        for slo in &service.policy.slos {
            runs = both(&runs, &healthy_runs(slo, service.rounds(&slo.name), from, to));
        }
        for (from, to) in runs {
            let lasted = to.since(from);
            longest = longest.max(lasted);
            if lasted >= needed {
                found = Some(Interval::new(from, to));
            }
        }
    }
    found.ok_or_else(|| {
        format!("with these files it was seen applied and healthy for {} at a time (needs {})", spoken(longest), spoken(needed))
    })
}

/// From when to when the files were certainly applied: from the latest moment at which a landing with them can have been applied, to the
/// earliest at which the next landing without them can have been.
fn stretches(service: &ServiceEvidence, landings: &[Landing], heads: &[CommitId]) -> Vec<(Timestamp, Timestamp)> {
    let mut found = Vec::new();
    let mut open: Option<Timestamp> = None;
    let mut head: Option<CommitId> = None;
    for landing in landings.iter().filter(|landing| landing.repository == service.policy.repository) {
        if head.is_some() && landing.from != head {
            // The branch moved without a landing: since when is not known.
            open = None;
        }
        head = Some(landing.to);
        let (fact, same) = (applied_fact(service, landing), heads.contains(&landing.to));
        if let (Some(from), false) = (open, same) {
            open = None;
            let left = match &fact {
                Some(AppliedFact::At { applied, .. }) => applied.earliest(),
                Some(AppliedFact::Unknown { after: Some(after), .. } | AppliedFact::Broke { after: Some(after), .. }) => *after,
                Some(AppliedFact::NotYet { .. } | AppliedFact::Unknown { after: None, .. } | AppliedFact::Broke { after: None, .. })
                | None => landing.landed.earliest(),
            };
            if from < left {
                found.push((from, left));
            }
        } else if let (None, true, Some(AppliedFact::At { applied, left: None, gaps })) = (open, same, &fact) {
            open = Some(gaps.last().map_or(applied, |gap| &gap.again).by);
        }
    }
    found
}

/// The runs of rounds within a stretch in which the SLO was known and not breaching, each from the start of its first round to the end of its
/// last one; oldest first.
fn healthy_runs(slo: &Slo, rounds: &[Round], from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut runs: Vec<(Timestamp, Timestamp)> = Vec::new();
    let (mut running, mut breaching, mut newest) = (false, false, from);
    for (position, round) in rounds.iter().enumerate().filter(|(_, round)| from <= round.start && round.end <= to) {
        let is = quality(slo, round);
        // Only a bad round can begin a breach, and it goes on until the alert says that it is over.
        if is == Quality::Bad || breaching {
            breaching = slo::assess(slo, &rounds[..=position], None, round.end).verdict == Verdict::Breaching;
        }
        let gap = round.start.since(newest) > slo.every() + slo.longest_gap();
        newest = round.end;
        match runs.last_mut().filter(|_| running && !gap && !breaching && is != Quality::Unknown) {
            // Nothing was asked of the service in it: that breaks nothing and shows nothing.
            Some(_) if is == Quality::Neither => {}
            Some(run) => run.1 = round.end,
            None if is == Quality::Good && !breaching => {
                runs.push((round.start, round.end));
                running = true;
            }
            None => running = false,
        }
    }
    runs
}

/// What lies in a run of both.
fn both(one: &[(Timestamp, Timestamp)], other: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let common = |first: &(Timestamp, Timestamp), second: &(Timestamp, Timestamp)| (first.0.max(second.0), first.1.min(second.1));
    let all = one.iter().flat_map(|first| other.iter().map(move |second| common(first, second)));
    all.filter(|(from, to)| from < to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tightening_takes_the_stricter_of_both() {
        let ask = |url: &str| Ask { url: url.to_owned(), timeout: Duration::from_secs(5) };
        let of = |minutes: u64, render: Option<&str>, url: Option<&str>| Assurance {
            healthy_for: Duration::from_secs(minutes * 60),
            render: render.map(RenderName::new),
            ask: url.map(ask),
        };
        let tightened = |mut own: Assurance, newer: &Assurance| {
            own.tighten(newer);
            own
        };
        // Longer at once, shorter for new incidents only; what stands in for it goes at once and never comes.
        assert_eq!(tightened(of(30, Some("lint"), None), &of(60, None, Some("a"))), of(60, None, Some("a")));
        assert_eq!(tightened(of(60, None, Some("a")), &of(30, Some("lint"), None)), of(60, None, Some("a")));
        assert_eq!(tightened(of(30, Some("lint"), Some("a")), &of(30, Some("lint"), Some("b"))), of(30, Some("lint"), Some("b")));
        assert_eq!(tightened(of(30, Some("lint"), None), &of(30, Some("other"), None)), of(30, None, None));
    }

    #[test]
    fn what_was_recorded_before_there_were_such_gates_is_read() {
        assert_eq!(serde_json::from_str::<Assurance>("{}").unwrap(), Assurance::default());
        let text = serde_json::to_string(&Assurance::default()).unwrap();
        assert_eq!(text, r#"{"healthyFor":1800000}"#);
    }

    #[test]
    fn only_what_both_say_is_common() {
        let run = |from: i64, to: i64| (Timestamp::from_secs(from), Timestamp::from_secs(to));
        assert_eq!(both(&[run(0, 10), run(20, 30)], &[run(5, 25)]), [run(5, 10), run(20, 25)]);
        assert_eq!(both(&[run(0, 10)], &[run(10, 20)]), []);
    }
}
