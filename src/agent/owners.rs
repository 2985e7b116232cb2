//! Who vouches for what: the owners of the touched paths by `CODEOWNERS`, and the accounts behind the changes that a plan undoes.
//!
//! The file is read by Git from the head of the watched branch, never from a proposal's. Doubt is `Unknown`, which never counts for acting.

use std::collections::{BTreeMap, BTreeSet};

use super::Reconciler;
use crate::engine::afterwards::key_of_original;
use crate::engine::consent::{self, ConsentRules, FourEyes, Grade, Lookup, Ownership, Said};
use crate::engine::guardrail::consent_grade;
use crate::engine::id::{CommitId, PolicyName, RepositoryName};
use crate::engine::incident::Proposal;
use crate::engine::owners::{LARGEST, Owner, Owners, PLACES};
use crate::engine::plan::{Inverse, PlanKind};
use crate::engine::policy::{Policy, Scope};
use crate::forge::{Answered, Call, Forge, Membership, Team, User, UserKind};
use crate::git::{Brought, FileAt, Undo, UndoQuestion};

/// The owners of each path of a plan.
pub(super) type PathOwners = Lookup<Vec<BTreeSet<Owner>>>;

impl Reconciler {
    /// The owners of every path of the proposal's plan, by the head of the watched branch.
    pub(super) fn path_owners(&self, name: &RepositoryName, proposal: &Proposal) -> PathOwners {
        let unknown = |why: String| Lookup::Unknown(why);
        let (Some(plan), Some(repository)) = (&proposal.plan, self.repository(name)) else {
            return unknown("the proposal has no plan".to_owned());
        };
        let Some(head) = self.listing(name).and_then(|listing| listing.head) else {
            return unknown("the head of the branch is not known".to_owned());
        };
        for place in PLACES {
            match repository.mirror.file(head, place, LARGEST) {
                Ok(FileAt::Absent) => {}
                Ok(FileAt::TooLarge) => return unknown(format!("{place} is too large")),
                Ok(FileAt::Content(bytes)) => {
                    return match Owners::parse(&String::from_utf8_lossy(&bytes)) {
                        Ok(owners) => Lookup::Known(plan.paths.iter().map(|path| owners.of(&path.path)).collect()),
                        Err(error) => unknown(format!("{place} cannot be read: {error}")),
                    };
                }
                Err(error) => return unknown(error.to_string()),
            }
        }
        // Without a file nobody owns anything, and so nobody approves as an owner.
        Lookup::Known(plan.paths.iter().map(|_| BTreeSet::new()).collect())
    }

    /// How the proposal's plan counts for who may approve it, on the present head and by the strictest of its policies.
    pub(super) fn grade_of(&self, name: &RepositoryName, proposal: &Proposal) -> Grade {
        let (Some(plan), Some(repository)) = (&proposal.plan, self.repository(name)) else { return Grade::NotSafe };
        let Some(onto) = self.listing(name).and_then(|listing| listing.head) else { return Grade::NotSafe };
        let brings_back = plan.kind == PlanKind::Reapply;
        let revert = || self.state.proposals.get(&key_of_original(&plan.branch, &plan.suspects)).and_then(|original| original.landed);
        let undone = if brings_back { revert().into_iter().collect() } else { plan.suspects.clone() };
        let way = if brings_back { PlanKind::Revert } else { plan.kind };
        let known = |id: &CommitId| self.state.landings().iter().flat_map(|landing| &landing.changes).find(|change| change.id == *id);
        let changes: Vec<Undo> = undone.iter().filter_map(known).map(|change| Undo { commit: change.id, before: change.before }).collect();
        let breached: BTreeSet<&PolicyName> =
            proposal.incidents.iter().filter_map(|id| self.state.incidents.get(id)).map(|incident| &incident.policy).collect();
        let policies: Vec<&Policy> = self.policies.iter().filter(|policy| breached.contains(&policy.name)).collect();
        if changes.is_empty() || changes.len() != undone.len() || policies.is_empty() || policies.len() != breached.len() {
            return Grade::NotSafe;
        }
        let of = policies.iter().map(|policy| policy.name.clone()).collect();
        let services = self.service_paths(name);
        let never_back_to = policies.iter().flat_map(|policy| policy.guardrails.never_back_to.clone()).collect();
        let protect = repository.config.protect.clone();
        let (scope, good, later) = (Scope::Commit, None, Vec::new());
        let question = UndoQuestion { onto, changes, scope, of, services, good, later, never_back_to, protect };
        match repository.mirror.undo(&question) {
            Ok(Inverse::Clean(inverse)) if inverse.kind == way && inverse.paths == plan.paths => {
                let grades = policies.iter().map(|policy| consent_grade(&policy.guardrails, &inverse));
                if grades.into_iter().all(|grade| grade == Grade::Safe) { Grade::Safe } else { Grade::NotSafe }
            }
            _ => Grade::NotSafe,
        }
    }

