//! The scripting side: what people, checks, owners of the repository and the network do, as calls on [`GithubState`].
//!
//! People act under GitHub's own conditions (a review of one's own pull request is refused here too), but their role is not asked for:
//! the script decides who does what. Merging asks the rules.

use super::comments::Comment;
use super::faults::{Budget, Fault};
use super::merging::Merge;
use super::people::{AccountKind, Membership, Role};
use super::pulls::{Opening, Pull, PullState, ReviewState};
use super::reply::{Body, Reply};
use super::rules::Ruleset;
use super::server::RecordedRequest;
use super::state::{GithubState, MergeMethod, World};
use super::statuses::{CheckRun, CommitStatus};
use crate::engine::id::CommitId;
use crate::git::scratch::ScratchRepository;

/// Why a script's call could not be done: GitHub's status and sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct ScriptError {
    /// The status that the API would answer.
    pub status: u16,
    /// Its sentence.
    pub message: String,
}

impl From<Reply> for ScriptError {
    fn from(reply: Reply) -> Self {
        let message = match &reply.body {
            Body::Json(body) => {
                let detail = body["errors"][0]["message"].as_str().or_else(|| body["errors"][0].as_str());
                detail.or_else(|| body["message"].as_str()).unwrap_or_default().to_owned()
            }
            Body::Html(_) | Body::Empty => String::new(),
        };
        Self { status: reply.status, message }
    }
}

impl World {
    /// Closes an open pull request.
    pub(super) fn close(&mut self, login: &str, number: u64) -> Result<(), Reply> {
        let now = self.now();
        let pull = self.pull_mut(number)?;
        if pull.state != PullState::Open {
            return Err(Reply::invalid_because("PullRequest", "The pull request is not open."));
        }
        pull.closed(Some(login.to_owned()), now);
        self.queue.retain(|queued| *queued != number);
        Ok(())
    }
}

// === impl GithubState: people ===

impl GithubState {
    /// Adds a person, or gives one another role. Gives the numeric id, which a person keeps.
    pub fn set_person(&self, login: &str, role: Role) -> u64 {
        self.locked().add_account(login, AccountKind::User, role)
    }

    /// Adds another bot.
    pub fn set_bot(&self, login: &str, role: Role) -> u64 {
        self.locked().add_account(login, AccountKind::Bot, role)
    }

    /// Deletes an account. Somebody else may take the login afterwards, and gets another id.
    pub fn remove_account(&self, login: &str) {
        self.locked().accounts.remove(&login.to_lowercase());
    }

    /// Puts somebody into a team (which is made when it is new), or out of it with `None`.
    pub fn set_team_member(&self, organisation: &str, team: &str, login: &str, membership: Option<Membership>) {
        let mut world = self.locked();
        let members = world.teams.entry((organisation.to_lowercase(), team.to_lowercase())).or_default();
        match membership {
            Some(membership) => members.insert(login.to_lowercase(), membership),
            None => members.remove(&login.to_lowercase()),
        };
    }

    /// Makes a token work for a login, or no more with `None`.
    pub fn set_token(&self, token: &str, login: Option<&str>) {
        let tokens = &mut self.locked().credentials.tokens;
        match login {
            Some(login) => tokens.insert(token.to_owned(), login.to_owned()),
            None => tokens.remove(token),
        };
    }

    /// Ends every installation token at once.
    pub fn revoke_installation_tokens(&self) {
        self.locked().revoke_installation_tokens();
    }

    /// The address is verified for an account: commits that carry it are shown as that account's.
    pub fn set_email(&self, login: &str, email: &str) {
        self.locked().emails.insert(email.to_lowercase(), login.to_lowercase());
    }

    /// The numeric id of an account.
    pub fn account_id(&self, login: &str) -> Option<u64> {
        self.locked().account(login).map(|account| account.id)
    }
}

// === impl GithubState: what people do ===

impl GithubState {
    /// A person opens a pull request and gets its number.
    ///
    /// # Errors
    /// As the API: no such branch, no commits between, or there is one already.
    pub fn open(&self, login: &str, head: &str, base: &str, title: &str, body: &str) -> Result<u64, ScriptError> {
        let mut world = self.locked();
        world.observe().map_err(Reply::from)?;
        Ok(world.open(login, &Opening { title, body, head, base })?)
    }

