//! What publications carry: each a number, in a JSON document, a text, or bytes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use shared_proto::{
    json::base64,
    rest::{PublicationBody, PublishRequest},
};

/// What texts begin with, so that they are not JSON.
const BEGIN: &str = "text ";
/// What bytes begin with, so that they are not text.
const NOT_UTF8: u8 = 0xff;
/// The tag of publications that clients with a filter do not want.
pub(crate) const SKIPPED: &str = "skipped";

/// A JSON document.
#[derive(Serialize, Deserialize)]
struct Document {
    number: u32,
    padding: String,
}

/// The document with this number.
pub(crate) fn document(number: u32) -> Box<RawValue> {
    serde_json::value::to_raw_value(&Document { number, padding: padding() }).expect("it is JSON")
}

/// The body of a publish over REST.
pub(crate) fn request(number: u32, is_skipped: bool) -> PublishRequest {
    let tags = is_skipped.then(|| (SKIPPED.to_owned(), String::new())).into_iter().collect();
    let text = format!("{BEGIN}{number} {}", padding());
    let empty = PublishRequest { tags, ..PublishRequest::default() };
    match number % 8 {
        3 => PublishRequest { text: Some(text), ..empty },
        6 => PublishRequest { data_base64: Some(base64::encode(&[&[NOT_UTF8], text.as_bytes()].concat())), ..empty },
        _ => PublishRequest { data: Some(document(number)), ..empty },
    }
}

/// The number of a publication with this data, as JSON clients get it.
pub(crate) fn number(data: &Value) -> Option<u32> {
    let of_text = |text: &str| text.strip_prefix(BEGIN)?.split(' ').next()?.parse().ok();
    match data {
        Value::String(text) if text.starts_with(BEGIN) => of_text(text),
        Value::String(text) => of_text(std::str::from_utf8(base64::decode(text)?.strip_prefix(&[NOT_UTF8])?).ok()?),
        document => Some(Document::deserialize(document).ok()?.number),
    }
}

/// The number of a publication with this body, as STOMP clients get it.
pub(crate) fn of_body(body: &[u8]) -> Option<u32> {
    match std::str::from_utf8(body) {
        Ok(text) if text.starts_with(BEGIN) => number(&Value::from(text)),
        Ok(document) => number(&serde_json::from_str(document).ok()?),
        Err(_) => number(&Value::from(base64::encode(body))),
    }
}

/// The number of a publication with this data, as EventSources get it.
pub(crate) fn of_event(data: &str) -> Option<u32> {
    of_body(data.as_bytes()).or_else(|| number(&Value::from(data)))
}

/// The number of a publication of the history.
pub(crate) fn of_history(publication: &PublicationBody) -> Option<u32> {
    let PublicationBody { data, text, data_base64, .. } = publication;
    match data {
        Some(document) => number(&serde_json::from_str(document.get()).ok()?),
        None => number(&Value::from(text.clone().or_else(|| data_base64.clone())?)),
    }
}

fn padding() -> String {
    "-".repeat(rand::random_range(0..300))
}
