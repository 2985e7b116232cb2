//! Rulesets: what a branch asks for, who may pass by it, and what a merge or push breaks.

use serde_json::{Value, json};

use crate::engine::id::CommitId;
use crate::git::scratch::{ScratchError, ScratchRepository};

use super::auth::Caller;
use super::people::{Membership, Role};
use super::pulls::{Pull, Review, ReviewState};
use super::reply::{Call, Handled, Reply, listed};
use super::state::{MergeMethod, World};
use super::statuses::Standing;

/// What happens between the making of a merge commit and the move of the base: somebody else's push.
pub(super) type RaceHook = Box<dyn FnOnce(&ScratchRepository) + Send>;

/// A set of rules that is active.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// What it is called.
    pub name: String,
    /// The branches: `~DEFAULT_BRANCH`, `~ALL` or a pattern like `refs/heads/release/*`.
    pub branches: Vec<String>,
    /// What it asks for.
    pub rules: Vec<Rule>,
    /// Who may pass by it.
    pub bypass: Vec<Bypass>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Changes come by pull request, with so many approving reviews.
    PullRequest {
        /// How many.
        approvals: usize,
        /// Whether a new head takes the approvals away.
        stale_reviews: StaleReviews,
        /// The ways to merge that are left; empty: all of them.
        methods: Vec<MergeMethod>,
    },
    /// These contexts must have succeeded on the head.
    RequiredStatusChecks(Vec<String>),
    /// Merging goes through the merge queue.
    MergeQueue,
    /// No merge commits.
    RequiredLinearHistory,
    /// Every commit must be verified.
    RequiredSignatures,
    /// No rewinding.
    NonFastForward,
    /// No deleting.
    Deletion,
    /// Nobody moves the branch but who may bypass.
    Update,
    /// What a commit message must be like.
    CommitMessagePattern(Pattern),
    /// What the name of a new branch must be like.
    BranchNamePattern(Pattern),
}

/// What a new head does to approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReviews {
    /// They stay.
    Kept,
    /// They are dismissed.
    Dismissed,
}

/// A text that must, or must not, be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// At the beginning.
    StartsWith(String),
    /// At the end.
    EndsWith(String),
    /// Anywhere.
    Contains(String),
    /// Nowhere.
    ContainsNot(String),
}

/// Who may pass by a ruleset, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bypass {
    /// Who.
    pub actor: BypassActor,
    /// When.
    pub mode: BypassMode,
}

/// Who may pass by a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BypassActor {
    /// The App of this id.
    App(u64),
    /// A person.
    Person(String),
    /// The active members of a team of the owner.
    Team(String),
    /// Everybody whose role reaches as far as this one.
    Role(Role),
}

/// When a ruleset may be passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BypassMode {
    /// With pull requests and with pushes.
    Always,
    /// With pull requests only.
    PullRequest,
}

/// A way to change a branch, as the rules see it.
pub(super) enum Landing<'a> {
    /// Merging a pull request.
    Merge { pull: &'a Pull, method: MergeMethod, message: &'a str },
    /// Moving the branch.
    Push { from: CommitId, to: CommitId },
}

// === impl Pattern ===

impl Pattern {
    fn admits(&self, text: &str) -> bool {
        match self {
            Self::StartsWith(pattern) => text.starts_with(pattern),
            Self::EndsWith(pattern) => text.ends_with(pattern),
            Self::Contains(pattern) => text.contains(pattern),
            Self::ContainsNot(pattern) => !text.contains(pattern),
        }
    }

    fn parameters(&self) -> Value {
        let (operator, pattern) = match self {
            Self::StartsWith(pattern) => ("starts_with", pattern),
            Self::EndsWith(pattern) => ("ends_with", pattern),
            Self::Contains(pattern) | Self::ContainsNot(pattern) => ("contains", pattern),
        };
        json!({"name": "", "negate": matches!(self, Self::ContainsNot(_)), "operator": operator, "pattern": pattern})
    }
}

// === impl Rule ===

