//! Reads answers of Redis.

use crate::broker::BrokerError;
use redis::Value;

/// The error for an answer that no script and no data of the gateway can cause.
pub(crate) fn unexpected_answer() -> BrokerError {
    BrokerError::Unavailable("Redis contains data that no gateway wrote: does another program use redis.prefix?".into())
}

/// The value as text. None for nil, arrays and bytes that are not UTF-8.
pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
