//! Who there is: accounts with a role in the repository, and teams.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reply::{Call, Handled, Reply};
use super::state::World;

/// What an account may do in the repository, as GitHub names it in `role_name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// No collaborator.
    None,
    /// Reads, and comments.
    Read,
    /// Also labels and closes.
    Triage,
    /// Also pushes and merges.
    Write,
    /// Also some settings.
    Maintain,
    /// Everything.
    Admin,
    /// A role that an organisation made on top of another.
    Custom {
        /// Its name.
        name: String,
        /// What it starts from.
        base: Box<Role>,
    },
}

/// Whether somebody belongs to a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Yes.
    Active,
    /// Invited, and has not accepted.
    Pending,
}

/// What kind of account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountKind {
    User,
    Bot,
    Organization,
}

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) login: String,
    pub(super) id: u64,
    pub(super) kind: AccountKind,
    pub(super) role: Role,
}

// === impl Role ===

impl Role {
    /// How far it reaches: 0 nothing, 1 read, 2 triage, 3 write, 4 maintain, 5 admin.
    pub(super) fn level(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Read => 1,
            Self::Triage => 2,
            Self::Write => 3,
            Self::Maintain => 4,
            Self::Admin => 5,
            Self::Custom { base, .. } => base.level(),
        }
    }

    /// `role_name`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
            Self::Custom { name, .. } => name,
        }
    }

    /// `permission`, which knows four values only.
    fn permission(&self) -> &'static str {
        match self.level() {
            0 => "none",
            1 | 2 => "read",
            3 | 4 => "write",
            _ => "admin",
        }
    }

    /// The `permissions` of a repository or collaborator.
    pub(super) fn permissions(&self) -> Value {
        let level = self.level();
        json!({"admin": level >= 5, "maintain": level >= 4, "push": level >= 3, "triage": level >= 2, "pull": level >= 1})
    }
}

// === impl World: accounts ===

impl World {
    /// Adds an account, or gives one that is there another role. Gives its id.
    pub(super) fn add_account(&mut self, login: &str, kind: AccountKind, role: Role) -> u64 {
        if let Some(account) = self.accounts.get_mut(&login.to_lowercase()) {
            account.role = role;
            return account.id;
        }
        let id = self.next_small_id();
        self.accounts.insert(login.to_lowercase(), Account { login: login.to_owned(), id, kind, role });
        id
    }

    pub(super) fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.get(&login.to_lowercase())
    }

    /// How far an account's role reaches; 0 for one that is not there.
    pub(super) fn level(&self, login: &str) -> u8 {
        self.account(login).map_or(0, |account| account.role.level())
    }

    /// A user as every answer shows it. An account that is gone is shown as GitHub's `ghost`.
    pub(super) fn user(&self, login: &str) -> Value {
        let (login, id, kind) = match self.account(login) {
            Some(account) => (account.login.as_str(), account.id, account.kind),
            None => ("ghost", 10_137, AccountKind::User),
        };
        let api = format!("{}/users/{}", self.root(), super::reply::encoded(login));
        json!({
            "login": login,
            "id": id,
            "node_id": format!("U_{id}"),
            "avatar_url": format!("{}/avatars/u/{id}", self.url),
            "gravatar_id": "",
            "url": api,
            "html_url": format!("{}/{}", self.url, super::reply::encoded(login)),
            "followers_url": format!("{api}/followers"),
            "following_url": format!("{api}/following{{/other_user}}"),
            "gists_url": format!("{api}/gists{{/gist_id}}"),
            "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{api}/subscriptions"),
            "organizations_url": format!("{api}/orgs"),
            "repos_url": format!("{api}/repos"),
            "events_url": format!("{api}/events{{/privacy}}"),
            "received_events_url": format!("{api}/received_events"),
            "type": kind.name(),
            "site_admin": false,
        })
    }

    /// A user by itself, which says more than one within another answer.
    fn whole_user(&self, login: &str) -> Value {
        let mut user = self.user(login);
        for field in ["name", "company", "location", "email", "hireable", "bio"] {
            user[field] = Value::Null;
        }
        for field in ["public_repos", "public_gists", "followers", "following"] {
            user[field] = json!(0);
        }
        user["blog"] = json!("");
        for field in ["created_at", "updated_at"] {
            user[field] = json!("2026-01-01T00:00:00Z");
        }
        user
    }

    /// The account that an address in a commit belongs to: one that was verified, or the private address that GitHub gives out.
    pub(super) fn account_of(&self, email: &str) -> Option<&Account> {
        if let Some(login) = self.emails.get(&email.to_lowercase()) {
            return self.account(login);
        }
        let local = email.strip_suffix("@users.noreply.github.com")?;
        let (id, login) = local.split_once('+')?;
        self.account(login).filter(|account| account.id.to_string() == id)
    }

    /// The role of an author towards the repository, as comments show it. It says too little to decide anything by.
    pub(super) fn association(&self, login: &str) -> &'static str {
        match self.level(login) {
            0 => "NONE",
            1 => "CONTRIBUTOR",
            _ => "COLLABORATOR",
        }
    }
}

