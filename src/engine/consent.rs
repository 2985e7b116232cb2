//! Who allowed what on a proposal: rules, the proposal and everything that was said in, a verdict for each and the sum of them out
//! (design §11, failures A1 to A16).
//!
//! Pure: it is asked again in every pass with what the forge says *now*, so a right that was taken away takes the approval with it. Unknown
//! is read against acting, in both directions: it makes no approval and lifts no hold. Making a grant of it is `engine::decision`'s.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::command::{Command, Parsed, PlanPrefix, parse};
use super::id::PlanDigest;
pub use super::id::{ProposalNumber, RepositoryId, UserId};
use super::time::Timestamp;

mod evidence;
mod refusal;
mod standing;

pub use evidence::{
    Answer, ApprovalSource, Author, AuthorKind, ConsentRules, Edit, Form, FourEyes, Grade, Head, HeadWriter, Hold, IfSilent, Lookup,
    Membership, Ownership, Permission, ProposalNow, ProposalState, Publication, ReviewState, Role, Said, SaidId, Silence, Visibility,
};
pub use refusal::ConsentRefusal;
use standing::{Standing, has_role, is_among};

/// A comment from further in the future than this is not believed; less is the clocks' difference.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// What everything that was said adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// A verdict for each, in the order in which they were given.
    pub judged: Vec<Judged>,
    /// The approval, where there are enough approvers and nothing holds.
    pub approved: Option<Approved>,
    /// Everybody whose approval counts, also while there are too few of them or a hold stands; by account.
    pub approvers: Vec<Approver>,
    /// Every hold that stands, oldest first. Those made by a comment are to be recorded, so that they outlive it.
    pub holds: Vec<Hold>,
}

/// A verdict on one thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Which.
    pub id: SaidId,
    /// The command that it holds, where it holds one.
    pub command: Option<Command>,
    /// The verdict.
    pub verdict: Verdict,
}

/// A verdict on something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts; a reaction says so.
    Accepted,
    /// It does not; the sentence is replied once.
    Refused(ConsentRefusal),
    /// It is no command, was answered before, or is not worth a reply.
    Ignored,
}

/// An approval that lands a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Which plan.
    pub plan: PlanDigest,
    /// Who, by account; for a forced one, who forced it.
    pub by: Vec<Approver>,
    /// The reason of a `force`, which lifts the budgets too and is reviewed afterwards.
    pub force: Option<String>,
    /// It counts until then.
    pub expires: Timestamp,
}

/// Somebody whose approval counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The account.
    pub user: UserId,
    /// Its login.
    pub login: String,
    /// Where they said it.
    pub said: SaidId,
    /// When.
    pub at: Timestamp,
}

impl Consent {
    /// The oldest hold that stands.
    pub fn held_by(&self) -> Option<&Hold> {
        self.holds.first()
    }
}

/// Whether anything has to be asked of the forge about this: a flood of comments that cannot count costs nothing but reading it (A11).
pub fn needs_lookup(proposal: &ProposalNow, said: &Said) -> bool {
    match screen(proposal, said) {
        Screened::Ignored | Screened::Refused(_) => false,
        Screened::Review(_) | Screened::Command(_) => true,
    }
}

