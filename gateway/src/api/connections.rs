//! Single connections.

use super::{
    extract::{Json, Named, Query},
    problem::{ApiError, bad_request},
};
use crate::{broker::mailbox::ConnectionSummary, node::Node};
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{CommandTarget, ConnectionId, Data as Payload, Disconnect, ErrorCode, Refusal, ServerCommand};
use serde::Deserialize;
use shared_proto::rest::{AffectedConnectionsBody, ConnectionBody, MessageRequest, Problem};

/// Get a connection.
#[utoipa::path(get, path = "/v1/connections/{id}", tag = "connections", security(("api_key" = ["connections"])), params(("id" = String, Path, description = "32 hex digits")),
    responses((status = 200, description = "The connection", body = ConnectionBody),
        (status = 410, description = "`connection_gone`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get(node: Data<Node>, Named(id): Named<ConnectionId>) -> Result<HttpResponse, ApiError> {
    let found = node.cluster.connections(CommandTarget::Connection(id)).await?;
    let connection = found.first().ok_or(ErrorCode::ConnectionGone)?;
    Ok(HttpResponse::Ok().json(summary(connection)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DisconnectQuery {
    /// Close code, 3000 to 4999; 3503 if absent. After 3000 to 3499 and 4000 to 4499 the client reconnects.
    #[param(minimum = 3000, maximum = 4999)]
    pub(super) code: Option<u16>,
    /// Close reason, at most 123 bytes.
    #[param(max_length = 123)]
    pub(super) reason: Option<String>,
}

impl DisconnectQuery {
    pub(super) fn command(self) -> Result<ServerCommand, ApiError> {
        self.close().map(|(code, reason)| ServerCommand::Disconnect { code, reason })
    }

    /// Close code and reason.
    pub(super) fn close(self) -> Result<(u16, Box<str>), ApiError> {
        let code = self.code.unwrap_or(Disconnect::ForceDisconnect.code());
        if !(3000..=4999).contains(&code) {
            return Err(bad_request("`code` must be 3000 to 4999."));
        }
        let reason = self.reason.unwrap_or_else(|| Disconnect::ForceDisconnect.reason().into());
        if reason.len() > 123 {
            return Err(bad_request("`reason` is longer than 123 bytes."));
        }
        Ok((code, reason.into()))
    }
}

/// Close a connection.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections", security(("api_key" = ["connections"])), params(("id" = String, Path, description = "32 hex digits"), DisconnectQuery),
    responses((status = 200, description = "The connection is being closed", body = AffectedConnectionsBody),
        (status = 410, description = "`connection_gone`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn disconnect(
    node: Data<Node>,
    Named(id): Named<ConnectionId>,
    Query(query): Query<DisconnectQuery>,
) -> Result<HttpResponse, ApiError> {
    command_one(&node, id, query.command()?).await
}

/// Longest name of a queue, in bytes.
const MAX_QUEUE_BYTES: usize = 255;

/// Send a message to a connection, outside any channel and at most once.
#[utoipa::path(post, path = "/v1/connections/{id}/messages", tag = "connections", security(("api_key" = ["connections"])), params(("id" = String, Path, description = "32 hex digits")),
    request_body(content = MessageRequest, example = json!({"data": {"kind": "hint"}})),
    responses((status = 200, description = "The message is queued", body = AffectedConnectionsBody),
        (status = 410, description = "`connection_gone`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn message(
    node: Data<Node>,
    Named(id): Named<ConnectionId>,
    Json(body): Json<MessageRequest>,
) -> Result<HttpResponse, ApiError> {
    let data = Payload::parse(&body.data).map_err(|error| bad_request(format!("The data {error}.")))?;
    node.publisher.check_size(data.get().len())?;
    let queue = body.queue.map(|queue| check_queue(&queue).map(|()| queue.into())).transpose()?;
    command_one(&node, id, ServerCommand::Message { data, queue }).await
}

/// Checks the name of a queue, which is a part of a STOMP destination.
pub(super) fn check_queue(queue: &str) -> Result<(), ApiError> {
    if queue.is_empty() || queue.len() > MAX_QUEUE_BYTES || queue.contains(char::is_control) {
        let detail = format!("The name of a queue has 1 to {MAX_QUEUE_BYTES} bytes and no control characters.");
        return Err(bad_request(detail));
    }
    Ok(())
}

async fn command_one(node: &Node, id: ConnectionId, command: ServerCommand) -> Result<HttpResponse, ApiError> {
    match node.cluster.command(CommandTarget::Connection(id), command).await? {
        0 => Err(Refusal::from(ErrorCode::ConnectionGone).into()),
        connections => Ok(HttpResponse::Ok().json(AffectedConnectionsBody { connections })),
    }
}

pub(super) fn summary(connection: &ConnectionSummary) -> ConnectionBody {
    ConnectionBody {
        id: connection.id.to_string(),
        user: connection.user.to_string(),
        channels: connection.channels.iter().map(ToString::to_string).collect(),
        since: connection.since_us / 1000,
        address: connection.address.map(|address| address.to_string()),
    }
}
