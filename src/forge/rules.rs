//! The rules of a branch that decide whether and how a proposal can land there.

/// What a branch asks of what lands on it, over all rule sets that apply (catalogue of failures F5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchRules {
    /// Approving reviews that are needed.
    pub required_approvals: u64,
    /// Whether owners of the touched files must be among them.
    pub code_owner_review: Demand,
    /// Whether changes must come by a proposal.
    pub proposal_only: Demand,
    /// Checks that must have passed.
    pub required_checks: Vec<RequiredCheck>,
    /// Whether everything goes through a merge queue.
    pub merge_queue: Demand,
    /// Whether commits must be signed.
    pub signatures: Demand,
    /// Whether merge commits are refused.
    pub linear_history: Demand,
    /// Whether nobody may update the branch but who may bypass.
    pub locked: Demand,
    /// The ways to merge that are allowed, in the forge's words; `None` if no rule names any.
    pub merge_methods: Option<Vec<String>>,
    /// Patterns for commit messages, branch names and authors.
    pub patterns: Vec<PatternRule>,
    /// Whether the credentials may pass the rule sets.
    pub bypass: Bypass,
    /// Whether the branch has protection of the older kind, which rule sets do not tell about.
    pub classic: ClassicProtection,
}

/// Whether a rule demands something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// No rule does.
    #[default]
    No,
    /// A rule does.
    Yes,
}

/// A check that must have passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredCheck {
    /// Its name.
    pub context: String,
    /// The App that must have written it, if one is named.
    pub app: Option<u64>,
}

/// A pattern that something must or must not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternRule {
    /// What is matched.
    pub on: PatternOn,
    /// Where the pattern must stand.
    pub operator: PatternOperator,
    /// Whether a match is demanded or refused.
    pub sense: PatternSense,
    /// The pattern.
    pub pattern: String,
}

/// What a pattern is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternOn {
    /// The commit's message.
    CommitMessage,
    /// The branch's name.
    BranchName,
    /// The author's address.
    AuthorEmail,
    /// The committer's address.
    CommitterEmail,
}

/// How a pattern is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternOperator {
    /// At the beginning.
    StartsWith,
    /// At the end.
    EndsWith,
    /// Anywhere.
    Contains,
    /// As a regular expression.
    Regex,
    /// A word that is not known.
    Other(String),
}

/// Whether a match is demanded or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternSense {
    /// It must match.
    MustMatch,
    /// It must not.
    MustNotMatch,
}

/// Whether the credentials may pass every rule set that applies. One that does not list them blocks, so the weakest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bypass {
    /// At least one rule set cannot be passed.
    Never,
    /// At least one did not say.
    #[default]
    Unknown,
    /// Where something lands by a proposal.
    ByProposal,
    /// Always.
    Always,
    /// There is no rule set to pass.
    NothingToPass,
}

/// Branch protection of the older kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClassicProtection {
    /// There is none.
    None,
    /// There is some, with these required checks. What else it demands only an administrator may read.
    Present {
        /// Their names.
        checks: Vec<String>,
    },
    /// The forge did not say.
    #[default]
    Unknown,
}
