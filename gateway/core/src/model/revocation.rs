//! Revoked tokens.

/// A service has disconnected a user and revoked the user's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Tokens issued at this time or before are revoked, in seconds since 1970.
    pub until: u64,
    /// Close code for the connections that used such a token.
    pub code: u16,
    /// Close reason for them.
    pub reason: Box<str>,
}

impl Revocation {
    /// Whether it revokes a token that was issued at this time. A token that does not say when it was issued counts as revoked.
    pub fn applies_to(&self, issued: Option<u64>) -> bool {
        issued.is_none_or(|issued| issued <= self.until)
    }
}
