//! Verifies and signs JSON Web Tokens (RFC 7519), including their expiry. `connection/operations.rs` turns a [`TokenError`] into the
//! client's error.

use super::claims::{ConnectionClaims, NumericDate, OneOrMany, SubscriptionClaims, TokenError, TokenJson, VerifiedToken};
use super::signatures;
use crate::settings;
use gateway_core::model::{ChannelName, Data, UserId};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind};
use secrecy::ExposeSecret as _;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use shared_proto::json;
use std::{fmt, time::Duration};

/// Verifies tokens, and signs them for the demo and the command line.
pub struct Tokens {
    keys: Vec<VerifyingKey>,
    signing: Option<EncodingKey>,
    anonymous: bool,
    audience: Option<Box<str>>,
    issuer: Option<Box<str>>,
    leeway: Duration,
}

/// A key and the only algorithm it is used with. The algorithm in the token is never trusted (RFC 8725 section 3.1).
struct VerifyingKey {
    key: DecodingKey,
    validation: Validation,
}

impl VerifyingKey {
    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        // Only the signature: dates and names are checked here, against the caller's clock.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { key, validation }
    }
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
    /// Verifies a connection token at `now` (time since 1970). An empty token stands for an anonymous connection, if those are allowed.
    pub fn verify_connection(&self, token: &str, now: Duration) -> Result<VerifiedToken<ConnectionClaims>, TokenError> {
        if token.is_empty() && self.anonymous {
            return Ok(VerifiedToken { claims: ConnectionClaims::of(UserId::anonymous()), expires_in: None });
        }
        let VerifiedToken { claims: json, expires_in } = self.verify(token, now)?;
        if json.channel.is_some() {
            return Err(TokenError::invalid("is for a subscription, not for a connection"));
        }
        let user = self.user(json.sub.as_deref())?;
        let channel = |name: &String| {
            let channel: ChannelName = name.parse().map_err(|error| TokenError::invalid(format!("has a channel that {error}")))?;
            if channel.is_of(&user) { Ok(channel) } else { Err(TokenError::invalid("has the personal channel of another user")) }
        };
        let claims = ConnectionClaims {
            issued: json.iat.map(|iat| iat.0.as_secs()),
            expires: json.exp.map(|exp| exp.0),
            info: info(json.info.as_deref())?,
            channels: json.channels.iter().map(channel).collect::<Result<_, _>>()?,
            user,
        };
        Ok(VerifiedToken { claims, expires_in })
    }

    /// Verifies a subscription token at `now` (time since 1970). The caller compares its user and channel with those of the subscription.
    pub fn verify_subscription(&self, token: &str, now: Duration) -> Result<VerifiedToken<SubscriptionClaims>, TokenError> {
        let VerifiedToken { claims: json, expires_in } = self.verify(token, now)?;
        let channel = json.channel.as_deref().ok_or_else(|| TokenError::invalid("has no channel"))?;
        let claims = SubscriptionClaims {
            user: self.user(json.sub.as_deref())?,
            channel: channel.parse().map_err(|error| TokenError::invalid(format!("has a channel that {error}")))?,
            issued: json.iat.map(|iat| iat.0.as_secs()),
            expires: json.exp.map(|exp| exp.0),
            info: info(json.info.as_deref())?,
        };
        Ok(VerifiedToken { claims, expires_in })
    }

    /// The claims of a token that was verified, as JSON.
    pub fn claims_json(&self, token: &str) -> Option<Box<RawValue>> {
        insecure_decode_claims(token).ok()
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
            channels: claims.channels.iter().map(ToString::to_string).collect(),
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

    fn verify(&self, token: &str, now: Duration) -> Result<VerifiedToken<TokenJson>, TokenError> {
        if token.is_empty() {
            return Err(TokenError::invalid("is missing"));
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(_) => TokenError::invalid("has an unknown algorithm"),
            other => TokenError::invalid(reason(other)),
        })?;
        // A critical header that is not understood must be refused (RFC 7515 section 4.1.11), and none is understood here.
        if header.crit.is_some() {
            return Err(TokenError::invalid("has critical headers, which are not supported"));
        }
        let mut refused = TokenError::invalid("cannot be verified, because no key is configured");
        for VerifyingKey { key, validation } in &self.keys {
            match decode::<Box<RawValue>>(token, key, validation) {
                Ok(decoded) => return self.check(claims(&decoded.claims)?, now),
                Err(error) => refused = TokenError::invalid(reason(error.kind())),
            }
        }
        Err(refused)
    }

    fn check(&self, json: TokenJson, now: Duration) -> Result<VerifiedToken<TokenJson>, TokenError> {
        let expires_in = json.exp.map(|exp| exp.0.saturating_add(self.leeway).saturating_sub(now));
        if expires_in.is_some_and(|left| left.is_zero()) {
            return Err(TokenError::Expired);
        }
        if json.nbf.is_some_and(|nbf| now.saturating_add(self.leeway) < nbf.0) {
            return Err(TokenError::invalid("is not valid yet"));
        }
        if let Some(wanted) = &self.audience
            && !json.aud.as_ref().is_some_and(|aud| aud.contains(wanted))
        {
            return Err(TokenError::invalid("is for another audience"));
        }
        if let Some(wanted) = &self.issuer
            && json.iss.as_deref() != Some(wanted)
        {
            return Err(TokenError::invalid("is from another issuer"));
        }
        Ok(VerifiedToken { claims: json, expires_in })
    }

    fn user(&self, sub: Option<&str>) -> Result<UserId, TokenError> {
        let user: UserId = sub.unwrap_or_default().parse().map_err(|error| TokenError::invalid(format!("has a sub that {error}")))?;
        if user.is_anonymous() && !self.anonymous {
            return Err(TokenError::invalid("has no sub"));
        }
        Ok(user)
    }

    fn claims_at(&self, now: u64) -> TokenJson {
        TokenJson {
            iat: Some(NumericDate(Duration::from_secs(now))),
            aud: self.audience.as_deref().map(|audience| OneOrMany::One(audience.into())),
            iss: self.issuer.as_deref().map(Into::into),
            ..TokenJson::default()
        }
    }

    fn sign(&self, json: &TokenJson) -> Result<String, NoSigningKey> {
        let key = self.signing.as_ref().ok_or(NoSigningKey)?;
        encode(&Header::new(Algorithm::HS256), json, key).map_err(|_| NoSigningKey)
    }
}

