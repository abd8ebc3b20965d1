//! What all frames of a server have in common: header lines, bodies, and the messages that carry frames.

use super::{
    Version,
    escape::{Part, all, escape},
};
use crate::{
    model::{CONTENT_TYPE, Content, ENCODING},
    protocol::websocket::{Opcode, encode},
};
use shared_proto::json::base64;
use std::{borrow::Cow, io::Write as _};

/// Reason why writing cannot fail.
const INFALLIBLE: &str = "writing to a vector cannot fail";

/// How a STOMP frame becomes a WebSocket message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A frame is a message: text, or binary if its body is no text.
    WebSocket,
    /// A frame is a JSON string in a SockJS message, `a["…"]`, which is always text.
    SockJs,
}

/// Appends a header line.
pub(super) fn header(version: Version, name: &str, value: &str, out: &mut Vec<u8>) {
    for (text, part, end) in [(name, Part::Name, b':'), (value, Part::Value, b'\n')] {
        out.extend_from_slice(escape(version, part, text).as_bytes());
        out.push(end);
    }
}

/// What ends a MESSAGE: more headers, the type and length of the body, the body, and NUL.
pub(super) struct Tail<'a, H> {
    /// The headers. A `content-type` among them is left out, in favour of [`Self::content_type`].
    pub(super) headers: H,
    /// The type of the body, if the publisher or the gateway named one.
    pub(super) content_type: Option<&'a str>,
    /// The body. `None`: it is empty and has no default type.
    pub(super) content: Option<&'a Content>,
}

impl<'a, H: Iterator<Item = (&'a str, &'a str)>> Tail<'a, H> {
    /// Appends it. Returns the kind of WebSocket message that the frame needs.
    pub(super) fn append(self, version: Version, framing: Framing, out: &mut Vec<u8>) -> Opcode {
        for (name, value) in self.headers.filter(|(name, _)| *name != CONTENT_TYPE) {
            header(version, name, value, out);
        }
        let default_type = |content: &Content| content.default_type().unwrap_or("application/json");
        let content_type = self.content_type.or_else(|| self.content.map(default_type));
        let bytes = self.content.map_or(&b""[..], Content::as_bytes);
        let is_text = match self.content {
            Some(Content::Bytes(bytes)) => str::from_utf8(bytes).is_ok(),
            _ => true,
        };
        let body = if is_text || framing == Framing::WebSocket {
            Cow::Borrowed(bytes)
        } else {
            header(version, ENCODING, "base64", out);
            Cow::Owned(base64::encode(bytes).into_bytes())
        };
        if let Some(content_type) = content_type {
            header(version, CONTENT_TYPE, content_type, out);
        }
        write!(out, "content-length:{}\n\n", body.len()).expect(INFALLIBLE);
        out.extend_from_slice(&body);
        out.push(0);
        let is_binary = !is_text || content_type.is_some_and(is_octet_stream);
        if is_binary && framing == Framing::WebSocket { Opcode::Binary } else { Opcode::Text }
    }
}

/// Whether a content type says that the body is no text.
fn is_octet_stream(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case("application/octet-stream")
}

/// Appends a frame as a WebSocket message. Over SockJS it has to be UTF-8.
pub(super) fn append_message(framing: Framing, opcode: Opcode, frame: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::WebSocket => {
            out.reserve(encode::MAX_HEADER + frame.len());
            encode::header(opcode, frame.len(), out);
            out.extend_from_slice(frame);
        }
        Framing::SockJs => encode::text(&format!("a[{}]", quoted(&String::from_utf8_lossy(frame))), out),
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// A text as it stands inside a JSON string.
pub(super) fn inside_quotes(text: Cow<'_, str>) -> Cow<'_, str> {
    if all(&text, |byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        return text;
    }
    let quoted = quoted(&text);
    Cow::Owned(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned())
}
