//! Lines of a case in the engine's own words: what each says, whenever it was known.
//!
//! A case names no objects and no parents; ids that stand for them are made from what it does name.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Applied;
use crate::config::judge_file::{AppliedState, Case, ChangeLine, Good, Grade, LandingKind, LandingLine, RoundLine, WhyUnknown};
use crate::engine::change::{Change, ChangeKind, Concern, Entry, Meaning, PathChange, Person};
use crate::engine::grade::{self, Level, Reason, ReasonCode};
use crate::engine::id::{BranchName, CommitId, EntryId, InstanceName, PlanDigest, SloName, sha256_hex};
use crate::engine::landing::{Landing, LandingShape};
use crate::engine::policy::{Indicator, Policy, Slo};
use crate::engine::round::{Decimal, Outcome, Round, Unknown};
use crate::engine::situation::{ControlEvidence, SloSeries};
use crate::engine::time::{Interval, Timestamp};
use crate::git::read_message;

pub(super) fn services(case: &Case, instances: &[(usize, InstanceName)]) -> Vec<Vec<SloSeries>> {
    let mut places: BTreeMap<(&str, &str, &str), (usize, usize)> = BTreeMap::new();
    let mut services: Vec<Vec<SloSeries>> = Vec::new();
    for (index, (policy, instance)) in instances.iter().enumerate() {
        let policy = &case.policies[*policy];
        for (place, slo) in policy.measured().enumerate() {
            places.insert((policy.name.as_str(), instance.as_str(), slo.name.as_str()), (index, place));
        }
        services.push(policy.measured().map(|slo| SloSeries { slo: SloName::new(slo.name.as_str()), rounds: Vec::new() }).collect());
    }
    for line in &case.observed.rounds {
        if let Some((index, place)) = places.get(&(line.policy.as_str(), line.instance.as_str(), line.slo.as_str())) {
            let slo = case.policies[instances[*index].0].measured().nth(*place);
            services[*index][*place].rounds.extend(slo.map(|slo| round(line, slo)));
        }
    }
    for series in services.iter_mut().flatten() {
        series.rounds.sort_by_key(|round| (round.end, round.start));
    }
    services
}

fn round(line: &RoundLine, slo: &Slo) -> Round {
    let outcome = match (&line.good, &line.value) {
        (Some(Some(Good::Whole(true))), _) => Outcome::Good("good".to_owned()),
        (Some(Some(Good::Whole(false))), _) => Outcome::Bad("bad".to_owned()),
        (Some(Some(Good::Events(good))), _) => Outcome::Counts { good: Decimal(*good), total: Decimal(line.total.unwrap_or_default()) },
        (_, Some(Some(value))) => Outcome::Value(Decimal(*value)),
        _ if says_targets_are_down(line, slo) => Outcome::targets_down(),
        _ => Outcome::Unknown(unknown(line)),
    };
    Round { start: Timestamp(line.start), end: Timestamp(line.end), outcome }
}

/// As a probe of the same indicator would find it: only one that names its targets can tell that they are down.
fn says_targets_are_down(line: &RoundLine, slo: &Slo) -> bool {
    let no_data = matches!(line.why, Some(WhyUnknown::Stale | WhyUnknown::Empty));
    let names_targets = matches!(&slo.indicator, Indicator::Prometheus(prometheus) if prometheus.targets.is_some());
    no_data && names_targets && line.targets_scraped == Some(false)
}

fn unknown(line: &RoundLine) -> Unknown {
    match line.why {
        Some(WhyUnknown::Stale) => Unknown::Stale { age: Timestamp(line.end).since(Timestamp(line.start)) },
        Some(WhyUnknown::Error) => Unknown::ServerError { detail: "as the file says".to_owned() },
        Some(WhyUnknown::Unreachable) => Unknown::Unreachable { detail: "as the file says".to_owned() },
        Some(WhyUnknown::Empty) | None => Unknown::NoData,
    }
}

pub(super) fn controls(case: &Case) -> Vec<ControlEvidence> {
    let mut controls: BTreeMap<&str, Vec<Round>> = BTreeMap::new();
    for line in &case.observed.controls {
        let outcome = match line.good {
            Some(true) => Outcome::Good("answered".to_owned()),
            Some(false) => Outcome::Bad("answered wrongly".to_owned()),
            None => Outcome::Unknown(Unknown::Unreachable { detail: "no answer".to_owned() }),
        };
        controls.entry(&line.name).or_default().push(Round { start: Timestamp(line.start), end: Timestamp(line.end), outcome });
    }
    let shortest = case.policies.iter().flat_map(|policy| &policy.slos).map(|slo| slo.every()).min().unwrap_or_default();
    controls
        .into_iter()
        .map(|(name, mut rounds)| {
            rounds.sort_by_key(|round| (round.end, round.start));
            let mut gaps: Vec<Duration> = rounds.windows(2).map(|pair| pair[1].end.since(pair[0].end)).collect();
            gaps.sort_unstable();
            let every = gaps.get(gaps.len() / 2).copied().unwrap_or(shortest);
            ControlEvidence { name: name.to_owned(), every, rounds }
        })
        .collect()
}

