//! Digests that distinguish a repeated request from another one with the same key.

use super::Tags;
use sha2::{Digest as _, Sha256};

/// The digest of a sequence of parts.
#[derive(Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a part with its length, so that parts cannot run into each other.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Adds the name and the value of each tag.
    pub fn add_tags(&mut self, tags: &Tags) {
        for (name, value) in tags {
            self.add(name.as_bytes());
            self.add(value.as_bytes());
        }
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
