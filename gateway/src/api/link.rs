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
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, CloseReason, Message, ProtocolError};
use futures_util::{SinkExt, StreamExt, future::ready};
use shared_proto::rest::Problem;
use std::sync::Arc;

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
    #[expect(clippy::disallowed_methods, reason = "links are few, and on the trusted side")]
    let (response, session, messages) =
        actix_ws::handle(&request, body).map_err(|_| ApiError::from(Refusal::from(ErrorCode::UpgradeRequired)))?;
    let peer = Peer { peers: node.cluster.link_addresses(&service), service, scope: scope.into(), node: Arc::clone(&node.name) };
    actix_web::rt::spawn(run(node.into_inner(), peer, session, messages));
    Ok(response)
}

async fn run(node: Arc<Node>, peer: Peer, session: actix_ws::Session, messages: actix_ws::MessageStream) {
    let limit = node.services.link_limits().message_size;
    let reader = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit).map(received);
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
        // How actix-ws tells that the parts of a message together are too large.
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
