//! Pull requests: opening, reading, editing, closing, labels, reviewers and reviews. Merging is in `merging.rs`.

use serde_json::{Value, json};

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
use crate::git::scratch::ScratchError;

use super::json;
use super::people::AccountKind;
use super::reply::{Call, Handled, Reply, listed};
use super::state::World;

/// GitHub cuts no text, it refuses one that is longer.
pub(super) const LONGEST_BODY: usize = 65_536;
/// The longest title.
const LONGEST_TITLE: usize = 256;

/// A pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    pub(super) id: u64,
    /// The title.
    pub title: String,
    /// The body, in Markdown.
    pub body: String,
    /// Who opened it.
    pub author: String,
    /// The branch that is to be merged.
    pub head_branch: String,
    /// The branch that it is to be merged into.
    pub base_branch: String,
    /// The head of its branch, as last seen.
    pub head: CommitId,
    /// The head of the base when it was opened.
    pub base: CommitId,
    /// Whether it is open.
    pub state: PullState,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// Who closed or merged it; `None` where a push did.
    pub ended_by: Option<String>,
    /// Its labels, in the order in which they were put on.
    pub labels: Vec<String>,
    /// Logins of people who were asked for a review.
    pub reviewers: Vec<String>,
    /// Slugs of teams that were asked for a review.
    pub teams: Vec<String>,
    /// What reviewers said, oldest first.
    pub reviews: Vec<Review>,
    mergeable: Option<(CommitId, CommitId, bool)>,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullState {
    /// It is.
    Open,
    /// It was closed without a merge.
    Closed,
    /// It was merged.
    Merged {
        /// The commit on the base that brought it.
        commit: CommitId,
    },
}

/// A review.
#[derive(Clone, Debug)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub state: ReviewState,
    /// The text.
    pub body: String,
    /// The head that it was written for.
    pub commit: CommitId,
    pub(super) at: Timestamp,
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// Yes.
    Approved,
    /// No.
    ChangesRequested,
    /// Neither.
    Commented,
    /// It does not count any more.
    Dismissed,
}

/// A file that a pull request changes.
pub(super) struct ChangedFile {
    pub(super) path: String,
    pub(super) status: &'static str,
    pub(super) blob: String,
    pub(super) additions: u64,
    pub(super) deletions: u64,
}

/// What somebody wants to open.
pub(super) struct Opening<'a> {
    pub(super) title: &'a str,
    pub(super) body: &'a str,
    pub(super) head: &'a str,
    pub(super) base: &'a str,
}

impl ReviewState {
    /// As the API writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Commented => "COMMENTED",
            Self::Dismissed => "DISMISSED",
        }
    }
}

// === impl Pull ===

impl Pull {
    /// Its id in GraphQL.
    pub(super) fn node(&self) -> String {
        format!("PR_{}", self.id)
    }

    pub(super) fn is_merged(&self) -> bool {
        matches!(self.state, PullState::Merged { .. })
    }

    pub(super) fn merge_commit(&self) -> Option<CommitId> {
        match self.state {
            PullState::Merged { commit } => Some(commit),
            PullState::Open | PullState::Closed => None,
        }
    }

    pub(super) fn closed(&mut self, by: Option<String>, now: Timestamp) {
        (self.state, self.ended, self.ended_by, self.updated) = (PullState::Closed, Some(now), by, now);
    }

    pub(super) fn merged(&mut self, commit: CommitId, by: Option<String>, now: Timestamp) {
        (self.state, self.ended, self.ended_by, self.updated) = (PullState::Merged { commit }, Some(now), by, now);
    }
}

// === impl World ===

impl World {
    /// A pull request by its number.
    pub(super) fn pull(&self, number: u64) -> Result<&Pull, Reply> {
        self.pulls.get(&number).ok_or_else(Reply::not_found)
    }

    pub(super) fn pull_mut(&mut self, number: u64) -> Result<&mut Pull, Reply> {
        self.pulls.get_mut(&number).ok_or_else(Reply::not_found)
    }

