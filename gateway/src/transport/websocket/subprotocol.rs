//! What a client chooses with its upgrade: a subprotocol of the WebSocket (RFC 6455, section 1.9), and parameters of the query.

use actix_http::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use gateway_core::{protocol::centrifuge::Codec, session::PingForm};

/// The subprotocols that a client offers, in the order of the request.
#[derive(Clone, Copy, Debug)]
pub struct Subprotocols<'a> {
    headers: &'a HeaderMap,
}

impl<'a> Subprotocols<'a> {
    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        Self { headers }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let lists = self.headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
        lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty())
    }

    /// The first supported subprotocol that the client offers.
    pub fn choose(&self, supported: &[&'static str]) -> Option<&'static str> {
        supported.iter().copied().find(|name| self.iter().any(|offered| offered == *name))
    }
}

const JSON: &str = "centrifuge-json";
const PROTOBUF: &str = "centrifuge-protobuf";

/// Chooses the encoding of the Centrifuge protocol for a request, and the subprotocol of the response. JSON is preferred, and is the default
/// if the client offers no subprotocol. Older SDKs request Protobuf in the query (`format=protobuf`, `cf_protocol=protobuf`).
pub fn centrifuge(offered: Subprotocols<'_>, query: Option<&str>) -> (Codec, Option<&'static str>) {
    let chosen = offered.choose(&[JSON, PROTOBUF]);
    let codec = match chosen {
        Some(PROTOBUF) => Codec::Protobuf,
        None if is_protobuf_query(query.unwrap_or_default()) => Codec::Protobuf,
        _ => Codec::Json,
    };
    (codec, chosen)
}

/// How the gateway pings the client. Clients request control frames in the query (`cf_ws_frame_ping_pong=true`).
pub fn ping_form(query: Option<&str>) -> PingForm {
    let wants_frames = query.unwrap_or_default().split('&').any(|pair| pair == "cf_ws_frame_ping_pong=true");
    if wants_frames { PingForm::ControlFrame } else { PingForm::Message }
}

fn is_protobuf_query(query: &str) -> bool {
    query.split('&').any(|pair| matches!(pair, "format=protobuf" | "cf_protocol=protobuf"))
}
