//! The stories of the demo: what people do, what must come of it, and what is shown of it.
//!
//! A story acts on a [`World`] as people would and watches what the agent's journal says. It knows the agent only as [`AgentView`]: a
//! function, so that a story can be played against any agent. What must come of a story are its [`Check`]s; the demo succeeds only
//! if all of them held.

mod approve;
mod human;
mod merge;
mod on_forge;
mod outage;

use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::id::{CommitId, IncidentId};
use crate::engine::incident::Incident;

use super::forge::ScriptError;
use super::history::person;
use super::picture;
use super::repository::{BRANCH, Edit, RepositoryError};
use super::services::Service;
use super::setting::{PolicyFigures, SHOP_POLICIES, ZONE_POLICIES};
use super::traffic::Experience;
use super::workload::Behaviour;
use super::world::{World, WorldError, clock};

/// Time from one look at the world or the journal to the next.
const LOOK: Duration = Duration::from_millis(50);
/// Two probes more than the longest baseline of the demo's policies has.
pub const BASELINE_PROBES: u32 = 12;

/// The four stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoryName {
    /// A bad commit is force-merged away.
    Merge,
    /// A bad commit is proposed, approved and merged.
    Approve,
    /// A person reverts first.
    Human,
    /// Everything fails at once.
    Outage,
}

/// Which world a story plays in. Each has an agent of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The shop, with a service for each of its stories.
    Shop,
    /// The zone that fails.
    Zone,
}

/// Reads every incident.
pub type ReadIncidents = dyn Fn() -> anyhow::Result<Vec<Incident>> + Send + Sync;

/// What a story sees of the agent. The function may block for a moment.
#[derive(Clone)]
pub struct AgentView {
    /// Every incident in the journal, as folded from its facts.
    pub incidents: Arc<ReadIncidents>,
}

/// Who reads the pull request of [`StoryName::Approve`] and approves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approver {
    /// A person of the story.
    Scripted,
    /// Whoever opens the page.
    Browser,
}

/// Writes a story's lines, each with its name. Stories that run at once share the writer; a text is never torn apart.
#[derive(Clone)]
pub struct Teller {
    story: StoryName,
    writer: Arc<Mutex<dyn Write + Send>>,
}

/// Everything that a story needs.
#[derive(Clone)]
pub struct Stage {
    /// The world that it plays in.
    pub world: Arc<World>,
    /// The agent that watches that world.
    pub agent: AgentView,
    /// Where it is told.
    pub teller: Teller,
    /// As many good probes in a row make the baseline that a person waits for before breaking something ([`StoryName::baseline_probes`]).
    pub baseline_probes: u32,
    /// Who approves.
    pub approver: Approver,
    /// When it must be over. Waiting for a person in front of a browser has a time of its own.
    pub deadline: Instant,
}

/// One thing that had to come of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: String,
    /// Whether it did.
    pub held: bool,
}

/// How a story ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Which story.
    pub story: StoryName,
    /// What had to come of it; at least one.
    pub checks: Vec<Check>,
    /// The incident that it is about, for `revertd explain`.
    pub incident: Option<IncidentId>,
}

/// Why a story broke off.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// Something did not happen in time.
    #[error("waited in vain until {what}; last seen: {seen}")]
    TimedOut {
        /// What.
        what: String,
        /// What was there instead.
        seen: String,
    },
    /// The incident ended in another way.
    #[error("waited until {what}, but the incident ended: {sentence}")]
    Ended {
        /// What was waited for.
        what: String,
        /// How it ended.
        sentence: String,
    },
    /// The world failed.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The journal could not be read.
    #[error("the journal: {0:#}")]
    Agent(anyhow::Error),
    /// The forge refused what a person did.
    #[error("the forge: {0}")]
    Forge(ScriptError),
}

/// Plays a story to its end, at the latest at the stage's deadline. A story that breaks off ends with a check that did not hold.
pub async fn play(story: StoryName, stage: &Stage) -> Ending {
    let played = match story {
        StoryName::Merge => merge::play(stage).await,
        StoryName::Approve => approve::play(stage).await,
        StoryName::Human => human::play(stage).await,
        StoryName::Outage => outage::play(stage).await,
    };
    let ending = played.unwrap_or_else(|error| Ending {
        story,
        checks: vec![Check { what: format!("the story could be told: {error}"), held: false }],
        incident: None,
    });
    stage.teller.say(&picture::checks(ending.checks.iter().map(|check| (check.what.as_str(), check.held))));
    ending
}