    /// Opens a pull request, under GitHub's conditions.
    pub(super) fn open(&mut self, author: &str, opening: &Opening<'_>) -> Result<u64, Reply> {
        let head_branch = opening.head.strip_prefix(&format!("{}:", self.owner)).unwrap_or(opening.head);
        let head = *self.heads.get(head_branch).ok_or_else(|| Reply::invalid("PullRequest", "head", "invalid"))?;
        let base = *self.heads.get(opening.base).ok_or_else(|| Reply::invalid("PullRequest", "base", "invalid"))?;
        let same = |pull: &&Pull| pull.state == PullState::Open && pull.head_branch == head_branch && pull.base_branch == opening.base;
        if self.pulls.values().any(|pull| same(&pull)) {
            let sentence = format!("A pull request already exists for {}:{head_branch}.", self.owner);
            return Err(Reply::invalid_because("PullRequest", &sentence));
        }
        if self.between(base, head)?.is_empty() {
            return Err(Reply::invalid_because("PullRequest", &format!("No commits between {} and {head_branch}", opening.base)));
        }
        check_texts(Some(opening.title), Some(opening.body))?;
        let (number, id, now) = (self.next_number(), self.next_id(), self.now());
        let pull = Pull {
            number,
            id,
            title: opening.title.to_owned(),
            body: opening.body.to_owned(),
            author: author.to_owned(),
            head_branch: head_branch.to_owned(),
            base_branch: opening.base.to_owned(),
            head,
            base,
            state: PullState::Open,
            created: now,
            updated: now,
            ended: None,
            ended_by: None,
            labels: Vec::new(),
            reviewers: Vec::new(),
            teams: Vec::new(),
            reviews: Vec::new(),
            mergeable: None,
        };
        self.pulls.insert(number, pull);
        Ok(number)
    }

    /// Whether a pull request can be merged without a conflict: `None` until it has been asked for once since its head or base moved.
    pub(super) fn mergeability(&mut self, number: u64) -> Result<Option<bool>, Reply> {
        let pull = self.pull(number)?;
        let Some(base) = self.heads.get(&pull.base_branch).copied() else { return Ok(None) };
        let head = pull.head;
        if let Some((of, onto, clean)) = pull.mergeable
            && (of, onto) == (head, base)
        {
            return Ok(Some(clean));
        }
        let clean = match self.repository.merged_tree(&[&base.to_string(), &head.to_string()]) {
            Ok(_) => true,
            Err(ScratchError::Conflict { .. }) => false,
            Err(other) => return Err(other.into()),
        };
        self.pull_mut(number)?.mergeable = Some((head, base, clean));
        Ok(None)
    }

    /// Writes a review. `commit` is the head unless the reviewer saw another one.
    pub(super) fn review(
        &mut self,
        author: &str,
        number: u64,
        state: ReviewState,
        body: &str,
        commit: Option<CommitId>,
    ) -> Result<Review, Reply> {
        let (id, now) = (self.next_id(), self.now());
        let pull = self.pull_mut(number)?;
        if pull.author == author && state != ReviewState::Commented {
            let what = if state == ReviewState::Approved { "approve" } else { "request changes on" };
            let sentence = format!("Can not {what} your own pull request");
            return Err(Reply::json(422, json!({"message": "Unprocessable Entity", "errors": [sentence], "status": "422"})));
        }
        let commit = commit.unwrap_or(pull.head);
        let review = Review { id, author: author.to_owned(), state, body: body.to_owned(), commit, at: now };
        pull.reviews.push(review.clone());
        pull.reviewers.retain(|login| login != author);
        pull.updated = now;
        Ok(review)
    }
}

fn check_texts(title: Option<&str>, body: Option<&str>) -> Result<(), Reply> {
    let long = |text: Option<&str>, limit: usize| text.is_some_and(|text| text.chars().count() > limit);
    if title == Some("") {
        return Err(Reply::invalid("PullRequest", "title", "missing_field"));
    }
    if long(title, LONGEST_TITLE) {
        return Err(Reply::invalid_because("PullRequest", &format!("title is too long (maximum is {LONGEST_TITLE} characters)")));
    }
    if long(body, LONGEST_BODY) {
        return Err(Reply::invalid_because("Issue", &format!("body is too long (maximum is {LONGEST_BODY} characters)")));
    }
    Ok(())
}

/// The files that differ between the merge base of two commits and the second.
pub(super) fn changed_files(world: &World, base: CommitId, head: CommitId) -> Result<Vec<ChangedFile>, ScratchError> {
    let range = format!("{base}...{head}");
    let raw = world.repository.text(&["diff", "--raw", "-z", "--no-renames", "--no-abbrev", &range])?;
    let counts = world.repository.text(&["diff", "--numstat", "-z", "--no-renames", &range])?;
    let mut parts = raw.split('\0');
    let mut files = Vec::new();
    for count in counts.split('\0').filter(|count| !count.is_empty()) {
        let (Some(about), Some(path)) = (parts.next(), parts.next()) else { break };
        let words: Vec<&str> = about.split(' ').collect();
        let status = match words.last() {
            Some(&"A") => "added",
            Some(&"D") => "removed",
            _ => "modified",
        };
        let blob = if status == "removed" { words.get(2) } else { words.get(3) };
        let mut numbers = count.split('\t').map(|number| number.parse().unwrap_or(0));
        files.push(ChangedFile {
            path: path.to_owned(),
            status,
            blob: blob.unwrap_or(&"").to_string(),
            additions: numbers.next().unwrap_or(0),
            deletions: numbers.next().unwrap_or(0),
        });
    }
    Ok(files)
}