/// Parses the claims. An error names the claim, but not its content.
fn claims(raw: &RawValue) -> Result<TokenJson, TokenError> {
    json::read(raw.get()).map_err(|error| match error.path() {
        Some(claim) => TokenError::invalid(format!("has a claim of the wrong type: {claim}")),
        None => TokenError::invalid("has a claim twice"),
    })
}

fn info(raw: Option<&RawValue>) -> Result<Option<Data>, TokenError> {
    raw.map(Data::parse).transpose().map_err(|error| TokenError::invalid(format!("has an info that {error}")))
}

/// The reason for the client, without any content of the token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "has a wrong signature",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
            "is signed with another algorithm than that of the key"
        }
        ErrorKind::Json(_) => "has claims that are no JSON object",
        _ => "is no JSON Web Token",
    }
}

impl From<&settings::Tokens> for Tokens {
    fn from(tokens: &settings::Tokens) -> Self {
        signatures::install();
        let secret = tokens.hmac_secret.expose_secret().as_bytes();
        let set = |text: &String| (!text.is_empty()).then(|| text.as_str().into());
        let hmac = (!secret.is_empty()).then(|| VerifyingKey::new(DecodingKey::from_secret(secret), Algorithm::HS256));
        Self {
            keys: hmac.into_iter().collect(),
            signing: (!secret.is_empty()).then(|| EncodingKey::from_secret(secret)),
            anonymous: tokens.anonymous,
            audience: set(&tokens.audience),
            issuer: set(&tokens.issuer),
            leeway: tokens.leeway,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("keys", &self.keys.len()).field("anonymous", &self.anonymous).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
