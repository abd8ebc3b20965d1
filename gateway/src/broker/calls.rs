//! Calls that may be repeated: which of them run, and the answers to those that are done.

use bytes::Bytes;
use std::time::Duration;

/// Identifies a call, so that the broker recognises a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKey {
    /// Digest of the caller, the service, the method and the key that the caller chose.
    pub name: [u8; 32],
    /// Digest of the call's data. The same name with other data is refused.
    pub body: [u8; 32],
}

/// One attempt to carry a call out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Random, so that no other attempt has it.
    id: u128,
    /// How long repeats of the call wait for this attempt. It is longer than the attempt takes, unless its node dies.
    pub lease: Duration,
}

impl Attempt {
    /// A new attempt.
    pub fn new(lease: Duration) -> Self {
        Self { id: rand::random(), lease }
    }

    /// Its id, as 32 hex digits.
    pub fn id(&self) -> String {
        format!("{:032x}", self.id)
    }
}

/// What is known about a call when an attempt to carry it out begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Nothing, or its last attempt did not end within its lease. This attempt carries it out.
    First,
    /// Another attempt runs.
    Running,
    /// It was carried out, with this answer.
    Done(Bytes),
    /// Another call has this name: its data differs.
    OtherBody,
}