impl Rule {
    /// Type and parameters, as the API shows them.
    fn shown(&self) -> Value {
        let (kind, parameters) = match self {
            Self::PullRequest { approvals, stale_reviews, methods } => {
                let every = [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase];
                let methods = if methods.is_empty() { every.as_slice() } else { methods.as_slice() };
                let parameters = json!({
                    "allowed_merge_methods": methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
                    "dismiss_stale_reviews_on_push": *stale_reviews == StaleReviews::Dismissed,
                    "require_code_owner_review": false,
                    "require_last_push_approval": false,
                    "required_approving_review_count": approvals,
                    "required_review_thread_resolution": false,
                });
                ("pull_request", Some(parameters))
            }
            Self::RequiredStatusChecks(contexts) => {
                let checks: Vec<Value> = contexts.iter().map(|context| json!({"context": context})).collect();
                let parameters = json!({
                    "do_not_enforce_on_create": false,
                    "required_status_checks": checks,
                    "strict_required_status_checks_policy": false,
                });
                ("required_status_checks", Some(parameters))
            }
            Self::MergeQueue => {
                let parameters = json!({
                    "check_response_timeout_minutes": 60,
                    "grouping_strategy": "ALLGREEN",
                    "max_entries_to_build": 5,
                    "max_entries_to_merge": 5,
                    "merge_method": "MERGE",
                    "min_entries_to_merge": 1,
                    "min_entries_to_merge_wait_minutes": 5,
                });
                ("merge_queue", Some(parameters))
            }
            Self::RequiredLinearHistory => ("required_linear_history", None),
            Self::RequiredSignatures => ("required_signatures", None),
            Self::NonFastForward => ("non_fast_forward", None),
            Self::Deletion => ("deletion", None),
            Self::Update => ("update", None),
            Self::CommitMessagePattern(pattern) => ("commit_message_pattern", Some(pattern.parameters())),
            Self::BranchNamePattern(pattern) => ("branch_name_pattern", Some(pattern.parameters())),
        };
        match parameters {
            Some(parameters) => json!({"type": kind, "parameters": parameters}),
            None => json!({"type": kind}),
        }
    }
}

// === impl World: who passes by ===

impl World {
    fn applies(&self, ruleset: &Ruleset, branch: &str) -> bool {
        ruleset.branches.iter().any(|pattern| match pattern.as_str() {
            "~ALL" => true,
            "~DEFAULT_BRANCH" => branch == self.default_branch,
            pattern => {
                let reference = format!("refs/heads/{branch}");
                let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
                glob.is_ok_and(|glob| glob.compile_matcher().is_match(reference))
            }
        })
    }

    /// How a login may pass by a ruleset; the widest of the ways.
    fn bypass(&self, ruleset: &Ruleset, login: &str) -> Option<BypassMode> {
        let is = |actor: &BypassActor| match actor {
            BypassActor::App(id) => {
                self.credentials.app.as_ref().is_some_and(|app| app.app_id == *id) && self.bot().as_deref() == Some(login)
            }
            BypassActor::Person(person) => person.eq_ignore_ascii_case(login),
            BypassActor::Team(slug) => {
                let members = self.teams.get(&(self.owner.to_lowercase(), slug.to_lowercase()));
                members.and_then(|members| members.get(&login.to_lowercase())) == Some(&Membership::Active)
            }
            BypassActor::Role(role) => self.level(login) >= role.level(),
        };
        let modes: Vec<BypassMode> = ruleset.bypass.iter().filter(|bypass| is(&bypass.actor)).map(|bypass| bypass.mode).collect();
        if modes.contains(&BypassMode::Always) { Some(BypassMode::Always) } else { modes.first().copied() }
    }

    /// The rules that hold for a branch, with the id of their ruleset.
    pub(super) fn rules_of(&self, branch: &str) -> impl Iterator<Item = (u64, &Ruleset, &Rule)> {
        let holding = self.rulesets.iter().filter(move |(_, ruleset)| self.applies(ruleset, branch)).collect::<Vec<_>>();
        holding.into_iter().flat_map(|(id, ruleset)| ruleset.rules.iter().map(move |rule| (*id, ruleset, rule)))
    }

    /// What a landing breaks for this login, a sentence each.
    pub(super) fn violations(&self, branch: &str, login: &str, landing: &Landing<'_>) -> Result<Vec<String>, ScratchError> {
        let mut broken = Vec::new();
        for (_, ruleset, rule) in self.rules_of(branch) {
            match (self.bypass(ruleset, login), landing) {
                (Some(BypassMode::Always), _) | (Some(BypassMode::PullRequest), Landing::Merge { .. }) => continue,
                _ => {}
            }
            let sentences = match landing {
                Landing::Merge { pull, method, message } => self.broken_by_merge(rule, pull, *method, message)?,
                Landing::Push { from, to } => self.broken_by_push(rule, *from, *to)?,
            };
            broken.extend(sentences.into_iter().filter(|sentence| !broken.contains(sentence)).collect::<Vec<_>>());
        }
        Ok(broken)
    }

    /// Whether a rule keeps a pull request from being merged by somebody who may bypass nothing.
    pub(super) fn blocked(&self, pull: &Pull) -> Result<bool, ScratchError> {
        let landing = Landing::Merge { pull, method: MergeMethod::Squash, message: &pull.title };
        Ok(!self.violations(&pull.base_branch, "", &landing)?.is_empty())
    }

