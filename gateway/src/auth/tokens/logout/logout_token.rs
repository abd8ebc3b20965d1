//! What a logout token has to say (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6).

use super::super::{
    claims::{Id, NumericDate, OneOrMany, TokenError},
    tokens::{Tokens, check_length, check_signature, parse_claims, parse_header},
};
use gateway_core::model::{ClaimDigest, RevocableClaim, Revocation, RevocationTarget};
use jsonwebtoken::Header;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared_proto::json::present;
use std::{collections::BTreeMap, time::Duration};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Types in the header. Issuers should write the first; some write the general one of RFC 7519. Another type belongs to a token for something else.
const TYPES: [&str; 3] = ["logout+jwt", "application/logout+jwt", "JWT"];

/// A valid logout token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Whose tokens it revokes.
    pub target: RevocationTarget,
    /// Tokens issued at this time or before are revoked, in seconds since 1970.
    pub until: u64,
    /// The token itself, by its `jti`. It counts once.
    pub id: RevocationTarget,
    /// How long it is valid from now on.
    pub expires_in: Duration,
}

/// Why a logout token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoutError {
    /// It is not valid.
    #[error(transparent)]
    Invalid(#[from] TokenError),
    /// Too many tokens came within a second. It was not checked.
    #[error("too many logout tokens arrive; send it again later")]
    TooMany,
}

/// The claims of a logout token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LogoutJson {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) aud: Option<OneOrMany>,
    pub(super) iat: Option<NumericDate>,
    pub(super) exp: Option<NumericDate>,
    pub(super) nbf: Option<NumericDate>,
    pub(super) jti: Option<Id>,
    pub(super) sid: Option<Id>,
    pub(super) events: Option<BTreeMap<String, Box<RawValue>>>,
    /// Only ID tokens have one, so it may not even be null.
    #[serde(default, deserialize_with = "present")]
    pub(super) nonce: Option<Box<RawValue>>,
}

impl Tokens {
    /// Whether an issuer may send logout tokens.
    pub fn accepts_logouts(&self) -> bool {
        self.issuers.iter().any(|issuer| issuer.logout_audiences.is_some())
    }

    /// Verifies a logout token at `now` (time since 1970), with keys that are fetched if they have to be. The caller has to refuse one whose
    /// [`LogoutToken::id`] has counted before.
    pub async fn verify_logout(&self, token: &str, now: Duration) -> Result<LogoutToken, LogoutError> {
        check_length(token)?;
        let header = parse_header(token)?;
        check_type(&header)?;
        let (json, _) = parse_claims::<LogoutJson>(token)?;
        let (_, issuer) = self.issuer_of(json.iss.as_deref());
        let audiences = issuer.logout_audiences.as_deref().ok_or_else(|| invalid("is of an issuer that may not send logout tokens"))?;
        // Everything before costs little. To choose a key may cost a signature check as well.
        if !self.logout_checks.take(now) {
            return Err(LogoutError::TooMany);
        }
        self.prepare(token).await?;
        check_signature(issuer, &header, token)?;
        self.check_logout(&json, audiences, now)
    }

    fn check_logout(&self, json: &LogoutJson, audiences: &[Box<str>], now: Duration) -> Result<LogoutToken, LogoutError> {
        let issuer = json.iss.as_deref().unwrap_or_default();
        if !json.aud.as_ref().is_some_and(|aud| audiences.iter().any(|wanted| aud.contains(wanted))) {
            return Err(invalid("is for another audience").into());
        }
        let begin = json.iat.ok_or_else(|| invalid("has no iat"))?.0;
        if begin > now.saturating_add(self.leeway) {
            return Err(invalid("has an iat in the future").into());
        }
        let exp = json.exp.ok_or_else(|| invalid("has no exp"))?;
        let expires_in = self.check_dates(Some(exp), json.nbf, now)?.unwrap_or_default();
        // Its `jti` is remembered as long as it is valid.
        if expires_in > self.revocation_ttl.saturating_add(2 * self.leeway) {
            return Err(invalid("has an exp that is too late for tokens.revocation_ttl").into());
        }
        check_event(json)?;
        let id = json.jti.as_ref().and_then(Id::text).ok_or_else(|| invalid("has no jti"))?;
        let (target, until) = match (json.sid.as_ref().and_then(Id::text), json.sub.as_deref().unwrap_or_default()) {
            (Some(sid), _) => (claim(issuer, RevocableClaim::Session, &sid), Revocation::ALWAYS),
            (None, "") => return Err(invalid("has neither sid nor sub").into()),
            // The user may sign in again, so only earlier tokens are revoked.
            (None, sub) => (claim(issuer, RevocableClaim::Subject, sub), begin.as_secs()),
        };
        Ok(LogoutToken { target, until, id: claim(issuer, RevocableClaim::Token, &id), expires_in })
    }
}

fn check_type(header: &Header) -> Result<(), TokenError> {
    match header.typ.as_deref() {
        Some(typ) if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)) => Err(invalid("has the typ of another kind of token")),
        _ => Ok(()),
    }
}

fn check_event(json: &LogoutJson) -> Result<(), TokenError> {
    let event = json.events.as_ref().and_then(|events| events.get(EVENT));
    if !event.is_some_and(|event| event.get().starts_with('{')) {
        return Err(invalid("has no logout event in its events"));
    }
    if json.nonce.is_some() { Err(invalid("has a nonce, so it is an ID token")) } else { Ok(()) }
}

fn claim(issuer: &str, claim: RevocableClaim, value: &str) -> RevocationTarget {
    RevocationTarget::Claim(claim, ClaimDigest::new(issuer, claim, value))
}

fn invalid(why: &str) -> TokenError {
    TokenError::invalid(why)
}
