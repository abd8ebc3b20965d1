//! The queue of a service.

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
use gateway_core::{
    model::ServiceName,
    queue::{DeadLetterId, QueueName},
};
use shared_proto::rest::{DeadLetterBody, DeadLettersBody, DeletedEntriesBody, PauseRequest, Problem, QueueBody};

/// Look at the queue of a service.
#[utoipa::path(get, path = "/v1/services/{service}/queue", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop")),
    responses((status = 200, description = "The queue and its partitions", body = QueueBody),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn get(node: Data<Node>, Named(service): Named<ServiceName>) -> Result<HttpResponse, ApiError> {
    requests::get(&node, &QueueName::Service(service)).await
}

/// Pause the deliveries of a service's queue, or end the pause. New entries are stored in both cases. An owner learns of it within a third of `queues.lease`.
#[utoipa::path(patch, path = "/v1/services/{service}/queue", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop")),
    request_body(content = PauseRequest, example = json!({"paused": true})),
    responses((status = 200, description = "The queue after the change", body = QueueBody),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn pause(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    action: Action,
    Json(PauseRequest { paused }): Json<PauseRequest>,
) -> Result<HttpResponse, ApiError> {
    action.is(if paused { "queue.pause" } else { "queue.resume" });
    requests::pause(&node, &QueueName::Service(service), paused).await
}

/// Delete the entries that wait. They are lost; dead letters stay. What is on its way to a service may still arrive.
#[utoipa::path(delete, path = "/v1/services/{service}/queue/entries", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), DeleteQuery),
    responses((status = 200, description = "Deleted", body = DeletedEntriesBody),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`more_entries`: more entries wait than `count`; nothing was deleted", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn delete_entries(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Query(query): Query<DeleteQuery>,
) -> Result<HttpResponse, ApiError> {
    requests::delete_entries(&node, &QueueName::Service(service), &query).await
}

/// List the dead letters of a service's queue: entries that nobody could process.
#[utoipa::path(get, path = "/v1/services/{service}/queue/dead", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), PageQuery),
    responses((status = 200, description = "One page", body = DeadLettersBody),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn dead_letters(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    requests::dead_letters(&node, &QueueName::Service(service), &query).await
}

/// Read a dead letter of a service's queue.
#[utoipa::path(get, path = "/v1/services/{service}/queue/dead/{id}", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), ("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 200, description = "The dead letter", body = DeadLetterBody),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn dead_letter(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(id): Named<DeadLetterId>,
) -> Result<HttpResponse, ApiError> {
    requests::dead_letter(&node, &QueueName::Service(service), id).await
}

/// Replay a dead letter of a service's queue: it goes to the end of its partition, with the same event id. Later events of its key come before it.
#[utoipa::path(post, path = "/v1/services/{service}/queue/dead/{id}/replay", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), ("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 204, description = "It waits in the queue, and is no dead letter any more"),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`: the queue is full; `unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn replay(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(id): Named<DeadLetterId>,
) -> Result<HttpResponse, ApiError> {
    requests::replay(&node, &QueueName::Service(service), id).await
}

/// Drop a dead letter of a service's queue. It is lost.
#[utoipa::path(delete, path = "/v1/services/{service}/queue/dead/{id}", tag = "queues", security(("api_key" = ["queues"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), ("id" = String, Path, description = "The id of a dead letter", example = "3:1795891200000-0")),
    responses((status = 204, description = "It is deleted"),
        (status = 404, description = "`no_service` or `not_found`: the service has no queue, or there is no such dead letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(in crate::api) async fn drop_dead_letter(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(id): Named<DeadLetterId>,
) -> Result<HttpResponse, ApiError> {
    requests::drop_dead(&node, &QueueName::Service(service), id).await
}
