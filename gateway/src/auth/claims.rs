//! Claims of tokens.

use gateway_core::model::{ChannelName, Data, ErrorCode, Refusal, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use serde_json::value::RawValue;
use shared_proto::json::or_default;
use std::{fmt, time::Duration};

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
    /// `info`: visible to other frontends.
    pub info: Option<Data>,
    /// `channels`: server-side subscriptions.
    pub channels: Vec<ChannelName>,
}

impl ConnectionClaims {
    /// Claims with a user only.
    pub fn of(user: UserId) -> Self {
        Self { user, issued: None, expires: None, info: None, channels: Vec::new() }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub(super) channels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
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
        let all = r#"{"sub":"a","exp":1,"nbf":1,"iat":1,"aud":"c","iss":"i","info":{"a":1},"channels":["a"],"channel":"a"}"#;
        check_members::<TokenJson>(all, &["info"]);
    }
}