pub(super) fn applied(policy: &Policy, instance: &InstanceName, lines: &[&LandingLine], landings: &[Landing]) -> Vec<Applied> {
    let key = format!("{}/{instance}", policy.name);
    let in_state = |line: &LandingLine, state: AppliedState| line.applied.get(&key).filter(|applied| applied.state == state).copied();
    let fact = |(place, landing): (usize, &Landing)| {
        // What was held back is there with the first later landing that is, as every revision contains those before it.
        let held_back = || in_state(lines[place], AppliedState::Paused).map(|_| &lines[place + 1..]);
        let with_a_later = || held_back()?.iter().find_map(|line| in_state(line, AppliedState::Applied));
        let applied = in_state(lines[place], AppliedState::Applied).or_else(with_a_later)?;
        Some(Applied {
            to: landing.to,
            earliest: Timestamp(applied.earliest),
            latest: Timestamp(applied.latest),
            effective: Timestamp(applied.effective.unwrap_or(applied.latest)),
        })
    };
    landings.iter().enumerate().filter_map(fact).collect()
}

pub(super) fn landing(line: &LandingLine, from: Option<CommitId>, policy: &Policy) -> Landing {
    let shape = match (line.kind, line.earliest) {
        (LandingKind::Foxtrot, _) => LandingShape::Foxtrot,
        // Landed at an unknown time, like what is there at a first start.
        (_, None) => LandingShape::First,
        (LandingKind::Normal | LandingKind::Rewritten, Some(_)) => LandingShape::Line,
    };
    let to = line.changes.last().map_or_else(|| CommitId(digest(&format!("{} {}", line.branch, line.latest))), |change| change.commit);
    Landing {
        repository: policy.repository.clone(),
        branch: BranchName::new(line.branch.as_str()),
        from,
        to,
        landed: Interval { after: line.earliest.map(Timestamp), by: Timestamp(line.latest) },
        shape,
        changes: line.changes.iter().map(change).collect(),
    }
}

fn change(line: &ChangeLine) -> Change {
    let (kind, opt_out, plan) = read_message(line.parents as usize, &line.message);
    let kind = match (kind, line.reverts) {
        // The revert of a pull request is often a merge commit.
        (ChangeKind::Ordinary | ChangeKind::Merge, Some(of)) => ChangeKind::Revert { of: vec![of] },
        (kind, _) => kind,
    };
    let meaning = if line.cosmetic { Meaning::Same } else { Meaning::Changed };
    let parent = |number: u32| CommitId(digest(&format!("parent {number} of {}", line.commit)));
    Change {
        id: line.commit,
        parents: (0..line.parents.min(64)).map(parent).collect(),
        before: (line.parents > 0).then(|| parent(0)),
        author: Person { name: line.author.clone(), email: String::new() },
        subject: line.subject.clone(),
        kind,
        paths: line
            .paths
            .iter()
            .map(|path| PathChange { path: path.clone(), from: Some(entry(path, "before")), to: Some(entry(path, "now")), meaning })
            .collect(),
        opt_out,
        plan: plan.filter(|digest: &PlanDigest| !digest.as_str().is_empty()),
        pulled_in_by: line.services.clone(),
        concerns: [(line.security, Concern::Security), (line.definition_changed, Concern::HealthDefinition)]
            .into_iter()
            .filter_map(|(holds, concern)| holds.then_some(concern))
            .collect(),
    }
}

/// The files of a case have no content: what is known of them is the grade that each change names, and how many objects it touches.
pub(super) fn grade(suspects: &[&ChangeLine], case: &Case) -> grade::Grade {
    let level = |line: &ChangeLine| match line.inverse.grade {
        Grade::Safe => Level::Safe,
        Grade::Human => Level::Human,
        Grade::Refuse => Level::Refuse,
    };
    let reasons = suspects.iter().filter(|line| level(line) > Level::Safe).map(|line| Reason {
        code: ReasonCode::UnknownKind,
        level: level(line),
        object: line.commit.short(),
        field: String::new(),
        sentence: format!("{} is graded so by the case.", line.commit.short()),
    });
    let owns = |policy: &Policy, line: &ChangeLine| {
        line.services.contains(&policy.name) || policy.paths.matcher().is_ok_and(|matcher| line.paths.iter().any(|path| matcher.owns(path)))
    };
    let owned = case.policies.iter().filter(|policy| suspects.iter().any(|line| owns(policy, line))).map(|policy| policy.name.clone());
    grade::Grade {
        level: suspects.iter().map(|line| level(line)).max().unwrap_or(Level::Safe),
        reasons: reasons.collect(),
        more: 0,
        objects: suspects.iter().map(|line| line.inverse.objects as usize).sum(),
        services: owned.chain(suspects.iter().flat_map(|line| line.services.iter().cloned())).collect(),
        paths: suspects.iter().flat_map(|line| line.paths.clone()).collect(),
    }
}

pub(super) fn entry(path: &str, side: &str) -> Entry {
    Entry { mode: 0o100_644, id: EntryId(digest(&format!("{path} {side}"))) }
}

/// An object id that stands for something that has none in the file.
pub(super) fn digest(text: &str) -> [u8; 20] {
    let mut bytes = [0; 20];
    // SHA-256 has 64 digits, so the first 40 are there.
    let _ = hex::decode_to_slice(&sha256_hex(text.as_bytes())[..40], &mut bytes);
    bytes
}
