//! A choice among several on which all nodes agree without asking each other.

use sha2::{Digest as _, Sha256};

/// Of those who may have a subject, it is the one with the highest number. Each has an equal share, and who comes or goes moves nothing between the others.
/// The numbers are the same in all versions.
pub fn rendezvous(candidate: &str, subject: impl AsRef<[u8]>) -> u64 {
    let digest = Sha256::new().chain_update(candidate).chain_update([0]).chain_update(subject).finalize();
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}
