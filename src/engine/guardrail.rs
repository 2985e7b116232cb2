//! The two gates (design §8): each guardrail is a small function that returns a refusal with the limit and the current figure.

use serde::{Deserialize, Serialize};

use super::attribution::{Attribution, SHARED_FATE_SERVICES, SHARED_FATE_WINDOW, Standing, applied, baseline, newest_change, shared_fate};
use super::change::Change;
use super::fact::ProposalClosing;
use super::landing::{Landing, LandingShape};
use super::plan::{CleanInverse, ManifestContent};
use super::policy::{Indicator, Limit, Mode};
use super::round::Outcome;
use super::situation::{ProposalBranch, Situation};
use super::slo::{self, Baseline, Verdict};
use super::time::{Timestamp, spoken};

/// Why not. The same value goes to the comment, the metric, the journal and `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guardrail.
    pub code: RefusalCode,
    /// One full sentence with the limit and the current figure.
    pub sentence: String,
}

/// Which guardrail refused; a closed list. Its camelCase name is the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefusalCode {
    /// The branch was rewritten or deleted, or what landed was not the plan.
    RepositoryStopped,
    /// A person paused reverting.
    Paused,
    /// The mode, or a ceiling, is `observe`.
    ModeObserve,
    /// The controls did not answer: the agent is the one that is cut off (E3).
    ControlsFailing,
    /// Services that no candidate touches breach too (E4).
    SharedFate,
    /// No healthy baseline stood before the change (E5).
    NoBaseline,
    /// A bad round was seen before the change can have been applied (E5).
    BreachBeforeChange,
    /// No candidate touches the service and can have done it.
    NoSuspect,
    /// The suspect is a revert by revertd.
    OwnRevert,
    /// The suspect asks for no automatic revert.
    OptedOut,
    /// The suspect is too old to be proposed.
    TooOldToPropose,
    /// The propose budget is used up.
    ProposeBudget,
    /// Undoing it conflicts.
    Conflict,
    /// It is undone already.
    AlreadyUndone,
    /// Somebody deleted the proposal's branch.
    Vetoed,
    /// Somebody else's commit is on the proposal's branch.
    Disowned,
    /// The inverse could not be built.
    InverseFailed,
    /// Pushes failed, and it is too early for the next one.
    PushFailed,
    /// The remote does not let revertd push the watched branch.
    MergeRejected,
    /// The mode, or a ceiling, is `propose`.
    ModePropose,
    /// More than one suspect.
    SeveralSuspects,
    /// A change that no policy owns is in the window.
    UnmappedChange,
    /// The landing is a foxtrot merge, or landed at an unknown time.
    UncertainLanding,
    /// Too much time between the last good round and the landing.
    BaselineTooOld,
    /// Applied too long before the onset.
    AppliedTooLongBefore,
    /// The suspect is too old to be force-merged.
    TooOldToMerge,
    /// An SLO of the policy is not known.
    SloUnknown,
    /// A probe and a metric do not agree.
    KindsDisagree,
    /// The inverse touches policy files.
    PolicyFile,
    /// The inverse deletes a file.
    DeletesFile,
    /// A touched file does not parse, or holds a kind that is never force-merged.
    DangerousKind,
    /// The change touches paths of a policy that is not breaching.
    TouchesHealthyService,
    /// A later change touched the same files.
    LaterChange,
    /// Too soon after the last merged revert of the policy.
    Cooldown,
    /// A merge budget is used up.
    MergeBudget,
}

/// A refusal with its code.
fn refuse(code: RefusalCode, sentence: impl Into<String>) -> Refusal {
    Refusal { code, sentence: sentence.into() }
}