    /// A person comments, and the comment gets its id.
    ///
    /// # Errors
    /// There is no such pull request, or the body is blank or too long.
    pub fn comment(&self, login: &str, number: u64, body: &str) -> Result<u64, ScriptError> {
        let mut world = self.locked();
        let is_bot = world.account(login).is_some_and(|account| account.kind == AccountKind::Bot);
        Ok(world.write_comment(login, number, body, is_bot)?)
    }

    /// Somebody edits a comment.
    ///
    /// # Errors
    /// There is no such comment.
    pub fn edit_comment(&self, login: &str, id: u64, body: &str) -> Result<(), ScriptError> {
        Ok(self.locked().rewrite_comment(login, id, body)?)
    }

    /// Moves a comment's `updated_at` to now without an edit, as GitHub does at times.
    pub fn touch_comment(&self, id: u64) {
        let mut world = self.locked();
        let now = world.now();
        if let Some(comment) = world.comments.get_mut(&id) {
            comment.updated = now;
        }
    }

    /// Somebody deletes a comment. Says whether it was there.
    pub fn delete_comment(&self, id: u64) -> bool {
        self.locked().comments.remove(&id).is_some()
    }

    /// Somebody hides a comment, for a reason like `OUTDATED`, or shows it again with `None`.
    pub fn minimise_comment(&self, id: u64, reason: Option<&str>) {
        if let Some(comment) = self.locked().comments.get_mut(&id) {
            comment.minimized = reason.map(str::to_owned);
        }
    }

    /// A person writes a review: of the head, or of the commit that they saw.
    ///
    /// # Errors
    /// There is no such pull request, or it is the reviewer's own.
    pub fn review(&self, login: &str, number: u64, state: ReviewState, body: &str, commit: Option<CommitId>) -> Result<u64, ScriptError> {
        let mut world = self.locked();
        world.observe().map_err(Reply::from)?;
        Ok(world.review(login, number, state, body, commit)?.id)
    }

    /// A person closes a pull request.
    ///
    /// # Errors
    /// There is none of this number that is open.
    pub fn close(&self, login: &str, number: u64) -> Result<(), ScriptError> {
        Ok(self.locked().close(login, number)?)
    }

    /// A person merges a pull request, if its rules let them.
    ///
    /// # Errors
    /// As the API.
    pub fn merge(&self, login: &str, number: u64, method: MergeMethod) -> Result<CommitId, ScriptError> {
        let mut world = self.locked();
        world.observe().map_err(Reply::from)?;
        Ok(world.merge(login, number, &Merge { method, head: None, title: None, message: None })?)
    }

    /// A person edits the title and the body.
    ///
    /// # Errors
    /// There is no such pull request.
    pub fn edit_pull(&self, number: u64, title: &str, body: &str) -> Result<(), ScriptError> {
        let mut world = self.locked();
        let now = world.now();
        let pull = world.pull_mut(number)?;
        (pull.title, pull.body, pull.updated) = (title.to_owned(), body.to_owned(), now);
        Ok(())
    }

    /// A person puts a label on.
    ///
    /// # Errors
    /// There is no such pull request.
    pub fn label(&self, number: u64, label: &str) -> Result<(), ScriptError> {
        Ok(self.locked().put_labels(number, &[label.to_owned()])?)
    }

    /// A person takes a label off.
    ///
    /// # Errors
    /// There is no such pull request.
    pub fn unlabel(&self, number: u64, label: &str) -> Result<(), ScriptError> {
        self.locked().pull_mut(number)?.labels.retain(|known| known != label);
        Ok(())
    }

    /// A check of somebody's pipeline says something about a commit: `success`, `failure` and so on, or runs on with `None`.
    pub fn check(&self, commit: CommitId, name: &str, conclusion: Option<&str>) {
        let mut world = self.locked();
        let check = CheckRun {
            commit,
            name: name.to_owned(),
            conclusion: conclusion.map(str::to_owned),
            title: name.to_owned(),
            summary: String::new(),
            id: world.next_id(),
            at: world.now(),
            details: None,
            external_id: String::new(),
        };
        world.checks.push(check);
    }

    /// A pipeline sets a commit status.
    pub fn status(&self, login: &str, commit: CommitId, context: &str, state: &str) {
        self.status_saying(login, commit, context, state, None);
    }

    /// A pipeline sets a commit status that says something.
    pub fn status_saying(&self, login: &str, commit: CommitId, context: &str, state: &str, description: Option<&str>) {
        let mut world = self.locked();
        let status = CommitStatus {
            commit,
            context: context.to_owned(),
            state: state.to_owned(),
            description: description.map(str::to_owned),
            target: None,
            author: login.to_owned(),
            id: world.next_id(),
            at: world.now(),
        };
        world.statuses.push(status);
    }
}

