//! Claims of tokens.

use gateway_core::{
    channel::Capabilities,
    model::{ChannelName, Data, ErrorCode, Meta, Refusal, RevocableClaims, UserId},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use serde_json::value::RawValue;
use shared_proto::json::{or_default, present};
use std::{borrow::Cow, fmt, time::Duration};

/// A valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken<C> {
    /// Its claims.
    pub claims: C,
    /// How long it is valid from now on, including `tokens.leeway`; none: without limit.
    pub expires_in: Option<Duration>,
}

/// Claims of a connection token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionClaims {
    /// `sub`; empty for anonymous.
    pub user: UserId,
    /// `iat`: seconds since 1970, if given.
    pub issued: Option<u64>,
    /// `exp`: time since 1970; none: without limit.
    pub expires: Option<Duration>,
    /// `sid`, `jti` and what else it can be revoked by; none: nothing.
    pub revocable: Option<Box<RevocableClaims>>,
    /// `info`: visible to other frontends.
    pub info: Option<Data>,
    /// `meta`: for services, which frontends never see.
    pub meta: Option<Meta>,
    /// `channels`: server-side subscriptions.
    pub channels: Vec<ChannelName>,
    /// `capabilities`: all that is allowed in channels; none: the token does not say.
    pub capabilities: Option<Box<Capabilities>>,
}

impl ConnectionClaims {
    /// Claims with a user only.
    pub fn of(user: UserId) -> Self {
        Self { user, issued: None, expires: None, revocable: None, info: None, meta: None, channels: Vec::new(), capabilities: None }
    }
}

/// Claims of a subscription token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionClaims {
    /// `sub`: the user who may subscribe.
    pub user: UserId,
    /// `channel`: the channel.
    pub channel: ChannelName,
    /// `iat`: seconds since 1970, if given.
    pub issued: Option<u64>,
    /// `exp`: time since 1970; none: without limit.
    pub expires: Option<Duration>,
    /// `sid`, `jti` and what else it can be revoked by; none: nothing.
    pub revocable: Option<Box<RevocableClaims>>,
    /// `info`: visible to other subscribers of the channel.
    pub info: Option<Data>,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid before.
    #[error("the token has expired")]
    Expired,
    /// It is not valid.
    #[error("the token {0}")]
    Invalid(Box<str>),
    /// Whether it is valid is not known, because the key that it names has not been fetched. A later try may succeed.
    #[error("the keys of the token's issuer cannot be fetched now; try again")]
    KeysAway,
}

impl TokenError {
    pub(super) fn invalid(reason: impl Into<Box<str>>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => ErrorCode::TokenExpired.into(),
            TokenError::Invalid(_) => Self::new(ErrorCode::Unauthorized, error.to_string()),
            TokenError::KeysAway => Self::new(ErrorCode::Internal, error.to_string()),
        }
    }
}

/// The claims of both kinds of tokens, as JSON (RFC 7519 section 4.1, and the gateway's own).
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TokenJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<String>,
    /// The session at the issuer (OpenID Connect Front-Channel Logout 1.0 section 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sid: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jti: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(super) channels: Vec<String>,
    /// `null` is a value, and an invalid one: a token must not allow more because a member is empty.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) capabilities: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    /// What ended, in a logout token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Box<RawValue>>,
    /// The key that the sender has to prove (RFC 7800).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cnf: Option<Box<RawValue>>,
}

/// The id of a session or of a token. It should be a text; some issuers write numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Id {
    Text(String),
    Number(serde_json::Number),
}

impl Id {
    /// Its text; none if it is empty.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let text = match self {
            Self::Text(text) => Cow::Borrowed(text.as_str()),
            Self::Number(number) => Cow::Owned(number.to_string()),
        };
        (!text.is_empty()).then_some(text)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// A date of a token (RFC 7519 section 2): seconds since 1970, perhaps with a fraction. A date before 1970 counts as 1970, and one beyond the range of
/// `Duration` as its maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumericDate(pub(super) Duration);

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.subsec_nanos() {
            0 => serializer.serialize_u64(self.0.as_secs()),
            _ => serializer.serialize_f64(self.0.as_secs_f64()),
        }
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(AnyNumber)
    }
}

struct AnyNumber;

impl Visitor<'_> for AnyNumber {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<NumericDate, E> {
        Ok(NumericDate(Duration::from_secs(seconds)))
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<NumericDate, E> {
        Ok(NumericDate(Duration::from_secs(seconds.try_into().unwrap_or(0))))
    }

    fn visit_f64<E>(self, seconds: f64) -> Result<NumericDate, E> {
        let beyond = if seconds < 0.0 { Duration::ZERO } else { Duration::MAX };
        Ok(NumericDate(Duration::try_from_secs_f64(seconds).unwrap_or(beyond)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn claims_keep_the_rule_for_members() {
        let all = r#"{"sub":"a","exp":1,"nbf":1,"iat":1,"aud":"c","iss":"i","sid":"s","jti":"j","info":{"a":1},"meta":{"a":1},"channels":["a"],"capabilities":{"a":[]},"channel":"a","events":{"a":1},"cnf":{"a":1}}"#;
        check_members::<TokenJson>(all, &["info", "meta", "capabilities", "events", "cnf"]);
    }
}
