//! Who calls, and what they may do: tokens of people, GitHub Apps by their JSON Web Token, and the installation tokens that Apps get.
//!
//! A token's claims are read and its signature is there, but not verified: the fake has no public key, and its clock may be another than
//! the one that the App signs by. So `exp` is compared with `iat` only.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::engine::time::Timestamp;

use super::people::{AccountKind, Role};
use super::reply::{Call, Handled, Reply};
use super::state::World;

/// How long an installation token works.
const INSTALLATION_TOKEN: Duration = Duration::from_secs(3600);
/// The longest life that an App's own token may ask for (ten minutes, and one of slack for a clock that is behind).
const LONGEST_ASSERTION: i64 = 660;

/// The App that is installed on the repository.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// Its id, which its token names in `iss`.
    pub app_id: u64,
    /// Its name; it acts as `<slug>[bot]`.
    pub slug: String,
    /// The installation on the owner's account.
    pub installation_id: u64,
    /// What it may do: `contents` → `write` and so on, as GitHub names permissions.
    pub permissions: BTreeMap<String, String>,
}

/// Every credential that is known.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Tokens of people, each with its login.
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) app: Option<AppSettings>,
    installation_tokens: BTreeMap<String, InstallationToken>,
}

#[derive(Clone, Debug)]
struct InstallationToken {
    permissions: BTreeMap<String, String>,
    expires: Timestamp,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// The App itself.
    App,
    /// A person with a token.
    Person(String),
    /// The App's installation.
    Installation { login: String, permissions: BTreeMap<String, String> },
}

/// What a call needs: an App's permission, and a person's role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    permission: &'static str,
    access: &'static str,
    level: u8,
}

impl Need {
    pub(super) const METADATA: Self = Self { permission: "metadata", access: "read", level: 1 };
    pub(super) const READ_PULLS: Self = Self { permission: "pull_requests", access: "read", level: 1 };
    pub(super) const WRITE_PULLS: Self = Self { permission: "pull_requests", access: "write", level: 3 };
    pub(super) const REVIEW: Self = Self { permission: "pull_requests", access: "write", level: 1 };
    pub(super) const READ_ISSUES: Self = Self { permission: "issues", access: "read", level: 1 };
    pub(super) const COMMENT: Self = Self { permission: "issues", access: "write", level: 1 };
    pub(super) const LABEL: Self = Self { permission: "issues", access: "write", level: 2 };
    pub(super) const READ_CONTENTS: Self = Self { permission: "contents", access: "read", level: 1 };
    pub(super) const WRITE_CONTENTS: Self = Self { permission: "contents", access: "write", level: 3 };
    pub(super) const READ_STATUSES: Self = Self { permission: "statuses", access: "read", level: 1 };
    pub(super) const WRITE_STATUSES: Self = Self { permission: "statuses", access: "write", level: 3 };
    pub(super) const READ_CHECKS: Self = Self { permission: "checks", access: "read", level: 1 };
    pub(super) const READ_MEMBERS: Self = Self { permission: "members", access: "read", level: 1 };
}

// === impl Caller ===

impl Caller {
    /// The login that acts; the App itself acts as nobody.
    pub(super) fn login(&self) -> &str {
        match self {
            Self::App => "",
            Self::Person(login) | Self::Installation { login, .. } => login,
        }
    }

    /// Which budget of requests is used up.
    pub(super) fn budget(&self) -> &str {
        match self {
            Self::App => "app",
            other => other.login(),
        }
    }
}

// === impl World: authentication ===

