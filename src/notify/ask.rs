//! Asks a receiver before a merge, which may only refuse (`guardrails.ask`, design §8): a POST of JSON, signed as the webhook is.
//!
//! ```text
//! POST <url>
//! content-type: application/json; charset=utf-8
//! x-revertd-timestamp: 1795230245
//! x-revertd-signature-256: sha256=<HMAC-SHA256 in hexadecimal digits over "1795230245." and the body>
//! idempotency-key: <head>/<plan>
//!
//! {"version": 1,
//!  "time": "2026-11-21T03:04:05Z",
//!  "action": "merge",
//!  "repository": "manifests", "branch": "main",
//!  "head": "<40 hexadecimal digits>",  what it would land on
//!  "policy": "checkout", "incident": "checkout-3f1c9a7b2d",
//!  "plan": "<64 hexadecimal digits>",  the plan's digest
//!  "suspects": ["<40 hexadecimal digits>"],
//!  "paths": ["apps/checkout/deployment.yaml"],
//!  "approvedBy": "robin"}              null where every gate allows it without a person
//!
//! 200 {"allow": true}
//! 200 {"allow": false, "reason": "the region is being failed over"}
//! ```
//!
//! Only a complete answer with the status 200 whose body says `"allow": true` is a yes. A redirect, another status, no answer in time and
//! anything that cannot be read is a no. The reason is untrusted, and is told in one line without markup.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::transport::Destination;
use super::webhook::signature;
use super::{NotifyError, Transport};
use crate::engine::assurance::AskAnswer;
use crate::engine::id::{BranchName, CommitId, IncidentId, PlanDigest, PolicyName, RepositoryName};
use crate::engine::time::Timestamp;
use crate::net::client::{BodyLength, Method};
use crate::net::secret::Secret;

/// Asks receivers. Its calls block for as long as a receiver has for its answer.
#[derive(Debug)]
pub struct Asker {
    transport: Transport,
    secret_file: PathBuf,
}

/// What a receiver is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The repository.
    pub repository: RepositoryName,
    /// Its watched branch.
    pub branch: BranchName,
    /// What the revert would land on.
    pub head: CommitId,
    /// Whose guardrail it is.
    pub policy: PolicyName,
    /// The incident.
    pub incident: IncidentId,
    /// The plan.
    pub plan: PlanDigest,
    /// What it undoes.
    pub suspects: Vec<CommitId>,
    /// What it changes.
    pub paths: Vec<String>,
    /// Who approved it; nobody where every gate allows it.
    pub approved_by: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    time: String,
    action: &'static str,
    #[serde(flatten)]
    question: &'a Question,
}

#[derive(Deserialize)]
struct Answer {
    allow: bool,
    #[serde(default)]
    reason: Option<String>,
}

// === impl Asker ===

impl Asker {
    /// Signs with the secret on the first line of a file, which is read for each question.
    pub fn new(transport: Transport, secret_file: PathBuf) -> Self {
        Self { transport, secret_file }
    }

    /// What the receiver says, within `timeout`. Never an error: whatever goes wrong is a no, and says what did.
    pub fn ask(&self, url: &str, timeout: Duration, question: &Question, now: Timestamp) -> AskAnswer {
        self.answer(url, timeout, question, now).unwrap_or_else(|error| AskAnswer::Refused { why: one_line(&error.to_string()) })
    }

    fn answer(&self, url: &str, timeout: Duration, question: &Question, now: Timestamp) -> Result<AskAnswer, NotifyError> {
        let secret = Transport::secret(&self.secret_file)?;
        let unreadable = |detail: &str| NotifyError::Answer { detail: detail.to_owned() };
        let body = serde_json::to_vec(&Body { version: 1, time: now.to_string(), action: "merge", question })
            .map_err(|error| unreadable(&format!("the question cannot be written: {error}")))?;
        let timestamp = now.secs().to_string();
        let headers = vec![
            ("x-revertd-signature-256", Secret::new(format!("sha256={}", signature(&secret, &timestamp, &body)?))),
            ("x-revertd-timestamp", Secret::new(timestamp)),
            ("idempotency-key", Secret::new(format!("{}/{}", question.head, question.plan))),
        ];
        let to = Destination::Open { url: url.to_owned(), secret };
        let answer = self.transport.clone().with_limit(timeout).bytes(Method::Post, &to, body, headers, now)?;
        if answer.status != 200 {
            return Err(to.refusal("it", &answer));
        }
        if answer.length == BodyLength::Cut {
            return Err(unreadable("its answer is too long"));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Answer { allow: true, .. }) => Ok(AskAnswer::Allowed),
            Ok(Answer { allow: false, reason }) => {
                let reason = reason.map(|reason| one_line(&to.without_secrets(&reason))).filter(|reason| !reason.is_empty());
                Ok(AskAnswer::Refused { why: reason.map_or("it said no".to_owned(), |reason| format!("it said no: {reason}")) })
            }
            Err(_) => Err(unreadable("its answer is not one with `allow`")),
        }
    }
}

/// In one line, for the middle of a sentence.
fn one_line(text: &str) -> String {
    let flat: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    flat.trim().trim_end_matches('.').to_owned()
}