impl RefusalCode {
    /// Whether an approval of the plan stands in for this guardrail of the merge gate (design §8).
    ///
    /// It never stands in for switches, budgets, or a plan that cannot be carried out.
    pub fn is_lifted_by_approval(self) -> bool {
        matches!(
            self,
            Self::ModePropose
                | Self::SeveralSuspects
                | Self::UnmappedChange
                | Self::UncertainLanding
                | Self::BaselineTooOld
                | Self::AppliedTooLongBefore
                | Self::TooOldToMerge
                | Self::SloUnknown
                | Self::KindsDisagree
                | Self::PolicyFile
                | Self::DeletesFile
                | Self::DangerousKind
                | Self::TouchesHealthyService
                | Self::LaterChange
                | Self::Cooldown
                | Self::MergeRejected
        )
    }

    /// Whether the automation of the incident ends with it; other refusals are decided again in each pass.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::AlreadyUndone | Self::Vetoed | Self::Disowned | Self::OwnRevert | Self::OptedOut | Self::TooOldToPropose
        )
    }

    /// The code as it stands in facts and metrics (`ownRevert`).
    pub fn label(self) -> String {
        // A unit variant always serialises to a string.
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

// === the switches: they hold for every gate and no approval lifts them ===

/// Stops, pauses, and what people did to the proposal.
pub fn switches(situation: &Situation) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    if let Some(stop) = &situation.stop {
        refusals.push(refuse(RefusalCode::RepositoryStopped, stop.sentence(&policy.repository, &situation.branch)));
    }
    for pause in situation.pauses.iter().filter(|pause| pause.until > situation.now) {
        refusals.push(refuse(
            RefusalCode::Paused,
            format!("{} paused reverting until {}: {}.", pause.by, pause.until, pause.reason.trim_end_matches('.')),
        ));
    }
    match situation.proposal.as_ref().and_then(|proposal| proposal.closing.as_ref()) {
        Some(ProposalClosing::Vetoed) => {
            refusals
                .push(refuse(RefusalCode::Vetoed, "Somebody deleted the proposal's branch; that is a veto, and it is not proposed again."));
        }
        Some(ProposalClosing::Disowned { head }) => refusals.push(refuse(
            RefusalCode::Disowned,
            format!("The proposal's branch holds {head}, which revertd did not write; the proposal now belongs to whoever pushed that."),
        )),
        Some(ProposalClosing::Withdrawn | ProposalClosing::Superseded) | None => {}
    }
    refusals
}

/// Pushes for the proposal failed, and it is too early for the next one.
pub fn push_failed(situation: &Situation) -> Option<Refusal> {
    let failed = situation.proposal.as_ref()?.failed.as_ref()?;
    (situation.now < failed.retry_at()).then(|| {
        refuse(
            RefusalCode::PushFailed,
            format!("{} pushes in a row failed ({}); the next one is tried at {}.", failed.count, failed.why, failed.retry_at()),
        )
    })
}

// === may it propose? ===

/// Why it may not be proposed; empty when it may.
pub fn may_propose(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = switches(situation);
    refusals.extend(mode_observe(situation));
    refusals.extend(controls(situation, attribution));
    refusals.extend(outage(situation, attribution));
    refusals.extend(no_suspect(situation, attribution));
    if !attribution.suspects.is_empty() {
        refusals.extend(healthy_before(situation, attribution));
        refusals.extend(suspects_may_be_undone(situation, attribution));
        refusals.extend(propose_budget(situation));
        refusals.extend(push_failed(situation));
    }
    refusals
}

/// The lowest of the policy's mode and every ceiling, with whose it is.
pub fn effective_mode(situation: &Situation) -> (Mode, String) {
    let own = (situation.service.policy.revert.mode, format!("the policy `{}`", situation.service.policy.name));
    situation
        .ceilings
        .iter()
        .map(|ceiling| (ceiling.max_mode, ceiling.of.clone()))
        .fold(own, |lowest, ceiling| if ceiling.0 < lowest.0 { ceiling } else { lowest })
}

fn mode_observe(situation: &Situation) -> Option<Refusal> {
    let (mode, whose) = effective_mode(situation);
    (mode == Mode::Observe)
        .then(|| refuse(RefusalCode::ModeObserve, format!("The mode is `observe`, by {whose}: incidents are only recorded.")))
}

