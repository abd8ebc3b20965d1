//! The tables of tokens.

use super::{DAY, HOUR, KIB, MIB, MINUTE, SECOND, millis, size};
use crate::settings::{
    reader::section,
    types::{
        choices::WhenAway,
        value::{ByteSize, Pointer},
    },
};
use secrecy::SecretString;
use std::time::Duration;

section! {
    /// `[tokens]`: tokens of frontends.
    Tokens {
        /// Key of HS256 tokens; empty: no token is accepted.
        hmac_secret: SecretString,
        /// Whether a connection without a token is accepted.
        anonymous: bool,
        /// Value that the token's `aud` must contain. Empty: not checked.
        audience: String,
        /// Value that the token's `iss` must have. Empty: not checked.
        issuer: String,
        /// Tolerance for clocks that differ.
        leeway: Duration = millis(0)..=5 * MINUTE,
        /// How long a revocation is remembered.
        revocation_ttl: Duration = MINUTE..=365 * DAY,
        /// Whether a token may be valid for longer than a revocation is remembered.
        unbounded: bool,
        /// Limit of revocations that are remembered (memory broker only).
        max_revoked_users: usize = 1..=100_000_000,
        /// Time between two fetches of the keys of an issuer.
        jwks_refresh: Duration = SECOND..=DAY,
        /// Least time between the begins of two fetches.
        jwks_interval: Duration = SECOND..=HOUR,
        /// Longest time of a fetch.
        jwks_timeout: Duration = millis(100)..=MINUTE,
        /// How long fetched keys count.
        jwks_stale: Duration = SECOND..=30 * DAY,
        /// Largest answer with keys.
        jwks_size: ByteSize = size(KIB)..=size(MIB),
        /// Largest number of keys in an answer.
        jwks_keys: usize = 1..=1000,
        /// What becomes of a token while revocations cannot be read.
        when_away: WhenAway,
        /// Signatures of logout tokens that are checked in a second.
        logouts_per_second: u32 = 1..=10_000,
    }

    /// `[[tokens.issuers]]`: who signs tokens besides the own programs.
    TokenIssuer {
        /// The `iss` of its tokens.
        issuer: String,
        /// A token must be for one of them. Empty: not checked.
        audiences: Vec<String>,
        /// Where a token has its user.
        user_claim: Pointer,
        /// Where a token has its audience.
        audience_claim: Pointer,
        /// Whether it may end sessions by logout tokens.
        backchannel_logout: bool,
        /// A logout token must be for one of them. Empty: `audiences`.
        logout_audiences: Vec<String>,
        /// Its public keys: in PEM format, or JSON Web Keys.
        keys: Vec<String>,
        /// Files with its keys: in PEM format, a JSON Web Key, or a set of them.
        key_files: Vec<String>,
        /// Where its keys are fetched. Empty: nowhere.
        jwks_url: String,
        /// PEM file with authorities for the certificate of `jwks_url`, besides those that this machine trusts. Empty: only the latter.
        jwks_ca_file: String,
        /// Whether `jwks_url` may begin with `http://` although it leads to another machine.
        jwks_allow_http: bool,
    }
}

impl TokenIssuer {
    /// What an issuer has that the settings do not name.
    pub(in crate::settings) const DEFAULT: Self = Self {
        issuer: String::new(),
        audiences: Vec::new(),
        user_claim: Pointer(None),
        audience_claim: Pointer(None),
        backchannel_logout: false,
        logout_audiences: Vec::new(),
        keys: Vec::new(),
        key_files: Vec::new(),
        jwks_url: String::new(),
        jwks_ca_file: String::new(),
        jwks_allow_http: false,
    };
}
