//! What a caller shows to use a key.

use super::certificate::CertificateName;
use std::fmt;

/// The SHA-256 of a key.
pub(super) type Digest = [u8; 32];

/// What a caller shows to use a key. It is the identity of the key: names and scopes may change, and several keys may have one name.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// A text with this digest. The digests are random, so they need no slow hash.
    Secret(Digest),
    /// A certificate with this name.
    Certificate(CertificateName),
}

/// Shows no digest.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret"),
            Self::Certificate(name) => f.debug_tuple("Certificate").field(name).finish(),
        }
    }
}
