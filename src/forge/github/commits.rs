//! Commits that GitHub makes and signs, and whose accounts stand behind a commit.
//!
//! `createCommitOnBranch` writes regular files that nobody executes, whatever stood there before. A plan with anything else is refused
//! here, because what landed would not be the plan (promise 5). The only branches that it can name are those of proposals: what moves a
//! watched branch takes a grant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Api, Ask, broken};
use super::wire::WireUser;
use crate::engine::id::{CommitId, TreeId};
use crate::forge::{Answered, Call, CommitOutcome, FileChange, ForgeCommit, ForgeError, MadeCommit, NewCommit, Signature, User};

const CREATE: &str = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid tree { oid } \
    parents(first: 2) { nodes { oid } } signature { isValid } } } }";

#[derive(Deserialize)]
struct Created {
    oid: CommitId,
    tree: Oid<TreeId>,
    parents: Parents,
    #[serde(deserialize_with = "Option::deserialize")]
    signature: Option<WireSignature>,
}

#[derive(Deserialize)]
struct Oid<T> {
    oid: T,
}

#[derive(Deserialize)]
struct Parents {
    nodes: Vec<Oid<CommitId>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSignature {
    is_valid: bool,
}

#[derive(Deserialize)]
struct WireCommit {
    // Both must be there, if as null: what is left out is no "nobody".
    author: Value,
    committer: Value,
    commit: WireInner,
}

#[derive(Deserialize)]
struct WireInner {
    verification: Option<WireVerification>,
}

#[derive(Deserialize)]
struct WireVerification {
    verified: bool,
}

impl Api {
    pub(super) async fn create_commit(&self, call: Call, new: &NewCommit) -> Answered<CommitOutcome> {
        let (mut additions, mut deletions) = (Vec::new(), Vec::new());
        for change in &new.changes {
            if let Err(sentence) = writable(change) {
                return Ok(CommitOutcome::Unsuitable { sentence });
            }
            let path = &change.path.path;
            match &change.content {
                Some(content) => additions.push(json!({ "path": path, "contents": STANDARD.encode(content) })),
                None => deletions.push(json!({ "path": path })),
            }
        }
        let place = self.place_now(call).await?;
        let branch = format!("revertd/{}", new.proposal);
        let input = json!({
            "branch": { "repositoryNameWithOwner": format!("{}/{}", place.owner, place.name), "branchName": branch },
            "expectedHeadOid": new.parent.to_string(),
            "message": { "headline": new.headline, "body": new.body },
            "fileChanges": { "additions": additions, "deletions": deletions },
        });
        let what = format!("make a commit on {branch}");
        match self.query(call, &what, CREATE, json!({ "input": input })).await? {
            Ok(data) => self.made(&what, new, &data).map(CommitOutcome::Made),
            Err(errors) => {
                let is = |kind: &str| errors.iter().any(|error| error.kind.as_deref() == Some(kind));
                let sentence = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ");
                // The words are GitHub's for a branch that has another head; the kind was not always there.
                if is("STALE_DATA") || sentence.to_ascii_lowercase().contains("expected branch to point to") {
                    return Ok(CommitOutcome::HeadModified);
                }
                match (is("NOT_FOUND"), is("FORBIDDEN")) {
                    (true, _) => Err(ForgeError::NotFound { what }),
                    (_, true) => Err(ForgeError::Forbidden { sentence }),
                    _ => Ok(CommitOutcome::Refused { sentence }),
                }
            }
        }
    }

    fn made(&self, what: &str, new: &NewCommit, data: &Value) -> Answered<MadeCommit> {
        let commit = &data["createCommitOnBranch"]["commit"];
        let created = Created::deserialize(commit).map_err(|error| broken(format!("{what}: {}", self.clean(&error.to_string()))))?;
        match created.parents.nodes.as_slice() {
            [parent] if parent.oid == new.parent => {}
            _ => return Err(broken(format!("{what}: it has another parent"))),
        }
        let is_verified = created.signature.is_some_and(|signature| signature.is_valid);
        Ok(MadeCommit { id: created.oid, tree: created.tree.oid, signature: signature(is_verified) })
    }

    pub(super) async fn commit(&self, call: Call, commit: CommitId) -> Answered<ForgeCommit> {
        // One file of its diff is enough; there may be thousands.
        let ask = Ask::get(format!("read commit {}", commit.short()), format!("/commits/{commit}?per_page=1"));
        let wire: WireCommit = self.ask(call, &ask).await?;
        let user = |account: Value| match &account {
            Value::Null => Ok(None),
            Value::Object(fields) if fields.is_empty() => Ok(None),
            _ => match WireUser::deserialize(account) {
                Ok(user) => Ok(Some(User::from(user))),
                Err(error) => Err(broken(format!("the accounts of {}: {}", commit.short(), self.clean(&error.to_string())))),
            },
        };
        let is_verified = wire.commit.verification.is_some_and(|verification| verification.verified);
        Ok(ForgeCommit { author: user(wire.author)?, committer: user(wire.committer)?, signature: signature(is_verified) })
    }
}

fn signature(is_verified: bool) -> Signature {
    if is_verified { Signature::Verified } else { Signature::Unverified }
}

/// Whether GitHub writes a path as the plan has it; the sentence says why not.
fn writable(change: &FileChange) -> Result<(), String> {
    let path = &change.path.path;
    change.path.as_regular_file()?;
    match (change.path.to, &change.content) {
        (Some(_), Some(_)) | (None, None) => Ok(()),
        (Some(_), None) => Err(format!("the content of `{path}` cannot be read, or is larger than a megabyte")),
        (None, Some(_)) => Err(format!("`{path}` has a content and shall be gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::Entry;
    use crate::engine::id::EntryId;
    use crate::engine::plan::PlannedPath;

    const REGULAR: u32 = 0o100_644;
    const EXECUTABLE: u32 = 0o100_755;

    fn change(from: Option<u32>, to: Option<u32>) -> FileChange {
        let entry = |mode: Option<u32>, byte: u8| mode.map(|mode| Entry { mode, id: EntryId([byte; 20]) });
        let content = to.map(|_| b"x".to_vec());
        FileChange { path: PlannedPath { path: "a".to_owned(), from: entry(from, 1), to: entry(to, 2) }, content }
    }

    #[test]
    fn only_regular_files_are_written() {
        for (from, to) in [(None, Some(REGULAR)), (Some(REGULAR), Some(REGULAR)), (Some(REGULAR), None), (Some(EXECUTABLE), None)] {
            assert_eq!(writable(&change(from, to)), Ok(()), "{from:?} {to:?}");
        }
        for (from, to) in [
            (None, Some(EXECUTABLE)),
            (None, Some(0o120_000)),
            (Some(REGULAR), Some(EXECUTABLE)),
            (Some(EXECUTABLE), Some(REGULAR)),
            (Some(EXECUTABLE), Some(EXECUTABLE)),
            (Some(0o120_000), Some(REGULAR)),
            (Some(0o120_000), Some(0o120_000)),
            (Some(0o120_000), None),
            (Some(0o160_000), None),
            (None, None),
        ] {
            let sentence = writable(&change(from, to)).unwrap_err();
            assert!(sentence.contains('a'), "{sentence}");
        }
        assert!(writable(&FileChange { content: None, ..change(Some(REGULAR), Some(REGULAR)) }).is_err());
        assert!(writable(&FileChange { content: Some(Vec::new()), ..change(Some(REGULAR), None) }).is_err());
    }
}