impl World {
    /// Finds the caller by the `Authorization` header.
    pub(super) fn authenticate(&self, header: Option<&str>) -> Result<Caller, Reply> {
        let header = header.ok_or_else(|| Reply::error(401, "Requires authentication"))?;
        let bad = || Reply::error(401, "Bad credentials");
        let (scheme, token) = header.split_once(' ').ok_or_else(bad)?;
        let token = token.trim();
        if !matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "token") {
            return Err(bad());
        }
        if let Some(login) = self.credentials.tokens.get(token) {
            return Ok(Caller::Person(login.clone()));
        }
        if let Some(known) = self.credentials.installation_tokens.get(token) {
            let login = self.bot().ok_or_else(bad)?;
            return if self.now() < known.expires {
                Ok(Caller::Installation { login, permissions: known.permissions.clone() })
            } else {
                Err(bad())
            };
        }
        self.assertion(token)
    }

    /// The account that the App acts as.
    pub(super) fn bot(&self) -> Option<String> {
        self.credentials.app.as_ref().map(|app| format!("{}[bot]", app.slug))
    }

    fn assertion(&self, token: &str) -> Result<Caller, Reply> {
        let bad = || Reply::error(401, "A JSON web token could not be decoded");
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            return Err(Reply::error(401, "Bad credentials"));
        };
        let part = |text: &str| base64(text).and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let (header, claims) = (part(header).ok_or_else(bad)?, part(claims).ok_or_else(bad)?);
        if header["alg"] != "RS256" || base64(signature).is_none_or(|bytes| bytes.len() < 128) {
            return Err(bad());
        }
        // The issuer may be written as a number or as a text.
        let issuer = claims["iss"].as_u64().or_else(|| claims["iss"].as_str()?.parse().ok());
        match &self.credentials.app {
            Some(app) if Some(app.app_id) == issuer => {}
            _ => return Err(Reply::error(401, "'Issuer' claim ('iss') must be an Integer")),
        }
        let (Some(issued), Some(expires)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return Err(Reply::error(401, "Missing 'expiration time' claim ('exp') in assertion"));
        };
        if expires <= issued || expires - issued > LONGEST_ASSERTION {
            return Err(Reply::error(401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        Ok(Caller::App)
    }

    /// Refuses a call that the caller may not make: 404 where the repository is not even seen, else 403.
    pub(super) fn require(&self, caller: &Caller, need: Need) -> Result<(), Reply> {
        match caller {
            Caller::App => Err(Reply::error(401, "A JSON web token could not be decoded")),
            Caller::Person(login) => match self.level(login) {
                0 => Err(Reply::not_found()),
                level if level < need.level => Err(Reply::error(403, "Resource not accessible by personal access token")),
                _ => Ok(()),
            },
            Caller::Installation { permissions, .. } => {
                let granted = |name: &str| match (permissions.get(name).map(String::as_str), need.access) {
                    (Some("write" | "admin"), _) | (Some("read"), "read") => true,
                    _ => name == "metadata" && need.access == "read",
                };
                // Comments and labels of a pull request also go by the permission for pull requests.
                if granted(need.permission) || (need.permission == "issues" && granted("pull_requests")) {
                    Ok(())
                } else {
                    Err(Reply::error(403, "Resource not accessible by integration"))
                }
            }
        }
    }

    /// Refuses what only an administrator may read. No call of revertd needs it.
    pub(super) fn require_administrator(&self, caller: &Caller) -> Result<(), Reply> {
        let may = match caller {
            Caller::App => false,
            Caller::Person(login) => self.level(login) >= Role::Admin.level(),
            Caller::Installation { permissions, .. } => permissions.contains_key("administration"),
        };
        if may { Ok(()) } else { Err(Reply::error(403, "Resource not accessible")) }
    }

    /// Installs the App, and makes the account that it acts as.
    pub(super) fn install(&mut self, app: AppSettings) {
        self.add_account(&format!("{}[bot]", app.slug), AccountKind::Bot, Role::None);
        self.credentials.app = Some(app);
    }

    /// Ends every installation token, as when the App is removed or a token is revoked.
    pub(super) fn revoke_installation_tokens(&mut self) {
        self.credentials.installation_tokens.clear();
    }
}

// === handlers ===

fn app<'a>(world: &'a World, call: &Call) -> Result<&'a AppSettings, Reply> {
    match (&call.caller, &world.credentials.app) {
        (Caller::App, Some(app)) => Ok(app),
        _ => Err(Reply::error(401, "A JSON web token could not be decoded")),
    }
}

