//! A breach that is only that measurement ended (`EvidenceLost`, design §6): nothing comes from the service any more, and the metrics server
//! says that it reaches none of its targets.
//!
//! A round without data is Unknown and never evidence. That every target of the service is down is something that the server *knows*: such a
//! round is bad, where the indicator names the targets. It may be a crash loop, or a port that was renamed while users are served well; so it
//! is proposed only right after a change, while the same server still measures somebody else, and never merged.
//!
//! Every question here is asked of the rounds with the lost ones taken for not measured, so that a lost round that is not even known to be one
//! never leads to more.

use std::borrow::Cow;

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::{Attribution, Standing, newest_change, ran_well_with};
use crate::engine::policy::{Indicator, Slo};
use crate::engine::round::{Outcome, Unknown};
use crate::engine::situation::{ServiceEvidence, Situation};
use crate::engine::slo::{self, Verdict};
use crate::engine::time::spoken;

/// Why a breach that is nothing but lost evidence is not proposed.
pub(super) fn not_told(situation: &Situation, attribution: &Attribution) -> Option<Refusal> {
    let slo = carried_by(situation)?;
    let suspects = attribution.candidates.iter().filter(|candidate| candidate.standing == Standing::Suspect);
    let ran = suspects.filter_map(|candidate| Some((candidate, ran_well_with(situation, attribution, candidate)?))).next();
    let why = match ran {
        Some((candidate, ran)) => format!("the service ran {} with {} before", spoken(ran), candidate.commit.short()),
        None if !server_measures_others(situation, attribution, slo) => "no other service is measured by the same server".to_owned(),
        None => return None,
    };
    let name = &situation.service.policy.name;
    Some(refuse(
        RefusalCode::EvidenceLost,
        format!("Nothing is measured of `{name}` any more and its targets are down, which is not pinned on a change: {why}."),
    ))
}

/// A breach that is nothing but lost evidence is never merged.
pub(super) fn carried(situation: &Situation) -> Option<Refusal> {
    let name = &situation.service.policy.name;
    let sentence = || format!("Nothing is measured of `{name}` any more and its targets are down; that alone is proposed, never merged.");
    carried_by(situation).map(|_| refuse(RefusalCode::EvidenceLost, sentence()))
}

/// An SLO that breaches by lost evidence, where the service would not breach without.
fn carried_by(situation: &Situation) -> Option<&Slo> {
    let service = &situation.service;
    let known = known_only(situation);
    if matches!(known, Cow::Borrowed(_)) {
        return None;
    }
    let cut = newest_change(service, &situation.landings);
    let of = |service: &ServiceEvidence| -> Vec<_> {
        service.policy.slos.iter().map(|slo| slo::assess(slo, service.rounds(&slo.name), cut, situation.now)).collect()
    };
    let without = of(&known.service);
    if slo::assess_policy(&service.policy, &without) == Verdict::Breaching {
        return None;
    }
    let breaching = of(service);
    let place = (0..breaching.len())
        .find(|place| breaching[*place].verdict == Verdict::Breaching && without[*place].verdict != Verdict::Breaching)?;
    service.policy.slos.get(place)
}

/// The situation with lost rounds taken for not measured: what a merge is decided from.
pub(super) fn known_only(situation: &Situation) -> Cow<'_, Situation> {
    let lost = |service: &ServiceEvidence| {
        service.policy.slos.iter().any(|slo| service.rounds(&slo.name).iter().any(|round| slo::is_lost(slo, round)))
    };
    if !lost(&situation.service) {
        return Cow::Borrowed(situation);
    }
    let mut known = situation.clone();
    let ServiceEvidence { policy, series, .. } = &mut *known.service;
    for series in series {
        let Some(slo) = policy.slos.iter().find(|slo| slo.name == series.slo) else { continue };
        for round in series.rounds.iter_mut().filter(|round| slo::is_lost(slo, round)) {
            round.outcome = Outcome::Unknown(Unknown::NoData);
        }
    }
    Cow::Owned(known)
}

/// Whether the server of an SLO measured another service since the breach began: else it may be the server that sees nothing.
fn server_measures_others(situation: &Situation, attribution: &Attribution, slo: &Slo) -> bool {
    let server = |slo: &Slo| match &slo.indicator {
        Indicator::Prometheus(prometheus) => Some(prometheus.server.clone()),
        Indicator::Http(_) | Indicator::Alert(_) | Indicator::Workload(_) => None,
    };
    let same = |other: &&Slo| server(other).is_some() && server(other) == server(slo);
    situation.others.iter().any(|other| {
        let measured = |slo: &Slo| {
            let newest = other.rounds(&slo.name).last().filter(|round| round.start >= attribution.onset.by);
            newest.is_some_and(|round| round.is_known() && !slo::is_lost(slo, round))
        };
        other.policy.slos.iter().filter(same).any(measured)
    })
}
