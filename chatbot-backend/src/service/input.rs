//! The data of calls, and its checks.

use super::failures::bad_request;
use crate::conversation::Conversation;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared_proto::client::link::CallFailure;
use shared_proto::json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Say {
    pub(super) channel: String,
    pub(super) text: String,
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typing {
    pub(super) channel: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    pub(super) channel: String,
    pub(super) stream: Option<String>,
}

pub(super) fn parse<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, CallFailure> {
    json::read(data.get()).map_err(|error| bad_request(error.to_string()))
}

pub(super) fn conversation(name: &str) -> Result<Conversation, CallFailure> {
    Conversation::parse(name).ok_or_else(|| bad_request("`channel` must be a conversation, such as `chat:lobby`"))
}

/// 24 hexadecimal digits: 96 random bits.
pub(super) fn random_id() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

/// The id of a message: the caller's, or a random one. A call that is repeated with the same id is the same message.
///
/// The ids of callers are longer than those of streams, so no user can take the id of an answer.
pub(super) fn message_id(chosen: Option<String>) -> Result<String, CallFailure> {
    let Some(id) = chosen else { return Ok(random_id()) };
    let is_valid = (32..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_valid { Ok(id) } else { Err(bad_request("`id` must have 32 to 64 letters, digits and hyphens")) }
}

/// The id of a stream, as an announcement contains it.
pub(super) fn stream_id(id: String) -> Result<String, CallFailure> {
    let is_valid = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_valid { Ok(id) } else { Err(bad_request("`stream` must be the `id` of a `stream` entry: 24 hexadecimal digits")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn the_data_of_calls_follows_the_json_rules() {
        check_members::<Say>(r#"{"channel":"chat:a","text":"hi","id":"i"}"#, &[]);
        check_members::<Typing>(r#"{"channel":"chat:a"}"#, &[]);
        check_members::<Stop>(r#"{"channel":"chat:a","stream":"i"}"#, &[]);
    }

    #[test]
    fn the_ids_that_the_bot_makes_are_ids_of_streams_and_not_of_messages() {
        let id = random_id();
        assert_eq!(stream_id(id.clone()), Ok(id.clone()));
        assert!(message_id(Some(id.clone())).is_err());
        for bad in ["", "x", &id[1..], &id.to_uppercase(), &format!("{id}0"), &format!("../{}", &id[3..])] {
            let is_lower_case = bad == id;
            assert!(is_lower_case || stream_id(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
