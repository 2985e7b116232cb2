//! Whom an encrypted connection trusts, and what it shows of itself: for servers inside a cluster, whose certificates no public
//! authority has signed.
//!
//! Verification is never switched off: there is no such setting here.

use super::client::ClientError;
use super::secret::Secret;

/// Certificate authorities in place of the system's, and a certificate of our own. Its `Debug` shows neither.
#[derive(Clone, Default)]
pub struct Trust {
    authorities: Option<Vec<u8>>,
    identity: Option<Secret>,
}

// === impl Trust ===

impl Trust {
    /// Trusts only these authorities (PEM, one or more certificates).
    #[must_use]
    pub fn with_authorities(mut self, pem: Vec<u8>) -> Self {
        self.authorities = Some(pem);
        self
    }

    /// Shows this certificate when the server asks for one (PEM: the certificate, its chain and its private key, in any order).
    #[must_use]
    pub fn with_identity(mut self, pem: Secret) -> Self {
        self.identity = Some(pem);
        self
    }

    pub(super) fn apply(&self, mut builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, ClientError> {
        if let Some(pem) = &self.authorities {
            // What the library says may quote the file; the sentence here does not.
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_| ClientError::of("the certificate authorities are no PEM certificates"))?;
            if authorities.is_empty() {
                return Err(ClientError::of("the certificate authorities hold no PEM certificate"));
            }
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(pem) = &self.identity {
            let identity = reqwest::Identity::from_pem(pem.expose().as_bytes())
                .map_err(|_| ClientError::of("the client certificate is no PEM certificate with its private key"))?;
            builder = builder.identity(identity);
        }
        Ok(builder)
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