// === impl GithubState: the repository's settings ===

impl GithubState {
    /// Adds a ruleset and gives its id.
    pub fn add_ruleset(&self, ruleset: Ruleset) -> u64 {
        let mut world = self.locked();
        let id = world.next_id();
        world.rulesets.insert(id, ruleset);
        id
    }

    /// Removes a ruleset.
    pub fn remove_ruleset(&self, id: u64) {
        self.locked().rulesets.remove(&id);
    }

    /// Which ways to merge the repository allows.
    pub fn set_merge_methods(&self, methods: &[MergeMethod]) {
        self.locked().merge_methods = methods.iter().copied().collect();
    }

    /// The repository gets another name; the old one redirects.
    pub fn rename(&self, owner: &str, name: &str) {
        let mut world = self.locked();
        let former = (world.owner.to_lowercase(), world.name.to_lowercase());
        world.former_names.insert(former);
        world.add_account(owner, AccountKind::Organization, Role::Admin);
        (world.owner, world.name) = (owner.to_owned(), name.to_owned());
    }

    /// Another repository stands under the same name: it has another id. Gives that.
    pub fn replace(&self) -> u64 {
        let mut world = self.locked();
        world.repository_id = world.next_small_id();
        world.repository_id
    }

    /// The numeric id of the repository.
    pub fn repository_id(&self) -> u64 {
        self.locked().repository_id
    }

    /// The merge queue merges its first pull request. `None` where it is empty.
    ///
    /// # Errors
    /// It conflicts.
    pub fn advance_queue(&self) -> Result<Option<CommitId>, ScriptError> {
        let mut world = self.locked();
        world.observe().map_err(Reply::from)?;
        Ok(world.advance_queue()?)
    }

    /// The numbers in the merge queue.
    pub fn queue(&self) -> Vec<u64> {
        self.locked().queue.clone()
    }
}

// === impl GithubState: what goes wrong ===

impl GithubState {
    /// Lets something go wrong with the next requests that match.
    ///
    /// # Errors
    /// The pattern for the path cannot be read.
    pub fn arm(&self, fault: Fault) -> Result<(), ScriptError> {
        let armed = self.locked().faults.arm(fault);
        armed.map_err(|error| ScriptError { status: 400, message: error.to_string() })
    }

    /// Lets nothing go wrong any more.
    pub fn disarm(&self) {
        self.locked().faults.disarm();
    }

    /// The next reads of lists (of pull requests and of comments) show them as they are now.
    pub fn freeze_lists(&self, reads: u32) {
        self.locked().freeze_lists(reads);
    }

    /// So many more reads of a pull request say `mergeable: null`, as while GitHub works it out.
    pub fn forget_mergeability(&self, reads: u32) {
        self.locked().faults.set_unknown_mergeability(reads);
    }

    /// Sets the hourly budget of a login (`app` for the App itself, `<login> graphql` for GraphQL).
    pub fn set_budget(&self, caller: &str, budget: Budget) {
        self.locked().faults.set_budget(caller, budget);
    }

    /// At the next merge, this happens after its commit is made and before the base moves. The hook gets the bare repository.
    pub fn race(&self, hook: impl FnOnce(&ScratchRepository) + Send + 'static) {
        self.locked().race = Some(Box::new(hook));
    }
}

// === impl GithubState: looking ===

impl GithubState {
    /// Every pull request, after a look at what Git has pushed.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn pulls(&self) -> Result<Vec<Pull>, ScriptError> {
        let mut world = self.locked();
        world.observe().map_err(Reply::from)?;
        Ok(world.pulls.values().cloned().collect())
    }

    /// The comments of a pull request, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.locked().comments.values().filter(|comment| comment.number == number).cloned().collect()
    }

    /// Every status that was set, oldest first.
    pub fn statuses(&self) -> Vec<CommitStatus> {
        self.locked().statuses.clone()
    }

    /// Every check run that was made, oldest first.
    pub fn checks(&self) -> Vec<CheckRun> {
        self.locked().checks.clone()
    }

    /// Every API request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.locked().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.locked().requests.clear();
    }

    /// Pages that read themselves anew do so once more and then stay as they are, so that nothing is asked of a server that ends.
    pub fn end_live_pages(&self) {
        self.locked().pages_are_live = false;
    }

    /// The address of a pull request's page.
    pub fn page(&self, number: u64) -> String {
        format!("{}/pull/{number}", self.locked().page())
    }
}
