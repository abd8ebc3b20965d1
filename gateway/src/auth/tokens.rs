//! JSON Web Tokens of frontends (RFC 7519), and how to make them.

use super::claims::{Accepted, ConnectionClaims, NumericDate, OneOrMany, SubscriptionClaims, TokenError, Wire};
use crate::settings;
use gateway_core::model::{ChannelName, Data, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind};
use secrecy::ExposeSecret as _;
use serde_json::value::RawValue;
use shared_proto::json::Object;
use std::{fmt, time::Duration};

/// Checks tokens, and signs them for the demo and the command line.
pub struct Tokens {
    keys: Vec<VerifyingKey>,
    signing: Option<EncodingKey>,
    anonymous: bool,
    audience: Option<Box<str>>,
    issuer: Option<Box<str>>,
    leeway: Duration,
}

/// A key and the one algorithm that it is for: what a token says of its algorithm never chooses (RFC 8725 section 3.1).
struct VerifyingKey {
    key: DecodingKey,
    validation: Validation,
}

impl VerifyingKey {
    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        // Signature only: dates and names are ours to check, against the caller's clock.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { key, validation }
    }
}

/// There is no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is empty, so there is no key to sign a token with")]
pub struct NoSigningKey;

impl Tokens {
    /// Checks a connection token at `now` (since 1970). An empty one stands for an anonymous connection, where those may come.
    pub fn verify_connection(&self, token: &str, now: Duration) -> Result<Accepted<ConnectionClaims>, TokenError> {
        if token.is_empty() && self.anonymous {
            return Ok(Accepted { claims: ConnectionClaims::of(UserId::anonymous()), expires_in: None });
        }
        let Accepted { claims: wire, expires_in } = self.verify(token, now)?;
        if wire.channel.is_some() {
            return Err(TokenError::invalid("is for a subscription, not for a connection"));
        }
        let user = self.user(wire.sub.as_deref())?;
        let channel = |name: &String| {
            let channel: ChannelName = name.parse().map_err(|error| TokenError::invalid(format!("names a channel that {error}")))?;
            if channel.is_of(&user) { Ok(channel) } else { Err(TokenError::invalid("names another user's personal channel")) }
        };
        let claims = ConnectionClaims {
            issued: wire.iat.map(|iat| iat.0.as_secs()),
            expires: wire.exp.map(|exp| exp.0),
            info: info(wire.info.as_deref())?,
            channels: wire.channels.iter().map(channel).collect::<Result<_, _>>()?,
            user,
        };
        Ok(Accepted { claims, expires_in })
    }

    /// Checks a subscription token at `now` (since 1970). That its user and channel are those of the subscription is the caller's to check.
    pub fn verify_subscription(&self, token: &str, now: Duration) -> Result<Accepted<SubscriptionClaims>, TokenError> {
        let Accepted { claims: wire, expires_in } = self.verify(token, now)?;
        let channel = wire.channel.as_deref().ok_or_else(|| TokenError::invalid("has no channel"))?;
        let claims = SubscriptionClaims {
            user: self.user(wire.sub.as_deref())?,
            channel: channel.parse().map_err(|error| TokenError::invalid(format!("names a channel that {error}")))?,
            issued: wire.iat.map(|iat| iat.0.as_secs()),
            expires: wire.exp.map(|exp| exp.0),
            info: info(wire.info.as_deref())?,
        };
        Ok(Accepted { claims, expires_in })
    }

    /// Makes a connection token, issued at `now` (seconds since 1970).
    pub fn sign_connection(&self, claims: &ConnectionClaims, now: u64) -> Result<String, NoSigningKey> {
        self.sign(&Wire {
            sub: Some(claims.user.to_string()),
            exp: claims.expires.map(NumericDate),
            info: claims.info.as_ref().map(|info| info.raw().to_owned()),
            channels: claims.channels.iter().map(ToString::to_string).collect(),
            ..self.wire(now)
        })
    }

