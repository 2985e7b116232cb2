//! The forge is down when it matters: people are paged with the suspect, the commands and the commit that is ready; nothing is lost when
//! it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use revertd::demo::forge::{Fault, FaultKind};
use revertd::engine::fact::{Event, Fact};
use revertd::engine::id::{CommitId, FactHash, RepositoryName, SituationDigest};
use revertd::engine::incident::Phase;
use revertd::engine::recorded::Recorded;
use revertd::engine::time::Timestamp;
use revertd::journal::{Journal, JournalError, Series, SqliteJournal, StoredHour, StoredRound};

use crate::chat::{CHANNEL, Chat};
use crate::support::{Health, Reach, World, policy};

fn notifiers(chat: &Chat) -> String {
    format!("  notifiers: [{}, {}]\n", chat.slack("oncall", CHANNEL), chat.pagerduty("pager"))
}

fn checkout(mode: &str) -> [String; 1] {
    [policy("checkout", mode, "  notify: [oncall, pager]\n")]
}

fn breaks(world: &mut World) -> String {
    world.seconds(8);
    let suspect = world.bump("checkout", "1.5.0");
    world.seconds(2);
    world.set_health("checkout", Health::Bad);
    suspect
}

fn text_of(chat: &Chat, event: &str) -> String {
    let place = chat.told().iter().position(|told| told == event).unwrap();
    chat.posts()[place].body.to_string()
}

#[test]
fn forge_is_down_and_the_commit_is_ready() {
    let chat = Chat::start();
    let mut world = World::with_agent(&["checkout"], &checkout("propose"), &notifiers(&chat));
    let suspect = breaks(&mut world);
    world.set_remote(Reach::IsDown);
    world.told_until(80, |_| chat.told().len() >= 2);
    assert_eq!(chat.told(), ["impaired", "stranded"]);
    let text = chat.bodies("/api/chat.postMessage")[1].to_string();
    let commit = world.proposal().commits.last().unwrap().1.to_string();
    let mirror = world.root.join("state/mirrors/manifests.git").display().to_string();
    for part in [&suspect[..10], &commit, &mirror, "Deployment checkout", &format!("{commit}:refs/heads/main")] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let severities: Vec<String> = chat.bodies("/v2/enqueue").iter().map(|event| event["payload"]["severity"].to_string()).collect();
    assert_eq!(severities, ["\"critical\""; 2]);

    // What the page says works: the commit is in the mirror, on top of the suspect.
    let parent = std::process::Command::new("git").args(["-C", &mirror, "rev-parse", &format!("{commit}^")]).output().unwrap();
    assert_eq!(String::from_utf8(parent.stdout).unwrap().trim(), suspect);

    let intended = world.facts().into_iter().filter(|fact| matches!(fact.event, Event::Intended { .. })).count();
    assert_eq!(intended, 1, "a remote that is down leaves one intent behind");
    world.set_remote(Reach::Answers);
    world.told_until(30, |_| chat.told().len() >= 4);
    assert_eq!(world.branches().len(), 1);
    let mut told = chat.told();
    told.sort();
    assert_eq!(told, ["impaired", "proposed", "restored", "stranded"]);
    // The proposal's story goes on in the thread of the page.
    let posts = chat.posts();
    let of = |event: &str| &posts[chat.told().iter().position(|told| told == event).unwrap()];
    assert_eq!(of("proposed").thread.as_ref(), Some(&of("stranded").ts));
    assert_eq!(of("restored").thread.as_ref(), Some(&of("impaired").ts));
    world.approve();
    world.set_health("checkout", Health::Good);
    world.told_until(30, |world| world.phase() == Phase::Recovered || world.phase() == Phase::Withdrawn);
    world.told_seconds(2);
    assert_eq!(chat.told().last().unwrap(), "ended");
}

#[test]
fn the_api_is_down_and_git_is_not() {
    let chat = Chat::start();
    let mut world = World::on_github_with(&["checkout"], &checkout("propose"), &notifiers(&chat));
    world.seconds(8);
    world.bump("checkout", "1.5.0");
    world.seconds(1);
    world.set_health("checkout", Health::Bad);
    world.github().arm(Fault { method: "*".into(), path: "**".into(), times: 100_000, kind: FaultKind::Before(502) }).unwrap();
    world.told_until(120, |_| chat.told().contains(&"stranded".to_owned()));
    assert!(text_of(&chat, "stranded").contains("Suspected: "));
    // A restart in the middle of it does not take the silence for an answer.
    world.restart();
    world.told_seconds(3);
    assert!(!chat.told().contains(&"restored".to_owned()));
    world.github().disarm();
    world.pass_after(Duration::from_secs(600)).unwrap();
    world.told_until(60, |_| chat.told().contains(&"proposed".to_owned()));
    assert_eq!(world.github().pulls().unwrap().len(), 1);
    assert_eq!(chat.told().iter().filter(|told| *told == "stranded").count(), 1);
    // A second outage while the same plan still waits is paged again, once.
    world.github().arm(Fault { method: "*".into(), path: "**".into(), times: 100_000, kind: FaultKind::Before(502) }).unwrap();
    let pages = |chat: &Chat| chat.told().iter().filter(|told| *told == "stranded").count();
    world.told_until(120, |_| pages(&chat) == 2);
    world.restart();
    world.told_seconds(5);
    assert_eq!(pages(&chat), 2);
}

