//! A configuration change makes a service slow; its policy may only propose. revertd opens a pull request; a person reads it and approves it in a
//! comment; revertd has it merged. The person is scripted, or one in front of a browser.

use std::time::Duration;

use tokio::time::Instant;

use crate::demo::history::{login, person};
use crate::demo::picture;
use crate::demo::repository::Edit;
use crate::engine::id::CommitId;
use crate::engine::incident::{Incident, Phase};

use super::on_forge::Reading;
use super::{Approver, Ending, Stage, StoryError, StoryName, is_healthy};

const SERVICE: &str = "search";
const PATH: &str = "apps/search/configmap.yaml";
/// Who approves where nobody sits in front of a browser.
const REVIEWER: usize = 0;
/// So long a person may take to read and to answer.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// What remains after a person has answered takes no longer.
const AFTERWARDS: Duration = Duration::from_secs(55);
/// In this time a page that reads itself anew does so for the last time: after two seconds.
const LAST_LOOK: Duration = Duration::from_secs(4);

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
    let branch = proposed.proposal.as_ref().map(|key| format!("revertd/{key}")).unwrap_or_default();
    let read = stage.reading(&branch, "its pull request says how to approve", |read| read.approving_line().is_some()).await?;
    let waited = stage.reverts_of(bad).await?.is_empty();
    stage.teller.say(&proposed.arithmetic.join("\n"));
    stage.teller.say(&format!("revertd opens a pull request: {}\n{}", read.page, picture::indented(&read.shown())));
    let stage = &answered(stage, &read).await?;
    let incident = stage.incident(SERVICE, "the service has recovered", |incident| incident.phase == Phase::Recovered).await?;
    stage.green(SERVICE, experience).await?;
    stage.show_errors(SERVICE, experience, from);
    let told = |read: &Reading| read.merged().is_some() && read.sticky.contains("### Recovered");
    let told = stage.reading(&branch, "its pull request says that the service has recovered", told).await?;
    stage
        .teller
        .say(&format!("The comment of revertd on the pull request now:\n{}", picture::indented(&picture::markdown(&told.sticky, 9))));
    stage.teller.say(&format!("search is green again: {}", picture::timings(&incident.durations())));
    let checks = vec![
        ("the revert was proposed as a pull request, and main waited for the approval".to_owned(), waited),
        ("the comment approved it, it was merged, and one comment of revertd tells so".to_owned(), is_told(stage, &told)),
        ("the bad commit was reverted once, by revertd".to_owned(), is_landed_once(stage, bad, &incident, &told).await?),
        ("the file is byte for byte what it was before".to_owned(), stage.file(PATH.to_owned()).await? == before),
        ("the service recovered, and the journal says so".to_owned(), is_healthy(service) && incident.phase == Phase::Recovered),
    ];
    if stage.approver == Approver::Browser {
        stage.teller.say("The page shows it as well, and stays as it is from now on.");
        stage.world.on_github(|github| github.end_live_pages()).await?;
        tokio::time::sleep(LAST_LOOK).await;
    }
    Ok(Ending::new(StoryName::Approve, &incident, checks))
}

/// Lets a person answer. What follows is told on the stage that comes back, which has its own deadline.
async fn answered(stage: &Stage, read: &Reading) -> Result<Stage, StoryError> {
    let landed = |incident: &Incident| incident.landed.is_some();
    match stage.approver {
        Approver::Scripted => {
            let line = read.approving_line().unwrap_or_default().to_owned();
            stage.teller.say(&format!("{} reads it in the browser and comments: {line}", person(REVIEWER).name));
            stage.comment(login(REVIEWER), read.pull.number, line).await?;
            stage.incident(SERVICE, "the pull request is merged", landed).await?;
            Ok(stage.clone())
        }
        Approver::Browser => {
            stage.teller.say(&format!(
                "Your turn. Open this page, read it, and comment what it says:\n\n  {}\n\nThe story goes on when you have. It waits for {} minutes; \
                 Ctrl-C ends it.",
                read.page,
                PATIENCE.as_secs() / 60
            ));
            let patient = Stage { deadline: Instant::now() + PATIENCE, ..stage.clone() };
            patient.incident(SERVICE, "you approve it on the page", landed).await?;
            stage.teller.say("It is approved and merged. The services follow.");
            Ok(Stage { deadline: Instant::now() + AFTERWARDS, ..patient })
        }
    }
}

fn is_told(stage: &Stage, told: &Reading) -> bool {
    let approved = match stage.approver {
        Approver::Scripted => told.sticky.contains(&format!("Approved by {}", login(REVIEWER))),
        // Whoever was chosen on the page; a person may also have merged it there.
        Approver::Browser => true,
    };
    // A person in front of a browser may also have asked things, which are answered in comments of their own.
    approved && (told.comments == 1 || stage.approver == Approver::Browser)
}

/// Whether one commit of the branch's own line reverts the bad one: the one that the journal and the pull request say.
async fn is_landed_once(stage: &Stage, bad: CommitId, incident: &Incident, told: &Reading) -> Result<bool, StoryError> {
    let landed = incident.landed.iter().map(|landed| landed.commit).collect::<Vec<_>>();
    Ok(!landed.is_empty() && stage.reverts_of(bad).await? == landed && told.merged().as_slice() == landed)
}