    /// Makes a subscription token at `now` (seconds since 1970).
    pub fn sign_subscription(&self, claims: &SubscriptionClaims, now: u64) -> Result<String, NoSigningKey> {
        self.sign(&Wire {
            sub: Some(claims.user.to_string()),
            exp: claims.expires.map(NumericDate),
            info: claims.info.as_ref().map(|info| info.raw().to_owned()),
            channel: Some(claims.channel.to_string()),
            ..self.wire(now)
        })
    }

    fn verify(&self, token: &str, now: Duration) -> Result<Accepted<Wire>, TokenError> {
        if token.is_empty() {
            return Err(TokenError::invalid("is missing"));
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::Json(_) => TokenError::invalid("has no algorithm that is known here"),
            other => TokenError::invalid(reason(other)),
        })?;
        // RFC 7515 section 4.1.11: whoever does not understand what is critical has to refuse, and there is nothing we understand.
        if header.crit.is_some() {
            return Err(TokenError::invalid("has critical headers, none of which is known here"));
        }
        let mut refused = TokenError::invalid("cannot be checked, as no key is configured");
        for VerifyingKey { key, validation } in &self.keys {
            match decode::<Object<Wire>>(token, key, validation) {
                Ok(decoded) => return self.check(decoded.claims.0, now),
                Err(error) => refused = TokenError::invalid(reason(error.kind())),
            }
        }
        Err(refused)
    }

    fn check(&self, wire: Wire, now: Duration) -> Result<Accepted<Wire>, TokenError> {
        let expires_in = wire.exp.map(|exp| exp.0.saturating_add(self.leeway).saturating_sub(now));
        if expires_in.is_some_and(|left| left.is_zero()) {
            return Err(TokenError::Expired);
        }
        if wire.nbf.is_some_and(|nbf| now.saturating_add(self.leeway) < nbf.0) {
            return Err(TokenError::invalid("is not valid yet"));
        }
        if let Some(wanted) = &self.audience
            && !wire.aud.as_ref().is_some_and(|aud| aud.contains(wanted))
        {
            return Err(TokenError::invalid("is for another audience"));
        }
        if let Some(wanted) = &self.issuer
            && wire.iss.as_deref() != Some(wanted)
        {
            return Err(TokenError::invalid("is of another issuer"));
        }
        Ok(Accepted { claims: wire, expires_in })
    }

    fn user(&self, sub: Option<&str>) -> Result<UserId, TokenError> {
        let user: UserId = sub.unwrap_or_default().parse().map_err(|error| TokenError::invalid(format!("has a sub that {error}")))?;
        if user.is_anonymous() && !self.anonymous {
            return Err(TokenError::invalid("has no sub"));
        }
        Ok(user)
    }

    fn wire(&self, now: u64) -> Wire {
        Wire {
            iat: Some(NumericDate(Duration::from_secs(now))),
            aud: self.audience.as_deref().map(|audience| OneOrMany::One(audience.into())),
            iss: self.issuer.as_deref().map(Into::into),
            ..Wire::default()
        }
    }

    fn sign(&self, wire: &Wire) -> Result<String, NoSigningKey> {
        let key = self.signing.as_ref().ok_or(NoSigningKey)?;
        encode(&Header::new(Algorithm::HS256), wire, key).map_err(|_| NoSigningKey)
    }
}

fn info(raw: Option<&RawValue>) -> Result<Option<Data>, TokenError> {
    raw.map(Data::parse).transpose().map_err(|error| TokenError::invalid(format!("has an info that {error}")))
}

/// Says what to look at, and nothing of the token's content.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "has a wrong signature",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => {
            "is signed with another algorithm than the key is for"
        }
        ErrorKind::Json(_) => "has a claim of the wrong type",
        _ => "is not a JSON Web Token",
    }
}

impl From<&settings::Tokens> for Tokens {
    fn from(tokens: &settings::Tokens) -> Self {
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
