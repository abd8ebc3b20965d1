//! How answers of Redis are read.

use crate::broker::BrokerError;
use redis::Value;

/// Redis answered what no script of ours answers.
pub(crate) fn unexpected_answer() -> BrokerError {
    BrokerError::Unavailable("Redis holds something that no gateway wrote: does another program use redis.prefix?".into())
}

pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
