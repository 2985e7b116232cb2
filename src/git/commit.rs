//! Commits: the same draft always gives the same id, signed or not.

use std::path::Path;

use git2::ObjectType;
use rsa::BigUint;
use rsa::sha2::Sha512;
use rsa::signature::{SignatureEncoding, Signer as _};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};

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
pub struct Signer {
    key: PrivateKey,
    /// For an RSA key. ssh-key 0.6 takes the first prime for both when it makes a key that signs, and so cannot sign with any.
    rsa: Option<Box<rsa::pkcs1v15::SigningKey<Sha512>>>,
}

/// What SSH signatures of Git objects are bound to (`gpg.format=ssh`).
const NAMESPACE: &str = "git";
/// OpenSSH makes no RSA keys under 1024 bits and takes none under 2048 for signatures that are worth anything (NIST SP 800-131A).
const SMALLEST_RSA: usize = 2048;

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
            Algorithm::Ed25519 => Ok(Self { key, rsa: None }),
            Algorithm::Rsa { .. } => {
                let rsa = match key.key_data() {
                    KeypairData::Rsa(pair) => rsa_key(pair),
                    _ => Err("it holds another kind of key".to_owned()),
                };
                let rsa = rsa.map_err(|why| GitError::Credentials(format!("cannot use the signing key {place}: {why}")))?;
                Ok(Self { key, rsa: Some(Box::new(rsa)) })
            }
            other => Err(GitError::Credentials(format!(
                "the signing key {place} is of the kind {other}; only ed25519 and RSA sign the same bytes the same way each time"
            ))),
        }
    }

    fn sign(&self, content: &[u8]) -> Result<String, GitError> {
        let signature = match &self.rsa {
            None => self.key.sign(NAMESPACE, HashAlg::Sha512, content),
            Some(rsa) => self.sign_with_rsa(rsa, content),
        };
        let text = signature.and_then(|signature| signature.to_pem(LineEnding::LF));
        let text = text.map_err(|error| GitError::Credentials(format!("cannot sign the commit: {error}")))?;
        Ok(text.trim_end().to_owned())
    }

    fn sign_with_rsa(&self, rsa: &rsa::pkcs1v15::SigningKey<Sha512>, content: &[u8]) -> ssh_key::Result<SshSig> {
        let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, content)?;
        let signed = rsa.try_sign(&data).map_err(|_| ssh_key::Error::Crypto)?;
        let signature = Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signed.to_vec())?;
        SshSig::new(self.key.public_key().key_data().clone(), NAMESPACE, HashAlg::Sha512, signature)
    }
}

/// The key that signs with an OpenSSH key pair's numbers, which are checked.
fn rsa_key(pair: &RsaKeypair) -> Result<rsa::pkcs1v15::SigningKey<Sha512>, String> {
    let number = |number| BigUint::try_from(number).map_err(|_| "it holds a number that is not positive".to_owned());
    let (public, private) = (&pair.public, &pair.private);
    let primes = vec![number(&private.p)?, number(&private.q)?];
    let key = rsa::RsaPrivateKey::from_components(number(&public.n)?, number(&public.e)?, number(&private.d)?, primes)
        .map_err(|error| error.to_string())?;
    let bits = rsa::traits::PublicKeyParts::n(&key).bits();
    if bits < SMALLEST_RSA {
        return Err(format!("an RSA key has at least {SMALLEST_RSA} bits, and this one has {bits}"));
    }
    Ok(rsa::pkcs1v15::SigningKey::new(key))
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