/// Every control must have answered in every round since shortly before the onset, and lately (E3).
fn controls(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let from = attribution.onset.earliest();
    let failing: Vec<String> = situation
        .controls
        .iter()
        .filter_map(|control| {
            let recent: Vec<_> = control.rounds.iter().filter(|round| round.end > from).collect();
            let bad = recent.iter().rev().find(|round| !matches!(round.outcome, Outcome::Good(_)));
            let stale = recent.last().is_none_or(|round| situation.now.since(round.end) > control.every * 3);
            match (bad, stale) {
                (Some(round), _) => Some(format!("{} ({})", control.name, round.outcome.words())),
                (None, true) => Some(format!("{} (no recent answer)", control.name)),
                (None, false) => None,
            }
        })
        .collect();
    (!failing.is_empty()).then(|| {
        refuse(
            RefusalCode::ControlsFailing,
            format!(
                "{} of {} controls did not answer as they should since the breach began: {}. The agent itself may be cut off.",
                failing.len(),
                situation.controls.len(),
                failing.join(", ")
            ),
        )
    })
}

fn outage(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let fate = shared_fate(situation, attribution);
    fate.is_outage().then(|| {
        refuse(
            RefusalCode::SharedFate,
            format!(
                "{} of {} services breach within {} of each other, {} of them untouched by any change in the window (limit {SHARED_FATE_SERVICES}, and a \
                 quarter of the {} untouched): this looks like an outage of something that they share, not like a commit.",
                fate.breaching,
                fate.services,
                spoken(SHARED_FATE_WINDOW),
                fate.untouched_breaching.len(),
                fate.untouched
            ),
        )
    })
}

fn no_suspect(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    if !attribution.suspects.is_empty() {
        return None;
    }
    let name = &situation.service.policy.name;
    let early = attribution.candidates.iter().find(|candidate| {
        candidate.standing == Standing::RuledOut && candidate.touches.contains(name) && attribution.onset.by < candidate.applied.earliest()
    });
    Some(match early {
        Some(candidate) => refuse(
            RefusalCode::BreachBeforeChange,
            format!(
                "The breach began {}, before {} can have been applied ({}).",
                attribution.onset,
                candidate.commit.short(),
                candidate.applied
            ),
        ),
        None => refuse(
            RefusalCode::NoSuspect,
            format!(
                "None of the {} changes since `{name}` was last healthy touches it and can have done it.",
                attribution.candidates.len()
            ),
        ),
    })
}

/// A healthy baseline stood before the earliest landing in the window (E5).
fn healthy_before(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    match baseline(situation, attribution) {
        Some((_, Baseline::Good { .. })) => None,
        Some((slo, Baseline::NotGood { sentence })) => {
            Some(refuse(RefusalCode::NoBaseline, format!("No healthy baseline of `{}` stands before the change: {sentence}.", slo.name)))
        }
        None => Some(refuse(RefusalCode::NoBaseline, "No healthy baseline stands before the change.")),
    }
}

/// The landings and changes of the suspects, newest first.
fn suspects<'a>(situation: &'a Situation, attribution: &Attribution) -> Vec<(&'a Landing, &'a Change)> {
    attribution
        .suspects
        .iter()
        .filter_map(|id| {
            situation
                .landings
                .iter()
                .filter(|landing| landing.repository == situation.service.policy.repository)
                .find_map(|landing| Some((landing, landing.changes.iter().find(|change| change.id == *id)?)))
        })
        .collect()
}

fn suspects_may_be_undone(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    for (landing, change) in suspects(situation, attribution) {
        let id = change.id.short();
        if change.is_by_revertd() {
            refusals.push(refuse(RefusalCode::OwnRevert, format!("{id} is a revert by revertd; it is never reverted by revertd.")));
        }
        if let Some(line) = &change.opt_out {
            refusals.push(refuse(RefusalCode::OptedOut, format!("{id} asks for no automatic revert: `{line}`.")));
        }
        let age = situation.now.since(landing.landed.by);
        if age > policy.revert.max_age_propose {
            refusals.push(refuse(
                RefusalCode::TooOldToPropose,
                format!("{id} landed {} ago (limit {} to propose).", spoken(age), spoken(policy.revert.max_age_propose)),
            ));
        }
    }
    refusals
}

