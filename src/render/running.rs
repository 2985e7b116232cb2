//! What runs of a service, for `status`: one line each for landed, attempted, applied and effective, with ages.

use super::neutral::flat;
use crate::engine::policy::SyncTarget;
use crate::engine::sync::running::{Revision, Running, Source};
use crate::engine::sync::{Rollout, SyncState};
use crate::engine::time::{Timestamp, spoken};

/// The lines, the first with who says so.
pub fn lines(running: &Running, now: Timestamp) -> Vec<String> {
    let ago = |at: Timestamp| {
        if at <= now { format!("{} ago", spoken(std::time::Duration::from_secs(now.since(at).as_secs()))) } else { "just now".to_owned() }
    };
    let mut lines = vec![format!("`{}`, as {}", running.instance, source(&running.source))];
    lines.push(match &running.landed {
        Some(landed) => {
            let when = if landed.at.after.is_some() { ago(landed.at.by) } else { "before the first look".to_owned() };
            format!("landed     {} \"{}\" {when}", landed.commit.short(), flat(&landed.subject))
        }
        None => "landed     no change of it is known".to_owned(),
    });
    let Source::Named { since, .. } = &running.source else {
        if let (Source::Lag(lag), Some(landed)) = (&running.source, &running.landed) {
            lines.push(format!("applied    assumed by {}", landed.at.by + *lag));
        }
        return lines;
    };
    let Some(since) = since else {
        lines.push("applied    the source has said nothing yet".to_owned());
        return lines;
    };
    let named = |revision: &Revision| {
        let has = match revision.has_landed {
            Some(true) => ", with that change",
            Some(false) => ", without that change",
            None => "",
        };
        format!("{} since {}{has}", revision.commit.short(), ago(revision.since).replace(" ago", ""))
    };
    lines.push(format!("attempted  {}", running.attempted.as_ref().map_or_else(|| "not told".to_owned(), named)));
    let applied: Vec<String> = running.applied.iter().map(named).collect();
    lines.push(format!("applied    {}", if applied.is_empty() { "nothing is told".to_owned() } else { applied.join(" and ") }));
    lines.push(format!("effective  {}", running.effective.as_ref().map_or_else(|| rollout(running.rollout.as_ref()), named)));
    if let Some(state) = running.state.as_ref().and_then(trouble) {
        lines.push(format!("sync       {}, since {}", state, ago(*since).replace(" ago", "")));
    }
    lines
}

fn source(source: &Source) -> String {
    match source {
        Source::Lag(lag) => format!("assumed from a lag of {}", spoken(*lag)),
        Source::Named { name, follows, .. } => format!("`{name}` says of {}", flat(&target(follows))),
    }
}

fn target(follows: &SyncTarget) -> String {
    match follows {
        SyncTarget::Application { name, .. } => format!("the application {name}"),
        SyncTarget::Kustomization { namespace, name } => format!("the Kustomization {namespace}/{name}"),
        SyncTarget::HelmRelease { namespace, name } => format!("the HelmRelease {namespace}/{name}"),
        SyncTarget::Query(_) => "its query".to_owned(),
        SyncTarget::Context(context) => format!("the statuses {context}"),
    }
}

fn rollout(rollout: Option<&Rollout>) -> String {
    match rollout {
        Some(Rollout::Progressing) => "not yet: it is being rolled out".to_owned(),
        Some(Rollout::Degraded { why }) => format!("not: the roll-out came to a halt ({})", flat(why)),
        Some(Rollout::Unwatched) => "not told: the roll-out is not watched".to_owned(),
        Some(Rollout::Complete | Rollout::Unknown) | None => "not told".to_owned(),
    }
}

fn trouble(state: &SyncState) -> Option<String> {
    match state {
        SyncState::Applied | SyncState::Progressing => None,
        SyncState::Failed { why, .. } => Some(format!("it fails ({})", flat(why))),
        SyncState::Paused => Some("automatic sync is off".to_owned()),
        SyncState::Suspended => Some("reconciling is suspended".to_owned()),
        SyncState::Unknown { why } => Some(format!("not told ({})", flat(why))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::id::{CommitId, InstanceName};
    use crate::engine::sync::FailureCause;
    use crate::engine::sync::running::Landed;
    use crate::engine::time::Interval;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn revision(number: u8, since: i64, has_landed: bool) -> Revision {
        Revision { commit: CommitId([number; 20]), since: at(since), has_landed: Some(has_landed) }
    }

    fn running() -> Running {
        Running {
            instance: InstanceName::default_instance(),
            source: Source::Named {
                name: "argo-eu".into(),
                follows: SyncTarget::Application { name: "checkout-prod".into(), namespace: None, project: None },
                since: Some(at(700)),
            },
            landed: Some(Landed { commit: CommitId([5; 20]), subject: "Bump\ncheckout".into(), at: Interval::new(at(390), at(400)) }),
            attempted: Some(revision(6, 700, true)),
            applied: vec![revision(4, 100, false)],
            effective: Some(revision(4, 130, false)),
            state: Some(SyncState::Failed { why: "no".into(), cause: FailureCause::Unclear }),
            rollout: Some(Rollout::Complete),
        }
    }

    #[test]
    fn what_runs_is_said_with_ages_and_who_says_so() {
        insta::assert_snapshot!(lines(&running(), at(1000)).join("\n"), @r#"
        `default`, as `argo-eu` says of the application checkout-prod
        landed     0505050505 "Bump checkout" 10m ago
        attempted  0606060606 since 5m, with that change
        applied    0404040404 since 15m, without that change
        effective  0404040404 since 14m 30s, without that change
        sync       it fails (no), since 5m
        "#);
    }

    #[test]
    fn what_is_assumed_and_what_is_not_told_is_said_as_that() {
        let lag = Running { source: Source::Lag(Duration::from_secs(180)), ..running() };
        let said = lines(&lag, at(1000));
        assert_eq!(said[0], "`default`, as assumed from a lag of 3m");
        assert_eq!(said[2..], ["applied    assumed by 1970-01-01T00:09:40Z"]);
        let mut silent = running();
        silent.source = Source::Named { name: "a".into(), follows: SyncTarget::Query("up".into()), since: None };
        assert_eq!(lines(&silent, at(1000))[2..], ["applied    the source has said nothing yet"]);
        let unwatched = Running { effective: None, rollout: Some(Rollout::Unwatched), state: Some(SyncState::Paused), ..running() };
        let said = lines(&unwatched, at(1000));
        assert_eq!(said[4..], ["effective  not told: the roll-out is not watched", "sync       automatic sync is off, since 5m"]);
    }
}
