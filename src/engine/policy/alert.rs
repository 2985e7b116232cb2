//! What the alerts of an SLO ask of its rounds, and which SLOs a policy measures.

use std::time::Duration;

use super::{Alert, AlertRule, Policy, Slo};

impl Policy {
    /// Every SLO that is measured, of every role: those that can breach first.
    pub fn measured(&self) -> impl Iterator<Item = &Slo> {
        self.slos.iter().chain(&self.corroborating).chain(&self.reported)
    }

    /// Every SLO that a decision looks at.
    pub fn judged(&self) -> impl Iterator<Item = &Slo> {
        self.slos.iter().chain(&self.corroborating)
    }
}

impl Slo {
    /// Every alert, in the order in which they are written.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        std::iter::once(&self.alert).chain(&self.further)
    }

    /// The same SLO, with this of its alerts first.
    #[must_use]
    pub fn led_by(&self, alert: &Alert) -> Self {
        let further = self.alerts().filter(|other| *other != alert).cloned().collect();
        Self { alert: alert.clone(), further, ..self.clone() }
    }

    /// The same SLO as if it had this alert alone.
    #[must_use]
    pub fn with_only(&self, alert: &Alert) -> Self {
        Self { alert: alert.clone(), further: Vec::new(), ..self.clone() }
    }
}

impl Alert {
    /// How many rounds a baseline has: `of` where the alert has one, else 5 (design §7).
    pub(super) fn baseline_rounds(&self) -> usize {
        match self.rule {
            AlertRule::Failing { of, .. } => of as usize,
            AlertRule::BurnRate { .. } => 5,
        }
    }

    /// How long it looks back over rounds of one `every` each.
    pub(super) fn window(&self, every: Duration) -> Duration {
        match self.rule {
            AlertRule::Failing { of, .. } => every * of,
            AlertRule::BurnRate { long, short, .. } => long.max(short),
        }
    }
}
