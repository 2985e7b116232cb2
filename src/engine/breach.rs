//! Whether a service breaches: so many of its SLOs as `breachWhen` of its policy asks for. Asked where an incident opens, in every decision about
//! it as long as nothing is proposed, and of the other services that a plan touches.

use super::attribution::{breaching, newest_change};
use super::id::SloName;
use super::landing::Landing;
use super::policy::Slo;
use super::shared::Shared;
use super::situation::{ServiceEvidence, Situation};
use super::slo::{self, Verdict};
use super::time::Timestamp;

/// The verdict on a service at a time. Only SLOs of the role `trigger` count.
pub fn verdict(service: &ServiceEvidence, landings: &[Landing], now: Timestamp) -> Verdict {
    verdict_cut_at(service, newest_change(service, landings), now)
}

fn verdict_cut_at(service: &ServiceEvidence, cut: Option<Timestamp>, now: Timestamp) -> Verdict {
    let assess = |slo: &Slo| slo::assess(slo, service.rounds(&slo.name), cut, now);
    slo::assess_policy(&service.policy, &service.policy.slos.iter().map(assess).collect::<Vec<_>>())
}

/// Whether a service breaches now, found once for each time that it is asked of the same rounds.
pub fn breaches(service: &Shared<ServiceEvidence>, landings: &[Landing], now: Timestamp) -> bool {
    let cut = newest_change(service, landings);
    service.found().breaches.answer(&(cut, now), || verdict_cut_at(service, cut, now) == Verdict::Breaching)
}

/// Why to wait: the service breached, and now fewer of its SLOs do than have to. One that is not measured any more does not count (promise P2).
pub fn too_few(situation: &Situation) -> Option<String> {
    let service = &situation.service;
    if breaches(service, &situation.landings, situation.now) {
        return None;
    }
    let names: Vec<&SloName> = breaching(service, &situation.landings, situation.now).map(|slo| &slo.name).collect();
    Some(format!(
        "{} of {} SLOs breach now{}, and `breachWhen` asks for {}; it is waited until so many do, or the service is healthy.",
        names.len(),
        service.policy.slos.len(),
        names.iter().map(|name| format!(", `{name}`")).collect::<String>(),
        service.policy.breaching_slos()
    ))
}