#[test]
fn a_repository_that_stands_still_is_told_until_a_person_resumes_it() {
    let chat = Chat::start();
    let mut world = World::with_agent(&["checkout"], &checkout("merge"), &notifiers(&chat));
    world.seconds(4);
    world.person(&["commit", "--quiet", "--amend", "--message", "another"]);
    world.person(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
    world.told_seconds(4);
    assert_eq!(chat.told(), ["impaired"]);
    let accept: CommitId = world.remote_head().unwrap().parse().unwrap();
    world.say(Event::RepositoryResumed { repository: RepositoryName::new("manifests"), accept: Some(accept), by: "dana".into() });
    world.told_seconds(3);
    assert_eq!(chat.told(), ["impaired", "restored"]);
    let paged: Vec<String> = chat.bodies("/v2/enqueue").iter().map(|event| event["event_action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paged, ["trigger", "resolve"]);
}

#[test]
fn controls_that_fail_for_long_are_told() {
    let chat = Chat::start();
    let mut world = World::with_agent(&["checkout"], &checkout("merge"), &notifiers(&chat));
    world.seconds(4);
    world.set_control(Health::Unknown);
    world.told_seconds(50);
    assert!(chat.told().is_empty());
    world.told_seconds(12);
    assert_eq!(chat.told(), ["impaired"]);
    world.set_control(Health::Good);
    world.told_seconds(2);
    assert_eq!(chat.told(), ["impaired", "restored"]);
}

/// A journal whose disk is full at times.
struct Flaky(Arc<SqliteJournal>, Arc<AtomicBool>);

impl Journal for Flaky {
    fn append(&self, at: Timestamp, events: Vec<Event>) -> Result<Vec<Fact>, JournalError> {
        self.check()?;
        self.0.append(at, events)
    }
    fn facts_after(&self, sequence: u64) -> Result<Vec<Fact>, JournalError> {
        self.check()?;
        self.0.facts_after(sequence)
    }
    fn head(&self) -> Result<Option<(u64, FactHash)>, JournalError> {
        self.0.head()
    }
    fn store_situation(&self, recorded: &Recorded) -> Result<(), JournalError> {
        self.0.store_situation(recorded)
    }
    fn situation(&self, digest: &SituationDigest) -> Result<Option<String>, JournalError> {
        self.0.situation(digest)
    }
    fn note_listing(&self, repository: &RepositoryName, head: CommitId, at: Timestamp) -> Result<(), JournalError> {
        self.0.note_listing(repository, head, at)
    }
    fn last_listing(&self, repository: &RepositoryName) -> Result<Option<(CommitId, Timestamp)>, JournalError> {
        self.0.last_listing(repository)
    }
    fn append_rounds(&self, rounds: &[StoredRound]) -> Result<(), JournalError> {
        self.0.append_rounds(rounds)
    }
    fn rounds_since(&self, at: Timestamp) -> Result<Vec<StoredRound>, JournalError> {
        self.0.rounds_since(at)
    }
    fn prune_rounds(&self, before: Timestamp) -> Result<(), JournalError> {
        self.0.prune_rounds(before)
    }
    fn prune_rounds_of(&self, series: &[Series], before: Timestamp) -> Result<(), JournalError> {
        self.0.prune_rounds_of(series, before)
    }
    fn append_hours(&self, hours: &[StoredHour]) -> Result<(), JournalError> {
        self.0.append_hours(hours)
    }
    fn hours_since(&self, at: Timestamp) -> Result<Vec<StoredHour>, JournalError> {
        self.0.hours_since(at)
    }
    fn prune_hours(&self, before: Timestamp) -> Result<(), JournalError> {
        self.0.prune_hours(before)
    }
    fn verify(&self) -> Result<(), JournalError> {
        self.0.verify()
    }
}

impl Flaky {
    fn check(&self) -> Result<(), JournalError> {
        let full = self.1.load(Ordering::SeqCst);
        if full { Err(JournalError::Database { path: "journal.db".into(), detail: "disk full".into() }) } else { Ok(()) }
    }
}

#[test]
fn a_journal_that_cannot_be_written_is_told_past_it() {
    let chat = Chat::start();
    let mut world = World::with_agent(&["checkout"], &checkout("merge"), &notifiers(&chat));
    let full = Arc::new(AtomicBool::new(false));
    let journal = Flaky(world.journal.clone(), full.clone());
    world.restart_on(Arc::new(journal)).unwrap();
    world.told_seconds(2);
    full.store(true, Ordering::SeqCst);
    for seconds in [1, 40, 10, 10, 5, 5, 40, 40] {
        assert!(world.pass_after(Duration::from_secs(seconds)).unwrap_err().contains("disk full"));
    }
    let told = chat.bodies("/api/chat.postMessage");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].to_string().contains("disk full"), "{}", told[0]);
    full.store(false, Ordering::SeqCst);
    world.pass_after(Duration::from_secs(5)).unwrap();
    world.pass_after(Duration::from_secs(5)).unwrap();
    let told = chat.told();
    assert_eq!(told, ["impaired", "restored"]);
    let paged: Vec<String> = chat.bodies("/v2/enqueue").iter().map(|event| event["event_action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paged, ["trigger", "resolve"]);
}
