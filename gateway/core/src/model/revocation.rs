//! Users whose tokens are no good any more.

/// What a service did to a user whom it disconnected for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Tokens that were issued until then are no good: seconds since 1970.
    pub until: u64,
    /// With which their connections are closed.
    pub code: u16,
    /// With which as well.
    pub reason: Box<str>,
}

impl Revocation {
    /// Whether it concerns who came with a token of this time. One that does not say when it was issued may be as old as any.
    pub fn concerns(&self, issued: Option<u64>) -> bool {
        issued.is_none_or(|issued| issued <= self.until)
    }
}
