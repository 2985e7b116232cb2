//! Several alerts of one SLO, each with the highest mode that it alone can reach (`upTo`).
//!
//! A slow burn and a fast one look at the same rounds with other windows and other limits: which rounds are bad, when the trouble began and
//! when it was over differ between them. So an SLO is judged as if it had one alert: of those that fire, the one that may reach the most (the
//! first written, where several may). Evidence is brought
//! into that form where it is gathered: that alert leads, and nothing behind it looks at the others.

use super::{Verdict, Words, assess_fresh, is_stale};
use crate::engine::attribution::newest_change;
use crate::engine::landing::Landing;
use crate::engine::policy::{Alert, Mode, Slo};
use crate::engine::round::Round;
use crate::engine::situation::ServiceEvidence;
use crate::engine::time::Timestamp;

/// Assesses by each alert: it breaches where one fires, and the worst of them holds else.
pub(super) fn assess(slo: &Slo, rounds: &[Round], cut: Option<Timestamp>) -> (Verdict, String) {
    let by_alert: Vec<(Mode, (Verdict, String))> =
        slo.alerts().map(|alert| (alert.up_to, assess_fresh(&slo.with_only(alert), rounds, cut, Words::Said))).collect();
    let of = |sought: Verdict| highest(by_alert.iter().filter(|(_, (verdict, _))| *verdict == sought), |(mode, _)| *mode);
    [Verdict::Breaching, Verdict::Unknown, Verdict::Pending, Verdict::Inconclusive, Verdict::Healthy]
        .into_iter()
        .find_map(of)
        .map_or((Verdict::Pending, String::new()), |(_, assessed)| assessed.clone())
}

/// The alert that the SLO is judged by: of those that fire, the one that may reach the most; where none fires, of all. The first written wins.
pub fn foremost<'a>(slo: &'a Slo, rounds: &[Round], cut: Option<Timestamp>, now: Timestamp) -> &'a Alert {
    let fires = |alert: &&Alert| {
        !is_stale(slo, rounds, now) && assess_fresh(&slo.with_only(alert), rounds, cut, Words::LeftOut).0 == Verdict::Breaching
    };
    let firing = highest(slo.alerts().filter(fires), |alert| alert.up_to);
    firing.or_else(|| highest(slo.alerts(), |alert| alert.up_to)).unwrap_or(&slo.alert)
}

/// The first of those with the highest mode.
fn highest<T>(items: impl Iterator<Item = T>, mode: impl Fn(&T) -> Mode) -> Option<T> {
    items.reduce(|best, item| if mode(&item) > mode(&best) { item } else { best })
}

/// The ceiling of a breach: the highest `upTo` of the alerts that fire now, with whose it is; `None` where none does.
pub fn ceiling(service: &ServiceEvidence, landings: &[Landing], now: Timestamp) -> Option<(Mode, String)> {
    let cut = newest_change(service, landings);
    let firing = service.policy.slos.iter().filter_map(|slo| {
        let rounds = service.rounds(&slo.name);
        let fires = super::assess(slo, rounds, cut, now).verdict == Verdict::Breaching;
        fires.then(|| (foremost(slo, rounds, cut, now).up_to, slo))
    });
    highest(firing, |(mode, _)| *mode).map(|(mode, slo)| (mode, format!("`upTo` of the alert of `{}` that fires", slo.name)))
}

impl ServiceEvidence {
    /// The same evidence, each SLO of it led by the alert that it is judged by at `now`.
    #[must_use]
    pub fn by_foremost_alerts(mut self, landings: &[Landing], now: Timestamp) -> Self {
        if self.policy.judged().all(|slo| slo.further.is_empty()) {
            return self;
        }
        let cut = newest_change(&self, landings);
        let judged = |slos: &[Slo]| slos.iter().map(|slo| slo.led_by(foremost(slo, self.rounds(&slo.name), cut, now))).collect();
        let (slos, corroborating) = (judged(&self.policy.slos), judged(&self.policy.corroborating));
        (self.policy.slos, self.policy.corroborating) = (slos, corroborating);
        self
    }
}

#[cfg(test)]
mod tests;
