//! Verifies and signs JSON Web Tokens (RFC 7519), including their expiry. `connection/operations.rs` turns a [`TokenError`] into the
//! client's error.

use super::{
    claims::{ConnectionClaims, NumericDate, SubscriptionClaims, TokenError, TokenJson, VerifiedToken},
    issuer::Issuer,
    key_source::{KeySource, KeyTimes},
    logout::CheckLimit,
    signatures,
};
use crate::settings::{self, Problems, Settings};
use gateway_core::{
    channel::{Capabilities, Capability},
    model::{ChannelName, Data, Meta, RevocableClaims, UserId},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, dangerous::insecure_decode_claims, decode_header, encode, errors::ErrorKind};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};
use shared_proto::json;
use std::{fmt, sync::Arc, time::Duration};

/// Largest size of a token, in bytes. Common servers take no larger headers.
const TOKEN_BYTES: usize = 16 << 10;
/// The type of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
const LOGOUT_TYPE: &str = "logout+jwt";

/// Verifies tokens, and signs them for the demo and the command line.
pub struct Tokens {
    /// Each is the issuer of the tokens with its name in `iss`.
    pub(super) issuers: Vec<Issuer>,
    /// The issuer of all other tokens.
    own: Issuer,
    signing: Option<EncodingKey>,
    anonymous: bool,
    pub(super) leeway: Duration,
    /// How long a revocation is remembered.
    pub(super) revocation_ttl: Duration,
    /// Whether a token may be valid for longer than that.
    unbounded: bool,
    pub(super) logout_checks: CheckLimit,
}

/// There is no key for signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is empty, so there is no key to sign a token with")]
pub struct NoSigningKey;

