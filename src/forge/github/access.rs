//! What GitHub tells about the credentials and the repository to somebody who only reads: an installation's permissions, a token's scopes
//! by the headers, and for a fine-grained token what each read answers. For `revertd doctor`; nothing is decided from it.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;

use super::client::{Api, Ask, segment};
use super::wire::WireInstallation;
use crate::engine::id::BranchName;
use crate::engine::time::Timestamp;
use crate::forge::{Access, Answered, Call, ForgeError, Grants, OwnersFile, Readable, Role, Team, TeamSight};

#[derive(Deserialize)]
struct WireRoles {
    permissions: Option<WireFlags>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitHub's answer has these five flags")]
struct WireFlags {
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    maintain: bool,
    #[serde(default)]
    push: bool,
    #[serde(default)]
    triage: bool,
    #[serde(default)]
    pull: bool,
}

#[derive(Deserialize)]
struct WireMistakes {
    errors: Vec<WireMistake>,
}

#[derive(Deserialize)]
struct WireMistake {
    line: u64,
    kind: String,
    path: String,
}

impl Api {
    pub(super) async fn access(&self, call: Call, branch: &BranchName) -> Answered<Access> {
        if let Some(found) = self.authority.read_installation(self, call.now).await? {
            let (installation, clock): (WireInstallation, _) = found;
            return Ok(Access { grants: Grants::Listed(installation.permissions), role: None, ends: None, clock });
        }
        let ask = Ask::get("read the repository", "").fresh();
        let reply = self.exchange(call, &ask).await?;
        let roles: WireRoles = self.parsed(&ask, &reply)?;
        let grants = match scopes(&reply.headers) {
            Some(scopes) => Grants::Scopes(scopes),
            None => Grants::Read(self.readable(call, branch).await?),
        };
        let ends = text(&reply.headers, "github-authentication-token-expiration").and_then(expiration);
        Ok(Access { grants, role: roles.permissions.map(|flags| role(&flags)), ends, clock: date(&reply.headers) })
    }

    /// One read for each permission. A list with nothing in it is an answer as well.
    async fn readable(&self, call: Call, branch: &BranchName) -> Answered<BTreeMap<String, Readable>> {
        let head = segment(branch.as_str());
        let reads = [
            ("contents", format!("/branches/{head}")),
            ("pull_requests", "/pulls?per_page=1".to_owned()),
            ("issues", "/issues/comments?per_page=1".to_owned()),
            ("statuses", format!("/commits/{head}/status?per_page=1")),
            ("checks", format!("/commits/{head}/check-runs?per_page=1")),
            ("administration", "/keys?per_page=1".to_owned()),
            ("repository_hooks", "/hooks?per_page=1".to_owned()),
            ("secrets", "/actions/secrets?per_page=1".to_owned()),
        ];
        let mut found = BTreeMap::new();
        for (permission, path) in reads {
            let ask = Ask::get(format!("read what `{permission}` opens"), path).fresh();
            let readable = match self.tell(call, &ask).await {
                Ok(()) => Readable::Yes,
                Err(ForgeError::Forbidden { .. } | ForgeError::NotFound { .. }) => Readable::No,
                Err(error) => return Err(error),
            };
            found.insert(permission.to_owned(), readable);
        }
        Ok(found)
    }

    pub(super) async fn team(&self, call: Call, team: &Team) -> Answered<TeamSight> {
        let path = format!("/orgs/{}/teams/{}", segment(&team.organization), segment(&team.slug));
        let ask = Ask::get(format!("read the team {}/{}", team.organization, team.slug), path).at_root().fresh();
        match self.tell(call, &ask).await {
            Ok(()) => Ok(TeamSight::There),
            Err(ForgeError::NotFound { .. } | ForgeError::Forbidden { .. }) => Ok(TeamSight::NotSeen),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn owners_file(&self, call: Call, branch: &BranchName) -> Answered<OwnersFile> {
        let ask = Ask::get("read the mistakes in CODEOWNERS", format!("/codeowners/errors?ref={}", segment(branch.as_str()))).fresh();
        match self.ask::<WireMistakes>(call, &ask).await {
            Ok(wire) => {
                let sentence = |mistake: WireMistake| self.clean(&format!("{}:{}: {}", mistake.path, mistake.line, mistake.kind));
                Ok(OwnersFile::Present { mistakes: wire.errors.into_iter().map(sentence).collect() })
            }
            Err(ForgeError::NotFound { .. }) => Ok(OwnersFile::Absent),
            Err(error) => Err(error),
        }
    }
}

fn role(flags: &WireFlags) -> Role {
    match flags {
        WireFlags { admin: true, .. } => Role::Admin,
        WireFlags { maintain: true, .. } => Role::Maintain,
        WireFlags { push: true, .. } => Role::Write,
        WireFlags { triage: true, .. } => Role::Triage,
        WireFlags { pull: true, .. } => Role::Read,
        _ => Role::None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The scopes of a classic token; a fine-grained one and an App's have no such header.
fn scopes(headers: &HeaderMap) -> Option<Vec<String>> {
    let list = text(headers, "x-oauth-scopes")?;
    Some(list.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
}

/// The answer's `Date`, in the form of RFC 9110.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc2822(text(headers, "date")?).ok()?;
    Some(Timestamp::from_secs(time.timestamp()))
}

/// GitHub writes `2027-01-31 09:00:00 UTC`, and an offset in place of `UTC` for some tokens.
fn expiration(text: &str) -> Option<Timestamp> {
    let time = chrono::DateTime::parse_from_str(&text.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z").ok()?;
    Some(Timestamp::from_secs(time.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(http::HeaderName::from_static(name), http::HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn a_classic_token_says_its_scopes_and_no_scope_is_an_empty_list() {
        assert_eq!(scopes(&headers("x-oauth-scopes", "repo, admin:org")), Some(vec!["repo".to_owned(), "admin:org".to_owned()]));
        assert_eq!(scopes(&headers("x-oauth-scopes", "")), Some(Vec::new()));
        assert_eq!(scopes(&HeaderMap::new()), None);
    }

    #[test]
    fn dates_and_ends_are_read_and_what_is_none_is_left_out() {
        let at = Timestamp::from_secs(1_795_230_000);
        assert_eq!(date(&headers("date", "Sat, 21 Nov 2026 03:00:00 GMT")), Some(at));
        assert_eq!(date(&headers("date", "yesterday")), None);
        assert_eq!(expiration("2026-11-21 03:00:00 UTC"), Some(at));
        assert_eq!(expiration("2026-11-21 04:00:00 +0100"), Some(at));
        assert_eq!(expiration("never"), None);
    }

    #[test]
    fn the_highest_flag_is_the_role() {
        let flags = |admin, push| WireFlags { admin, maintain: admin, push, triage: push, pull: true };
        assert_eq!(role(&flags(true, true)), Role::Admin);
        assert_eq!(role(&flags(false, true)), Role::Write);
        assert_eq!(role(&flags(false, false)), Role::Read);
    }
}
