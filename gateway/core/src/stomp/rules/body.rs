//! What the body and the headers of a SEND become.

use crate::{
    model::{CONTENT_TYPE, Content, Data, InvalidData, Refusal, Tags},
    protocol::stomp::{Headers, is_reserved},
    stomp::refusal::bad_request,
};
use serde_json::value::RawValue;

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
/// The headers of a SEND that are for the gateway (STOMP 1.2, "SEND").
const OF_SEND: [&str; 5] = ["destination", "receipt", "transaction", CONTENT_TYPE, "content-length"];
/// The headers that a MESSAGE has of its own. A client may send them back.
const OF_MESSAGE: [&str; 5] = ["subscription", "ack", "message-id", "x-position", "x-gap"];
/// Headers that pages add to every frame for their server, in any case. What is published goes to everybody, so they are left out.
const CREDENTIALS: [&str; 7] = ["authorization", "proxy-authorization", "cookie", "login", "passcode", "x-csrf-token", "x-xsrf-token"];
/// With this header a reply names its request.
pub(crate) const CORRELATION_ID: &str = "correlation-id";

/// What a SEND publishes.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) content: Content,
    pub(crate) tags: Tags,
}

impl Body {
    /// The content and the tags of a SEND. The publisher checks number and size of the tags.
    pub(crate) fn of(headers: &Headers, body: Vec<u8>) -> Result<Self, Refusal> {
        let content_type = content_type(headers);
        let content = content(content_type, body)?;
        let is_credential = |name: &str| CREDENTIALS.iter().any(|known| name.trim_ascii().eq_ignore_ascii_case(known));
        let is_user_header = |name: &str| !OF_SEND.contains(&name) && !OF_MESSAGE.contains(&name) && !is_credential(name);
        let user_headers = headers.iter().filter(|(name, _)| is_user_header(name));
        let mut tags: Tags = user_headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(name) = tags.keys().find(|name| is_reserved(name)) {
            return Err(bad_request(format!("The header {name} is reserved for the gateway. Choose another name.")));
        }
        if let Some(given) = content_type.filter(|_| content.as_json().is_none()) {
            tags.insert(CONTENT_TYPE.to_owned(), given.to_owned());
        }
        Ok(Self { content, tags })
    }
}

/// The argument of a call or the data of an event: JSON as it is, text as a JSON string, nothing as `null`.
pub(crate) fn argument(headers: &Headers, body: Vec<u8>) -> Result<Data, Refusal> {
    if body.is_empty() {
        return Ok(Data::null());
    }
    match content(content_type(headers), body)? {
        Content::Json(data) => Ok(data),
        Content::Text(text) => Ok(string(&text)),
        Content::Bytes(_) => {
            Err(bad_request("The body is bytes, and services take JSON or text in UTF-8. Encode the bytes, for example in base64."))
        }
    }
}

/// The data of an event for a service, as [`Request::Send`](crate::protocol::Request::Send) has it.
pub(crate) fn event(service: &str, data: &Data) -> Result<Data, Refusal> {
    let text = format!(r#"{{"service":{},"data":{}}}"#, string(service).get(), data.get());
    parse(&text).map_err(|error| bad_request(error.detail()))
}

/// Finds the kind of a body: by its content type, else JSON if it is an object or an array, else text if it is UTF-8, else bytes.
fn content(content_type: Option<&str>, body: Vec<u8>) -> Result<Content, Refusal> {
    let is_json = match content_type.map(media_type) {
        Some(kind) if kind.eq_ignore_ascii_case(BYTES) => return Ok(Content::Bytes(body.into())),
        Some(kind) => kind.eq_ignore_ascii_case(JSON),
        None => false,
    };
    let may_be_json = content_type.is_none() && matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    if is_json || may_be_json {
        match std::str::from_utf8(&body).map_err(|_| BadJson::NotUtf8).and_then(parse) {
            Ok(data) => return Ok(Content::Json(data)),
            Err(error) if is_json || matches!(error, BadJson::TooDeep(_)) => return Err(bad_request(error.detail())),
            Err(_) => {}
        }
    }
    Ok(match String::from_utf8(body) {
        Ok(text) => Content::Text(text.into()),
        Err(error) => Content::Bytes(error.into_bytes().into()),
    })
}

/// The header `content-type`. An empty one says nothing.
fn content_type(headers: &Headers) -> Option<&str> {
    headers.get(CONTENT_TYPE).filter(|it| !it.is_empty())
}

/// The type without parameters such as `charset`.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim_ascii()
}

/// Why a body is not JSON that the gateway takes.
enum BadJson {
    NotUtf8,
    Syntax(serde_json::Error),
    TooDeep(InvalidData),
}

impl BadJson {
    fn detail(&self) -> String {
        match self {
            Self::NotUtf8 => format!("The content-type is {JSON}, but the body is not UTF-8. Send valid JSON, or another content-type."),
            Self::Syntax(error) => {
                let (line, column) = (error.line(), error.column());
                let what = format!("The content-type is {JSON}, but the body is not JSON at line {line}, column {column}.");
                format!("{what} Send valid JSON, or another content-type.")
            }
            Self::TooDeep(error) => format!("The JSON in the body {error}. Nest it less deep."),
        }
    }
}

fn parse(text: &str) -> Result<Data, BadJson> {
    let raw: &RawValue = serde_json::from_str(text).map_err(BadJson::Syntax)?;
    Data::parse(raw).map_err(BadJson::TooDeep)
}

/// A text as a JSON string.
fn string(text: &str) -> Data {
    // A string is valid JSON without depth.
    serde_json::value::to_raw_value(text).ok().and_then(|raw| Data::parse(&raw).ok()).unwrap_or_else(Data::null)
}