/// A digest of a token. It stands for the token where that need not be kept.
pub fn token_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Tokens {
    /// Waits for the key of this token, if it has to be fetched: at most as long as one fetch may take. Call it before the token is verified.
    /// Fails with [`TokenError::KeysAway`], and with nothing else.
    pub async fn prepare(&self, token: &str) -> Result<(), TokenError> {
        let Some((source, header)) = self.source_of(token) else { return Ok(()) };
        source.prepare(|keys| keys.answers_for(header.kid.as_deref(), header.alg, token)).await
    }

    /// Where the keys for this token are fetched. `None`: no fetch is needed to verify or refuse it.
    fn source_of(&self, token: &str) -> Option<(&Arc<KeySource>, Header)> {
        if token.len() > TOKEN_BYTES || self.sources().next().is_none() {
            return None;
        }
        let (json, _) = parse_claims::<TokenJson>(token).ok()?;
        let source = self.issuer_of(json.iss.as_deref()).1.source()?;
        Some((source, parse_header(token).ok()?))
    }

    /// Where keys are fetched, each with the place of its issuer in the settings.
    pub fn sources(&self) -> impl Iterator<Item = (usize, &Arc<KeySource>)> {
        self.issuers.iter().enumerate().filter_map(|(at, issuer)| Some((at, issuer.source()?)))
    }

    /// Where the keys for this token are fetched, with the place of its issuer in the settings.
    pub fn source_for(&self, token: &str) -> Option<(usize, &Arc<KeySource>)> {
        let (wanted, _) = self.source_of(token)?;
        self.sources().find(|(_, source)| Arc::ptr_eq(source, wanted))
    }

    /// Verifies a connection token at `now` (time since 1970). An empty token stands for an anonymous connection, if those are allowed.
    pub fn verify_connection(&self, token: &str, now: Duration) -> Result<VerifiedToken<ConnectionClaims>, TokenError> {
        if token.is_empty() && self.anonymous {
            return Ok(VerifiedToken { claims: ConnectionClaims::of(UserId::anonymous()), expires_in: None });
        }
        let Verified { json, user, revocable, expires_in } = self.verify(token, now)?;
        if json.channel.is_some() {
            return Err(TokenError::invalid("is for a subscription, not for a connection"));
        }
        let channel = |name: &String| {
            let channel: ChannelName = name.parse().map_err(|error| TokenError::invalid(format!("has a channel that {error}")))?;
            if channel.is_of(&user) { Ok(channel) } else { Err(TokenError::invalid("has the personal channel of another user")) }
        };
        let channels: Vec<_> = json.channels.iter().map(channel).collect::<Result<_, _>>()?;
        let claims = ConnectionClaims {
            issued: json.iat.map(|iat| iat.0.as_secs()),
            expires: json.exp.map(|exp| exp.0),
            revocable,
            info: info(json.info.as_deref())?,
            meta: meta(json.meta.as_deref())?,
            capabilities: capabilities(json.capabilities.as_deref(), &channels)?,
            channels,
            user,
        };
        Ok(VerifiedToken { claims, expires_in })
    }

    /// Verifies a subscription token at `now` (time since 1970). The caller compares its user and channel with those of the subscription.
    pub fn verify_subscription(&self, token: &str, now: Duration) -> Result<VerifiedToken<SubscriptionClaims>, TokenError> {
        let Verified { json, user, revocable, expires_in } = self.verify(token, now)?;
        let channel = json.channel.as_deref().ok_or_else(|| TokenError::invalid("has no channel"))?;
        let claims = SubscriptionClaims {
            user,
            channel: channel.parse().map_err(|error| TokenError::invalid(format!("has a channel that {error}")))?,
            issued: json.iat.map(|iat| iat.0.as_secs()),
            expires: json.exp.map(|exp| exp.0),
            revocable,
            info: info(json.info.as_deref())?,
        };
        Ok(VerifiedToken { claims, expires_in })
    }

    /// The claims of a token that was verified, as JSON.
    pub fn claims_json(&self, token: &str) -> Option<Box<RawValue>> {
        insecure_decode_claims(token).ok()
    }

    /// The settings with a secret that is shorter than the hash of its algorithm.
    pub fn short_secrets(&self) -> Vec<String> {
        let own = self.own.has_short_secret().then(|| "tokens.hmac_secret".to_owned());
        let listed = self.issuers.iter().enumerate().filter(|(_, issuer)| issuer.has_short_secret());
        own.into_iter().chain(listed.map(|(at, _)| format!("tokens.issuers[{at}].key_files"))).collect()
    }

    /// Whether connections without a user are accepted.
    pub fn accepts_anonymous(&self) -> bool {
        self.anonymous
    }

    /// Signs a connection token, issued at `now` (seconds since 1970).
    pub fn sign_connection(&self, claims: &ConnectionClaims, now: u64) -> Result<String, NoSigningKey> {
        self.sign(&TokenJson {
            sub: Some(claims.user.to_string()),
            exp: claims.expires.map(NumericDate),
            info: claims.info.as_ref().map(|info| info.raw().to_owned()),
            meta: claims.meta.as_ref().map(|meta| meta.raw().to_owned()),
            channels: claims.channels.iter().map(ToString::to_string).collect(),
            // Writing text as JSON cannot fail.
            capabilities: claims.capabilities.as_ref().and_then(|all| to_raw_value(all).ok()),
            ..self.claims_at(now)
        })
    }

    /// Signs a subscription token, issued at `now` (seconds since 1970).
    pub fn sign_subscription(&self, claims: &SubscriptionClaims, now: u64) -> Result<String, NoSigningKey> {
        self.sign(&TokenJson {
            sub: Some(claims.user.to_string()),
            exp: claims.expires.map(NumericDate),
            info: claims.info.as_ref().map(|info| info.raw().to_owned()),
            channel: Some(claims.channel.to_string()),
            ..self.claims_at(now)
        })
    }

    /// Verifies a connection token or a subscription token.
    pub(super) fn verify(&self, token: &str, now: Duration) -> Result<Verified, TokenError> {
        check_length(token)?;
        let header = parse_header(token)?;
        if header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(LOGOUT_TYPE)) {
            return Err(TokenError::invalid("is a logout token"));
        }
        // Nothing of the claims counts before the signature, except which keys to try.
        let claims = parse_claims::<TokenJson>(token);
        let named = claims.as_ref().ok().and_then(|(json, _)| json.iss.as_deref());
        let (_, issuer) = self.issuer_of(named);
        check_signature(issuer, &header, token)?;
        let (json, raw) = claims?;
        let expires_in = self.check_dates(json.exp, json.nbf, now)?;
        self.check_life(&json, now)?;
        issuer.check(&json, raw.get())?;
        if json.events.is_some() {
            return Err(TokenError::invalid("is a logout token"));
        }
        // Who sends such a token has to prove a key of its own (RFC 7800), and no protocol here has a place for that.
        if json.cnf.is_some() {
            return Err(TokenError::invalid("is bound to a key of its sender (cnf), which is not supported"));
        }
        let user = issuer.user(&json, raw.get(), self.anonymous)?;
        Ok(Verified { revocable: issuer.revocable(&json).boxed(), json, user, expires_in })
    }

    /// The issuer whose keys count for tokens with this `iss`, and its place in the settings.
    pub(super) fn issuer_of(&self, iss: Option<&str>) -> (Option<usize>, &Issuer) {
        let listed = self.issuers.iter().enumerate().find(|(_, issuer)| iss.is_some() && issuer.name.as_deref() == iss);
        listed.map_or((None, &self.own), |(at, issuer)| (Some(at), issuer))
    }

    /// How long a token with these dates is still valid; none: without limit.
    pub(super) fn check_dates(
        &self,
        exp: Option<NumericDate>,
        nbf: Option<NumericDate>,
        now: Duration,
    ) -> Result<Option<Duration>, TokenError> {
        let expires_in = exp.map(|exp| exp.0.saturating_add(self.leeway).saturating_sub(now));
        if expires_in.is_some_and(|left| left.is_zero()) {
            return Err(TokenError::Expired);
        }
        if nbf.is_some_and(|nbf| now.saturating_add(self.leeway) < nbf.0) {
            return Err(TokenError::invalid("is not valid yet"));
        }
        Ok(expires_in)
    }

    /// Refuses a token that may be valid for longer than a revocation is remembered. Its life begins when it was issued. A date in the future does
    /// not shorten it.
    fn check_life(&self, json: &TokenJson, now: Duration) -> Result<(), TokenError> {
        if self.unbounded {
            return Ok(());
        }
        let Some(exp) = json.exp else {
            return Err(TokenError::invalid("has no exp: sign it with an exp, or set tokens.unbounded"));
        };
        let begin = json.iat.map_or(now, |iat| iat.0.min(now));
        if exp.0.saturating_sub(begin) > self.revocation_ttl.saturating_add(self.leeway) {
            return Err(TokenError::invalid("has an exp that is too late for tokens.revocation_ttl: shorten it, or set tokens.unbounded"));
        }
        Ok(())
    }

    fn claims_at(&self, now: u64) -> TokenJson {
        TokenJson {
            iat: Some(NumericDate(Duration::from_secs(now))),
            aud: self.own.own_audience(),
            iss: self.own.name.as_deref().map(Into::into),
            ..TokenJson::default()
        }
    }

    fn sign(&self, json: &TokenJson) -> Result<String, NoSigningKey> {
        let key = self.signing.as_ref().ok_or(NoSigningKey)?;
        encode(&Header::new(Algorithm::HS256), json, key).map_err(|_| NoSigningKey)
    }
}

