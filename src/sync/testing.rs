//! What the tests of sources share.

use crate::engine::id::CommitId;
use crate::engine::time::Timestamp;
pub(super) use crate::net::testing::Api;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_795_230_300);

/// A commit of forty times the same digit.
pub(super) fn oid(digit: char) -> String {
    String::from(digit).repeat(40)
}

pub(super) fn commit(digit: char) -> CommitId {
    oid(digit).parse().unwrap()
}

/// A file with a token.
pub(super) fn token(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let path = folder.path().join("token");
    std::fs::write(&path, "canary-7f3a\n").unwrap();
    path
}
