//! OpenID Connect Back-Channel Logout 1.0: an issuer says that it has ended a session.
//!
//! - [`logout_token`]: what such a token has to say; [`check_limit`]: how many signatures are checked in a second

mod check_limit;
mod logout_token;
#[cfg(test)]
mod tests;

pub(super) use check_limit::CheckLimit;
pub use logout_token::{LogoutError, LogoutToken};
