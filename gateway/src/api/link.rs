//! The service link's transport: actix-ws.

use super::{
    extract::{KeyName, Named},
    problem::ApiError,
};
use crate::{
    model::{ErrorCode, Refusal, ServiceName},
    node::Node,
    services::link::{Invalid, Peer, Received, Sent, serve},
};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, error::PayloadError, web};
use actix_ws::{AggregatedMessage, CloseReason, Message, ProtocolError};
use futures_util::{SinkExt, StreamExt, future::ready};
use shared_proto::rest::Problem;
use std::{cell::Cell, rc::Rc, sync::Arc};

/// Bytes that a link may send without completing a message, beside twice the largest message: frame headers, and what comes in one read.
const SLACK: usize = 64 * 1024;

/// Open the link of one instance of a service (WebSocket; docs/asyncapi.yaml describes its frames).
#[utoipa::path(get, path = "/v1/services/{service}/link", tag = "cluster", params(("service" = String, Path, description = "As the settings name it", example = "chatbot")),
    responses((status = 101, description = "The link is open; `hello` is awaited"),
        (status = 404, description = "`not_found`: the settings have no such service", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "`upgrade_required`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`draining`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn open(
    node: web::Data<crate::node::Node>,
    Named(service): Named<ServiceName>,
    KeyName(scope): KeyName,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if !node.services.knows(&service) {
        let detail = format!("No service is named \"{service}\". Configure it as [services.{service}].");
        return Err(ApiError(Refusal::new(ErrorCode::NotFound, detail)));
    }
    if node.health.is_draining() {
        return Err(ErrorCode::Draining.into());
    }
    let unfinished = Rc::new(Cell::new(0));
    let body = bounded(&request, body.into_inner(), node.services.link_limits().message_size, unfinished.clone()).await?;
    #[expect(clippy::disallowed_methods, reason = "links are few, and on the trusted side")]
    let (response, session, messages) =
        actix_ws::handle(&request, body).map_err(|_| ApiError::from(Refusal::from(ErrorCode::UpgradeRequired)))?;
    let peer = Peer { peers: node.cluster.link_addresses(&service), service, scope: scope.into(), node: Arc::clone(&node.name) };
    actix_web::rt::spawn(run(node.into_inner(), peer, session, messages, unfinished));
    Ok(response)
}

/// The body, which fails where too much comes without a message being complete: actix-http looks at a frame's size only once it has all of it.
async fn bounded(request: &HttpRequest, body: dev::Payload, limit: usize, unfinished: Rc<Cell<usize>>) -> Result<web::Payload, ApiError> {
    let most = limit.saturating_mul(2).saturating_add(SLACK);
    let counted = body.map(move |chunk| {
        let chunk = chunk?;
        unfinished.set(unfinished.get() + chunk.len());
        if unfinished.get() > most { Err(PayloadError::Overflow) } else { Ok(chunk) }
    });
    let mut counted = dev::Payload::Stream { payload: counted.boxed_local() };
    web::Payload::from_request(request, &mut counted).await.map_err(|_| ErrorCode::Internal.into())
}

async fn run(node: Arc<Node>, peer: Peer, session: actix_ws::Session, messages: actix_ws::MessageStream, unfinished: Rc<Cell<usize>>) {
    let limit = node.services.link_limits().message_size;
    let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
    let reader = messages.map(move |message| {
        unfinished.set(0);
        received(message)
    });
    let writer = session.with(|sent| ready(Ok::<_, actix_ws::Closed>(message(sent))));
    serve(&node.services, &node.publisher, peer, reader, writer).await;
}

fn received(message: Result<AggregatedMessage, ProtocolError>) -> Received {
    match message {
        Ok(AggregatedMessage::Text(text)) => Received::Text(text.into_bytes()),
        Ok(AggregatedMessage::Binary(_)) => Received::Invalid(Invalid::Binary),
        Ok(AggregatedMessage::Ping(bytes)) => Received::Ping(bytes),
        Ok(AggregatedMessage::Pong(_)) => Received::Pong,
        Ok(AggregatedMessage::Close(_)) => Received::Close,
        Err(ProtocolError::Overflow) => Received::Invalid(Invalid::TooLarge),
        // How actix-ws tells that the parts of a message together are too large, or that the body failed as above.
        Err(ProtocolError::Io(error)) if error.kind() == std::io::ErrorKind::Other => Received::Invalid(Invalid::TooLarge),
        Err(_) => Received::Invalid(Invalid::Protocol),
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
