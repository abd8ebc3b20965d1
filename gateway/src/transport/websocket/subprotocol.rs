//! What is spoken over the WebSocket (RFC 6455, section 1.9).

use actix_http::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use gateway_core::model::{ErrorCode, Refusal};

/// The subprotocols that a client offers, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Subprotocols<'a> {
    headers: &'a HeaderMap,
}

impl<'a> Subprotocols<'a> {
    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        Self { headers }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lists = self.headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
        lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty())
    }

    /// The first of ours that the client offers.
    pub fn choose(&self, ours: &[&'static str]) -> Option<&'static str> {
        ours.iter().copied().find(|name| self.iter().any(|offered| offered == *name))
    }
}

/// The form of the Centrifuge protocol to speak: JSON, which is echoed where the client names it and is taken for granted where it
/// names none. A client that offers only the protobuf form is refused.
pub fn centrifuge(offered: Subprotocols<'_>) -> Result<Option<&'static str>, Refusal> {
    match offered.choose(&["centrifuge-json"]) {
        None if offered.iter().any(|name| name == "centrifuge-protobuf") => Err(Refusal::new(
            ErrorCode::BadRequest,
            "The subprotocol `centrifuge-protobuf` is not spoken here. Use the JSON form: `centrifuge-json`, or no subprotocol at all.",
        )),
        chosen => Ok(chosen),
    }
}
