//! What the fake remembers, all of it behind one lock: a request and a push are seen one after the other, as in one database.
//!
//! Commits and branches are not remembered here. They are in the bare repository, and [`World::observe`] reads there what Git has pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
use crate::git::scratch::{ScratchError, ScratchRepository};

use super::auth::Credentials;
use super::comments::Comment;
use super::faults::Faults;
use super::issues::Issue;
use super::people::{Account, AccountKind, Membership, Role};
use super::pulls::{Pull, PullState};
use super::rules::{RaceHook, Ruleset};
use super::server::RecordedRequest;
use super::statuses::{CheckRun, CommitStatus};

/// Where the fake's time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A way in which a pull request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MergeMethod {
    /// A merge commit.
    Merge,
    /// One commit.
    Squash,
    /// Each commit again, on top of the base.
    Rebase,
}

/// Everything that is remembered.
pub(super) struct World {
    pub(super) repository: ScratchRepository,
    pub(super) clock: Clock,
    /// `http://127.0.0.1:<port>`.
    pub(super) url: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) repository_id: u64,
    /// Names that it had before, which redirect.
    pub(super) former_names: BTreeSet<(String, String)>,
    pub(super) default_branch: String,
    pub(super) merge_methods: BTreeSet<MergeMethod>,
    pub(super) accounts: BTreeMap<String, Account>,
    /// Verified addresses, each with its login.
    pub(super) emails: BTreeMap<String, String>,
    pub(super) teams: BTreeMap<(String, String), BTreeMap<String, Membership>>,
    pub(super) credentials: Credentials,
    pub(super) pulls: BTreeMap<u64, Pull>,
    pub(super) comments: BTreeMap<u64, Comment>,
    /// Issues that are no pull requests.
    pub(super) issues: BTreeMap<u64, Issue>,
    pub(super) statuses: Vec<CommitStatus>,
    pub(super) checks: Vec<CheckRun>,
    pub(super) rulesets: BTreeMap<u64, Ruleset>,
    /// Commits that GitHub itself signed.
    pub(super) signed: BTreeSet<CommitId>,
    /// Numbers of the pull requests in the merge queue, first in first out.
    pub(super) queue: Vec<u64>,
    /// The branches as last seen, without `refs/heads/`.
    pub(super) heads: BTreeMap<String, CommitId>,
    pub(super) faults: Faults,
    pub(super) race: Option<RaceHook>,
    pub(super) requests: Vec<RecordedRequest>,
    /// Whether pages that show what comes of a comment are read anew.
    pub(super) pages_are_live: bool,
    last_id: u64,
    last_account: u64,
    last_number: u64,
}

/// The scripting side of a running fake: what people, checks and the network do. Cloning gives another handle to the same state.
///
/// Its methods are in `script.rs`. They block for as long as Git takes, some milliseconds.
#[derive(Clone)]
pub struct GithubState(pub(super) Arc<Mutex<World>>);

// === impl MergeMethod ===

impl MergeMethod {
    /// Reads `merge`, `squash` or `rebase`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "merge" => Some(Self::Merge),
            "squash" => Some(Self::Squash),
            "rebase" => Some(Self::Rebase),
            _ => None,
        }
    }

    /// As the API writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

// === impl GithubState ===

impl GithubState {
    pub(super) fn locked(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for GithubState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let world = self.locked();
        f.debug_struct("GithubState").field("url", &world.url).field("pulls", &world.pulls.len()).finish_non_exhaustive()
    }
}

// === impl World ===

impl World {
    /// An empty world over a repository. The owner is an organisation with an account of its own.
    pub(super) fn new(repository: ScratchRepository, clock: Clock, owner: &str, name: &str, default_branch: &str) -> Self {
        let mut world = Self {
            repository,
            clock,
            url: String::new(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            repository_id: 0,
            former_names: BTreeSet::new(),
            default_branch: default_branch.to_owned(),
            merge_methods: [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase].into(),
            accounts: BTreeMap::new(),
            emails: BTreeMap::new(),
            teams: BTreeMap::new(),
            credentials: Credentials::default(),
            pulls: BTreeMap::new(),
            comments: BTreeMap::new(),
            issues: BTreeMap::new(),
            statuses: Vec::new(),
            checks: Vec::new(),
            rulesets: BTreeMap::new(),
            signed: BTreeSet::new(),
            queue: Vec::new(),
            heads: BTreeMap::new(),
            faults: Faults::default(),
            race: None,
            requests: Vec::new(),
            pages_are_live: true,
            // Larger than 32 bits hold, as GitHub's comment ids are by now.
            last_id: 5_000_000_000,
            // Accounts and repositories still have ids that 32 bits hold, and GraphQL's `databaseId` has no more.
            last_account: 190_000_000,
            last_number: 0,
        };
        world.repository_id = world.next_small_id();
        world.add_account(owner, AccountKind::Organization, Role::Admin);
        // The committer of what is made on the web.
        world.add_account("web-flow", AccountKind::User, Role::None);
        world.emails.insert("noreply@github.com".to_owned(), "web-flow".to_owned());
        world
    }

    /// The time, in whole seconds as GitHub's answers have it.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_secs((self.clock)().secs())
    }

