//! Who asks: a token, or a GitHub App whose installation on the repository is given tokens for an hour.
//!
//! The installation is found by the repository's name, and its tokens are for that one repository. They are renewed before they expire
//! and once more when GitHub refuses one. octocrab signs the App's own requests (its JWT reads the machine's clock; GitHub allows a minute of
//! skew); it does not keep the tokens, because its copy is judged by its own clock and its refreshing sends a request twice.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use octocrab::Octocrab;
use serde_json::json;

use super::client::{Api, Ask, Reply, broken, segment};
use super::wire::{WireInstallation, WireToken, WireUser, moment};
use crate::engine::time::Timestamp;
use crate::forge::{Account, AccountKind, Answered, Call, ForgeError, User};
use crate::net::redact::Redactor;
use crate::net::secret::Secret;

/// How long before its end a token is renewed. A pass, a push of a large repository included, fits into it.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);

/// How many tokens of the past are still looked for in foreign text.
const REMEMBERED: usize = 4;

/// Where tokens come from.
pub(super) struct Authority {
    source: Source,
    /// Tokens that no text may show, the newest last.
    secrets: Mutex<Vec<Secret>>,
}

enum Source {
    Token(Secret),
    App { app: Box<Octocrab>, minted: tokio::sync::Mutex<Minted> },
}

/// What is known of the App's installation.
#[derive(Default)]
struct Minted {
    installation: Option<Installation>,
    token: Option<Token>,
}

#[derive(Clone)]
struct Installation {
    id: u64,
    app: u64,
    slug: String,
}

/// A token and when it ends.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) expires: Option<Timestamp>,
}

// === impl Token ===

impl Token {
    /// The same connection with this token.
    pub(super) fn on(&self, crab: &Octocrab) -> Answered<Octocrab> {
        let unusable = |_| ForgeError::Unauthorized { sentence: "the token cannot be sent".to_owned() };
        crab.user_access_token(self.secret.expose()).map_err(unusable)
    }
}

// === impl Authority ===

impl Authority {
    /// A token of a person or a machine user.
    pub(super) fn token_of_a_user(token: Secret) -> Self {
        Self { secrets: Mutex::new(vec![token.clone()]), source: Source::Token(token) }
    }

    /// An App. `app` signs with its key.
    pub(super) fn app(app: Octocrab) -> Self {
        Self { source: Source::App { app: Box::new(app), minted: tokio::sync::Mutex::default() }, secrets: Mutex::default() }
    }

    /// Whether it is an App.
    pub(super) fn is_app(&self) -> bool {
        matches!(self.source, Source::App { .. })
    }

    /// The text without tokens.
    pub(super) fn redact(&self, text: &str) -> String {
        Redactor::new(self.secrets.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned()).redact(text)
    }

    /// A token that is good for some minutes.
    pub(super) async fn token(&self, api: &Api, now: Timestamp) -> Answered<Token> {
        let (app, minted) = match &self.source {
            Source::Token(secret) => return Ok(Token { secret: secret.clone(), expires: None }),
            Source::App { app, minted } => (app, minted),
        };
        let mut minted = minted.lock().await;
        let good = minted.token.as_ref().filter(|token| token.expires.is_some_and(|expires| now + RENEWED_BEFORE < expires));
        if let Some(token) = good {
            return Ok(token.clone());
        }
        self.mint(api, app, &mut minted, now).await
    }

    /// Another token in place of one that was refused; none where there is no other to be had.
    pub(super) async fn renewed(&self, api: &Api, now: Timestamp, refused: &Token) -> Answered<Option<Token>> {
        let Source::App { app, minted } = &self.source else {
            return Ok(None);
        };
        let mut minted = minted.lock().await;
        let another = minted.token.as_ref().filter(|token| token.secret.expose() != refused.secret.expose());
        if let Some(token) = another {
            return Ok(Some(token.clone()));
        }
        minted.token = None;
        self.mint(api, app, &mut minted, now).await.map(Some)
    }

