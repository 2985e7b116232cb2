//! A harmless commit lands, and at that moment the whole zone fails. Every service breaches, one of them right after a commit of its own;
//! revertd refuses to blame the commit.

use crate::demo::repository::Edit;
use crate::demo::services::Zone;
use crate::engine::incident::Incident;

use super::{Ending, Stage, StoryError, StoryName};

const SERVICE: &str = "payments";
const PATH: &str = "apps/payments/deployment.yaml";

pub(super) async fn play(stage: &Stage) -> Result<Ending, StoryError> {
    let (_, experience) = stage.service(SERVICE)?;
    let services: Vec<&'static str> = stage.world.services().map(|service| service.name()).collect();
    let said = format!("{0} of {0} services", services.len());
    let untouched = format!("{} of them untouched", services.len() - 1);
    stage.teller.say(&format!("{} services run in one zone. Every policy may merge. All are healthy.", services.len()));
    for service in stage.world.services() {
        stage.baseline(service).await?;
    }
    let from = experience.now().saturating_sub(3);
    let edit = Edit::replace(PATH, "payments:3.2.0", "payments:3.2.1");
    let commit = stage.push(5, "payments: bump image to 3.2.1", edit, "harmless").await?;
    stage.world.until_applied(commit, stage.deadline.saturating_duration_since(tokio::time::Instant::now())).await?;
    stage.world.set_zone(Zone::Down);
    stage.teller.say("The zone fails: every service answers 503.");
    let refused = |incident: &Incident| sentence(incident).contains(&said) && sentence(incident).contains(&untouched);
    let seen = stage.incident(SERVICE, &format!("revertd says that {said} fail, {untouched}"), refused).await;
    // The zone comes back whether or not revertd said what it had to.
    stage.show_errors(SERVICE, experience, from);
    stage.world.set_zone(Zone::Up);
    let incident = seen?;
    stage.teller.say(&format!("revertd refuses: {}", sentence(&incident)));
    for service in &services {
        let (_, experience) = stage.service(service)?;
        stage.green(service, experience).await?;
        stage.show_errors(service, experience, from);
    }
    stage.teller.say("The zone is back, and so is every service.");
    let head = stage.world.person(|repository| repository.head()).await?;
    Ok(Ending::new(
        StoryName::Outage,
        &incident,
        vec![
            (format!("it refused: {said}, {untouched}"), refused(&incident)),
            ("the harmless commit is still the head of main".to_owned(), head == commit),
            ("nothing was proposed".to_owned(), stage.proposals().await?.is_empty()),
        ],
    ))
}

/// Why nothing was done: the newest decision's sentence and those of its refusals.
fn sentence(incident: &Incident) -> String {
    let Some(decision) = &incident.decision else { return String::new() };
    let shared = decision.refusals.iter().map(|refusal| refusal.sentence.as_str()).find(|sentence| sentence.contains("services"));
    shared.unwrap_or(&decision.sentence).to_owned()
}
