//! What a person may do now, in three values: yes, no, and not known. Acting needs a yes; stopping is only refused on a no.

use super::evidence::{ApprovalSource, Lookup, Membership, Ownership, Role, Said};

/// Whether somebody may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Yes,
    /// They may not.
    No,
    /// It could not be found out; why.
    Unknown(String),
}

impl Standing {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }

    /// Yes if either is; unknown if neither is and one may be.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::No, Self::No) => Self::No,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

/// Whether the author has at least a role now. An answer about another account than the author's is no answer (failure A1).
pub fn has_role(said: &Said, least: Role) -> Standing {
    match &said.permission {
        Lookup::Known(permission) if permission.user == said.author.id => Standing::from(permission.role >= least),
        Lookup::Known(_) => Standing::Unknown("the login belongs to another account by now".to_owned()),
        Lookup::Unknown(why) => Standing::Unknown(why.clone()),
    }
}

/// Whether any of the sources makes the author an approver now.
pub fn is_among(said: &Said, sources: &[ApprovalSource]) -> Standing {
    sources.iter().map(|source| by_source(said, source)).fold(Standing::No, Standing::or)
}

fn by_source(said: &Said, source: &ApprovalSource) -> Standing {
    match source {
        ApprovalSource::Role(least) => has_role(said, (*least).max(Role::Triage)),
        ApprovalSource::Team(team) => {
            let member = match said.teams.get(team) {
                Some(Lookup::Known(membership)) => Standing::from(*membership == Membership::Active),
                Some(Lookup::Unknown(why)) => Standing::Unknown(why.clone()),
                None => Standing::Unknown(format!("the members of {team} were not asked for")),
            };
            member.and(has_role(said, Role::Read))
        }
        ApprovalSource::User(login) => Standing::from(login.eq_ignore_ascii_case(&said.author.login)).and(has_role(said, Role::Read)),
        ApprovalSource::Codeowners => {
            let owner = match &said.codeowner {
                Lookup::Known(ownership) => Standing::from(*ownership == Ownership::Owner),
                Lookup::Unknown(why) => Standing::Unknown(why.clone()),
            };
            owner.and(has_role(said, Role::Write))
        }
    }
}
