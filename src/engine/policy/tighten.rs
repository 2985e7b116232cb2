//! What of a newer version of a policy holds for incidents that opened with an older one: tightening applies at once, loosening to new
//! incidents (design §5). Every field is named here, so that a new one does not compile without an answer.

use super::{Guardrails, Limits, Policy, RevertRules, Slo};
use crate::engine::consent::{ConsentRules, IfSilent};
use crate::engine::irrevertible;

impl Policy {
    /// Takes the stricter of both, of everything that says what may be done. How health is measured, whose fault a breach is and how the
    /// recovery is judged stay what they were when the incident opened. Who may approve is no matter of more or less: the rules of both versions
    /// have to be met.
    pub fn tighten(&mut self, newer: &Self) {
        let Self { slos, revert, guardrails, approval, .. } = self;
        let Self {
            slos: newer_slos,
            revert: newer_revert,
            guardrails: newer_guardrails,
            approval: newer_approval,
            name: _,
            labels: _,
            repository: _,
            environment: _,
            paths: _,
            instances: _,
            depends_on: _,
            corroborating: _,
            reported: _,
            breach_when: _,
            verify: _,
            links: _,
            notify: _,
        } = newer;
        for slo in slos {
            if let Some(newer) = newer_slos.iter().find(|newer| newer.name == slo.name) {
                lower_ceilings(slo, newer);
            }
        }
        revert.tighten(newer_revert);
        guardrails.tighten(newer_guardrails);
        approval.tighten_silence(newer_approval);
    }
}

/// No alert goes further than the newer version lets any of the SLO's.
fn lower_ceilings(slo: &mut Slo, newer: &Slo) {
    let Some(highest) = newer.alerts().map(|alert| alert.up_to).max() else { return };
    for alert in std::iter::once(&mut slo.alert).chain(&mut slo.further) {
        alert.up_to = alert.up_to.min(highest);
    }
}

impl RevertRules {
    fn tighten(&mut self, newer: &Self) {
        // What of a change is reverted, and which changes are looked at, is no matter of more or less; whether a broken sync opens an incident is
        // asked before there is one.
        let Self { mode, scope: _, on_sync_failure: _, settle, attribute_within: _, max_age_merge, max_age_propose } = newer;
        self.mode = self.mode.min(*mode);
        self.settle = self.settle.max(*settle);
        self.max_age_merge = self.max_age_merge.min(*max_age_merge);
        self.max_age_propose = self.max_age_propose.min(*max_age_propose);
    }
}

impl Guardrails {
    /// Takes the stricter of both.
    pub fn tighten(&mut self, newer: &Self) {
        let Self { cooldown, limits, merge_hours, further_hours, maintenance, max_services, max_objects, never_back_to, never, assurance } =
            newer;
        self.cooldown = self.cooldown.max(*cooldown);
        self.limits.tighten(limits);
        for hours in std::iter::once(merge_hours).chain(further_hours).filter(|hours| !hours.is_empty()) {
            // Without hours of its own it is every hour.
            if self.merge_hours.is_empty() {
                self.merge_hours.clone_from(hours);
            } else if self.merge_hours != *hours && !self.further_hours.contains(hours) {
                self.further_hours.push(hours.clone());
            }
        }
        add(&mut self.maintenance, maintenance);
        self.max_services = self.max_services.min(*max_services);
        self.max_objects = self.max_objects.min(*max_objects);
        irrevertible::add(&mut self.never_back_to, never_back_to);
        self.never.tighten(never);
        self.assurance.tighten(assurance);
    }
}

impl Limits {
    fn tighten(&mut self, newer: &Self) {
        let Self { propose, merge } = newer;
        add(&mut self.propose, propose);
        add(&mut self.merge, merge);
    }
}

impl ConsentRules {
    /// Silence does no more, and no sooner, than the newer version lets it.
    fn tighten_silence(&mut self, newer: &Self) {
        let Self { if_silent, from: _, count: _, four_eyes: _, force: _, expires: _ } = newer;
        self.if_silent = self
            .if_silent
            .zip(*if_silent)
            .map(|(own, newer)| IfSilent { after: own.after.max(newer.after), then: own.then.min(newer.then) });
    }
}

/// Adds what is missing: each of them holds.
fn add<T: Clone + PartialEq>(known: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !known.contains(one) {
            known.push(one.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::consent::Silence;
    use crate::engine::policy::{Limit, Mode, sample};
    use crate::engine::schedule::RecurringWindow;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    fn window(schedule: &str) -> RecurringWindow {
        RecurringWindow { schedule: schedule.to_owned(), time_zone: "UTC".to_owned(), length: minutes(60) }
    }

    /// A policy that is strict by so much, where more is stricter.
    fn policy(strictness: u32) -> Policy {
        let mut policy = sample::policy(&["default"]);
        let more = minutes(u64::from(strictness));
        policy.slos[0].alert.up_to = if strictness > 1 { Mode::Propose } else { Mode::Merge };
        policy.revert.mode = if strictness > 1 { Mode::Propose } else { Mode::Merge };
        (policy.revert.settle, policy.guardrails.cooldown) = (more, more);
        (policy.revert.max_age_merge, policy.revert.max_age_propose) = (minutes(600) - more, minutes(900) - more);
        (policy.guardrails.max_services, policy.guardrails.max_objects) = (10 - strictness, 30 - strictness);
        policy.approval.if_silent = Some(IfSilent { after: more, then: if strictness > 1 { Silence::Escalate } else { Silence::Merge } });
        policy
    }

    fn tightened(mut own: Policy, newer: &Policy) -> Policy {
        own.tighten(newer);
        own
    }

    #[test]
    fn tightening_holds_for_open_incidents_and_loosening_does_not() {
        assert_eq!(tightened(policy(1), &policy(2)), policy(2));
        assert_eq!(tightened(policy(2), &policy(1)), policy(2));
        let mut silent = policy(1);
        silent.approval.if_silent = None;
        assert_eq!(tightened(policy(1), &silent).approval.if_silent, None);
        assert_eq!(tightened(silent, &policy(1)).approval.if_silent, None);
    }

    #[test]
    fn every_limit_window_and_hour_of_both_versions_holds() {
        let of = |count: u32, hours: &[&str]| {
            let mut policy = policy(1);
            policy.guardrails.limits =
                Limits { propose: vec![Limit { count, per: minutes(60) }], merge: vec![Limit { count, per: minutes(90) }] };
            policy.guardrails.merge_hours = hours.iter().map(|hours| window(hours)).collect();
            policy.guardrails.maintenance = policy.guardrails.merge_hours.clone();
            policy.guardrails
        };
        let mut own = of(3, &["0 8 * * *"]);
        own.tighten(&of(0, &["0 9 * * *"]));
        assert_eq!(own.limits.merge.iter().map(|limit| limit.count).collect::<Vec<_>>(), [3, 0]);
        assert_eq!(own.limits.propose.len(), 2);
        assert_eq!(own.maintenance, [window("0 8 * * *"), window("0 9 * * *")]);
        assert_eq!((&own.merge_hours[..], &own.further_hours[..]), (&[window("0 8 * * *")][..], &[vec![window("0 9 * * *")]][..]));
        // Again in the next pass, and after a restart.
        let once = own.clone();
        own.tighten(&of(0, &["0 9 * * *"]));
        assert_eq!(own, once);
        let mut always = of(3, &[]);
        always.tighten(&of(3, &["0 9 * * *"]));
        assert_eq!((always.merge_hours.len(), always.further_hours.len()), (1, 0));
    }
}