fn propose_budget(situation: &Situation) -> Vec<Refusal> {
    // A proposal that is open has been counted when it was opened.
    if situation.proposal.as_ref().is_some_and(|proposal| proposal.branch == ProposalBranch::Present) {
        return Vec::new();
    }
    let policy = &situation.service.policy;
    let opened = |of_policy: bool| {
        situation
            .history
            .proposed
            .iter()
            .filter(move |proposal| proposal.repository == policy.repository && (!of_policy || proposal.policies.contains(&policy.name)))
            .map(|proposal| proposal.at)
            .collect::<Vec<_>>()
    };
    let mut refusals = over(
        RefusalCode::ProposeBudget,
        "proposals in the repository",
        &situation.repository_limits.propose,
        &opened(false),
        situation.now,
    );
    refusals.extend(over(
        RefusalCode::ProposeBudget,
        "proposals for the policy",
        &policy.guardrails.limits.propose,
        &opened(true),
        situation.now,
    ));
    refusals
}

fn over(code: RefusalCode, what: &str, limits: &[Limit], times: &[Timestamp], now: Timestamp) -> Vec<Refusal> {
    limits
        .iter()
        .filter_map(|limit| {
            // A time in the future, after a clock step, counts as now: it never makes room.
            let used = times.iter().filter(|at| now.since(**at) < limit.per).count();
            (used >= limit.count as usize)
                .then(|| refuse(code, format!("{used} {what} in the last {} (limit {}).", spoken(limit.per), limit.count)))
        })
        .collect()
}

// === may it merge? ===

/// Why a clean inverse may not be force-merged, beyond the propose gate; empty when it may.
pub fn may_merge(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let (mode, whose) = effective_mode(situation);
    if mode < Mode::Merge {
        refusals.push(refuse(RefusalCode::ModePropose, format!("The mode is `{mode}`, by {whose}.")));
    }
    refusals.extend(merge_rejected(situation));
    refusals.extend(one_certain_suspect(situation, attribution));
    refusals.extend(timing(situation, attribution));
    refusals.extend(slos_known(situation));
    refusals.extend(files(inverse));
    refusals.extend(touches_healthy(situation, attribution));
    refusals.extend(later_change(situation, attribution, inverse));
    refusals.extend(cooldown(situation));
    refusals.extend(merge_budget(situation));
    refusals
}

fn merge_rejected(situation: &Situation) -> Option<Refusal> {
    let why = situation.proposal.as_ref()?.merge_rejected.as_ref()?;
    Some(refuse(RefusalCode::MergeRejected, format!("The remote does not let revertd push `{}`: {why}.", situation.branch)))
}

fn one_certain_suspect(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let possible =
        attribution.candidates.iter().filter(|candidate| matches!(candidate.standing, Standing::Suspect | Standing::AlsoPossible)).count();
    if possible != 1 {
        refusals.push(refuse(RefusalCode::SeveralSuspects, format!("{possible} changes can have done it (limit 1).")));
    }
    for candidate in attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Unmapped) {
        refusals.push(refuse(
            RefusalCode::UnmappedChange,
            format!("{} landed in the window and no policy owns its paths.", candidate.commit.short()),
        ));
    }
    for (landing, change) in suspects(situation, attribution) {
        match landing.shape {
            LandingShape::Line => {}
            LandingShape::Foxtrot => refusals.push(refuse(
                RefusalCode::UncertainLanding,
                format!("{} merged the branch into another line of history (a foxtrot merge).", change.id.short()),
            )),
            LandingShape::First => {
                refusals.push(refuse(
                    RefusalCode::UncertainLanding,
                    format!("{} was there at the first start: it landed at an unknown time.", change.id.short()),
                ));
            }
        }
    }
    refusals
}

