//! What tokens say.

use gateway_core::model::{ChannelName, Data, ErrorCode, Refusal, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;

/// What a connection token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionClaims {
    /// `sub`; empty for anonymous.
    pub user: UserId,
    /// `iat`: seconds since 1970; none: it does not say.
    pub issued: Option<u64>,
    /// `exp`: seconds since 1970; none: valid for good.
    pub expires: Option<u64>,
    /// `info`: shown to others.
    pub info: Option<Data>,
    /// `channels`: subscribed by the gateway itself.
    pub channels: Vec<ChannelName>,
}

impl ConnectionClaims {
    /// A token for a user and nothing else.
    pub fn of(user: UserId) -> Self {
        Self { user, issued: None, expires: None, info: None, channels: Vec::new() }
    }

    /// Time that is left at `now` (seconds since 1970).
    pub fn expires_in(&self, now: u64) -> Option<Duration> {
        self.expires.map(|expires| Duration::from_secs(expires.saturating_sub(now)))
    }
}

/// What a subscription token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionClaims {
    /// `sub`: who may subscribe.
    pub user: UserId,
    /// `channel`: where to.
    pub channel: ChannelName,
    /// `iat`: seconds since 1970; none: it does not say.
    pub issued: Option<u64>,
    /// `exp`: seconds since 1970; none: valid for good.
    pub expires: Option<u64>,
    /// `info`: shown to others in the channel.
    pub info: Option<Data>,
}

impl SubscriptionClaims {
    /// Time that is left at `now` (seconds since 1970).
    pub fn expires_in(&self, now: u64) -> Option<Duration> {
        self.expires.map(|expires| Duration::from_secs(expires.saturating_sub(now)))
    }
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It is not good.
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

/// The claims of either token as they are written (RFC 7519 section 4.1, and ours).
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    #[serde(default, deserialize_with = "numeric_date", skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<u64>,
    #[serde(default, deserialize_with = "numeric_date", skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<u64>,
    #[serde(default, deserialize_with = "numeric_date", skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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

/// A NumericDate may have a fraction; whole seconds are enough.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(date) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    // Below 2^53, where every whole number has its own f64.
    if (0.0..9e15).contains(&date) { Ok(Some(seconds(date))) } else { Err(serde::de::Error::custom("a date lies out of range")) }
}

#[allow(clippy::cast_sign_loss)] // the caller checked it
fn seconds(date: f64) -> u64 {
    date as u64
}