/// `GET /app`.
pub(super) fn itself(world: &World, call: &Call) -> Handled {
    let app = app(world, call)?;
    Ok(Reply::ok(app_json(world, app)))
}

/// An App as answers show it.
pub(super) fn app_json(world: &World, app: &AppSettings) -> Value {
    json!({
        "id": app.app_id,
        "slug": app.slug,
        "node_id": format!("A_{}", app.app_id),
        "owner": world.user(&world.owner),
        "name": app.slug,
        "description": "",
        "external_url": format!("{}/apps/{}", world.url, app.slug),
        "html_url": format!("{}/apps/{}", world.url, app.slug),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "permissions": app.permissions,
        "events": [],
    })
}

/// `GET /repos/{owner}/{repo}/installation`.
pub(super) fn installation(world: &World, call: &Call) -> Handled {
    let app = app(world, call)?;
    let address = format!("{}/app/installations/{}", world.root(), app.installation_id);
    Ok(Reply::ok(json!({
        "id": app.installation_id,
        "account": world.user(&world.owner),
        "access_tokens_url": format!("{address}/access_tokens"),
        "repositories_url": format!("{}/installation/repositories", world.root()),
        "html_url": format!("{}/organizations/{}/settings/installations/{}", world.url, world.owner, app.installation_id),
        "app_id": app.app_id,
        "app_slug": app.slug,
        "target_id": world.account(&world.owner).map(|account| account.id),
        "target_type": "Organization",
        "permissions": app.permissions,
        "events": [],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "single_file_name": null,
        "repository_selection": "selected",
        "suspended_at": null,
        "suspended_by": null,
    })))
}

/// `POST /app/installations/{id}/access_tokens`: a token for what was asked, or for everything that the installation may.
pub(super) fn access_token(world: &mut World, call: &Call, installation: &str) -> Handled {
    let app = app(world, call)?.clone();
    if installation != app.installation_id.to_string() {
        return Err(Reply::not_found());
    }
    let by_name = call.texts("repositories").is_none_or(|names| names.iter().all(|name| name.eq_ignore_ascii_case(&world.name)));
    let by_id = call.body["repository_ids"].as_array().is_none_or(|ids| ids.iter().all(|id| id.as_u64() == Some(world.repository_id)));
    if !by_name || !by_id {
        let sentence = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        return Err(Reply::error(422, sentence));
    }
    let permissions = match call.body["permissions"].as_object() {
        None => app.permissions,
        Some(asked) => narrowed(&app.permissions, asked)
            .ok_or_else(|| Reply::error(422, "The permissions requested are not granted to this installation."))?,
    };
    let number = world.next_id();
    let token = format!("ghs_{}", &hex::encode(Sha256::digest(format!("{}:{number}", world.url)))[..36]);
    let expires = world.now() + INSTALLATION_TOKEN;
    let shown = json!({
        "token": token,
        "expires_at": expires.to_string(),
        "permissions": permissions,
        "repository_selection": "selected",
        "repositories": [super::repository::shown(world, &Role::Write)],
    });
    world.credentials.installation_tokens.insert(token, InstallationToken { permissions, expires });
    Ok(Reply::created(shown))
}

/// What was asked for, if the installation has all of it.
fn narrowed(granted: &BTreeMap<String, String>, asked: &Map<String, Value>) -> Option<BTreeMap<String, String>> {
    asked
        .iter()
        .map(|(name, access)| {
            let access = access.as_str()?;
            let enough = match granted.get(name).map(String::as_str) {
                Some(have) => have == access || have == "admin" || (have == "write" && access == "read"),
                None => name == "metadata" && access == "read",
            };
            enough.then(|| (name.clone(), access.to_owned()))
        })
        .collect()
}

/// Reads base64 of either alphabet, with or without padding; line breaks are skipped. `None` where it is none.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut collected, mut bits) = (0_u32, 0_u32);
    for character in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        collected = (collected << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((collected >> bits) & 0xff).ok()?);
            collected &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}
