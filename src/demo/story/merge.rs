//! A bad image is bumped at night; every gate holds; revertd force-merges the revert and sees the service recover.

use crate::demo::picture;
use crate::demo::repository::Edit;
use crate::engine::incident::Phase;

use super::{Ending, Stage, StoryError, StoryName, is_healthy};

const SERVICE: &str = "checkout";
const PATH: &str = "apps/checkout/deployment.yaml";

pub(super) async fn play(stage: &Stage) -> Result<Ending, StoryError> {
    let (service, experience) = stage.service(SERVICE)?;
    stage.teller.say("The policy of checkout may merge. It runs 1.4.2 and is healthy.");
    stage.baseline(service).await?;
    let from = experience.now().saturating_sub(3);
    let before = stage.file(PATH.to_owned()).await?;
    let edit = Edit::replace(PATH, "checkout:1.4.2", "checkout:1.5.0");
    let bad = stage.push(5, "checkout: bump image to 1.5.0", edit, "answers 500").await?;
    stage.errors(SERVICE, experience, from, 2).await?;
    stage.show_errors(SERVICE, experience, from);
    let incident = stage.incident(SERVICE, "the revert has landed", |incident| incident.landed.is_some()).await?;
    let landed = incident.landed.as_ref().map_or(bad, |landed| landed.commit);
    stage.teller.say(&incident.arithmetic.join("\n"));
    stage.show("revertd reverts it on main. Its reader sees:", landed).await?;
    let incident = stage.incident(SERVICE, "the service has recovered", |incident| incident.phase == Phase::Recovered).await?;
    stage.green(SERVICE, experience).await?;
    stage.show_errors(SERVICE, experience, from);
    stage.teller.say(&format!("checkout is green again: {}", picture::timings(&incident.durations())));
    Ok(Ending::new(
        StoryName::Merge,
        &incident,
        vec![
            ("the bad commit was reverted once, by revertd".to_owned(), stage.reverts_of(bad).await? == [landed]),
            ("the file is byte for byte what it was before".to_owned(), stage.file(PATH.to_owned()).await? == before),
            ("the service recovered, and the journal says so".to_owned(), is_healthy(service) && incident.phase == Phase::Recovered),
        ],
    ))
}