/// The claims of a token whose signature is good.
pub(super) struct Verified {
    json: TokenJson,
    pub(super) user: UserId,
    revocable: Option<Box<RevocableClaims>>,
    expires_in: Option<Duration>,
}

impl Verified {
    /// Whether it is a connection token.
    pub(super) fn is_for_connection(&self) -> bool {
        self.json.channel.is_none()
    }
}

pub(super) fn check_length(token: &str) -> Result<(), TokenError> {
    match token.len() {
        0 => Err(TokenError::invalid("is missing")),
        1..=TOKEN_BYTES => Ok(()),
        _ => Err(TokenError::invalid(format!("is longer than {TOKEN_BYTES} bytes"))),
    }
}

/// The header of a token. Members that bring keys (`jku`, `jwk`, `x5u`, `x5c`) have no effect (RFC 8725 section 3.10).
pub(super) fn parse_header(token: &str) -> Result<Header, TokenError> {
    let header = decode_header(token).map_err(|error| match error.kind() {
        ErrorKind::Json(_) => TokenError::invalid("has an unknown algorithm"),
        other => TokenError::invalid(reason(other)),
    })?;
    // A critical header that is not understood must be refused (RFC 7515 section 4.1.11), and none is understood here.
    if header.crit.is_some() {
        return Err(TokenError::invalid("has critical headers, which are not supported"));
    }
    Ok(header)
}

