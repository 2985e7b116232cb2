//! A typing mistake makes a service crash; its author notices and reverts before revertd has made up its mind; revertd leaves it alone.

use crate::demo::history::person;
use crate::demo::picture;
use crate::demo::repository::Edit;
use crate::demo::world::clock;
use crate::engine::incident::Phase;

use super::{Ending, Stage, StoryError, StoryName, is_healthy};

const SERVICE: &str = "catalog";
const PATH: &str = "apps/catalog/deployment.yaml";
const AUTHOR: usize = 2;
/// So many customers are let down before the author has noticed and reverts: about two and a half seconds of them.
const NOTICED: u32 = 12;

pub(super) async fn play(stage: &Stage) -> Result<Ending, StoryError> {
    let (service, experience) = stage.service(SERVICE)?;
    stage.teller.say("The policy of catalog may merge. It is healthy.");
    stage.baseline(service).await?;
    let from = experience.now().saturating_sub(3);
    let edit = Edit::replace(PATH, "args: [\"serve\"]", "args: [\"server\"]");
    let bad = stage.push(AUTHOR, "catalog: spell out the command", edit, "crash loop: refuses connections").await?;
    stage.errors(SERVICE, experience, from, NOTICED).await?;
    let reason = "It does not start: the command is `serve`.";
    let revert = stage.world.person(move |repository| repository.revert_by_hand(&person(AUTHOR), bad, reason, clock())).await?;
    stage.show_errors(SERVICE, experience, from);
    stage.show("The author sees it at once and reverts by hand, before revertd has:", revert).await?;
    stage.teller.say("catalog comes back with cold caches and fails for some seconds more.");
    let incident = stage.incident(SERVICE, "the incident has ended", |incident| incident.ending.is_some()).await?;
    stage.green(SERVICE, experience).await?;
    stage.show_errors(SERVICE, experience, from);
    stage.teller.say(&format!("revertd: {}", incident.sentence.as_deref().unwrap_or("(no sentence)")));
    let proposals = stage.proposals().await?;
    // Undoing the person's revert would be as wrong as undoing the mistake again.
    let ids = [bad.to_string(), revert.to_string()];
    let mine = proposals.iter().filter(|(.., message)| ids.iter().any(|id| message.contains(id))).count();
    let untouched = mine == 0 && incident.decision.as_ref().is_none_or(|decision| decision.plan.is_none());
    let log = stage.world.person(|repository| repository.log(6)).await?;
    let remarks = [(bad, "the mistake"), (revert, "undone by a person")];
    stage.teller.say(&format!("main at the end:\n{}", picture::indented(&picture::log(&log, &remarks))));
    Ok(Ending::new(
        StoryName::Human,
        &incident,
        vec![
            ("the breach was seen, and the incident ended because a person was first".to_owned(), incident.phase == Phase::Superseded),
            (
                "the only revert is the person's, and nothing was proposed".to_owned(),
                untouched && stage.reverts_of(bad).await? == [revert] && stage.reverts_of(revert).await?.is_empty(),
            ),
            ("the service is healthy again".to_owned(), is_healthy(service)),
        ],
    ))
}