/// Judges everything that was said on a proposal.
pub fn evaluate(rules: &ConsentRules, proposal: &ProposalNow, said: &[Said], now: Timestamp) -> Consent {
    let mut sum = Sum::new(rules, proposal, now);
    let mut ordered: Vec<(usize, &Said)> = said.iter().enumerate().collect();
    // Stable: of two copies of one comment, the one that was given first is judged.
    ordered.sort_by_key(|(_, said)| (said.at, said.id));
    let mut judged: Vec<Option<Judged>> = vec![None; said.len()];
    let mut resumes = Vec::new();
    for (position, one) in ordered {
        let (command, verdict) = if said[..position].iter().any(|earlier| earlier.id == one.id) {
            (None, Verdict::Ignored)
        } else {
            let one = as_read(one, said);
            match screen(proposal, &one) {
                Screened::Ignored => (None, Verdict::Ignored),
                Screened::Refused(refusal) => (None, Verdict::Refused(refusal)),
                Screened::Review(state) => (None, sum.review(&one, state)),
                Screened::Command(Command::Resume) => {
                    resumes.push((position, one));
                    (Some(Command::Resume), Verdict::Ignored)
                }
                Screened::Command(command) => {
                    let verdict = sum.command(&one, &command);
                    (Some(command), verdict)
                }
            }
        };
        judged[position] = Some(Judged { id: one.id, command, verdict });
    }
    // After every hold is known: a hold beats whatever came with it, and only a later resume lifts it.
    for (position, one) in resumes {
        let verdict = sum.resume(&one);
        judged[position] = Some(Judged { id: one.id, command: Some(Command::Resume), verdict });
    }
    let mut judged: Vec<Judged> = judged.into_iter().flatten().collect();
    quieten(&mut judged, proposal);
    sum.finish(judged)
}

/// One of the things that were said; edited, where it was read twice with different contents.
fn as_read<'a>(one: &'a Said, said: &[Said]) -> Cow<'a, Said> {
    let changed = said.iter().any(|other| other.id == one.id && (&other.body, other.at, &other.author) != (&one.body, one.at, &one.author));
    if changed { Cow::Owned(Said { edit: Lookup::Known(Edit::Edited), ..one.clone() }) } else { Cow::Borrowed(one) }
}

/// What is left of something that was said once everything is known that needs no question to the forge.
enum Screened {
    Ignored,
    Refused(ConsentRefusal),
    Review(ReviewState),
    Command(Command),
}

fn screen(proposal: &ProposalNow, said: &Said) -> Screened {
    let elsewhere = said.repository != proposal.repository || said.proposal != proposal.number;
    let not_a_person = said.author.id == proposal.own || said.author.kind != AuthorKind::Person;
    if elsewhere || not_a_person || said.visibility == Lookup::Known(Visibility::Gone) {
        return Screened::Ignored;
    }
    let answered = proposal.answered.get(&said.id);
    if answered == Some(&Answer::Refused) {
        return Screened::Ignored;
    }
    match said.form {
        Form::Other => Screened::Ignored,
        Form::Review { state: ReviewState::Commented | ReviewState::Dismissed, .. } => Screened::Ignored,
        Form::Review { state, .. } => Screened::Review(state),
        Form::Comment => match parse(&said.body) {
            Parsed::None => Screened::Ignored,
            Parsed::Refused(_) if answered.is_some() => Screened::Ignored,
            Parsed::Refused(refusal) => Screened::Refused(ConsentRefusal::Command(refusal)),
            // An approval stands until it lands or expires, so it is judged anew; everything else is carried out once.
            Parsed::One(command) if answered.is_some() && !stands(&command) => Screened::Ignored,
            Parsed::One(command) => Screened::Command(command),
        },
    }
}

fn stands(command: &Command) -> bool {
    matches!(command, Command::Approve { .. } | Command::Force { .. })
}

/// Takes replies away once there have been enough in this hour.
fn quieten(judged: &mut [Judged], proposal: &ProposalNow) {
    let mut left = proposal.replies_left;
    for one in judged {
        let is_information = matches!(one.command, Some(Command::Explain | Command::Status | Command::Help));
        let replies = matches!(one.verdict, Verdict::Refused(_)) || (one.verdict == Verdict::Accepted && is_information);
        if replies && !proposal.answered.contains_key(&one.id) {
            if left == 0 {
                one.verdict = Verdict::Ignored;
            }
            left = left.saturating_sub(1);
        }
    }
}

struct Sum<'a> {
    rules: &'a ConsentRules,
    proposal: &'a ProposalNow,
    now: Timestamp,
    holds: Vec<Hold>,
    /// Changes requested, by account: only a dismissal or the same person's approval lifts them.
    review_holds: BTreeMap<UserId, Hold>,
    approvers: BTreeMap<UserId, Approver>,
    forced: Option<(Approver, String)>,
    cancelled: Cancelled,
}

