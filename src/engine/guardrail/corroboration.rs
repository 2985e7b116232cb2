//! SLOs of the role `corroborate`: they open no incident, and where one of them is Healthy, a merge is left to people.

use super::{Refusal, RefusalCode, refuse};
use crate::engine::attribution::newest_change;
use crate::engine::situation::Situation;
use crate::engine::slo::{self, Verdict};

/// Refuses for each corroborating SLO that is Healthy: what it looks at says that nothing is wrong.
pub(super) fn not_corroborated(situation: &Situation) -> Vec<Refusal> {
    let service = &situation.service;
    let cut = newest_change(service, &situation.landings);
    let assessed = service.policy.corroborating.iter().map(|slo| slo::assess(slo, service.rounds(&slo.name), cut, situation.now));
    assessed
        .filter(|assessment| assessment.verdict == Verdict::Healthy)
        .map(|assessment| {
            let sentence = format!("`{}` has the role `corroborate` and is healthy: {}.", assessment.slo, assessment.arithmetic);
            refuse(RefusalCode::NotCorroborated, sentence)
        })
        .collect()
}
