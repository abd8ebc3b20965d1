//! Rendezvous hashing: all nodes pick the same candidate without asking each other.

use sha2::{Digest as _, Sha256};

/// The score of a candidate for a subject. The candidate with the highest score gets the subject.
///
/// Each candidate gets an equal share of all subjects. When a candidate is added or removed, no subject moves between two others. The score must
/// never change, because nodes of different versions have to agree.
pub fn rendezvous_score(candidate: &str, subject: impl AsRef<[u8]>) -> u64 {
    let digest = Sha256::new().chain_update(candidate).chain_update([0]).chain_update(subject).finalize();
    u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
}