// === impl StoryName, Place ===

impl StoryName {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Merge, Self::Approve, Self::Human, Self::Outage];

    /// Its name on the command line and before its lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Approve => "approve",
            Self::Human => "human",
            Self::Outage => "outage",
        }
    }

    /// Where it plays.
    pub fn place(self) -> Place {
        match self {
            Self::Merge | Self::Approve | Self::Human => Place::Shop,
            Self::Outage => Place::Zone,
        }
    }

    /// As many good probes in a row a person waits for before breaking something. Stories of one place differ by more than a poll of the
    /// branch, so that no two of them land at once; and the merge has the place for itself until it has landed, because a second service that
    /// fails in the same minutes leaves it to people.
    pub fn baseline_probes(self) -> u32 {
        match self {
            Self::Merge | Self::Outage => BASELINE_PROBES,
            Self::Approve => BASELINE_PROBES + 15,
            Self::Human => BASELINE_PROBES + 18,
        }
    }
}

impl Place {
    /// The name of its directories and its repository.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Zone => "zone",
        }
    }

    /// The policies of its agent.
    pub fn policies(self) -> &'static [PolicyFigures] {
        match self {
            Self::Shop => &SHOP_POLICIES,
            Self::Zone => &ZONE_POLICIES,
        }
    }
}

// === impl Teller ===

impl Teller {
    /// Tells one story through a writer.
    pub fn new(story: StoryName, writer: Arc<Mutex<dyn Write + Send>>) -> Self {
        Self { story, writer }
    }

    /// Writes a text, each line with the story's name.
    pub fn say(&self, text: &str) {
        let text = picture::prefixed(self.story.as_str(), text);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads any more: the checks still decide how the demo ends.
        let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
    }
}

// === impl Ending ===

impl Ending {
    fn new(story: StoryName, incident: &Incident, checks: Vec<(String, bool)>) -> Self {
        let checks = checks.into_iter().map(|(what, held)| Check { what, held }).collect();
        Self { story, checks, incident: Some(incident.id.clone()) }
    }

    /// Whether everything came as it had to.
    pub fn is_as_told(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }
}

// === impl Stage: waiting ===