    /// Whose credentials they are.
    pub(super) async fn account(&self, api: &Api, call: Call) -> Answered<Account> {
        let Source::App { app, minted } = &self.source else {
            let user: WireUser = api.ask(call, &Ask::get("read the token's user", "/user").at_root()).await?;
            return Ok(Account { user: User::from(user), kind: AccountKind::Token });
        };
        let installation = {
            let mut minted = minted.lock().await;
            self.installation(api, app, &mut minted, call.now).await?
        };
        let login = format!("{}[bot]", installation.slug);
        let ask = Ask::get("read the App's own user", format!("/users/{}", segment(&login))).at_root();
        let user: WireUser = api.ask(call, &ask).await?;
        Ok(Account { user: User::from(user), kind: AccountKind::App { id: installation.app } })
    }

    async fn mint(&self, api: &Api, app: &Octocrab, minted: &mut Minted, now: Timestamp) -> Answered<Token> {
        let installation = self.installation(api, app, minted, now).await?;
        let place = api.place();
        let scope = match place.id {
            Some(id) => json!({ "repository_ids": [id.0] }),
            None => json!({ "repositories": [place.name] }),
        };
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let ask = Ask::send("get a token for the App's installation", Method::POST, path.clone(), scope.clone()).at_root();
        let reply = self.as_app(api, app, Method::POST, &path, Some(&scope), now).await?;
        if reply.status == StatusCode::NOT_FOUND {
            // The App was installed anew under another number.
            minted.installation = None;
        }
        if !reply.status.is_success() {
            return Err(api.refused(&ask, &reply));
        }
        // The parser's words could quote the token.
        let wire: WireToken = api.parsed(&ask, &reply).map_err(|_| broken("the answer holds no token with an end"))?;
        let token = Token { secret: Secret::new(wire.token), expires: Some(moment(&wire.expires_at)?) };
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.push(token.secret.clone());
        let forgotten = secrets.len().saturating_sub(REMEMBERED);
        secrets.drain(..forgotten);
        minted.token = Some(token.clone());
        Ok(token)
    }

    async fn installation(&self, api: &Api, app: &Octocrab, minted: &mut Minted, now: Timestamp) -> Answered<Installation> {
        if let Some(known) = &minted.installation {
            return Ok(known.clone());
        }
        let (wire, _) = self.asked_installation(api, app, now).await?;
        if wire.suspended_at.is_some() {
            return Err(ForgeError::Forbidden { sentence: "the App's installation is suspended".to_owned() });
        }
        let installation = Installation { id: wire.id, app: wire.app_id, slug: wire.app_slug };
        minted.installation = Some(installation.clone());
        Ok(installation)
    }

    /// The App's installation on the repository as it is now, with the time of GitHub's clock; none for a token.
    pub(super) async fn read_installation(&self, api: &Api, now: Timestamp) -> Answered<Option<(WireInstallation, Option<Timestamp>)>> {
        let Source::App { app, .. } = &self.source else { return Ok(None) };
        self.asked_installation(api, app, now).await.map(Some)
    }

    async fn asked_installation(&self, api: &Api, app: &Octocrab, now: Timestamp) -> Answered<(WireInstallation, Option<Timestamp>)> {
        let place = api.place();
        let path = format!("/repos/{}/{}/installation", segment(&place.owner), segment(&place.name));
        let ask = Ask::get("find the App's installation on the repository", path.clone()).at_root();
        let mut reply = self.as_app(api, app, Method::GET, &path, None, now).await?;
        if reply.status.is_redirection() {
            let path = api.redirected(&reply)?;
            reply = self.as_app(api, app, Method::GET, &path, None, now).await?;
        }
        Ok((api.parsed(&ask, &reply)?, super::access::date(&reply.headers)))
    }

    /// Sends a request in the App's own name. It is paid from a budget of its own, but a limit on everything holds here too.
    async fn as_app(
        &self,
        api: &Api,
        app: &Octocrab,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        now: Timestamp,
    ) -> Answered<Reply> {
        api.budget().admit_any(now)?;
        let reply = api.carry(app, method, path, body).await?;
        api.standing(reply)
    }
}
