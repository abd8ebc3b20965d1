//! The messages of SockJS over WebSocket: `o`, `h`, `a["…"]` and `c[code,"reason"]` of a server, an array of texts of a client
//! (<https://sockjs.github.io/sockjs-protocol/sockjs-protocol-0.3.3.html>).

use super::BadFrame;
use crate::protocol::websocket::encode;

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
    let reason = serde_json::Value::from(reason);
    encode::text(&format!("c[{code},{reason}]"), out);
}

/// The texts in a message of a SockJS client: `["frame", …]` or `"frame"`. The texts are pieces of one stream. An empty message has none.
pub fn unwrap(text: &str) -> Result<Vec<String>, BadFrame> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.trim_start().starts_with('"') {
        return serde_json::from_str(text).map(|text| vec![text]).map_err(|_| BadFrame::BadSockJs);
    }
    let texts: Vec<String> = serde_json::from_str(text).map_err(|_| BadFrame::BadSockJs)?;
    if texts.len() > MAX_TEXTS {
        return Err(BadFrame::ManySockJsTexts(MAX_TEXTS));
    }
    Ok(texts)
}
