//! Whether the parts of a line fit together: names that there are, ends after starts, one repository and one branch.

use std::collections::HashSet;

use super::{Good, InvalidCase, LandingKind, LandingLine, Observed, RoundLine};
use crate::engine::id::PolicyName;
use crate::engine::policy::{Policy, Slo};

/// Reports the first thing of a line that does not fit to the rest of it.
///
/// # Errors
/// A sentence that names the place.
pub(super) fn check(policies: &[Policy], observed: &Observed) -> Result<(), InvalidCase> {
    let wrong = |text: &str| Err(InvalidCase(text.to_owned()));
    check_rounds(policies, &observed.rounds)?;
    if let Some(number) = observed.controls.iter().position(|control| control.end < control.start) {
        return wrong(&format!("controls[{number}]: a round of the control `{}` ends before it starts", observed.controls[number].name));
    }
    if policies.windows(2).any(|pair| pair[0].repository != pair[1].repository) {
        return wrong("the policies of one incident watch one repository");
    }
    if observed.landings.windows(2).any(|pair| pair[0].branch != pair[1].branch) {
        return wrong("the landings of one incident are of one branch");
    }
    check_commits(&observed.landings)?;
    for (number, landing) in observed.landings.iter().enumerate() {
        check_landing(policies, landing).map_err(|InvalidCase(text)| InvalidCase(format!("landings[{number}]: {text}")))?;
    }
    for (number, past) in observed.history.iter().enumerate() {
        for name in &past.policies {
            named(policies, name).map_err(|InvalidCase(text)| InvalidCase(format!("history[{number}]: {text}")))?;
        }
    }
    Ok(())
}

fn named<'a>(policies: &'a [Policy], name: &PolicyName) -> Result<&'a Policy, InvalidCase> {
    policies.iter().find(|policy| policy.name == *name).ok_or_else(|| InvalidCase(format!("there is no policy `{name}`")))
}

fn check_rounds(policies: &[Policy], rounds: &[RoundLine]) -> Result<(), InvalidCase> {
    let mut ends = HashSet::new();
    for (number, round) in rounds.iter().enumerate() {
        let place = |InvalidCase(text): InvalidCase| InvalidCase(format!("rounds[{number}]: {text}"));
        let policy = named(policies, &round.policy).map_err(place)?;
        let slo = policy.measured().find(|slo| slo.name.as_str() == round.slo);
        let slo = slo.ok_or_else(|| place(InvalidCase(format!("the policy `{}` has no SLO `{}`", policy.name, round.slo))))?;
        if !policy.instances.iter().any(|instance| instance.name.as_str() == round.instance) {
            return Err(place(InvalidCase(format!("the policy `{}` has no instance `{}`", policy.name, round.instance))));
        }
        check_round(round).and_then(|()| check_form(round, slo)).map_err(place)?;
        if !ends.insert((&round.policy, &round.slo, &round.instance, round.end)) {
            return Err(place(InvalidCase(format!("another round of `{}` `{}` ends at {} as well", round.policy, round.slo, round.end))));
        }
    }
    Ok(())
}

/// A commit stands once on a branch. Only where the branch was rewritten can one come back.
fn check_commits(landings: &[LandingLine]) -> Result<(), InvalidCase> {
    let mut seen = HashSet::new();
    for (number, landing) in landings.iter().enumerate() {
        if landing.kind == LandingKind::Rewritten {
            seen.clear();
        }
        if let Some(change) = landing.changes.iter().find(|change| !seen.insert(change.commit)) {
            let text = format!("landings[{number}]: another change of `{}` is the commit {} as well", landing.branch, change.commit);
            return Err(InvalidCase(text));
        }
    }
    Ok(())
}

fn check_landing(policies: &[Policy], landing: &LandingLine) -> Result<(), InvalidCase> {
    let wrong = |text: String| Err(InvalidCase(text));
    if let Some(earliest) = landing.earliest.filter(|earliest| *earliest > landing.latest) {
        return wrong(format!("`earliest` {earliest} is after `latest` {}", landing.latest));
    }
    for (key, applied) in &landing.applied {
        let known = key.split_once('/').is_some_and(|(name, instance)| {
            policies.iter().any(|policy| policy.name.as_str() == name && policy.instances.iter().any(|at| at.name.as_str() == instance))
        });
        if !known {
            return wrong(format!("`applied` is by `policy/instance`, and there is no `{key}`"));
        }
        if applied.earliest > applied.latest {
            return wrong(format!("`applied` of `{key}`: `earliest` {} is after `latest` {}", applied.earliest, applied.latest));
        }
    }
    for name in landing.changes.iter().flat_map(|change| &change.services) {
        named(policies, name)?;
    }
    Ok(())
}

/// A value without a bound would always be good, and of counts without a target every failed event would be too many.
fn check_form(round: &RoundLine, slo: &Slo) -> Result<(), InvalidCase> {
    let objective = &slo.objective;
    let lacks = match (&round.good, &round.value) {
        (_, Some(Some(_))) if objective.max.is_none() && objective.min.is_none() => {
            "a `value`, and the objective has neither `max` nor `min`"
        }
        (Some(Some(Good::Events(_))), _) if objective.target.is_none() => "counts, and the objective has no `target`",
        _ => return Ok(()),
    };
    Err(InvalidCase(format!("the round of `{}` `{}` that ends at {} has {lacks}", round.policy, round.slo, round.end)))
}

/// Prometheus extrapolates both counts on its own, so that the good ones may come out a little higher.
const EXTRAPOLATED: f64 = 1.05;

fn check_round(round: &RoundLine) -> Result<(), InvalidCase> {
    let place = || format!("the round of `{}` `{}` that ends at {}", round.policy, round.slo, round.end);
    if round.end < round.start {
        return Err(InvalidCase(format!("{} ends before it starts", place())));
    }
    let fits = match (&round.good, &round.value) {
        (Some(None), None) | (None, Some(_)) => round.total.is_none(),
        (Some(Some(Good::Whole(_))), None) => round.total.is_none(),
        (Some(Some(Good::Events(good))), None) => *good >= 0.0 && round.total.is_some_and(|total| total >= 0.0),
        _ => false,
    };
    if !fits {
        let message = "has neither `good` (true, false, null), nor `good` and `total` (events from 0), nor `value`";
        return Err(InvalidCase(format!("{} {message}", place())));
    }
    if let (Some(Some(Good::Events(good))), Some(total)) = (round.good, round.total)
        && good > total * EXTRAPOLATED + 1.0
    {
        return Err(InvalidCase(format!("{} has more good events ({good}) than events ({total})", place())));
    }
    let known = matches!((&round.good, &round.value), (Some(Some(_)), _) | (_, Some(Some(_))));
    if known && round.why.is_some() {
        return Err(InvalidCase(format!("{} is known and has a `why`", place())));
    }
    Ok(())
}
