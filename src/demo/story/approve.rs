//! A configuration change makes a service slow; its policy may only propose; a person approves, and revertd merges.

use crate::demo::picture;
use crate::demo::repository::Edit;
use crate::engine::incident::Phase;

use super::{Ending, Stage, StoryError, StoryName, is_healthy};

const SERVICE: &str = "search";
const PATH: &str = "apps/search/configmap.yaml";

pub(super) async fn play(stage: &Stage) -> Result<Ending, StoryError> {
    let (service, experience) = stage.service(SERVICE)?;
    stage.teller.say("The policy of search may only propose. It is healthy.");
    stage.baseline(service).await?;
    let from = experience.now().saturating_sub(3);
    let before = stage.file(PATH.to_owned()).await?;
    let edit = Edit::replace(PATH, "DB_POOL_SIZE: \"24\"", "DB_POOL_SIZE: \"2\"");
    let bad = stage.push(3, "search: DB_POOL_SIZE 24 -> 2", edit, "slow: over the timeout of every probe").await?;
    stage.errors(SERVICE, experience, from, 2).await?;
    stage.show_errors(SERVICE, experience, from);
    let proposed = stage.incident(SERVICE, "a revert is proposed", |incident| incident.phase == Phase::Proposed).await?;
    let branch = proposed.proposal.as_ref().map(|key| format!("refs/heads/revertd/{key}")).unwrap_or_default();
    let proposals = stage.proposals().await?;
    let proposal = proposals.iter().find(|(name, ..)| *name == branch).map(|(_, head, _)| *head);
    let waited = stage.reverts_of(bad).await?.is_empty();
    stage.teller.say(&proposed.arithmetic.join("\n"));
    if let Some(head) = proposal {
        stage.show(&format!("revertd proposes it as {}:", branch.trim_start_matches("refs/heads/")), head).await?;
    }
    stage.teller.say(&format!("Somebody on call reads it: revertd approve {}", proposed.id));
    stage.approve(&proposed.id).await?;
    let incident = stage.incident(SERVICE, "the service has recovered", |incident| incident.phase == Phase::Recovered).await?;
    stage.green(SERVICE, experience).await?;
    stage.show_errors(SERVICE, experience, from);
    stage.teller.say(&format!("search is green again: {}", picture::timings(&incident.durations())));
    let landed: Vec<_> = incident.landed.iter().map(|landed| landed.commit).collect();
    Ok(Ending::new(
        StoryName::Approve,
        &incident,
        vec![
            ("the revert was proposed as a branch, and main waited for the approval".to_owned(), proposal.is_some() && waited),
            (
                "after the approval it was reverted once, by revertd".to_owned(),
                !landed.is_empty() && stage.reverts_of(bad).await? == landed,
            ),
            ("the file is byte for byte what it was before".to_owned(), stage.file(PATH.to_owned()).await? == before),
            ("the service recovered, and the journal says so".to_owned(), is_healthy(service) && incident.phase == Phase::Recovered),
        ],
    ))
}
