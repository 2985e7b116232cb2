//! May a clean inverse be force-merged, beyond the first gate (design §8, second gate). An approval stands in for many of these.

use super::beginning::began_before;
use super::corroboration::not_corroborated;
use super::growth::may_grow_slowly;
use super::instances::{earlier_version_fails, failed_elsewhere_before, runs_well_elsewhere, versions_unknown};
use super::load::{load_not_known, load_rose_before, more_load_than_ever};
use super::lost;
use super::propose::{bad_by_chance, effective_mode, every_control, mode_code, unstable};
use super::protect::protected;
use super::usual::{comes_and_goes, not_worse, same_hour_before};
use super::{Refusal, RefusalCode, care, over, refuse, suspects, uncertain};
use std::collections::{BTreeSet, HashSet};

use crate::engine::attribution::{
    Attribution, Candidate, Standing, applied_around, applied_fact, baseline, breaching, newest_change, ran_well_with,
};
use crate::engine::breach;
use crate::engine::consent;
use crate::engine::fate::{SHARED_FATE_WINDOW, shared_fate};
use crate::engine::grade::{Grade, Level};
use crate::engine::id::PolicyName;
use crate::engine::landing::LandingShape;
use crate::engine::plan::{CleanInverse, InverseMethod, PlanKind};
use crate::engine::policy::{Guardrails, Indicator, Mode, Slo};
use crate::engine::schedule;
use crate::engine::situation::{Signing, Situation};
use crate::engine::slo::{self, Assessment, Baseline, Verdict};
use crate::engine::sync::applied::AppliedFact;
use crate::engine::time::{Timestamp, spoken};

/// Why a clean inverse may not be force-merged, beyond the propose gate; empty when it may.
pub fn may_merge(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = lost::carried(situation).into_iter().collect();
    let situation = &*lost::known_only(situation);
    let (mode, whose) = effective_mode(situation);
    if mode < Mode::Merge {
        refusals.push(refuse(mode_code(situation, Mode::Merge, RefusalCode::ModePropose), format!("The mode is `{mode}`, by {whose}.")));
    }
    refusals.extend(merge_rejected(situation));
    refusals.extend(unsigned(situation));
    refusals.extend(one_certain_suspect(situation, attribution));
    refusals.extend(applied_and_running(situation, attribution));
    refusals.extend(timing(situation, attribution));
    refusals.extend(slos_known(situation));
    refusals.extend(not_corroborated(situation));
    refusals.extend(hardly_bad(situation));
    refusals.extend(not_worse(situation, attribution));
    refusals.extend(same_hour_before(situation, attribution));
    refusals.extend(others_fail(situation, attribution));
    refusals.extend(runs_well_elsewhere(situation, attribution));
    refusals.extend(failed_elsewhere_before(situation, attribution));
    refusals.extend(earlier_version_fails(situation, attribution));
    refusals.extend(versions_unknown(situation, attribution));
    refusals.extend(more_load_than_ever(situation, attribution));
    refusals.extend(load_not_known(situation, attribution).or_else(|| load_rose_before(situation, attribution)));
    refusals.extend(unstable(situation, attribution, UNSTABLE_STARTS));
    refusals.extend(bad_by_chance(situation, attribution));
    refusals.extend(comes_and_goes(situation, attribution));
    refusals.extend(every_control(situation, attribution));
    refusals.extend(of_dependency(situation, attribution));
    refusals.extend(care::suspects(situation, attribution));
    refusals.extend(began_before(situation, attribution));
    refusals.extend(may_grow_slowly(situation, attribution));
    refusals.extend(care::plan(situation, attribution, inverse));
    refusals.extend(files(&situation.service.policy.guardrails, inverse));
    if inverse.kind != PlanKind::Paths {
        // A plan that undoes only the service's own part touches no other one.
        refusals.extend(touches_healthy(situation, attribution));
    }
    refusals.extend(later_change(situation, attribution, inverse));
    refusals.extend(cooldown(situation));
    refusals.extend(merge_budget(situation));
    refusals.extend(outside_hours(&situation.service.policy.guardrails, situation.now));
    refusals
}

fn merge_rejected(situation: &Situation) -> Option<Refusal> {
    let why = situation.proposal.as_ref()?.merge_rejected.as_ref()?;
    Some(refuse(RefusalCode::MergeRejected, format!("The remote does not let revertd push `{}`: {why}.", situation.branch)))
}

/// What is pushed to a branch that asks for signatures must have one.
fn unsigned(situation: &Situation) -> Option<Refusal> {
    (situation.signing == Signing::Forge).then(|| {
        let branch = &situation.branch;
        let sentence = format!(
            "`{branch}` asks for signed commits and there is no `signingKeyFile`: the forge signs the revert, and only as a proposal."
        );
        refuse(RefusalCode::Unsigned, sentence)
    })
}