/// Whether somebody cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cancelled {
    No,
    /// Somebody did who may, or it could not be found out whether they may: as long as that is so, nothing is approved, resumed or not.
    YesOrUnknown,
}

impl<'a> Sum<'a> {
    fn new(rules: &'a ConsentRules, proposal: &'a ProposalNow, now: Timestamp) -> Self {
        Self {
            rules,
            proposal,
            now,
            // A review's hold does not outlive it: the list of reviews shows how it stands now.
            holds: proposal.holds.iter().filter(|hold| matches!(hold.said, SaidId::Comment(_))).cloned().collect(),
            review_holds: BTreeMap::new(),
            approvers: BTreeMap::new(),
            forced: None,
            cancelled: Cancelled::No,
        }
    }

    fn command(&mut self, said: &Said, command: &Command) -> Verdict {
        match self.judge(said, command) {
            Ok(()) => Verdict::Accepted,
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    fn judge(&mut self, said: &Said, command: &Command) -> Result<(), ConsentRefusal> {
        if said.at > self.now + CLOCK_SKEW {
            return Err(ConsentRefusal::FromTheFuture);
        }
        match command {
            Command::Hold => self.hold(said),
            Command::Cancel => self.cancel(said),
            Command::Approve { plan } => {
                let approver = self.approver(said, plan.as_ref(), &self.rules.from, self.rules.four_eyes)?;
                self.approvers.entry(approver.user).or_insert(approver);
                Ok(())
            }
            Command::Force { reason } => {
                if self.rules.force.is_empty() {
                    return Err(ConsentRefusal::NobodyForces);
                }
                let approver = self.approver(said, None, &self.rules.force, FourEyes::Needed)?;
                self.forced.get_or_insert((approver, reason.clone()));
                Ok(())
            }
            Command::Retry => {
                untouched(said)?;
                allowed(is_among(said, &self.rules.from))
            }
            Command::Reland { .. } => {
                untouched(said)?;
                self.in_state(ProposalState::Merged)?;
                allowed(is_among(said, &self.rules.from))
            }
            Command::Snooze(_) => {
                untouched(said)?;
                self.in_state(ProposalState::Open)?;
                allowed(has_role(said, Role::Triage).or(is_among(said, &self.rules.from)))
            }
            Command::Explain | Command::Status | Command::Help => {
                untouched(said)?;
                allowed(has_role(said, Role::Read))
            }
            // Judged after all others.
            Command::Resume => Ok(()),
        }
    }

    /// Accepted unless it is known that the author may not. An edited or minimised hold still holds: undoing it by an edit would be a way
    /// for anybody who can write to take a colleague's word back.
    fn hold(&mut self, said: &Said) -> Result<(), ConsentRefusal> {
        self.in_state(ProposalState::Open)?;
        match has_role(said, Role::Triage).or(is_among(said, &self.rules.from)) {
            Standing::No => Err(ConsentRefusal::NotAllowed),
            Standing::Yes | Standing::Unknown(_) => {
                self.holds.push(hold_of(said));
                Ok(())
            }
        }
    }

    /// What cannot be found out about a cancel makes it a hold: less than what was asked for, and never an approval.
    fn cancel(&mut self, said: &Said) -> Result<(), ConsentRefusal> {
        self.in_state(ProposalState::Open)?;
        let standing = has_role(said, Role::Triage).or(is_among(said, &self.rules.from));
        let untouched = untouched(said);
        let unknown = matches!(standing, Standing::Unknown(_)) || matches!(untouched, Err(ConsentRefusal::Unknown(_)));
        if unknown && standing != Standing::No && !matches!(untouched, Err(ConsentRefusal::Edited | ConsentRefusal::Minimised)) {
            self.holds.push(hold_of(said));
            self.cancelled = Cancelled::YesOrUnknown;
            return Err(ConsentRefusal::HeldInstead);
        }
        untouched?;
        allowed(standing)?;
        self.cancelled = Cancelled::YesOrUnknown;
        Ok(())
    }

    fn review(&mut self, said: &Said, state: ReviewState) -> Verdict {
        let Form::Review { head, .. } = said.form else { return Verdict::Ignored };
        if state == ReviewState::ChangesRequested {
            return match has_role(said, Role::Triage).or(is_among(said, &self.rules.from)) {
                // A review by somebody without a say asked for nothing.
                Standing::No => Verdict::Ignored,
                Standing::Yes | Standing::Unknown(_) => {
                    self.review_holds.insert(said.author.id, hold_of(said));
                    Verdict::Accepted
                }
            };
        }
        let on_this_plan = self.proposal.published.iter().any(|shown| shown.head == head && shown.plan == self.proposal.plan);
        let result = if !on_this_plan || !matches!(&self.proposal.head, Lookup::Known(now) if now.commit == head) {
            Err(ConsentRefusal::OtherHead)
        } else {
            self.may_land(said, &self.rules.from, self.rules.four_eyes)
        };
        match result {
            Ok(()) => {
                self.review_holds.remove(&said.author.id);
                self.approvers.entry(said.author.id).or_insert_with(|| approver_of(said));
                Verdict::Accepted
            }
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    fn resume(&mut self, said: &Said) -> Verdict {
        if let Err(refusal) = untouched(said).and_then(|()| self.in_state(ProposalState::Open)) {
            return Verdict::Refused(refusal);
        }
        if said.at > self.now + CLOCK_SKEW {
            return Verdict::Refused(ConsentRefusal::FromTheFuture);
        }
        let earlier = |hold: &Hold| (hold.at, hold.said) < (said.at, said.id);
        if !self.holds.iter().any(earlier) {
            return Verdict::Refused(ConsentRefusal::NothingHeld);
        }
        let approver = is_among(said, &self.rules.from);
        let own = has_role(said, Role::Triage);
        let before = self.holds.len();
        self.holds.retain(|hold| {
            let lifts = approver == Standing::Yes || (hold.by == said.author.id && own == Standing::Yes);
            !(earlier(hold) && lifts)
        });
        match (self.holds.len() < before, approver) {
            (true, _) => Verdict::Accepted,
            (false, Standing::Unknown(why)) => Verdict::Refused(ConsentRefusal::Unknown(why)),
            (false, _) => Verdict::Refused(ConsentRefusal::NotAllowed),
        }
    }

    /// Everything that an approving comment must meet.
    fn approver(
        &self,
        said: &Said,
        named: Option<&PlanPrefix>,
        sources: &[ApprovalSource],
        four_eyes: FourEyes,
    ) -> Result<Approver, ConsentRefusal> {
        self.may_land(said, sources, four_eyes)?;
        self.means_this_plan(said, named)?;
        Ok(approver_of(said))
    }

    fn may_land(&self, said: &Said, sources: &[ApprovalSource], four_eyes: FourEyes) -> Result<(), ConsentRefusal> {
        if said.at > self.now + CLOCK_SKEW {
            return Err(ConsentRefusal::FromTheFuture);
        }
        untouched(said)?;
        self.in_state(ProposalState::Open)?;
        if said.at + self.rules.expires <= self.now {
            return Err(ConsentRefusal::Expired);
        }
        allowed(is_among(said, sources))?;
        // Rules that were not made for the plan's grade are read as strictly as they can be.
        if four_eyes != FourEyes::NotNeeded {
            match &self.proposal.change_authors {
                Lookup::Known(authors) if authors.contains(&said.author.id) => return Err(ConsentRefusal::OwnChange),
                Lookup::Known(_) => {}
                Lookup::Unknown(why) => return Err(ConsentRefusal::Unknown(why.clone())),
            }
        }
        match &self.proposal.head {
            Lookup::Unknown(why) => Err(ConsentRefusal::Unknown(why.clone())),
            Lookup::Known(head) if head.writer != HeadWriter::Revertd => Err(ConsentRefusal::ForeignHead),
            Lookup::Known(head) => {
                let shown = self.proposal.published.iter().any(|shown| shown.head == head.commit && shown.plan == self.proposal.plan);
                if shown { Ok(()) } else { Err(ConsentRefusal::OtherPlan(self.proposal.plan.clone())) }
            }
        }
    }

    /// An approval counts for the plan that was shown when it was written. Within one second, the forge's clock cannot tell which that was:
    /// then every plan shown in it must be this one, or the comment must name it.
    fn means_this_plan(&self, said: &Said, named: Option<&PlanPrefix>) -> Result<(), ConsentRefusal> {
        let plan = &self.proposal.plan;
        let second = said.at.secs();
        let before = self.proposal.published.iter().filter(|shown| shown.at.secs() < second).max_by_key(|shown| shown.at);
        let shown: BTreeSet<&PlanDigest> = before
            .into_iter()
            .chain(self.proposal.published.iter().filter(|shown| shown.at.secs() == second))
            .map(|shown| &shown.plan)
            .collect();
        let is_named = named.is_some_and(|named| named.names(plan));
        if shown.is_empty() {
            return Err(ConsentRefusal::NotShownYet);
        }
        if !shown.contains(plan) || (named.is_some() && !is_named) || (shown.len() > 1 && !is_named) {
            return Err(ConsentRefusal::OtherPlan(plan.clone()));
        }
        Ok(())
    }

    fn in_state(&self, needed: ProposalState) -> Result<(), ConsentRefusal> {
        if self.proposal.state == needed { Ok(()) } else { Err(ConsentRefusal::State { is: self.proposal.state, needed }) }
    }

    fn finish(self, judged: Vec<Judged>) -> Consent {
        let mut holds: Vec<Hold> = self.holds.into_iter().chain(self.review_holds.into_values()).collect();
        holds.sort_by_key(|hold| (hold.at, hold.said));
        holds.dedup_by_key(|hold| hold.said);
        let approvers: Vec<Approver> = self.approvers.into_values().collect();
        let enough = approvers.len() >= usize::try_from(self.rules.count.max(1)).unwrap_or(usize::MAX);
        let (by, force) = match self.forced {
            Some((approver, reason)) => (vec![approver], Some(reason)),
            None if enough => (approvers.clone(), None),
            None => (Vec::new(), None),
        };
        let expires = by.iter().map(|approver| approver.at + self.rules.expires).min();
        let approved = expires.filter(|_| holds.is_empty() && self.cancelled == Cancelled::No).map(|expires| Approved {
            plan: self.proposal.plan.clone(),
            by,
            force,
            expires,
        });
        Consent { judged, approved, approvers, holds }
    }
}

/// Whether the comment is as it was written and can be seen (failures A2 and A3).
fn untouched(said: &Said) -> Result<(), ConsentRefusal> {
    match (&said.edit, &said.visibility) {
        (Lookup::Known(Edit::Edited), _) => Err(ConsentRefusal::Edited),
        (_, Lookup::Known(Visibility::Minimised | Visibility::Gone)) => Err(ConsentRefusal::Minimised),
        (Lookup::Unknown(why), _) | (_, Lookup::Unknown(why)) => Err(ConsentRefusal::Unknown(why.clone())),
        (Lookup::Known(Edit::Never), Lookup::Known(Visibility::Shown)) => Ok(()),
    }
}

fn allowed(standing: Standing) -> Result<(), ConsentRefusal> {
    match standing {
        Standing::Yes => Ok(()),
        Standing::No => Err(ConsentRefusal::NotAllowed),
        Standing::Unknown(why) => Err(ConsentRefusal::Unknown(why)),
    }
}

fn hold_of(said: &Said) -> Hold {
    Hold { said: said.id, by: said.author.id, login: said.author.login.clone(), at: said.at }
}

fn approver_of(said: &Said) -> Approver {
    Approver { user: said.author.id, login: said.author.login.clone(), said: said.id, at: said.at }
}

#[cfg(test)]
mod tests;