pub(super) fn check_signature(issuer: &Issuer, header: &Header, token: &str) -> Result<(), TokenError> {
    let (message, signature) = token.rsplit_once('.').ok_or_else(|| TokenError::invalid(NO_TOKEN))?;
    let keys = issuer.keys()?;
    if keys.is_empty() {
        return Err(TokenError::invalid("cannot be verified, because no key is configured"));
    }
    let mut candidates = keys.candidates(header.kid.as_deref(), header.alg).peekable();
    if candidates.peek().is_none() {
        let is_unknown = header.kid.as_deref().is_some_and(|kid| !keys.knows(kid));
        let other = if is_unknown {
            "names a key (kid) that its issuer does not have"
        } else {
            "is signed with another algorithm than that of the key"
        };
        return Err(TokenError::invalid(other));
    }
    if candidates.any(|key| key.has_signed(message, signature)) { Ok(()) } else { Err(TokenError::invalid("has a wrong signature")) }
}

/// The claims, and their JSON. An error names the claim, but not its content.
pub(super) fn parse_claims<C: DeserializeOwned>(token: &str) -> Result<(C, Box<RawValue>), TokenError> {
    let raw: Box<RawValue> = insecure_decode_claims(token).map_err(|error| TokenError::invalid(reason(error.kind())))?;
    if !raw.get().starts_with('{') {
        return Err(TokenError::invalid(NO_OBJECT));
    }
    let claims = json::read(raw.get()).map_err(|error| match error.path() {
        Some(claim) => TokenError::invalid(format!("has a claim of the wrong type: {claim}")),
        None => TokenError::invalid("has a claim twice"),
    })?;
    Ok((claims, raw))
}

fn info(raw: Option<&RawValue>) -> Result<Option<Data>, TokenError> {
    raw.map(Data::parse).transpose().map_err(|error| TokenError::invalid(format!("has an info that {error}")))
}

/// What the token allows in channels. It has to allow those to which it subscribes.
fn capabilities(raw: Option<&RawValue>, channels: &[ChannelName]) -> Result<Option<Box<Capabilities>>, TokenError> {
    let Some(raw) = raw else { return Ok(None) };
    let all = Capabilities::parse(raw).map_err(|error| TokenError::invalid(format!("has capabilities that {error}")))?;
    if channels.iter().all(|channel| all.allow(channel, Capability::Subscribe)) {
        Ok(Some(Box::new(all)))
    } else {
        Err(TokenError::invalid("has a channel to which its capabilities do not allow to subscribe"))
    }
}

fn meta(raw: Option<&RawValue>) -> Result<Option<Meta>, TokenError> {
    let Some(raw) = raw else { return Ok(None) };
    let data = Data::parse(raw).map_err(|error| TokenError::invalid(format!("has a meta that {error}")))?;
    Meta::check(data).map_err(|error| TokenError::invalid(format!("has a meta that {error}")))
}

const NO_OBJECT: &str = "has claims that are no JSON object";
const NO_TOKEN: &str = "is no JSON Web Token";

/// The reason for the client, without any content of the token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
            "is signed with another algorithm than that of the key"
        }
        ErrorKind::Json(_) => NO_OBJECT,
        _ => NO_TOKEN,
    }
}

impl TryFrom<&Settings> for Tokens {
    type Error = Problems;

    /// Reads the files that the settings name.
    fn try_from(settings: &Settings) -> Result<Self, Problems> {
        let mut tokens = Self::from(&settings.tokens);
        let mut problems = Problems::default();
        for (at, issuer) in settings.token_issuers.iter().enumerate() {
            match Issuer::new(&format!("tokens.issuers[{at}]"), issuer, KeyTimes::from(&settings.tokens)) {
                Ok(issuer) => tokens.issuers.push(issuer),
                Err(found) => problems.append(found),
            }
        }
        problems.into_result(tokens)
    }
}

/// Only the tokens of `tokens.hmac_secret`.
impl From<&settings::Tokens> for Tokens {
    fn from(tokens: &settings::Tokens) -> Self {
        signatures::install();
        let secret = tokens.hmac_secret.expose_secret().as_bytes();
        Self {
            issuers: Vec::new(),
            own: Issuer::of_secret(tokens),
            signing: (!secret.is_empty()).then(|| EncodingKey::from_secret(secret)),
            anonymous: tokens.anonymous,
            leeway: tokens.leeway,
            revocation_ttl: tokens.revocation_ttl,
            unbounded: tokens.unbounded,
            logout_checks: CheckLimit::new(tokens.logouts_per_second),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers: Vec<_> = self.issuers.iter().map(|issuer| &issuer.name).collect();
        f.debug_struct("Tokens").field("issuers", &issuers).field("anonymous", &self.anonymous).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
