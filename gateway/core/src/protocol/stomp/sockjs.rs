//! The messages of SockJS over WebSocket: `o`, `h`, `a["…"]` and `c[code,"reason"]` of a server, an array of texts of a client
//! (<https://sockjs.github.io/sockjs-protocol/sockjs-protocol-0.3.3.html>).

use super::{BadFrame, wire::quoted};
use crate::protocol::websocket::encode;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use std::fmt;

/// Most texts in one message of a client. The SockJS client sends one.
pub const MAX_TEXTS: usize = 128;

/// Appends the message that opens a SockJS session, as a WebSocket message.
pub fn append_open(out: &mut Vec<u8>) {
    encode::text("o", out);
}

/// Appends the heart-beat of SockJS, as a WebSocket message.
pub fn append_heart_beat(out: &mut Vec<u8>) {
    encode::text("h", out);
}

/// Appends the message that closes a SockJS session, as a WebSocket message. The close frame follows it.
pub fn append_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    encode::text(&format!("c[{code},{}]", quoted(reason)), out);
}

/// The texts in a message of a SockJS client: `["frame", …]` or `"frame"`. They are pieces of one stream. An empty message has none.
pub fn unwrap(message: &str) -> Result<Vec<String>, BadFrame> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(texts) = serde_json::from_str(message) else { return Err(BadFrame::BadSockJs) };
    match texts {
        Texts::One(text) => Ok(vec![text]),
        Texts::Many(texts) => Ok(texts),
        Texts::TooMany => Err(BadFrame::ManySockJsTexts(MAX_TEXTS)),
    }
}

enum Texts {
    One(String),
    Many(Vec<String>),
    TooMany,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts::One(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = items.next_element()? {
            if texts.len() == MAX_TEXTS {
                // The rest is read, so that only valid JSON has too many.
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Texts::TooMany);
            }
            texts.push(text);
        }
        Ok(Texts::Many(texts))
    }
}