    fn broken_by_merge(&self, rule: &Rule, pull: &Pull, method: MergeMethod, message: &str) -> Result<Vec<String>, ScratchError> {
        let broken = match rule {
            Rule::PullRequest { approvals, methods, .. } => {
                let mut broken = self.missing_reviews(pull, *approvals);
                if !methods.is_empty() && !methods.contains(&method) {
                    broken.push(format!("This branch does not allow merging by {}.", method.as_str()));
                }
                broken
            }
            Rule::RequiredStatusChecks(contexts) => {
                contexts.iter().filter_map(|context| self.standing(pull.head, context).expected(context)).collect()
            }
            Rule::MergeQueue => vec!["Changes must be made through the merge queue".to_owned()],
            Rule::RequiredLinearHistory if method == MergeMethod::Merge => vec!["This branch must not contain merge commits.".to_owned()],
            Rule::RequiredSignatures => {
                // A squash is GitHub's own commit; a rebase makes commits that nobody signs.
                let unsigned = match method {
                    MergeMethod::Squash => false,
                    MergeMethod::Rebase => true,
                    // What is in the base already is not judged again.
                    MergeMethod::Merge => self.unverified(self.heads.get(&pull.base_branch).copied().unwrap_or(pull.base), pull.head)?,
                };
                if unsigned { vec!["Commits must have verified signatures.".to_owned()] } else { Vec::new() }
            }
            Rule::CommitMessagePattern(pattern) if !pattern.admits(message) => vec!["Commit message must match the pattern.".to_owned()],
            Rule::Update => vec!["Cannot update this protected ref.".to_owned()],
            _ => Vec::new(),
        };
        Ok(broken)
    }

    fn broken_by_push(&self, rule: &Rule, from: CommitId, to: CommitId) -> Result<Vec<String>, ScratchError> {
        let sentence = match rule {
            Rule::PullRequest { .. } => Some("Changes must be made through a pull request.".to_owned()),
            Rule::RequiredStatusChecks(contexts) => contexts.iter().find_map(|context| self.standing(to, context).expected(context)),
            Rule::MergeQueue => Some("Changes must be made through the merge queue".to_owned()),
            Rule::RequiredLinearHistory => {
                let merges = self.repository.text(&["rev-list", "--merges", &to.to_string(), &format!("^{from}")])?;
                (!merges.is_empty()).then(|| "This branch must not contain merge commits.".to_owned())
            }
            Rule::RequiredSignatures => self.unverified(from, to)?.then(|| "Commits must have verified signatures.".to_owned()),
            Rule::NonFastForward => (!self.contains(to, from)?).then(|| "Cannot force-push to this branch".to_owned()),
            Rule::Update => Some("Cannot update this protected ref.".to_owned()),
            Rule::CommitMessagePattern(pattern) => {
                let mut broken = None;
                for commit in self.between(from, to)? {
                    if !pattern.admits(&self.repository.message(commit)?) {
                        broken = Some("Commit message must match the pattern.".to_owned());
                    }
                }
                broken
            }
            Rule::Deletion | Rule::BranchNamePattern(_) => None,
        };
        Ok(sentence.into_iter().collect())
    }

    /// Whether a new branch of this name is against a rule.
    pub(super) fn name_is_refused(&self, branch: &str, login: &str) -> bool {
        self.rules_of(branch).any(|(_, ruleset, rule)| {
            self.bypass(ruleset, login) != Some(BypassMode::Always)
                && matches!(rule, Rule::BranchNamePattern(pattern) if !pattern.admits(branch))
        })
    }

    /// Whether deleting a branch is against a rule.
    pub(super) fn deletion_is_refused(&self, branch: &str, login: &str) -> bool {
        self.rules_of(branch).any(|(_, ruleset, rule)| *rule == Rule::Deletion && self.bypass(ruleset, login) != Some(BypassMode::Always))
    }

