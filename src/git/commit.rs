//! Commits: the same draft always gives the same id, signed or not.

use std::path::Path;

use git2::ObjectType;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

use super::{GitError, Mirror, commit_id, objects};
use crate::engine::id::{CommitId, TreeId};

/// Everything that makes a commit's id, but the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitDraft {
    /// Its tree.
    pub tree: TreeId,
    /// Its parents.
    pub parents: Vec<CommitId>,
    /// The whole message.
    pub message: String,
    /// Who wrote it, and when.
    pub author: Identity,
    /// Who committed it, and when.
    pub committer: Identity,
}

/// Who, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// Seconds since the epoch.
    pub seconds: i64,
    /// The offset from UTC as Git writes it: `+0000`.
    pub offset: String,
}

/// A key to sign with. Its signatures repeat for the same bytes, so that an intent fixes the commit's id.
pub struct Signer(PrivateKey);

impl Signer {
    /// Reads an OpenSSH private key: ed25519 or RSA, without a passphrase.
    ///
    /// # Errors
    /// A file that cannot be read, another kind of key (ECDSA signatures differ each time), or one with a passphrase.
    pub fn from_openssh_file(path: &Path) -> Result<Self, GitError> {
        let place = path.display();
        let key = PrivateKey::read_openssh_file(path)
            .map_err(|error| GitError::Credentials(format!("cannot read the signing key {place} as an OpenSSH private key: {error}")))?;
        if key.is_encrypted() {
            return Err(GitError::Credentials(format!("the signing key {place} has a passphrase, and nobody is there to type it")));
        }
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Rsa { .. } => Ok(Self(key)),
            other => Err(GitError::Credentials(format!(
                "the signing key {place} is of the kind {other}; only ed25519 and RSA sign the same bytes the same way each time"
            ))),
        }
    }

    fn sign(&self, content: &[u8]) -> Result<String, GitError> {
        let signature = self
            .0
            .sign("git", HashAlg::Sha512, content)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| GitError::Credentials(format!("cannot sign the commit: {error}")))?;
        Ok(signature.trim_end().to_owned())
    }
}

impl Mirror {
    /// Writes a commit object and gives its id; nothing refers to it yet.
    ///
    /// # Errors
    /// A store that cannot be written, or a key that cannot sign.
    pub fn build(&self, draft: &CommitDraft, signer: Option<&Signer>) -> Result<CommitId, GitError> {
        let bytes = bytes(draft, signer)?;
        let repository = self.repository();
        let store = repository.odb().map_err(objects("cannot open the object store"))?;
        store.write(ObjectType::Commit, &bytes).map(commit_id).map_err(objects("cannot write the commit"))
    }
}

/// The id that a draft would have; nothing is written.
pub(super) fn id_of(draft: &CommitDraft) -> Result<CommitId, GitError> {
    let bytes = bytes(draft, None)?;
    git2::Oid::hash_object(ObjectType::Commit, &bytes).map(commit_id).map_err(objects("cannot hash the commit"))
}

fn bytes(draft: &CommitDraft, signer: Option<&Signer>) -> Result<Vec<u8>, GitError> {
    let mut header = format!("tree {}\n", draft.tree);
    for parent in &draft.parents {
        header.push_str(&format!("parent {parent}\n"));
    }
    for (role, identity) in [("author", &draft.author), ("committer", &draft.committer)] {
        header.push_str(&format!(
            "{role} {} <{}> {} {}\n",
            clean(&identity.name),
            clean(&identity.email),
            identity.seconds,
            identity.offset
        ));
    }
    let unsigned = format!("{header}\n{}", draft.message);
    let Some(signer) = signer else { return Ok(unsigned.into_bytes()) };
    let signature = signer.sign(unsigned.as_bytes())?.replace('\n', "\n ");
    Ok(format!("{header}gpgsig {signature}\n\n{}", draft.message).into_bytes())
}

/// Takes out what would end the field.
fn clean(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, '<' | '>' | '\n' | '\0')).collect::<String>().trim().to_owned()
}