fn timing(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    for (landing, change) in suspects(situation, attribution) {
        let id = change.id.short();
        let applied = applied(policy, landing);
        let before = attribution.onset.by.since(applied.earliest());
        if before > policy.revert.attribute_within {
            refusals.push(refuse(
                RefusalCode::AppliedTooLongBefore,
                format!(
                    "{id} can have been applied {} before the breach began (limit {}).",
                    spoken(before),
                    spoken(policy.revert.attribute_within)
                ),
            ));
        }
        let age = situation.now.since(landing.landed.earliest());
        if age > policy.revert.max_age_merge {
            refusals.push(refuse(
                RefusalCode::TooOldToMerge,
                format!("{id} landed up to {} ago (limit {} to force-merge).", spoken(age), spoken(policy.revert.max_age_merge)),
            ));
        }
        if let Some((slo, Baseline::Good { last_good_end, .. })) = baseline(situation, attribution) {
            let gap = landing.landed.earliest().since(last_good_end);
            if gap > slo.longest_gap() {
                refusals.push(refuse(
                    RefusalCode::BaselineTooOld,
                    format!(
                        "{} lie between the last good round and the earliest moment at which {id} can have landed (limit {}).",
                        spoken(gap),
                        spoken(slo.longest_gap())
                    ),
                ));
            }
        }
    }
    refusals
}

fn slos_known(situation: &Situation) -> Vec<Refusal> {
    let service = &situation.service;
    let cut = newest_change(&service.policy, &situation.landings);
    let verdicts: Vec<_> =
        service.policy.slos.iter().map(|slo| (slo, slo::assess(slo, service.rounds(&slo.name), cut, situation.now))).collect();
    let mut refusals: Vec<Refusal> = verdicts
        .iter()
        .filter(|(_, assessment)| matches!(assessment.verdict, Verdict::Unknown | Verdict::Pending))
        .map(|(slo, assessment)| refuse(RefusalCode::SloUnknown, format!("`{}` is not known: {}.", slo.name, assessment.arithmetic)))
        .collect();
    let breaching = |probe: bool| {
        let mut of_kind = verdicts.iter().filter(|(slo, _)| matches!(slo.indicator, Indicator::Http(_)) == probe).peekable();
        of_kind.peek().is_none() || of_kind.any(|(_, assessment)| assessment.verdict == Verdict::Breaching)
    };
    if !(breaching(true) && breaching(false)) {
        refusals.push(refuse(RefusalCode::KindsDisagree, "The policy has probes and metrics, and only one of both kinds breaches."));
    }
    refusals
}

/// Kinds that are never force-merged as long as objects are not graded.
pub const DANGEROUS_KINDS: [&str; 14] = [
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "StatefulSet",
    "Job",
    "Secret",
    "SealedSecret",
    "ExternalSecret",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
];

fn files(inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for path in &inverse.paths {
        if is_policy_file(&path.path) {
            refusals.push(refuse(RefusalCode::PolicyFile, format!("It changes the policy file `{}`.", path.path)));
        }
        if path.to.is_none() {
            refusals.push(refuse(
                RefusalCode::DeletesFile,
                format!("It deletes `{}`, and a sync tool may delete what that file holds.", path.path),
            ));
        }
    }
    for file in &inverse.manifests {
        for (side, content) in [("before", &file.before), ("after", &file.after)] {
            let found = match content {
                ManifestContent::Absent => None,
                ManifestContent::Unreadable(why) => Some(format!("cannot be read: {why}")),
                ManifestContent::Kinds(kinds) => {
                    kinds.iter().find(|kind| DANGEROUS_KINDS.contains(&kind.as_str())).map(|kind| format!("holds a `{kind}`"))
                }
            };
            if let Some(found) = found {
                refusals.push(refuse(RefusalCode::DangerousKind, format!("`{}` {side} the revert {found}.", file.path)));
            }
        }
    }
    // Every touched path must have been looked at.
    for path in inverse.paths.iter().filter(|path| !inverse.manifests.iter().any(|file| file.path == path.path)) {
        refusals.push(refuse(RefusalCode::DangerousKind, format!("`{}` was not looked at.", path.path)));
    }
    refusals
}

