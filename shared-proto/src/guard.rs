//! Questions to services that decide what frontends may do, and their answers. `docs/guards.md` describes them.
//!
//! A question is a call whose method begins with [`PREFIX`]; it is the call's `data`. The answer is the reply. Frontends cannot call such a method.

use crate::json::{optional_object, or_default, present};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The begin of the methods that only the gateway calls.
pub const PREFIX: &str = "guard.";
/// The method of a [`ConnectQuestion`].
pub const CONNECT: &str = "guard.connect";
/// The method of a [`SubscribeQuestion`].
pub const SUBSCRIBE: &str = "guard.subscribe";
/// The method of a [`PublishQuestion`].
pub const PUBLISH: &str = "guard.publish";

/// Who is this connection, and may it connect?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectQuestion {
    /// The token that the frontend sent; empty if it sent none.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: Secret,
    /// The claims of the token, if the gateway has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub claims: Option<Box<RawValue>>,
    /// What the application says about itself, in the connect command; `null` if nothing.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
}

/// The answer to a [`ConnectQuestion`]. Without `error` and `disconnect` the connection is allowed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConnectAnswer {
    /// The user. If the gateway has verified the token: the user of the token, or left out. Otherwise, left out or empty: anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Any JSON that other frontends see, in place of the `info` of the token.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub info: Option<Box<RawValue>>,
    /// JSON of at most 1 KiB that the gateway keeps with the connection and sends with its calls and events. Frontends never see it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub meta: Option<Box<RawValue>>,
    /// Any JSON for the application: `data` of the connect reply.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// Channels to which the gateway subscribes the connection, besides those of the token.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Seconds for which the answer is valid, at least 1. The gateway asks again before they are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Seconds for which the gateway remembers the answer for this token, at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<u64>,
    /// Refuses the connection.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// Closes the connection.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
}

/// May this connection subscribe?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscribeQuestion {
    /// The channel.
    pub channel: String,
    /// What the application says in the subscribe command; `null` if nothing.
    #[cfg_attr(feature = "openapi", schema(value_type = Value))]
    pub data: Box<RawValue>,
}

/// The answer to a [`SubscribeQuestion`]. Without `error` and `disconnect` the subscription is allowed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubscribeAnswer {
    /// Any JSON that other subscribers of the channel see.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub info: Option<Box<RawValue>>,
    /// Any JSON for the application: `data` of the subscribe reply.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// Whether the subscriber gets joins and leaves, whatever it asked for. The namespace must have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_leave: Option<bool>,
    /// Seconds for which the answer is valid, at least 1. The gateway asks again before they are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Seconds for which the gateway remembers the answer for this user and channel, at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<u64>,
    /// Refuses the subscription.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// Closes the connection.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
}

/// May this connection publish this? It has exactly one of `data`, `text` and `data_base64`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishQuestion {
    /// The channel.
    pub channel: String,
    /// The publication, if it is JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// The publication, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The publication, if it is bytes: base64 with padding (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

/// The answer to a [`PublishQuestion`]. Without `error` and `disconnect` the publish is allowed. It has at most one of `data`, `text` and
/// `data_base64`; this replaces the publication.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishAnswer {
    /// Any JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub data: Option<Box<RawValue>>,
    /// A text, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes as base64 with padding, where the namespace allows any data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
    /// Refuses the publish.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// Closes the connection.
    #[serde(default, deserialize_with = "optional_object", skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
}

/// The error that the frontend gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GuardError))]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// A code of the service, from 400 to 999.
    pub code: u32,
    /// A text for the developer of the frontend. The gateway passes on at most 1 KiB.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
    /// Whether the same command may succeed later. SDKs then try again by themselves.
    #[serde(default, deserialize_with = "or_default")]
    pub retryable: bool,
}

/// How the gateway closes the connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = GuardDisconnect))]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// Close code, from 4000 to 4999. SDKs connect again after 4000 to 4499.
    pub code: u16,
    /// Close reason, at most 123 bytes.
    #[serde(default, deserialize_with = "or_default")]
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::testing::check_members;

    #[test]
    fn answers_follow_the_rule_for_optional_members() {
        let ends = r#""error":{"code":400,"message":"m","retryable":true},"disconnect":{"code":4000,"reason":"r"}"#;
        let connect = r#"{"user":"u","info":{},"meta":{},"data":{},"channels":["a"],"expires_in":1,"cache":1,"#;
        check_members::<ConnectAnswer>(&format!("{connect}{ends}}}"), &["info", "meta", "data"]);
        let subscribe = r#"{"info":{},"data":{},"join_leave":true,"expires_in":1,"cache":1,"#;
        check_members::<SubscribeAnswer>(&format!("{subscribe}{ends}}}"), &["info", "data"]);
        check_members::<PublishAnswer>(&format!(r#"{{"data":{{}},"text":"t","data_base64":"",{ends}}}"#), &["data"]);
    }
}