impl AccountKind {
    /// `type` in REST, `__typename` in GraphQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

// === handlers ===

/// `GET /user`.
pub(super) fn viewer(world: &World, login: &str) -> Handled {
    Ok(Reply::ok(world.whole_user(login)))
}

/// `GET /users/{login}`.
pub(super) fn user(world: &World, login: &str) -> Handled {
    world.account(login).map(|account| Reply::ok(world.whole_user(&account.login))).ok_or_else(Reply::not_found)
}

/// `GET /repos/{owner}/{repo}/collaborators/{login}/permission`.
pub(super) fn permission(world: &World, login: &str) -> Handled {
    let account = world.account(login).ok_or_else(|| Reply::error(404, &format!("{login} is not a user")))?;
    let mut user = world.user(&account.login);
    user["permissions"] = account.role.permissions();
    user["role_name"] = json!(account.role.name());
    Ok(Reply::ok(json!({"permission": account.role.permission(), "role_name": account.role.name(), "user": user})))
}

/// `GET /orgs/{org}/teams/{team}/memberships/{login}`.
pub(super) fn membership(world: &World, call: &Call, organisation: &str, team: &str, login: &str) -> Handled {
    let members = world.teams.get(&(organisation.to_lowercase(), team.to_lowercase())).ok_or_else(Reply::not_found)?;
    let state = match members.get(&login.to_lowercase()) {
        Some(Membership::Active) => "active",
        Some(Membership::Pending) => "pending",
        None => return Err(Reply::not_found()),
    };
    Ok(Reply::ok(json!({"url": format!("{}{}", world.root(), call.path), "role": "member", "state": state})))
}

/// `GET /orgs/{org}/teams/{team}`, for a team that has somebody in it.
pub(super) fn team(world: &World, organisation: &str, team: &str) -> Handled {
    if !world.teams.contains_key(&(organisation.to_lowercase(), team.to_lowercase())) {
        return Err(Reply::not_found());
    }
    let mut shown = super::json::team(world, team);
    let address = format!("{}/orgs/{organisation}", world.root());
    let members = world.teams.get(&(organisation.to_lowercase(), team.to_lowercase())).map_or(0, BTreeMap::len);
    let more = json!({
        "members_count": members,
        "repos_count": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "organization": {
            "login": organisation,
            "id": 1,
            "node_id": "O_1",
            "url": address,
            "repos_url": format!("{address}/repos"),
            "events_url": format!("{address}/events"),
            "hooks_url": format!("{address}/hooks"),
            "issues_url": format!("{address}/issues"),
            "members_url": format!("{address}/members{{/member}}"),
            "public_members_url": format!("{address}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/{organisation}", world.url),
            "description": "",
            "html_url": format!("{}/{organisation}", world.url),
            "has_organization_projects": true,
            "has_repository_projects": true,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "type": "Organization",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "archived_at": null,
        },
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    Ok(Reply::ok(shown))
}
