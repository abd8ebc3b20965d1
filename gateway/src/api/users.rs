//! Users: all connections of a user, and subscriptions that services make.

use super::{
    audit_line::Action,
    connections::{DisconnectQuery, check_queue, summary},
    extract::{Json, Key, Named, PublishHeaders, Query},
    problem::{ApiError, bad_request},
    publications::{PublishedBody, publish_into},
};
use crate::{auth::Scope, broker::UserSubscription, node::Node};
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{ChannelName, CommandTarget, ErrorCode, QUEUE, Refusal, Revocation, ServerCommand, Unsubscribe, UserId};
use shared_proto::rest::{AffectedConnectionsBody, ConnectionsBody, Problem, PublishRequest, SubscriptionRequest};
use std::time::{SystemTime, UNIX_EPOCH};

/// Publish to a user's personal channel. All connections of the user get it, later ones from the history.
#[utoipa::path(post, path = "/v1/users/{user}/messages", tag = "publish", security(("api_key" = ["publish"])),
    params(("user" = String, Path, description = "Percent-encoded, including `/`: `auth0%7C7`, `urn%3Auuid%3A7`", example = "alice"), ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    request_body(content = PublishRequest, example = json!({"data": {"kind": "notification", "title": "Hello"}})),
    responses((status = 200, description = "Stored (or, ephemeral, announced)", body = PublishedBody),
        (status = 409, description = "`sequence_gap`, `producer_fenced`, `idempotency_in_progress`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`idempotency_mismatch`, `invalid_producer`, `limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not published", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "`outcome_unknown`: repeat with the same key", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn message(
    node: Data<Node>,
    Named(user): Named<UserId>,
    headers: PublishHeaders,
    Json(mut body): Json<PublishRequest>,
) -> Result<HttpResponse, ApiError> {
    let channel = ChannelName::personal(&user).ok_or_else(|| bad_request("The user is empty."))?;
    if let Some(queue) = body.queue.take() {
        set_queue(&mut body, queue)?;
    }
    publish_into(&node, &channel, headers, body).await
}

/// Makes the queue a tag. STOMP connections find their publications by it.
fn set_queue(body: &mut PublishRequest, queue: String) -> Result<(), ApiError> {
    check_queue(&queue)?;
    if body.publications.is_some() {
        return Err(bad_request("The members `publications` and `queue` exclude each other. Give each publication the tag `queue`."));
    }
    match body.tags.insert(QUEUE.to_owned(), queue) {
        Some(tag) if body.tags.get(QUEUE) != Some(&tag) => {
            Err(bad_request("The member `queue` and the tag `queue` differ. Leave one of them out."))
        }
        _ => Ok(()),
    }
}

/// List a user's connections.
#[utoipa::path(get, path = "/v1/users/{user}/connections", tag = "users", security(("api_key" = ["users"])), params(("user" = String, Path, description = "Percent-encoded, including `/`: `auth0%7C7`, `urn%3Auuid%3A7`", example = "alice")),
    responses((status = 200, description = "All connections, perhaps none", body = ConnectionsBody),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn connections(node: Data<Node>, Named(user): Named<UserId>) -> Result<HttpResponse, ApiError> {
    let found = node.cluster.connections(CommandTarget::User(user)).await?;
    Ok(HttpResponse::Ok().json(ConnectionsBody { connections: found.iter().map(summary).collect() }))
}

/// Close all of a user's connections. If clients do not reconnect after the code (3500 to 3999, 4500 to 4999; 3503 if absent), tokens
/// that were issued until now, or without a date, are refused from now on as expired; the key then needs the scope `revoke`, too.
#[utoipa::path(delete, path = "/v1/users/{user}/connections", tag = "users", security(("api_key" = ["users"])),
    params(("user" = String, Path, description = "Percent-encoded, including `/`: `auth0%7C7`, `urn%3Auuid%3A7`", example = "alice"), DisconnectQuery),
    responses((status = 200, description = "The connections are being closed", body = AffectedConnectionsBody),
        (status = 422, description = "`limit_exceeded`: the limit of revocations is reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn disconnect(
    node: Data<Node>,
    Key(key): Key,
    Named(user): Named<UserId>,
    action: Action,
    Query(query): Query<DisconnectQuery>,
) -> Result<HttpResponse, ApiError> {
    let command = query.command()?;
    if let ServerCommand::Disconnect { code, reason } = &command
        && is_for_good(*code)
        && !user.is_anonymous()
    {
        key.check(Scope::Revoke)?;
        action.is("user.revoke");
        // Stored before the command, so that a connection in its handshake either gets the command or reads the revocation.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let revocation = Revocation { until: now.as_secs(), code: *code, reason: reason.clone() };
        node.store_revocation(&user.clone().into(), revocation).await?;
    }
    command_all(&node, user, command).await
}

/// Whether a client closed with this code does not reconnect by itself.
fn is_for_good(code: u16) -> bool {
    matches!(code, 3500..=3999 | 4500..=4999)
}

/// Subscribe a user: all current connections, and every later one until the subscription is deleted or expires.
#[utoipa::path(put, path = "/v1/users/{user}/subscriptions/{channel}", tag = "users", security(("api_key" = ["users"])),
    params(("user" = String, Path, description = "Percent-encoded, including `/`: `auth0%7C7`, `urn%3Auuid%3A7`", example = "alice"), ("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby")),
    request_body(content = SubscriptionRequest, example = json!({"expires_at": 1_900_000_000})),
    responses((status = 200, description = "Stored; the number of current connections", body = AffectedConnectionsBody),
        (status = 403, description = "`permission_denied`: another user's personal channel, or the API key lacks the scope `users`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`: the limit of stored subscriptions is reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn subscribe(
    node: Data<Node>,
    Named(user): Named<UserId>,
    Named(channel): Named<ChannelName>,
    Json(body): Json<SubscriptionRequest>,
) -> Result<HttpResponse, ApiError> {
    node.publisher.options(&channel)?;
    if !channel.is_of(&user) {
        let detail = "A personal channel is only for its owner. Publish to the user's own one instead.";
        return Err(ApiError(Refusal::new(ErrorCode::PermissionDenied, detail)));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stored = UserSubscription { channel: channel.clone(), expires_at: body.expires_at };
    let expires_in = stored.expires_in(now);
    if expires_in.is_some_and(|left| left.is_zero()) {
        return Err(bad_request("`expires_at` has passed. It is in seconds since 1970."));
    }
    // Stored before the command, so that a connection in its handshake either gets the command or reads the subscription.
    node.broker.put_user_subscription(&user, stored).await.map_err(Refusal::from)?;
    command_all(&node, user, ServerCommand::Subscribe { channel, since: None, expires_in }).await
}

/// End a user's subscription, for current and later connections. Repeating it changes nothing.
#[utoipa::path(delete, path = "/v1/users/{user}/subscriptions/{channel}", tag = "users", security(("api_key" = ["users"])),
    params(("user" = String, Path, description = "Percent-encoded, including `/`: `auth0%7C7`, `urn%3Auuid%3A7`", example = "alice"), ("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby")),
    responses((status = 200, description = "Deleted; the number of current connections", body = AffectedConnectionsBody),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn unsubscribe(
    node: Data<Node>,
    Named(user): Named<UserId>,
    Named(channel): Named<ChannelName>,
) -> Result<HttpResponse, ApiError> {
    node.publisher.options(&channel)?;
    node.broker.delete_user_subscription(&user, &channel).await.map_err(Refusal::from)?;
    command_all(&node, user, ServerCommand::Unsubscribe { channel, code: Unsubscribe::Server }).await
}

async fn command_all(node: &Node, user: UserId, command: ServerCommand) -> Result<HttpResponse, ApiError> {
    let connections = node.cluster.command(CommandTarget::User(user), command).await?;
    Ok(HttpResponse::Ok().json(AffectedConnectionsBody { connections }))
}