// === handlers ===

/// `GET /repos/{owner}/{repo}/pulls`.
pub(super) fn list(world: &mut World, call: &Call) -> Handled {
    let stale = world.faults.stale_pulls();
    let all = stale.as_ref().unwrap_or(&world.pulls);
    let state = call.parameter("state").unwrap_or("open");
    let mut pulls: Vec<&Pull> = all
        .values()
        .filter(|pull| state == "all" || (state == "open") == (pull.state == PullState::Open))
        .filter(|pull| call.parameter("base").is_none_or(|base| base == pull.base_branch))
        .filter(|pull| call.parameter("head").is_none_or(|head| head == format!("{}:{}", world.owner, pull.head_branch)))
        .collect();
    match call.parameter("sort") {
        Some("updated") => pulls.sort_by_key(|pull| (pull.updated, pull.number)),
        _ => pulls.sort_by_key(|pull| pull.number),
    }
    // Newest first is the default for creation, and oldest first for the others.
    let default = if call.parameter("sort").is_none_or(|sort| sort == "created") { "desc" } else { "asc" };
    if call.parameter("direction").unwrap_or(default) == "desc" {
        pulls.reverse();
    }
    Ok(listed(&world.root(), call, pulls.into_iter().map(|pull| json::pull(world, pull)).collect()))
}

/// `POST /repos/{owner}/{repo}/pulls`.
pub(super) fn create(world: &mut World, call: &Call) -> Handled {
    let opening = Opening {
        title: call.required("PullRequest", "title")?,
        body: call.text("body").unwrap_or_default(),
        head: call.required("PullRequest", "head")?,
        base: call.required("PullRequest", "base")?,
    };
    let number = world.open(call.caller.login(), &opening)?;
    let whole = json::whole_pull(world, world.pull(number)?, None)?;
    let address = format!("{}/pulls/{number}", world.api());
    Ok(Reply::created(whole).with("location", address))
}

/// `GET /repos/{owner}/{repo}/pulls/{number}`.
pub(super) fn get(world: &mut World, number: u64) -> Handled {
    world.pull(number)?;
    let mergeable = if world.faults.is_mergeability_unknown() { None } else { world.mergeability(number)? };
    Ok(Reply::ok(json::whole_pull(world, world.pull(number)?, mergeable)?))
}

/// `PATCH /repos/{owner}/{repo}/pulls/{number}`.
pub(super) fn update(world: &mut World, call: &Call, number: u64) -> Handled {
    let (now, login) = (world.now(), call.caller.login().to_owned());
    check_texts(call.text("title"), call.text("body"))?;
    let head_is_there = world.heads.contains_key(&world.pull(number)?.head_branch);
    let pull = world.pull_mut(number)?;
    match (call.text("state"), pull.state) {
        (Some("closed"), PullState::Open) => pull.closed(Some(login), now),
        (Some("open"), PullState::Closed) if !head_is_there => {
            let sentence = format!("state cannot be changed. The {} branch has been deleted.", pull.head_branch);
            return Err(Reply::invalid_because("PullRequest", &sentence));
        }
        (Some("open"), PullState::Closed) => (pull.state, pull.ended, pull.ended_by) = (PullState::Open, None, None),
        (Some("open"), PullState::Merged { .. }) => {
            return Err(Reply::invalid_because("PullRequest", "state cannot be changed. The pull request cannot be reopened."));
        }
        _ => {}
    }
    if let Some(title) = call.text("title") {
        title.clone_into(&mut pull.title);
    }
    if let Some(body) = call.text("body") {
        body.clone_into(&mut pull.body);
    }
    pull.updated = now;
    let mergeable = world.mergeability(number)?;
    Ok(Reply::ok(json::whole_pull(world, world.pull(number)?, mergeable)?))
}

/// `GET /repos/{owner}/{repo}/pulls/{number}/files`.
pub(super) fn files(world: &World, call: &Call, number: u64) -> Handled {
    let pull = world.pull(number)?;
    let range = format!("{}...{}", pull.base, pull.head);
    let mut shown = Vec::new();
    for file in changed_files(world, pull.base, pull.head)? {
        let patch = world.repository.text(&["diff", "--no-color", "--no-ext-diff", "--no-textconv", &range, "--", &file.path])?;
        let contents = format!("{}/contents/{}?ref={}", world.api(), file.path, pull.head);
        let mut entry = json!({
            "sha": file.blob,
            "filename": file.path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": format!("{}/blob/{}/{}", world.page(), pull.head, file.path),
            "raw_url": format!("{}/raw/{}/{}", world.page(), pull.head, file.path),
            "contents_url": contents,
        });
        // A binary file has no patch.
        if let Some(start) = patch.find("\n@@ ") {
            entry["patch"] = json!(patch[start + 1..].trim_end_matches('\n'));
        }
        shown.push(entry);
    }
    Ok(listed(&world.root(), call, shown))
}

