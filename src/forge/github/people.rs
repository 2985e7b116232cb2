//! Who may do what, asked at the moment of acting (catalogue of failures A1). Every doubt is an error; none is a yes.

use super::client::{Api, Ask, broken, segment};
use super::wire::{WireMembership, WirePermission};
use crate::forge::{Account, Answered, Call, ForgeError, Identity, Membership, Permission, Role, Team, UserId};

impl Api {
    pub(super) async fn identity(&self, call: Call) -> Answered<Identity> {
        let found = self.identify(call).await?;
        let own = self.own(call).await?;
        let place = self.place();
        let id = place.id.ok_or_else(|| broken("the repository has no number"))?;
        Ok(Identity { id, owner: place.owner, name: place.name, methods: found.methods(), own })
    }

    /// Whose credentials they are. That does not change while the agent runs.
    pub(super) async fn own(&self, call: Call) -> Answered<Account> {
        let known = self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let own = self.authority.account(self, call).await?;
        *self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(own.clone());
        Ok(own)
    }

    pub(super) async fn permission(&self, call: Call, login: &str) -> Answered<Permission> {
        let what = format!("read the permission of {login}");
        let ask = Ask::get(what.clone(), format!("/collaborators/{}/permission", segment(login))).fresh();
        let wire: WirePermission = self.ask(call, &ask).await?;
        let user = wire.user.ok_or_else(|| broken(format!("{what}: no user")))?;
        // `permission` knows four words and calls maintain "write" and triage "read"; `role_name` has the exact one. Old servers lack it.
        let role = match wire.role_name.as_deref().unwrap_or(&wire.permission) {
            "admin" => Role::Admin,
            "maintain" => Role::Maintain,
            "write" => Role::Write,
            "triage" => Role::Triage,
            "read" => Role::Read,
            "none" => Role::None,
            other => Role::Unknown(other.to_owned()),
        };
        Ok(Permission { user: UserId(user.id), role })
    }

    pub(super) async fn team_member(&self, call: Call, team: &Team, login: &str) -> Answered<Membership> {
        let path = format!("/orgs/{}/teams/{}/memberships/{}", segment(&team.organization), segment(&team.slug), segment(login));
        let ask = Ask::get(format!("read whether {login} is in {}/{}", team.organization, team.slug), path).at_root().fresh();
        match self.ask::<WireMembership>(call, &ask).await {
            Ok(membership) => match membership.state.as_str() {
                "active" => Ok(Membership::Active),
                "pending" => Ok(Membership::Pending),
                other => Err(broken(format!("a membership is `{}`", self.clean(other)))),
            },
            Err(ForgeError::NotFound { .. }) => Ok(Membership::No),
            Err(error) => Err(error),
        }
    }
}