    fn unverified(&self, from: CommitId, to: CommitId) -> Result<bool, ScratchError> {
        for commit in self.between(from, to)? {
            if !self.is_verified(commit)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The newest review of each person who may write decides; comments decide nothing.
    fn missing_reviews(&self, pull: &Pull, needed: usize) -> Vec<String> {
        let mut last: std::collections::BTreeMap<&str, &Review> = std::collections::BTreeMap::new();
        for review in pull.reviews.iter().filter(|review| review.state != ReviewState::Commented) {
            if self.level(&review.author) >= Role::Write.level() {
                last.insert(&review.author, review);
            }
        }
        let count = |state| last.values().filter(|review| review.state == state).count();
        let mut missing = Vec::new();
        if count(ReviewState::Approved) < needed {
            let reviews = if needed == 1 { "review is" } else { "reviews are" };
            missing.push(format!("At least {needed} approving {reviews} required by reviewers with write access."));
        }
        if needed > 0 && count(ReviewState::ChangesRequested) > 0 {
            missing.push("Changes have been requested by a reviewer with write access.".to_owned());
        }
        missing
    }

    /// Takes approvals away where a rule says that a new head does.
    pub(super) fn dismiss_stale_reviews(&mut self, number: u64) {
        let Some(base) = self.pulls.get(&number).map(|pull| pull.base_branch.clone()) else { return };
        let dismisses = |rule: &Rule| matches!(rule, Rule::PullRequest { stale_reviews: StaleReviews::Dismissed, .. });
        if self.rules_of(&base).any(|(_, _, rule)| dismisses(rule))
            && let Some(pull) = self.pulls.get_mut(&number)
        {
            let head = pull.head;
            for review in pull.reviews.iter_mut().filter(|review| review.state == ReviewState::Approved && review.commit != head) {
                review.state = ReviewState::Dismissed;
            }
        }
    }
}

impl Standing {
    /// What GitHub says of a required check that has not succeeded.
    fn expected(self, context: &str) -> Option<String> {
        match self {
            Self::Success => None,
            Self::Missing => Some(format!("Required status check \"{context}\" is expected.")),
            Self::Pending => Some(format!("Required status check \"{context}\" is in progress.")),
            Self::Failure => Some(format!("Required status check \"{context}\" is failing.")),
        }
    }
}

/// The message of an answer that rules forbid.
pub(super) fn forbidden(violations: &[String]) -> String {
    format!("Repository rule violations found\n\n{}\n\n", violations.join("\n\n"))
}

// === handlers ===

fn summary(world: &World, id: u64, ruleset: &Ruleset) -> Value {
    json!({
        "id": id,
        "name": ruleset.name,
        "target": "branch",
        "source_type": "Repository",
        "source": world.full_name(),
        "enforcement": "active",
        "node_id": format!("RRS_{id}"),
        "_links": {
            "self": {"href": format!("{}/rulesets/{id}", world.api())},
            "html": {"href": format!("{}/rules/{id}", world.page())},
        },
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn shown_bypass(world: &World, bypass: &Bypass) -> Value {
    let (kind, id) = match &bypass.actor {
        BypassActor::App(id) => ("Integration", Some(*id)),
        BypassActor::Person(login) => ("User", world.account(login).map(|account| account.id)),
        BypassActor::Team(slug) => ("Team", Some(slug.bytes().map(u64::from).sum())),
        // The ids that GitHub gives its own roles.
        BypassActor::Role(role) => ("RepositoryRole", Some([0, 1, 3, 4, 2, 5][usize::from(role.level())])),
    };
    let mode = match bypass.mode {
        BypassMode::Always => "always",
        BypassMode::PullRequest => "pull_request",
    };
    json!({"actor_id": id, "actor_type": kind, "bypass_mode": mode})
}

/// `GET /repos/{owner}/{repo}/rules/branches/{branch}`.
pub(super) fn for_branch(world: &World, call: &Call, branch: &str) -> Handled {
    let source = world.full_name();
    let rules = world.rules_of(branch).map(|(id, _, rule)| {
        let mut shown = rule.shown();
        shown["ruleset_source_type"] = json!("Repository");
        shown["ruleset_source"] = json!(source);
        shown["ruleset_id"] = json!(id);
        shown
    });
    Ok(listed(&world.root(), call, rules.collect()))
}

/// `GET /repos/{owner}/{repo}/rulesets`.
pub(super) fn list(world: &World, call: &Call) -> Handled {
    let rulesets = world.rulesets.iter().map(|(id, ruleset)| summary(world, *id, ruleset)).collect();
    Ok(listed(&world.root(), call, rulesets))
}

/// `GET /repos/{owner}/{repo}/rulesets/{id}`. Who may bypass is only shown to administrators.
pub(super) fn get(world: &World, call: &Call, id: u64) -> Handled {
    let ruleset = world.rulesets.get(&id).ok_or_else(Reply::not_found)?;
    let mut shown = summary(world, id, ruleset);
    shown["conditions"] = json!({"ref_name": {"include": ruleset.branches, "exclude": []}});
    shown["rules"] = ruleset.rules.iter().map(Rule::shown).collect();
    shown["current_user_can_bypass"] = json!(match world.bypass(ruleset, call.caller.login()) {
        Some(BypassMode::Always) => "always",
        Some(BypassMode::PullRequest) => "pull_requests_only",
        None => "never",
    });
    let sees_actors = match &call.caller {
        Caller::App => false,
        Caller::Person(login) => world.level(login) >= Role::Admin.level(),
        Caller::Installation { permissions, .. } => permissions.get("administration").is_some_and(|access| access == "write"),
    };
    if sees_actors {
        shown["bypass_actors"] = ruleset.bypass.iter().map(|bypass| shown_bypass(world, bypass)).collect();
    }
    Ok(Reply::ok(shown))
}