    /// The rules of every policy, for the proposal's plan as it is.
    pub(super) fn rules_for_grade(&self, name: &RepositoryName, proposal: &Proposal, rules: Vec<ConsentRules>) -> Vec<ConsentRules> {
        // Grading builds the inverse: only where it decides something.
        if rules.iter().all(|rules| rules.four_eyes != FourEyes::UnlessSafe) {
            return rules;
        }
        let grade = self.grade_of(name, proposal);
        rules.iter().map(|rules| rules.for_grade(grade)).collect()
    }

    /// The accounts behind the changes that the proposal's plan undoes, also those behind what a merge brought.
    pub(super) fn change_authors(
        &self,
        name: &RepositoryName,
        proposal: &Proposal,
        forge: &dyn Forge,
        call: Call,
    ) -> Lookup<BTreeSet<consent::UserId>> {
        let (Some(plan), Some(repository)) = (&proposal.plan, self.repository(name)) else {
            return Lookup::Unknown("the proposal has no plan".to_owned());
        };
        let mut authors = BTreeSet::new();
        for suspect in &plan.suspects {
            let commits = match repository.mirror.brought(*suspect) {
                Ok(Brought::All(commits)) => commits,
                Ok(Brought::TooMany) => {
                    return Lookup::Unknown(format!("{} merged too many commits to name their authors", suspect.short()));
                }
                Err(error) => return Lookup::Unknown(error.to_string()),
            };
            for commit in commits {
                match author(forge.commit(call, commit).map(|known| known.author), commit) {
                    Lookup::Known(user) => authors.insert(user),
                    Lookup::Unknown(why) => return Lookup::Unknown(why),
                };
            }
        }
        Lookup::Known(authors)
    }
}

fn author(told: Answered<Option<User>>, commit: CommitId) -> Lookup<consent::UserId> {
    match told {
        Ok(Some(user)) if user.kind == UserKind::User => Lookup::Known(user.id),
        Ok(Some(user)) => Lookup::Unknown(format!("{} was made by {}, and whose change it is is not known", commit.short(), user.login)),
        Ok(None) => Lookup::Unknown(format!(
            "the author of {} has no account on the forge with that address, so nobody is known to be another; `notAuthorOfChange: false` in \
             the policy asks for no other",
            commit.short()
        )),
        Err(error) => Lookup::Unknown(error.to_string()),
    }
}

/// Whether the author of something owns every path. Teams are asked for once each, as they stand now.
pub(super) fn ownership(owners: &PathOwners, said: &Said, forge: &dyn Forge, call: Call) -> Lookup<Ownership> {
    let paths = match owners {
        Lookup::Known(paths) => paths,
        Lookup::Unknown(why) => return Lookup::Unknown(why.clone()),
    };
    let login = &said.author.login;
    let mut asked: BTreeMap<String, Answered<Membership>> = BTreeMap::new();
    let mut doubt = None;
    for owners in paths {
        let mut owns = owners.iter().any(|owner| matches!(owner, Owner::User(name) if name.eq_ignore_ascii_case(login)));
        for owner in owners {
            let (Owner::Team(name), false) = (owner, owns) else { continue };
            let Some((organization, slug)) = name.split_once('/') else { continue };
            let team = Team { organization: organization.to_owned(), slug: slug.to_owned() };
            match asked.entry(name.clone()).or_insert_with(|| forge.team_member(call, &team, login)) {
                Ok(membership) => owns = *membership == Membership::Active,
                Err(error) => doubt = Some(error.to_string()),
            }
        }
        if !owns {
            return doubt.map_or(Lookup::Known(Ownership::NotOwner), Lookup::Unknown);
        }
    }
    // A plan without paths is owned by nobody.
    Lookup::Known(if paths.is_empty() { Ownership::NotOwner } else { Ownership::Owner })
}
