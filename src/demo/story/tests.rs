//! The stories, played against a puppet: an agent that does what the test says, so that each check is seen to hold and to fail.

use tokio::task::JoinSet;

use super::*;
use crate::demo::catalogue::{Blueprint, SHOP, Setting as ServiceSetting};
use crate::demo::forge::MergeMethod;
use crate::demo::github::AGENT;
use crate::demo::sync_tool::Pace;
use crate::demo::traffic;
use crate::engine::change::Person;
use crate::engine::decision::{DecisionRecord, DecisionVerdict};
use crate::engine::fact::{Ending as IncidentEnding, LandedBy};
use crate::engine::guardrail::{Refusal, RefusalCode};
use crate::engine::id::{InstanceName, PolicyName, ProposalKey, RepositoryName};
use crate::engine::incident::{LandedRevert, Phase};
use crate::engine::time::Interval;
use crate::git::scratch::Signed;

const LONG: Duration = Duration::from_secs(40);
const SHORT: Duration = Duration::from_secs(2);

struct Puppet {
    world: Arc<World>,
    incidents: Arc<Mutex<Vec<Incident>>>,
    told: Arc<Mutex<Vec<u8>>>,
    _probes: JoinSet<()>,
    _directory: tempfile::TempDir,
}

impl Puppet {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pace = Pace { poll: Duration::from_millis(20), lag: Duration::from_millis(20) };
        let mut shop = SHOP;
        // Long enough to be seen, short enough for a test.
        let warm_up = &[ServiceSetting { key: "WARM_UP", was: "300ms", is: "300ms" }];
        shop[3] = Blueprint { settings: warm_up, ..SHOP[3] };
        let world = Arc::new(World::start(&directory.path().join("shop.git"), &shop, pace, clock()).await.unwrap());
        let mut probes = JoinSet::new();
        for address in world.services().map(Service::address) {
            probes.spawn(async move {
                loop {
                    let _ = traffic::get(address, "x-test").await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
        Self { world, incidents: Arc::default(), told: Arc::default(), _probes: probes, _directory: directory }
    }

    fn stage(&self, story: StoryName, time: Duration) -> Stage {
        let incidents = Arc::clone(&self.incidents);
        let agent = AgentView { incidents: Arc::new(move || Ok(incidents.lock().unwrap().clone())) };
        let teller = Teller::new(story, self.told.clone());
        let (world, deadline) = (Arc::clone(&self.world), Instant::now() + time);
        Stage { world, agent, teller, baseline_probes: 3, approver: Approver::Scripted, deadline }
    }

    fn told(&self) -> String {
        String::from_utf8(self.told.lock().unwrap().clone()).unwrap()
    }

    /// Waits until something is so; the story's own deadline ends the test if it never is.
    async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for a breach, opens an incident and gives the commit that caused it.
    async fn breach(&self, service: &str) -> CommitId {
        let experience = self.world.experience(service).unwrap();
        // Slower than the customers, as an agent that counts rounds is.
        self.until(|| (experience.bad_since(0) > 2).then_some(())).await;
        self.open(service);
        let log = self.world.person(|repository| repository.log(2)).await.unwrap();
        log.iter().find(|line| !line.subject.starts_with("Revert")).unwrap().id
    }

    fn open(&self, service: &str) {
        let now = clock();
        self.incidents.lock().unwrap().push(Incident {
            id: IncidentId::new(format!("{service}-0123456789")),
            policy: PolicyName::new(service),
            instance: InstanceName::default_instance(),
            cluster: None,
            repository: RepositoryName::new("manifests"),
            detected_at: now,
            onset: Interval::new(now, now),
            arithmetic: vec!["failed 3 of the last 5 (limit 3)".into()],
            attribution: None,
            decision: None,
            situation: None,
            decision_at: None,
            decided_at: Some(now),
            proposal: None,
            landed: None,
            recovery: None,
            sync: None,
            spending: Vec::new(),
            ending: None,
            sentence: None,
            ended_at: None,
            phase: Phase::Detected,
        });
    }

    fn change(&self, change: impl FnOnce(&mut Incident)) {
        change(self.incidents.lock().unwrap().last_mut().unwrap());
    }

    /// Reverts as the agent would, on `main` or a branch of its own.
    async fn revert(&self, commit: CommitId, branch: &'static str) -> CommitId {
        let revert = self.world.person(move |repository| {
            let revertd = Person { name: "revertd".into(), email: "revertd@shop.example".into() };
            let message = format!("Revert \"…\"\n\nThis reverts commit {commit}.");
            let scratch = repository.scratch();
            if branch != BRANCH {
                scratch.create_branch(branch, repository.head()?)?;
            }
            Ok(scratch.revert(branch, commit, Signed { person: &revertd, at: clock(), message: &message })?)
        });
        revert.await.unwrap()
    }

    async fn land(&self, commit: CommitId) {
        let now = clock();
        self.change(|incident| {
            incident.phase = Phase::Merged;
            incident.landed =
                Some(LandedRevert { commit, landed: Interval::new(now, now), by: LandedBy::Revertd, approved_by: Vec::new(), at: now });
        });
        self.world.until_applied(commit, LONG).await.unwrap();
    }

    fn end(&self, phase: Phase, ending: IncidentEnding) {
        self.change(|incident| {
            incident.phase = phase;
            incident.ending = Some(ending);
            incident.ended_at = Some(clock());
            incident.sentence = Some("That is how it ended.".into());
        });
    }
}

fn held(ending: &Ending) -> Vec<bool> {
    ending.checks.iter().map(|check| check.held).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_is_told_when_the_agent_reverts() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Merge, LONG);
    let agent = async {
        let bad = puppet.breach("checkout").await;
        let revert = puppet.revert(bad, BRANCH).await;
        puppet.land(revert).await;
        puppet.end(Phase::Recovered, IncidentEnding::Recovered);
    };
    let (ending, ()) = tokio::join!(play(StoryName::Merge, &stage), agent);
    assert!(ending.is_as_told(), "{ending:#?}\n{}", puppet.told());
    let told = puppet.told();
    assert!(told.contains("checkout: bump image to 1.5.0  <-- answers 500"), "{told}");
    assert!(told.contains("merge   |   -          image: registry.shop.example/checkout:1.5.0"), "{told}");
    assert!(told.lines().all(|line| line.starts_with("merge   |")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_is_not_told_when_nobody_reverts_or_somebody_reverts_twice() {
    let puppet = Puppet::new().await;
    let ending = play(StoryName::Merge, &puppet.stage(StoryName::Merge, SHORT)).await;
    assert_eq!(held(&ending), [false]);
    assert!(ending.checks[0].what.contains("no incident of `checkout`"), "{ending:?}");

    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Merge, LONG);
    let agent = async {
        let bad = puppet.breach("checkout").await;
        let first = puppet.revert(bad, BRANCH).await;
        let again = puppet.revert(first, BRANCH).await;
        puppet.until(|| (puppet.world.sync_status().applied == Some(again)).then_some(())).await;
        let second = puppet.revert(bad, BRANCH).await;
        puppet.land(second).await;
        puppet.end(Phase::Recovered, IncidentEnding::Recovered);
    };
    let (ending, ()) = tokio::join!(play(StoryName::Merge, &stage), agent);
    assert_eq!(held(&ending), [false, true, true], "{ending:?}");
}

const PROPOSAL: &str = "revertd/0123456789ab";

/// Plays the agent of `approve` up to the comment with what to type. Gives the pull request's number and that comment.
async fn propose(puppet: &Puppet) -> (u64, u64) {
    let bad = puppet.breach("search").await;
    puppet.revert(bad, PROPOSAL).await;
    let github = puppet.world.github();
    let number = github.open(AGENT, PROPOSAL, BRANCH, "Revert \"search\"", "## What broke\n\nsearch").unwrap();
    let sticky = github.comment(AGENT, number, "### Waits\n\n```text\n/revertd approve abc\n```").unwrap();
    puppet.change(|incident| {
        incident.proposal = Some(ProposalKey::new("0123456789ab"));
        incident.phase = Phase::Proposed;
    });
    (number, sticky)
}

/// Waits for a comment of somebody and gives it.
async fn heard(puppet: &Puppet, number: u64) -> (String, String) {
    let github = puppet.world.github();
    let written = || github.comments(number).into_iter().find(|comment| comment.author != AGENT);
    let comment = puppet.until(written).await;
    (comment.author, comment.body)
}

async fn merge(puppet: &Puppet, number: u64) {
    let landed = puppet.world.github().merge(AGENT, number, MergeMethod::Squash).unwrap();
    puppet.land(landed).await;
    puppet.end(Phase::Recovered, IncidentEnding::Recovered);
}

#[tokio::test(flavor = "multi_thread")]
async fn approve_is_told_when_the_comment_merges_the_pull_request() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Approve, LONG);
    let agent = async {
        let (number, sticky) = propose(&puppet).await;
        assert_eq!(heard(&puppet, number).await, ("mara-lind".to_owned(), "/revertd approve abc".to_owned()));
        merge(&puppet, number).await;
        puppet.world.github().edit_comment(AGENT, sticky, "### Recovered\n\nApproved by mara-lind").unwrap();
    };
    let (ending, ()) = tokio::join!(play(StoryName::Approve, &stage), agent);
    assert!(ending.is_as_told(), "{ending:#?}\n{}", puppet.told());
    let told = puppet.told();
    for part in [
        &format!("revertd opens a pull request: {}", puppet.world.github().page(1)),
        "approve |   Revert \"search\" #1",
        "approve |   == What broke",
        "Mara Lind reads it in the browser and comments: /revertd approve abc",
        "approve |   == Recovered",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approve_is_not_told_when_it_lands_before_the_comment_or_without_the_pull_request() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Approve, LONG);
    let agent = async {
        let (number, sticky) = propose(&puppet).await;
        heard(&puppet, number).await;
        merge(&puppet, number).await;
        puppet.world.github().edit_comment(AGENT, sticky, "### Recovered").unwrap();
        puppet.world.github().comment(AGENT, number, "### Recovered").unwrap();
    };
    let (ending, ()) = tokio::join!(play(StoryName::Approve, &stage), agent);
    assert_eq!(held(&ending), [true, false, true, true, true], "nobody is named, and it is told twice: {ending:?}");

    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Approve, SHORT + SHORT);
    let agent = async {
        let bad = puppet.breach("search").await;
        let revert = puppet.revert(bad, BRANCH).await;
        puppet.land(revert).await;
        puppet.end(Phase::Recovered, IncidentEnding::Recovered);
    };
    let (ending, ()) = tokio::join!(play(StoryName::Approve, &stage), agent);
    assert_eq!(held(&ending), [false], "{ending:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_in_front_of_a_browser_has_more_time_than_the_story() {
    let puppet = Puppet::new().await;
    let stage = Stage { approver: Approver::Browser, ..puppet.stage(StoryName::Approve, SHORT + SHORT) };
    let deadline = stage.deadline;
    let agent = async {
        let (number, sticky) = propose(&puppet).await;
        puppet.until(|| puppet.told().contains("Your turn. Open this page").then_some(())).await;
        puppet.until(|| (Instant::now() > deadline).then_some(())).await;
        puppet.world.github().comment("yuki-brandt", number, "/revertd approve").unwrap();
        merge(&puppet, number).await;
        puppet.world.github().edit_comment(AGENT, sticky, "### Recovered\n\nApproved by yuki-brandt").unwrap();
    };
    let (ending, ()) = tokio::join!(play(StoryName::Approve, &stage), agent);
    assert!(ending.is_as_told(), "{ending:#?}\n{}", puppet.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn human_is_told_when_the_agent_keeps_still() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Human, LONG);
    let agent = async {
        puppet.breach("catalog").await;
        puppet.until(|| is_healthy(puppet.world.service("catalog").unwrap()).then_some(())).await;
        puppet.end(Phase::Superseded, IncidentEnding::Superseded { by: None });
    };
    let (ending, ()) = tokio::join!(play(StoryName::Human, &stage), agent);
    assert!(ending.is_as_told(), "{ending:#?}\n{}", puppet.told());
    assert!(puppet.told().contains("<-- undone by a person"));
}

#[tokio::test(flavor = "multi_thread")]
async fn human_is_not_told_when_the_agent_proposes_all_the_same() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Human, LONG);
    let agent = async {
        let bad = puppet.breach("catalog").await;
        puppet.revert(bad, "revertd/0123456789ab").await;
        puppet.until(|| is_healthy(puppet.world.service("catalog").unwrap()).then_some(())).await;
        puppet.end(Phase::Withdrawn, IncidentEnding::Withdrawn);
    };
    let (ending, ()) = tokio::join!(play(StoryName::Human, &stage), agent);
    assert_eq!(held(&ending), [false, false, true], "{ending:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn human_is_not_told_when_the_agent_proposes_to_undo_the_persons_revert() {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Human, LONG);
    let agent = async {
        puppet.breach("catalog").await;
        puppet.until(|| is_healthy(puppet.world.service("catalog").unwrap()).then_some(())).await;
        let persons = puppet.world.person(|repository| repository.head()).await.unwrap();
        puppet.revert(persons, "revertd/0123456789ab").await;
        puppet.end(Phase::Superseded, IncidentEnding::Superseded { by: None });
    };
    let (ending, ()) = tokio::join!(play(StoryName::Human, &stage), agent);
    assert_eq!(held(&ending), [true, false, true], "{ending:?}");
}

async fn outage(sentence: &str, time: Duration) -> (Puppet, Ending) {
    let puppet = Puppet::new().await;
    let stage = puppet.stage(StoryName::Outage, time);
    let payments = puppet.world.service("payments").unwrap();
    let agent = async {
        puppet.until(|| (payments.running().tag == "3.2.1" && payments.good_probes_in_a_row() == 0).then_some(())).await;
        puppet.open("payments");
        puppet.change(|incident| {
            let refusal = Refusal { code: RefusalCode::SharedFate, sentence: sentence.to_owned() };
            incident.decision = Some(DecisionRecord {
                verdict: DecisionVerdict::Refuse,
                proposal: None,
                plan: None,
                sentence: refusal.sentence.clone(),
                refusals: vec![refusal],
            });
        });
    };
    let (ending, ()) = tokio::join!(play(StoryName::Outage, &stage), agent);
    (puppet, ending)
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_is_told_when_the_agent_refuses() {
    let (puppet, ending) = outage("5 of 5 services breach at once, 4 of them untouched by any change.", LONG).await;
    assert!(ending.is_as_told(), "{ending:#?}\n{}", puppet.told());
    assert!(puppet.told().contains("revertd refuses: 5 of 5 services"));
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_is_not_told_when_the_agent_counts_otherwise() {
    let (puppet, ending) = outage("1 of 5 services breach.", SHORT).await;
    assert_eq!(held(&ending), [false]);
    // The zone comes back all the same.
    let payments = puppet.world.service("payments").unwrap();
    puppet.until(|| (payments.good_probes_in_a_row() > 0).then_some(())).await;
}

#[test]
fn every_story_has_a_policy_of_its_own_in_its_place() {
    for (story, service) in [(StoryName::Merge, "checkout"), (StoryName::Approve, "search"), (StoryName::Human, "catalog")] {
        assert_eq!(story.place().policies().iter().filter(|figures| figures.service == service).count(), 1);
    }
    assert_eq!(StoryName::Outage.place().policies().len(), SHOP.len());
    let longest = SHOP_POLICIES.iter().chain(&ZONE_POLICIES).map(|figures| figures.of).max().unwrap();
    assert_eq!(BASELINE_PROBES, longest + 2);
}
