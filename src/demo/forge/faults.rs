//! What goes wrong between a client and GitHub: errors before and after the effect, answers that never come, lists that are behind, and
//! the limits of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::time::Timestamp;

use super::comments::Comment;
use super::pulls::Pull;
use super::reply::{Handled, Reply};
use super::state::World;

/// How many requests an hour has room for.
const HOURLY: u32 = 5000;
/// How long that hour is.
const WINDOW: Duration = Duration::from_secs(3600);

/// What goes wrong with the next requests that match.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The method; `*` for any.
    pub method: String,
    /// A pattern for the path below the API root, like `/repos/*/*/pulls`; `*` stands for one segment, `**` for several.
    pub path: String,
    /// How many requests it befalls.
    pub times: u32,
    /// What happens.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The status, and no effect.
    Before(u16),
    /// The effect, and then the status.
    After(u16),
    /// No effect, and no answer.
    HangBefore,
    /// The effect, and no answer.
    HangAfter,
    /// The secondary limit: 403 with `retry-after`, in seconds.
    SecondaryLimit(u32),
}

/// The hourly budget of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many requests an hour has room for.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When it is full again.
    pub reset: Timestamp,
}

/// Everything that is set to go wrong.
#[derive(Default)]
pub(super) struct Faults {
    armed: Vec<(globset::GlobMatcher, Fault)>,
    budgets: BTreeMap<String, Budget>,
    stale: Option<Stale>,
    /// So many more reads of a pull request do not say whether it merges.
    unknown_mergeability: u32,
}

/// How the lists were, for so many more reads.
struct Stale {
    reads: u32,
    pulls: BTreeMap<u64, Pull>,
    comments: BTreeMap<u64, Comment>,
}

// === impl Faults ===

impl Faults {
    /// Arms a fault. A pattern that is none matches nothing, and is an error.
    pub(super) fn arm(&mut self, fault: Fault) -> Result<(), globset::Error> {
        let glob = globset::GlobBuilder::new(&fault.path).literal_separator(true).build()?;
        self.armed.push((glob.compile_matcher(), fault));
        Ok(())
    }

    /// The fault that befalls a request, which uses it up once.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<FaultKind> {
        let (_, fault) = self.armed.iter_mut().find(|(pattern, fault)| {
            fault.times > 0 && (fault.method == "*" || fault.method.eq_ignore_ascii_case(method)) && pattern.is_match(path)
        })?;
        fault.times -= 1;
        Some(fault.kind)
    }

    pub(super) fn disarm(&mut self) {
        self.armed.clear();
        self.stale = None;
    }

    pub(super) fn set_unknown_mergeability(&mut self, reads: u32) {
        self.unknown_mergeability = reads;
    }

    /// Whether this read of a pull request does not say whether it merges; it is used up.
    pub(super) fn is_mergeability_unknown(&mut self) -> bool {
        let is_unknown = self.unknown_mergeability > 0;
        self.unknown_mergeability = self.unknown_mergeability.saturating_sub(1);
        is_unknown
    }

    fn read_stale<T>(&mut self, list: impl FnOnce(&Stale) -> T) -> Option<T> {
        let stale = self.stale.as_mut().filter(|stale| stale.reads > 0)?;
        stale.reads -= 1;
        Some(list(stale))
    }

    /// The pull requests as a list shows them, where that is not as they are.
    pub(super) fn stale_pulls(&mut self) -> Option<BTreeMap<u64, Pull>> {
        self.read_stale(|stale| stale.pulls.clone())
    }

    /// The comments as a list shows them, where that is not as they are.
    pub(super) fn stale_comments(&mut self) -> Option<BTreeMap<u64, Comment>> {
        self.read_stale(|stale| stale.comments.clone())
    }

    pub(super) fn set_budget(&mut self, caller: &str, budget: Budget) {
        self.budgets.insert(caller.to_owned(), budget);
    }

    /// A caller's budget now; a new one where the hour is over.
    pub(super) fn budget(&mut self, caller: &str, now: Timestamp) -> &mut Budget {
        let budget = self.budgets.entry(caller.to_owned()).or_insert(Budget { limit: HOURLY, remaining: HOURLY, reset: now + WINDOW });
        if budget.reset <= now {
            (budget.remaining, budget.reset) = (budget.limit, now + WINDOW);
        }
        budget
    }
}

impl World {
    /// From now on, so many reads of lists show pull requests and comments as they are at this moment.
    pub(super) fn freeze_lists(&mut self, reads: u32) {
        self.faults.stale = Some(Stale { reads, pulls: self.pulls.clone(), comments: self.comments.clone() });
    }
}

// === impl Budget ===

impl Budget {
    pub(super) fn headers(&self, resource: &str) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-used", self.limit.saturating_sub(self.remaining).to_string()),
            ("x-ratelimit-reset", self.reset.secs().to_string()),
            ("x-ratelimit-resource", resource.to_owned()),
        ]
    }

    fn shown(&self) -> Value {
        json!({
            "limit": self.limit,
            "used": self.limit.saturating_sub(self.remaining),
            "remaining": self.remaining,
            "reset": self.reset.secs(),
        })
    }
}

/// The answer when the hourly budget is used up.
pub(super) fn used_up(id: u64) -> Reply {
    Reply::error(403, &format!("API rate limit exceeded for user ID {id}."))
}

/// The answer of the secondary limit.
pub(super) fn secondary_limit(seconds: u32) -> Reply {
    let sentence = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    Reply::error(403, sentence).with("retry-after", seconds.to_string())
}

/// `GET /rate_limit`, which is free.
pub(super) fn rate_limit(world: &mut World, caller: &str) -> Handled {
    let now = world.now();
    let graphql = world.faults.budget(&format!("{caller} graphql"), now).shown();
    let core = world.faults.budget(caller, now).shown();
    Ok(Reply::ok(json!({"resources": {"core": core, "graphql": graphql, "search": core}, "rate": core})))
}
