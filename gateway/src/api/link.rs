//! The transport of service links: actix-ws writes, and the gateway's own decoder reads.

use super::{
    extract::{Key, Named},
    problem::ApiError,
};
use crate::{
    node::Node,
    services::link::{Invalid, Peer, Received, Sent, serve},
};
use actix_web::{
    FromRequest as _, HttpRequest, HttpResponse, dev,
    http::header::{HeaderName, HeaderValue},
    web,
};
use actix_ws::{CloseReason, Message};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::ready, stream};
use gateway_core::{
    model::{ErrorCode, Refusal, ServiceName},
    protocol::websocket::{Decoder, Event, Violation},
};
use shared_proto::{link::NODE_HEADER, rest::Problem};
use std::{pin::pin, sync::Arc};

/// The path of links.
pub(super) const PATH: &str = "/v1/services/{service}/link";

/// Whether a path of the internal listener supports upgrades to WebSocket.
pub fn accepts_websocket(path: &str) -> bool {
    let (before, after) = PATH.split_once("{service}").unwrap_or((PATH, ""));
    path.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|service| !service.contains('/'))
}

/// Open the link of one instance of a service (WebSocket; docs/asyncapi.yaml describes its frames).
#[utoipa::path(get, path = "/v1/services/{service}/link", tag = "services", security(("api_key" = ["link"])), params(("service" = String, Path, description = "As the settings name it", example = "chatbot")),
    responses((status = 101, description = "The link is open; the node waits for `hello`. The header `Switchboard-Node` has its name"),
        (status = 400, description = "`bad_request`: the service has a webhook and no links", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no_service`: the settings have no such service", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "`upgrade_required`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`draining`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn open(
    node: web::Data<crate::node::Node>,
    Named(service): Named<ServiceName>,
    Key(key): Key,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    key.check_link(&service)?;
    node.services.accepts_links(&service).map_err(ApiError)?;
    if node.health.is_draining() {
        return Err(ErrorCode::Draining.into());
    }
    // The reader of actix-ws gets no input, because it reads a whole frame before it checks the size.
    let nothing = web::Payload::from_request(&request, &mut dev::Payload::None).await.map_err(|_| ErrorCode::Internal)?;
    #[expect(clippy::disallowed_methods, reason = "links are few, and their peers are trusted")]
    let (mut response, session, _) =
        actix_ws::handle(&request, nothing).map_err(|_| ApiError::from(Refusal::from(ErrorCode::UpgradeRequired)))?;
    if let Ok(name) = HeaderValue::from_str(&node.name) {
        response.headers_mut().insert(HeaderName::from_static(NODE_HEADER), name);
    }
    let key = node.api_keys.hold(key);
    let peer = Peer { service, key, audit: Arc::clone(&node.audit), node: Arc::clone(&node.name), nodes: node.cluster.links() };
    actix_web::rt::spawn(run(node.into_inner(), peer, session, body.into_inner()));
    Ok(response)
}

async fn run(node: Arc<Node>, peer: Peer, session: actix_ws::Session, payload: dev::Payload) {
    let decoder = Decoder::new(node.services.link_limits().message_size.try_into().unwrap_or(u32::MAX));
    let reader = pin!(stream::unfold(Reader { payload, decoder, chunk: Vec::new(), taken: 0 }, Reader::next));
    let writer = session.with(|sent| ready(Ok::<_, actix_ws::Closed>(message(sent))));
    serve(&node.services, &node.publisher, peer, reader, writer).await;
}

/// Decodes the bytes of a link into messages. It checks the header of a frame first, so a frame that is too large is refused before its payload arrives.
struct Reader {
    payload: dev::Payload,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// Decoded bytes of the current chunk.
    taken: usize,
}

impl Reader {
    async fn next(mut self) -> Option<(Received, Self)> {
        loop {
            let size = self.chunk.len();
            let mut input = &mut self.chunk[self.taken..];
            let event = self.decoder.feed(&mut input).map(|event| event.map(received));
            self.taken = size - input.len();
            match event {
                Ok(Some(received)) => return Some((received, self)),
                Ok(None) => {}
                Err(Violation::TooLarge { .. }) => return Some((Received::Invalid(Invalid::TooLarge), self)),
                Err(_) => return Some((Received::Invalid(Invalid::Protocol), self)),
            }
            (self.chunk, self.taken) = (self.payload.next().await?.ok()?.into(), 0);
        }
    }
}

fn received(event: Event<'_>) -> Received {
    match event {
        Event::Text(text) => Received::Text(Bytes::copy_from_slice(text.as_bytes())),
        Event::Binary(_) => Received::Invalid(Invalid::Binary),
        Event::Ping(bytes) => Received::Ping(Bytes::copy_from_slice(bytes)),
        Event::Pong(_) => Received::Pong,
        Event::Close(..) => Received::Close,
    }
}

fn message(sent: Sent) -> Message {
    match sent {
        Sent::Text(text) => Message::Text(text.into()),
        Sent::Ping => Message::Ping(web::Bytes::new()),
        Sent::Pong(bytes) => Message::Pong(bytes),
        Sent::Close(frame) => Message::Close(Some(CloseReason { code: frame.code.into(), description: Some(frame.reason) })),
    }
}