/// `GET /repos/{owner}/{repo}/pulls/{number}/reviews`.
pub(super) fn reviews(world: &World, call: &Call, number: u64) -> Handled {
    let reviews = world.pull(number)?.reviews.iter().map(|review| json::review(world, number, review)).collect();
    Ok(listed(&world.root(), call, reviews))
}

/// `POST /repos/{owner}/{repo}/pulls/{number}/reviews`.
pub(super) fn create_review(world: &mut World, call: &Call, number: u64) -> Handled {
    let state = match call.text("event") {
        Some("APPROVE") => ReviewState::Approved,
        Some("REQUEST_CHANGES") => ReviewState::ChangesRequested,
        Some("COMMENT") => ReviewState::Commented,
        _ => return Err(Reply::invalid("PullRequestReview", "event", "invalid")),
    };
    let commit = match call.text("commit_id") {
        Some(id) => Some(world.commit(id).ok_or_else(|| Reply::invalid("PullRequestReview", "commit_id", "invalid"))?),
        None => None,
    };
    let review = world.review(call.caller.login(), number, state, call.text("body").unwrap_or_default(), commit)?;
    Ok(Reply::ok(json::review(world, number, &review)))
}

/// `POST /repos/{owner}/{repo}/pulls/{number}/requested_reviewers`.
pub(super) fn request_reviewers(world: &mut World, call: &Call, number: u64) -> Handled {
    let (people, teams) = (call.texts("reviewers").unwrap_or_default(), call.texts("team_reviewers").unwrap_or_default());
    let refusal = |message: &str| Reply::error(422, message);
    if people.contains(&world.pull(number)?.author) {
        return Err(refusal("Review cannot be requested from pull request author."));
    }
    let stranger = |login: &String| world.level(login) == 0 || world.account(login).is_none_or(|account| account.kind != AccountKind::User);
    if people.iter().any(stranger) {
        let sentence = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the";
        return Err(refusal(&format!("{sentence} {} repository.", world.full_name())));
    }
    let owner = world.owner.to_lowercase();
    if teams.iter().any(|slug| !world.teams.contains_key(&(owner.clone(), slug.to_lowercase()))) {
        return Err(refusal("Could not resolve to a node with the global id of the team."));
    }
    let now = world.now();
    let pull = world.pull_mut(number)?;
    for (have, new) in [(&mut pull.reviewers, people), (&mut pull.teams, teams)] {
        for name in new {
            if !have.contains(&name) {
                have.push(name);
            }
        }
    }
    pull.updated = now;
    Ok(Reply::created(json::pull(world, world.pull(number)?)))
}

/// `GET /repos/{owner}/{repo}/issues/{number}`.
pub(super) fn issue(world: &World, number: u64) -> Handled {
    Ok(Reply::ok(json::issue(world, world.pull(number)?)))
}

fn labels_of(world: &World, number: u64) -> Result<Vec<Value>, Reply> {
    Ok(world.pull(number)?.labels.iter().map(|name| json::label(world, name)).collect())
}

/// `GET /repos/{owner}/{repo}/issues/{number}/labels`.
pub(super) fn labels(world: &World, call: &Call, number: u64) -> Handled {
    Ok(listed(&world.root(), call, labels_of(world, number)?))
}

/// `POST /repos/{owner}/{repo}/issues/{number}/labels`: labels that are new to the repository are made.
pub(super) fn add_labels(world: &mut World, call: &Call, number: u64) -> Handled {
    let names = call.texts("labels").ok_or_else(|| Reply::invalid("Label", "labels", "missing_field"))?;
    world.put_labels(number, &names)?;
    Ok(Reply::ok(Value::Array(labels_of(world, number)?)))
}

/// `DELETE /repos/{owner}/{repo}/issues/{number}/labels/{name}`.
pub(super) fn remove_label(world: &mut World, number: u64, name: &str) -> Handled {
    let now = world.now();
    let pull = world.pull_mut(number)?;
    let before = pull.labels.len();
    pull.labels.retain(|label| !label.eq_ignore_ascii_case(name));
    if pull.labels.len() == before {
        return Err(Reply::error(404, "Label does not exist"));
    }
    pull.updated = now;
    Ok(Reply::ok(Value::Array(labels_of(world, number)?)))
}

impl World {
    /// Puts labels on a pull request.
    pub(super) fn put_labels(&mut self, number: u64, names: &[String]) -> Result<(), Reply> {
        let now = self.now();
        let pull = self.pull_mut(number)?;
        for name in names {
            if !pull.labels.iter().any(|label| label.eq_ignore_ascii_case(name)) {
                pull.labels.push(name.clone());
            }
        }
        pull.updated = now;
        Ok(())
    }
}