fn one_certain_suspect(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    // One with which the service ran well for long is less likely than one that was just applied; alone, it is not merged away either.
    let possible = attribution
        .candidates
        .iter()
        .filter(|candidate| match candidate.standing {
            Standing::Suspect => true,
            Standing::AlsoPossible => ran_well_with(situation, attribution, candidate).is_none(),
            Standing::RuledOut | Standing::Unmapped => false,
        })
        .count();
    if possible != 1 {
        refusals.push(refuse(RefusalCode::SeveralSuspects, format!("{possible} changes can have done it (limit 1).")));
    }
    let unmapped =
        |candidate: &&Candidate| candidate.standing == Standing::Unmapped && ran_well_with(situation, attribution, candidate).is_none();
    for candidate in attribution.candidates.iter().filter(unmapped) {
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
    refusals.extend(uncertain::octopus(situation, attribution));
    refusals.extend(uncertain::applied_in_a_long_span(situation, attribution));
    refusals
}

/// A sync source that does not tell when a change was applied leaves open whether it can have done it. Every change that can have done it
/// counts, and not the suspects alone: which of them is likelier hangs on these times.
fn applied_and_running(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let possible = attribution.candidates.iter().filter(|known| matches!(known.standing, Standing::Suspect | Standing::AlsoPossible));
    for candidate in possible {
        let Some(landing) = situation.landing_of(candidate.commit) else { continue };
        let id = candidate.commit.short();
        match applied_fact(&situation.service, landing) {
            Some(AppliedFact::Unknown { why, .. } | AppliedFact::Broke { why, .. }) => {
                refusals.push(refuse(
                    RefusalCode::AppliedUnknown,
                    format!("When {id} was applied is not known: {}.", why.trim_end_matches('.')),
                ));
            }
            Some(AppliedFact::NotYet { until }) => refusals.push(refuse(
                RefusalCode::AppliedUnknown,
                format!("When {id} was applied is not known: at {until}, before the breach, it was not yet."),
            )),
            Some(AppliedFact::At { left: Some(left), .. }) => refusals.push(refuse(
                RefusalCode::RolledBackByHand,
                format!("Somebody took {id} out of the cluster by hand ({left}), while Git still has it; a person merges the revert."),
            )),
            Some(AppliedFact::At { left: None, .. }) | None => {}
        }
    }
    refusals
}

fn timing(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let policy = &situation.service.policy;
    let mut refusals = Vec::new();
    for candidate in attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect) {
        if let Some(ran) = ran_well_with(situation, attribution, candidate) {
            refusals.push(refuse(
                RefusalCode::RanWellWithIt,
                format!(
                    "The service ran {} with {} before the breach began, longer than a baseline.",
                    spoken(ran),
                    candidate.commit.short()
                ),
            ));
        }
    }
    for (landing, change) in suspects(situation, attribution) {
        let id = change.id.short();
        let Some(applied) = applied_around(&situation.service, landing, attribution.onset) else { continue };
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
            let gap = applied.earliest().since(last_good_end);
            if gap > slo.longest_gap() {
                refusals.push(refuse(
                    RefusalCode::BaselineTooOld,
                    format!(
                        "{} lie between the last good round and the earliest moment at which {id} can have been applied (limit {}).",
                        spoken(gap),
                        spoken(slo.longest_gap())
                    ),
                ));
            }
        }
    }
    refusals
}

/// Services that no suspect explains and that began to fail at the same time: one is enough to leave a merge to people, because what two
/// services share and nobody declared is the likelier cause.
fn others_fail(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let fate = shared_fate(situation, attribution);
    let failing: BTreeSet<_> = fate.unexplained.iter().chain(&fate.unexplained_undecided).collect();
    let silent: Vec<_> = fate.untouched_undecided.iter().filter(|name| !failing.contains(name)).collect();
    let mut sentences = Vec::new();
    if !failing.is_empty() {
        sentences.push(format!(
            "{} of {} services began to fail within {} of the breach, or got worse since, and no suspect touches them (limit 0): {}.",
            failing.len(),
            fate.services,
            spoken(SHARED_FATE_WINDOW),
            first_names(failing)
        ));
    }
    if !silent.is_empty() {
        sentences.push(format!(
            "{} of {} services that no suspect touches were not measured for long enough since the breach began (limit 0): {}.",
            silent.len(),
            fate.services,
            first_names(silent)
        ));
    }
    (!sentences.is_empty()).then(|| refuse(RefusalCode::OthersFail, sentences.join(" ")))
}

