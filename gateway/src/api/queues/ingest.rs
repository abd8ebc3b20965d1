//! Ingest.

use super::{
    super::{
        audit_line::Action,
        extract::{Json, Named, Query},
        problem::ApiError,
    },
    requests::{self, DeleteQuery, PageQuery},
};
use crate::node::Node;
use actix_web::{HttpResponse, web::Data};
use gateway_core::queue::{DeadLetterId, QueueName};
use shared_proto::rest::{DeadLetterBody, DeadLettersBody, DeletedEntriesBody, PauseRequest, Problem, QueueBody};

/// Look at ingest: the entries of services that are not published yet.
#[utoipa::path(get, path = "/v1/ingest", tag = "queues", security(("api_key" = ["queues"])),
    responses((status = 200, description = "The queue and its partitions", body = QueueBody),
        (status = 404, description = "`not_found`: ingest is off", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn get(node: Data<Node>) -> Result<HttpResponse, ApiError> {
    requests::get(&node, &QueueName::Ingest).await
}

/// Pause the ingest, or end the pause. New entries are stored in both cases. An owner learns of it within a third of `queues.lease`.
#[utoipa::path(patch, path = "/v1/ingest", tag = "queues", security(("api_key" = ["queues"])),
    request_body(content = PauseRequest, example = json!({"paused": true})),
    responses((status = 200, description = "The queue after the change", body = QueueBody),
        (status = 404, description = "`not_found`: ingest is off", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn pause(
    node: Data<Node>,
    action: Action,
    Json(PauseRequest { paused }): Json<PauseRequest>,
) -> Result<HttpResponse, ApiError> {
    action.is(if paused { "ingest.pause" } else { "ingest.resume" });
    requests::pause(&node, &QueueName::Ingest, paused).await
}

/// Delete the entries that wait. They are lost; dead letters stay. What is on its way to a channel may still arrive.
#[utoipa::path(delete, path = "/v1/ingest/entries", tag = "queues", security(("api_key" = ["queues"])),
    params(DeleteQuery),
    responses((status = 200, description = "Deleted", body = DeletedEntriesBody),
        (status = 404, description = "`not_found`: ingest is off", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`more_entries`: more entries wait than `count`; nothing was deleted", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn delete_entries(node: Data<Node>, Query(query): Query<DeleteQuery>) -> Result<HttpResponse, ApiError> {
    requests::delete_entries(&node, &QueueName::Ingest, &query).await
}

/// List the dead letters of ingest: entries that nobody could publish.
#[utoipa::path(get, path = "/v1/ingest/dead", tag = "queues", security(("api_key" = ["queues"])),
    params(PageQuery),
    responses((status = 200, description = "One page", body = DeadLettersBody),
        (status = 404, description = "`not_found`: ingest is off", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn dead_letters(node: Data<Node>, Query(query): Query<PageQuery>) -> Result<HttpResponse, ApiError> {
    requests::dead_letters(&node, &QueueName::Ingest, &query).await
}

/// Read a dead letter of ingest.
#[utoipa::path(get, path = "/v1/ingest/dead/{id}", tag = "queues", security(("api_key" = ["queues"])),
    params(("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 200, description = "The dead letter", body = DeadLetterBody),
        (status = 404, description = "`not_found`: ingest is off, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn dead_letter(node: Data<Node>, Named(id): Named<DeadLetterId>) -> Result<HttpResponse, ApiError> {
    requests::dead_letter(&node, &QueueName::Ingest, id).await
}

/// Replay a dead letter of ingest: it goes to the end of its partition, and gets a new id there. A publication with the same idempotency key is not published twice.
#[utoipa::path(post, path = "/v1/ingest/dead/{id}/replay", tag = "queues", security(("api_key" = ["queues"])),
    params(("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 204, description = "It waits in the queue, and is no dead letter any more"),
        (status = 404, description = "`not_found`: ingest is off, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the queue is full; `unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn replay(node: Data<Node>, Named(id): Named<DeadLetterId>) -> Result<HttpResponse, ApiError> {
    requests::replay(&node, &QueueName::Ingest, id).await
}

/// Drop a dead letter of ingest. It is lost.
#[utoipa::path(delete, path = "/v1/ingest/dead/{id}", tag = "queues", security(("api_key" = ["queues"])),
    params(("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 204, description = "It is deleted"),
        (status = 404, description = "`not_found`: ingest is off, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn drop_dead_letter(node: Data<Node>, Named(id): Named<DeadLetterId>) -> Result<HttpResponse, ApiError> {
    requests::drop_dead(&node, &QueueName::Ingest, id).await
}