fn is_policy_file(path: &str) -> bool {
    path.split('/').any(|part| part == ".revertd")
        || path.rsplit('/').next().is_some_and(|name| name == "revertd.yaml" || name == "revertd.yml")
}

fn touches_healthy(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let suspected = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let touched: std::collections::BTreeSet<_> = suspected.flat_map(|candidate| &candidate.touches).collect();
    situation
        .others
        .iter()
        .filter(|other| other.policy.repository == situation.service.policy.repository && touched.contains(&other.policy.name))
        .filter_map(|other| {
            let cut = newest_change(&other.policy, &situation.landings);
            let verdicts: Vec<_> =
                other.policy.slos.iter().map(|slo| slo::assess(slo, other.rounds(&slo.name), cut, situation.now)).collect();
            let breaches = slo::assess_policy(&other.policy, &verdicts) == Verdict::Breaching;
            let because_of_it = situation.joint.iter().any(|joint| joint.service.policy.name == other.policy.name);
            match (breaches, because_of_it) {
                (true, true) => None,
                (true, false) => Some((other, "breaches for another reason")),
                (false, _) => Some((other, "does not breach")),
            }
        })
        .map(|(other, why)| refuse(RefusalCode::TouchesHealthyService, format!("It also touches `{}`, which {why}.", other.policy.name)))
        .collect()
}

fn later_change(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let Some(position) =
        situation.landings.iter().position(|landing| landing.changes.iter().any(|change| attribution.suspects.contains(&change.id)))
    else {
        return Vec::new();
    };
    situation.landings[position..]
        .iter()
        .filter(|landing| landing.repository == situation.service.policy.repository)
        .flat_map(|landing| &landing.changes)
        .filter(|change| !attribution.suspects.contains(&change.id))
        .filter_map(|change| {
            // Changes of the suspects' own landing that came before them are no later change, but cannot be told apart here: refuse.
            let path = change.paths.iter().find(|path| inverse.paths.iter().any(|planned| planned.path == path.path))?;
            Some(refuse(RefusalCode::LaterChange, format!("{} changed `{}` as well.", change.id.short(), path.path)))
        })
        .collect()
}

fn cooldown(situation: &Situation) -> Option<Refusal> {
    let policy = &situation.service.policy;
    let last = situation
        .history
        .merged
        .iter()
        .filter(|merged| merged.repository == policy.repository && merged.policies.contains(&policy.name))
        .map(|merged| merged.at)
        .max()?;
    let since = situation.now.since(last);
    (since < policy.guardrails.cooldown).then(|| {
        refuse(
            RefusalCode::Cooldown,
            format!(
                "The last revert for `{}` was merged {} ago (cooldown {}).",
                policy.name,
                spoken(since),
                spoken(policy.guardrails.cooldown)
            ),
        )
    })
}

fn merge_budget(situation: &Situation) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let merged = |of_policy: bool| {
        situation
            .history
            .merged
            .iter()
            .filter(move |merged| merged.repository == policy.repository && (!of_policy || merged.policies.contains(&policy.name)))
            .map(|merged| merged.at)
            .collect::<Vec<_>>()
    };
    let mut refusals = over(
        RefusalCode::MergeBudget,
        "reverts were merged in the repository",
        &situation.repository_limits.merge,
        &merged(false),
        situation.now,
    );
    refusals.extend(over(
        RefusalCode::MergeBudget,
        "reverts were merged for the policy",
        &policy.guardrails.limits.merge,
        &merged(true),
        situation.now,
    ));
    refusals
}