fn first_names<'a>(names: impl IntoIterator<Item = &'a PolicyName>) -> String {
    names.into_iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// For a merge more than this is too often: one incident lately says little, a second one that the service is not steady.
const UNSTABLE_STARTS: usize = 1;

fn of_dependency(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let name = &situation.service.policy.name;
    let mut suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let other = suspects.find(|candidate| !candidate.touches.contains(name))?;
    Some(refuse(RefusalCode::OfDependency, format!("{} does not touch `{name}`, only a service that it needs.", other.commit.short())))
}

fn slos_known(situation: &Situation) -> Vec<Refusal> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let verdicts: Vec<_> =
        service.policy.judged().map(|slo| (slo, slo::assess(slo, service.rounds(&slo.name), cut, situation.now))).collect();
    let mut refusals: Vec<Refusal> = verdicts
        .iter()
        .filter(|(_, assessment)| matches!(assessment.verdict, Verdict::Unknown | Verdict::Pending))
        .map(|(slo, assessment)| refuse(RefusalCode::SloUnknown, format!("`{}` is not known: {}.", slo.name, assessment.arithmetic)))
        .collect();
    refusals.extend(kinds_disagree(&verdicts[..service.policy.slos.len()]));
    refusals
}

/// A probe and a metric have to agree where the policy has both. A workload is neither: pods that are ready say nothing of what they answer, and
/// one that is not ready hurts nobody where the others still answer. What corroborates has a rule of its own.
fn kinds_disagree(triggers: &[(&Slo, Assessment)]) -> Option<Refusal> {
    let breaching: Vec<&Indicator> =
        triggers.iter().filter(|(_, assessment)| assessment.verdict == Verdict::Breaching).map(|(slo, _)| &slo.indicator).collect();
    let agrees = |kind: fn(&Indicator) -> bool| {
        !triggers.iter().any(|(slo, _)| kind(&slo.indicator)) || breaching.iter().any(|indicator| kind(indicator))
    };
    let is_workload = |indicator: &&&Indicator| matches!(indicator, Indicator::Workload(_));
    let is_probe = |indicator: &Indicator| matches!(indicator, Indicator::Http(_));
    let is_metric = |indicator: &Indicator| matches!(indicator, Indicator::Prometheus(_) | Indicator::Alert(_));
    if !breaching.is_empty() && agrees(is_probe) && agrees(is_metric) {
        return None;
    }
    let only_workloads = !breaching.is_empty() && breaching.iter().filter(is_workload).count() == breaching.len();
    let sentence = if only_workloads {
        "Only a workload breaches: what the probes and metrics of the policy look at is not affected."
    } else {
        "The policy has probes and metrics, and only one of both kinds breaches."
    };
    Some(refuse(RefusalCode::KindsDisagree, sentence))
}

/// What an alert remembers is no reason to merge (E10): of the SLOs that breach, one must be bad in its newest round by more than chance.
fn hardly_bad(situation: &Situation) -> Option<Refusal> {
    let service = &situation.service;
    let mut breaching = breaching(service, &situation.landings, situation.now).peekable();
    let name = breaching.peek()?.name.clone();
    (!breaching.any(|slo| slo::is_clearly_bad_now(slo, service.rounds(&slo.name)))).then(|| {
        refuse(RefusalCode::HardlyBad, format!("The newest round of `{name}` is no worse than chance explains; the trouble may be over."))
    })
}

/// How a plan counts for who may approve it, by the same rules that keep files from being force-merged: an exact inverse of what is safe, or
/// something that needs other eyes.
pub fn consent_grade(guardrails: &Guardrails, inverse: &CleanInverse) -> consent::Grade {
    match inverse.method {
        InverseMethod::Exact if files(guardrails, inverse).is_empty() => consent::Grade::Safe,
        InverseMethod::Exact | InverseMethod::Merged => consent::Grade::NotSafe,
    }
}

