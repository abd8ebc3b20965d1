//! The opening handshake of the client (RFC 6455, section 4.2.1) and its response.

use super::{Admission, Denial};
use actix_http::{
    Method, RequestHead,
    header::{self, HeaderName},
    ws::{self, HandshakeError},
};
use gateway_core::model::{ErrorCode, Refusal};
use std::io::Write as _;

/// Refuses CONNECT, because its target is not a path.
pub(super) fn check_target(head: &RequestHead) -> Result<(), Denial> {
    if head.method == Method::CONNECT { Err(method("CONNECT")) } else { Ok(()) }
}

/// Checks the handshake, except for path and origin. The request is HTTP/1.1, because older versions have no upgrade.
pub(super) fn check(head: &RequestHead) -> Result<(), Denial> {
    ws::verify_handshake(head).map_err(|error| denial(error, head))?;
    for name in [header::HOST, header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION] {
        check_single(head, &name)?;
    }
    match head.headers().get(header::CONTENT_LENGTH) {
        Some(length) if length != "0" => Err(malformed("An upgrade request must not have a body.")),
        _ => Ok(()),
    }
}

/// Appends the head of the 101. The request has passed `check`.
pub(super) fn answer<C>(head: &RequestHead, admission: &Admission<C>, out: &mut Vec<u8>) {
    let key = head.headers().get(header::SEC_WEBSOCKET_KEY).map_or(&b""[..], header::HeaderValue::as_bytes);
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    out.extend_from_slice(&ws::hash_key(key));
    if let Some(subprotocol) = admission.subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(subprotocol.as_bytes());
    }
    if let Some(id) = admission.connection_id {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "\r\nX-Connection-Id: {id}");
    }
    out.extend_from_slice(b"\r\n\r\n");
}

fn check_single(head: &RequestHead, name: &HeaderName) -> Result<(), Denial> {
    match head.headers().get_all(name).count() {
        1 => Ok(()),
        count => Err(malformed(format!("The header {name} occurs {count} times; it must occur once."))),
    }
}

fn denial(error: HandshakeError, head: &RequestHead) -> Denial {
    match error {
        HandshakeError::GetMethodRequired => method(head.method.as_str()),
        HandshakeError::NoVersionHeader | HandshakeError::UnsupportedVersion => ErrorCode::UpgradeRequired.into(),
        HandshakeError::NoConnectionUpgrade => malformed("The Connection header must contain `Upgrade`, and not `close`."),
        HandshakeError::NoWebsocketUpgrade => malformed("The Upgrade header must contain `websocket`."),
        HandshakeError::BadWebsocketKey => malformed("Sec-WebSocket-Key must be 16 bytes in base64."),
    }
}

fn method(method: &str) -> Denial {
    Refusal::new(ErrorCode::MethodNotAllowed, format!("A WebSocket upgrade must be a GET request; this one is {method}.")).into()
}

fn malformed(detail: impl Into<String>) -> Denial {
    Refusal::new(ErrorCode::BadRequest, detail).into()
}