    /// An id that nothing has yet.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 7;
        self.last_id
    }

    /// An id for an account or a repository.
    pub(super) fn next_small_id(&mut self) -> u64 {
        self.last_account += 11;
        self.last_account
    }

    /// The number of the next pull request.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The API root.
    pub(super) fn root(&self) -> String {
        format!("{}/api/v3", self.url)
    }

    /// `owner/name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The API address of the repository.
    pub(super) fn api(&self) -> String {
        format!("{}/repos/{}", self.root(), self.full_name())
    }

    /// The address of the repository's page.
    pub(super) fn page(&self) -> String {
        format!("{}/{}", self.url, self.full_name())
    }

    /// Reads what Git has pushed since the last look: heads of pull requests follow their branches; a pull request whose head is in its
    /// base now was merged; one whose branch is gone was closed.
    pub(super) fn observe(&mut self) -> Result<(), ScratchError> {
        let heads: BTreeMap<String, CommitId> = self
            .repository
            .branches()?
            .into_iter()
            .filter_map(|(reference, id)| Some((reference.strip_prefix("refs/heads/")?.to_owned(), id)))
            .collect();
        if heads == self.heads {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.heads, heads);
        let open: Vec<u64> = self.pulls.values().filter(|pull| pull.state == PullState::Open).map(|pull| pull.number).collect();
        for number in open {
            self.follow(number, &before)?;
        }
        Ok(())
    }

    fn follow(&mut self, number: u64, before: &BTreeMap<String, CommitId>) -> Result<(), ScratchError> {
        let Some(pull) = self.pulls.get(&number) else { return Ok(()) };
        let (head, base) = (self.heads.get(&pull.head_branch).copied(), self.heads.get(&pull.base_branch).copied());
        let followed = head.unwrap_or(pull.head);
        let base_before = before.get(&pull.base_branch).copied();
        let landed_by = match base {
            Some(base) if base_before != Some(base) && self.contains(base, followed)? => Some(self.bringer(base_before, base, followed)?),
            _ => None,
        };
        let (moved, now) = (followed != pull.head, self.now());
        let Some(pull) = self.pulls.get_mut(&number) else { return Ok(()) };
        if moved {
            pull.head = followed;
            pull.updated = now;
        }
        match (landed_by, head) {
            (Some(commit), _) => pull.merged(commit, None, now),
            (None, None) => pull.closed(None, now),
            (None, Some(_)) => {}
        }
        if moved {
            self.dismiss_stale_reviews(number);
        }
        self.queue.retain(|queued| self.pulls.get(queued).is_some_and(|pull| pull.state == PullState::Open));
        Ok(())
    }

    /// The first commit on the base's first-parent line that has `commit` in it.
    fn bringer(&self, from: Option<CommitId>, to: CommitId, commit: CommitId) -> Result<CommitId, ScratchError> {
        let mut arguments = vec!["rev-list".to_owned(), "--first-parent".to_owned(), "--reverse".to_owned(), to.to_string()];
        arguments.extend(from.map(|from| format!("^{from}")));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        for line in self.repository.text(&arguments)?.lines() {
            if let Ok(id) = line.parse::<CommitId>()
                && self.contains(id, commit)?
            {
                return Ok(id);
            }
        }
        Ok(to)
    }
}

// === impl World: what Git knows ===

impl World {
    /// Whether `inner` is `outer` or one of its ancestors.
    pub(super) fn contains(&self, outer: CommitId, inner: CommitId) -> Result<bool, ScratchError> {
        Ok(self.repository.text(&["rev-list", "--max-count=1", &inner.to_string(), &format!("^{outer}")])?.is_empty())
    }

    /// The commits of `head` that `base` does not have, oldest first.
    pub(super) fn between(&self, base: CommitId, head: CommitId) -> Result<Vec<CommitId>, ScratchError> {
        let listing = self.repository.text(&["rev-list", "--reverse", "--topo-order", &head.to_string(), &format!("^{base}")])?;
        Ok(listing.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// The commit of this id, if it is there.
    pub(super) fn commit(&self, id: &str) -> Option<CommitId> {
        let id: CommitId = id.parse().ok()?;
        self.repository.text(&["cat-file", "-e", &format!("{id}^{{commit}}")]).ok().map(|_| id)
    }

    /// The commit that a full id or a branch name means.
    pub(super) fn resolve(&self, name: &str) -> Option<CommitId> {
        self.commit(name).or_else(|| self.heads.get(name.strip_prefix("heads/").unwrap_or(name)).copied())
    }

    /// Whether a commit is shown as verified: GitHub made it, or it carries a signature.
    pub(super) fn is_verified(&self, id: CommitId) -> Result<bool, ScratchError> {
        if self.signed.contains(&id) {
            return Ok(true);
        }
        let commit = self.repository.text(&["cat-file", "commit", &id.to_string()])?;
        Ok(commit.lines().take_while(|line| !line.is_empty()).any(|line| line.starts_with("gpgsig ")))
    }
}