/// What the plan does to files: policy files, the grade, and how much it touches.
pub(super) fn files(guardrails: &Guardrails, inverse: &CleanInverse) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let policy_files = || inverse.paths.iter().map(|path| &path.path).filter(|path| is_policy_file(path)).cloned().collect();
    for path in inverse.paths.found().policy_files.get_or_init(policy_files) {
        refusals.push(refuse(RefusalCode::PolicyFile, format!("It changes the policy file `{path}`.")));
    }
    refusals.extend(protected(inverse));
    if let Some(account) = inverse.account.as_ref().filter(|_| inverse.kind != PlanKind::Revert) {
        let sentence = format!("{} That is never merged without an approval.", account.sentence(inverse.kind));
        refusals.push(refuse(RefusalCode::NotAPlainRevert, sentence));
    } else if inverse.kind != PlanKind::Revert {
        refusals.push(refuse(RefusalCode::NotAPlainRevert, "It is not what `git revert` would write."));
    }
    for sentence in &inverse.brings_back {
        refusals.push(refuse(RefusalCode::NeverBackTo, sentence.as_str()));
    }
    let Some(grade) = &inverse.grade else {
        refusals.push(refuse(RefusalCode::NotGraded, "What it does to the objects was not graded."));
        return refusals;
    };
    // Every touched path must have been looked at.
    let not_looked_at = || inverse.paths.iter().map(|path| &path.path).find(|path| !grade.paths.contains(*path)).cloned();
    if let Some(path) = inverse.paths.found().not_looked_at.answer(&inverse.grade, not_looked_at) {
        refusals.push(refuse(RefusalCode::NotGraded, format!("`{path}` was not looked at.")));
    }
    for (level, code, begin) in [
        (Level::Refuse, RefusalCode::TooDangerous, "revertd does not merge this, with or without an approval"),
        (Level::Human, RefusalCode::NeedsHuman, "A person has to look at it"),
    ] {
        let words = grade.words_of(level);
        if grade.level == level || !words.is_empty() {
            let why = if words.is_empty() { String::new() } else { format!(": {words}") };
            refusals.push(refuse(code, format!("{begin}{why}.")));
        }
    }
    refusals.extend(too_much(guardrails, grade));
    refusals
}

/// How much the plan touches, against the limits of the policy.
fn too_much(guardrails: &Guardrails, grade: &Grade) -> Vec<Refusal> {
    let (services, objects) = (guardrails.max_services as usize, guardrails.max_objects as usize);
    let of = |code, over: Vec<String>| over.into_iter().map(move |sentence| refuse(code, sentence));
    of(RefusalCode::MaxServices, grade.over(services, usize::MAX))
        .chain(of(RefusalCode::MaxObjects, grade.over(usize::MAX, objects)))
        .collect()
}

fn is_policy_file(path: &str) -> bool {
    path.split('/').any(|part| part == ".revertd")
        || path.rsplit('/').next().is_some_and(|name| name == "revertd.yaml" || name == "revertd.yml")
}

fn touches_healthy(situation: &Situation, attribution: &Attribution) -> Vec<Refusal> {
    let suspected = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let touched: BTreeSet<_> = suspected.flat_map(|candidate| &candidate.touches).collect();
    // In one of its instances is enough: the change is one for all of them.
    let breaching: BTreeSet<&PolicyName> = situation
        .others
        .iter()
        .filter(|place| touched.contains(&place.policy.name) && breach::breaches(place, &situation.landings, situation.now))
        .map(|place| &place.policy.name)
        .collect();
    let joint: BTreeSet<&PolicyName> = situation.joint.iter().map(|joint| &joint.service.policy.name).collect();
    situation
        .others
        .iter()
        .filter(|other| other.policy.repository == situation.service.policy.repository && touched.contains(&other.policy.name))
        .filter_map(|other| match (breaching.contains(&other.policy.name), joint.contains(&other.policy.name)) {
            (true, true) => None,
            (true, false) => Some((other, "breaches for another reason")),
            (false, _) => Some((other, "does not breach")),
        })
        .map(|(other, why)| refuse(RefusalCode::TouchesHealthyService, format!("It also touches `{}`, which {why}.", other.policy.name)))
        .collect()
}

fn later_change(situation: &Situation, attribution: &Attribution, inverse: &CleanInverse) -> Vec<Refusal> {
    let since = situation.landings_since_suspected(attribution);
    let mut others = since.flat_map(|landing| &landing.changes).filter(|change| !attribution.suspects.contains(&change.id)).peekable();
    if others.peek().is_none() {
        return Vec::new();
    }
    let planned: HashSet<&str> = inverse.paths.iter().map(|planned| planned.path.as_str()).collect();
    others
        .filter_map(|change| {
            // Changes of the suspects' own landing that came before them are no later change, but cannot be told apart here: refuse.
            let path = change.paths.iter().find(|path| planned.contains(path.path.as_str()))?;
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

/// Merging without an approval is allowed in some hours only, and this is none of them. Freezes of deployments never stop a revert; these
/// hours are about who would notice a wrong one.
pub(super) fn outside_hours(guardrails: &Guardrails, now: Timestamp) -> Option<Refusal> {
    let mut all = std::iter::once(&guardrails.merge_hours).chain(&guardrails.further_hours);
    all.find_map(|hours| schedule::closed_sentence(hours, now)).map(|sentence| refuse(RefusalCode::OutsideHours, sentence))
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