impl Stage {
    /// Looks again and again until there is something, at the latest until the deadline. `seen` says what was there instead.
    async fn until<T, F: Future<Output = Result<Result<T, String>, StoryError>>>(
        &self,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T, StoryError> {
        loop {
            let seen = match look().await? {
                Ok(found) => return Ok(found),
                Err(seen) => seen,
            };
            if Instant::now() >= self.deadline {
                return Err(StoryError::TimedOut { what: what.to_owned(), seen });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for an incident of a policy that is as wanted.
    ///
    /// It breaks off early when the incident has ended and is not.
    async fn incident(&self, policy: &str, what: &str, wanted: impl Fn(&Incident) -> bool) -> Result<Incident, StoryError> {
        self.until(what, || async {
            let incidents = self.incidents().await?;
            let newest =
                incidents.into_iter().filter(|incident| incident.policy.as_str() == policy).max_by_key(|incident| incident.detected_at);
            match newest {
                Some(incident) if wanted(&incident) => Ok(Ok(incident)),
                Some(incident) if incident.ending.is_some() => {
                    Err(StoryError::Ended { what: what.to_owned(), sentence: standing(&incident) })
                }
                Some(incident) => Ok(Err(standing(&incident))),
                None => Ok(Err(format!("no incident of `{policy}`"))),
            }
        })
        .await
    }

    async fn incidents(&self) -> Result<Vec<Incident>, StoryError> {
        let incidents = Arc::clone(&self.agent.incidents);
        let read = tokio::task::spawn_blocking(move || incidents()).await;
        read.map_err(|_| WorldError::ShuttingDown)?.map_err(StoryError::Agent)
    }

    /// Waits until the agent has probed a healthy service for long enough to know that it was.
    async fn baseline(&self, service: &Service) -> Result<(), StoryError> {
        self.until(&format!("{} has been healthy for a while", service.name()), || async {
            let good = service.good_probes_in_a_row();
            Ok(if good >= self.baseline_probes { Ok(()) } else { Err(format!("{good} good probes in a row")) })
        })
        .await
    }

    /// Waits until this many customers have been let down since second `from`.
    async fn errors(&self, service: &str, experience: &Experience, from: u64, enough: u32) -> Result<(), StoryError> {
        self.until(&format!("customers of {service} see errors"), || async {
            let bad = experience.bad_since(from);
            Ok(if bad >= enough { Ok(()) } else { Err(format!("{bad} errors")) })
        })
        .await
    }

    /// Waits until a service is healthy and has let down no customer for a second.
    async fn green(&self, service: &str, experience: &Experience) -> Result<(), StoryError> {
        self.until(&format!("customers of {service} are served again"), || async {
            let last = experience.since(experience.now().saturating_sub(1));
            let bad: u32 = last.iter().map(|second| second.bad).sum();
            Ok(if last.len() == 2 && bad == 0 { Ok(()) } else { Err(format!("{bad} errors in the last two seconds")) })
        })
        .await
    }
}

fn standing(incident: &Incident) -> String {
    let sentence = incident.sentence.clone().or_else(|| incident.decision.as_ref().map(|decision| decision.sentence.clone()));
    format!("{:?}: {}", incident.phase, sentence.unwrap_or_else(|| "nothing decided".to_owned()))
}

// === impl Stage: acting and showing ===

impl Stage {
    fn service(&self, name: &'static str) -> Result<(&Service, &Experience), StoryError> {
        let found = self.world.service(name).zip(self.world.experience(name));
        found.ok_or_else(|| StoryError::TimedOut { what: format!("{name} runs"), seen: "no such service".to_owned() })
    }

    /// A person pushes an edit; shows the log with the commit marked.
    async fn push(&self, author: usize, message: &'static str, edit: Edit, remark: &str) -> Result<CommitId, StoryError> {
        let (commit, log) = self
            .world
            .person(move |repository| {
                let commit = repository.commit_and_push(&person(author), message, &[edit], clock())?;
                Ok((commit, repository.log(5)?))
            })
            .await?;
        self.teller.say(&format!(
            "{} pushes to main:\n{}",
            person(author).name,
            picture::indented(&picture::log(&log, &[(commit, remark)]))
        ));
        Ok(commit)
    }

    /// Shows a commit the way its reader sees it.
    async fn show(&self, heading: &str, commit: CommitId) -> Result<(), StoryError> {
        let shown = self
            .world
            .person(move |repository| {
                let scratch = repository.scratch();
                let line = scratch.log(&commit.to_string(), 1)?.into_iter().next().ok_or(RepositoryError::Empty)?;
                Ok(picture::commit(&line, &scratch.message(commit)?, &scratch.patch(commit)?))
            })
            .await?;
        self.teller.say(&format!("{heading}\n{}", picture::indented(&shown)));
        Ok(())
    }

    fn show_errors(&self, service: &str, experience: &Experience, from: u64) {
        self.teller.say(&picture::error_line(service, &experience.since(from)));
    }

    /// The text of a file on the watched branch.
    async fn file(&self, path: String) -> Result<String, StoryError> {
        Ok(self.world.person(move |repository| repository.show_file(BRANCH, &path)).await?)
    }

    /// The commits of the watched branch's own line that say that they revert a commit, newest first. A merge and what it brings are one.
    async fn reverts_of(&self, commit: CommitId) -> Result<Vec<CommitId>, StoryError> {
        let line = format!("This reverts commit {commit}");
        let read = self.world.person(move |repository| {
            let mut reverts = Vec::new();
            // A story adds a handful of commits to the branch.
            for candidate in repository.first_parents(20)? {
                if repository.scratch().message(candidate)?.contains(&line) {
                    reverts.push(candidate);
                }
            }
            Ok(reverts)
        });
        Ok(read.await?)
    }

    /// The branches that revertd has pushed, with the message of each one's head.
    async fn proposals(&self) -> Result<Vec<(String, CommitId, String)>, StoryError> {
        let read = self.world.person(|repository| {
            let branches = repository.scratch().branches()?.into_iter();
            let ours = branches.filter(|(name, _)| name.starts_with("refs/heads/revertd/"));
            ours.map(|(name, head)| Ok((name, head, repository.scratch().message(head)?))).collect()
        });
        Ok(read.await?)
    }
}

fn is_healthy(service: &Service) -> bool {
    service.running().behaviour == Behaviour::Healthy
}

#[cfg(test)]
mod tests;
