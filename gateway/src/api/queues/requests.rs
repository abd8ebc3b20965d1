//! What the requests about all queues have in common.

use super::{
    super::{
        extract::InPath,
        problem::{ApiError, bad_request},
    },
    answers,
};
use crate::node::Node;
use actix_web::HttpResponse;
use gateway_core::{
    model::{ErrorCode, Refusal},
    queue::{DeadLetterId, InvalidDeadLetterId, QueueName},
};
use serde::Deserialize;
use shared_proto::rest::{DeadLettersBody, DeletedEntriesBody};

/// Largest number of dead letters in one page.
const PAGE: usize = 1000;
/// Bytes of dead letters in one page. One dead letter may exceed it.
const PAGE_BYTES: usize = 1 << 20;

impl InPath for DeadLetterId {
    const SEGMENT: &'static str = "id";

    fn parse(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|error: InvalidDeadLetterId| Refusal::new(ErrorCode::BadRequest, format!("The id in the path {error}.")))
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct DeleteQuery {
    /// The largest number of entries that may be deleted: the depth that you have seen. If more wait, nothing is deleted.
    #[param(example = 17)]
    count: u64,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct PageQuery {
    /// `next` of the previous page.
    #[param(pattern = "^[0-9]{1,5}:[0-9]{1,20}-[0-9]{1,20}$")]
    after: Option<String>,
    /// Number of dead letters, 1 to 1000; 100 if absent. A page has fewer if they are large.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

pub(super) async fn get(node: &Node, queue: &QueueName) -> Result<HttpResponse, ApiError> {
    let statuses = node.queues.status(queue).await?;
    Ok(HttpResponse::Ok().json(answers::queue(&statuses)))
}

pub(super) async fn pause(node: &Node, queue: &QueueName, paused: bool) -> Result<HttpResponse, ApiError> {
    node.queues.set_paused(queue, paused).await?;
    get(node, queue).await
}

pub(super) async fn delete_entries(node: &Node, queue: &QueueName, query: &DeleteQuery) -> Result<HttpResponse, ApiError> {
    let deleted = node.queues.delete_entries(queue, query.count).await?;
    Ok(HttpResponse::Ok().json(DeletedEntriesBody { deleted }))
}

pub(super) async fn dead_letters(node: &Node, queue: &QueueName, query: &PageQuery) -> Result<HttpResponse, ApiError> {
    let limit = query.limit.unwrap_or(100);
    if limit == 0 || limit > PAGE {
        return Err(ApiError(Refusal::new(ErrorCode::LimitExceeded, format!("`limit` must be 1 to {PAGE}."))));
    }
    let after = query.after.as_deref().map(str::parse).transpose();
    let after = after.map_err(|error: InvalidDeadLetterId| bad_request(format!("`after` {error}.")))?;
    let mut found = node.queues.dead_letters(queue, after, limit + 1, PAGE_BYTES).await?;
    let is_cut = found.len() > limit || found.iter().map(|(_, letter)| letter.fields.bytes()).sum::<usize>() >= PAGE_BYTES;
    found.truncate(limit);
    let next = found.last().filter(|_| is_cut).map(|(id, _)| id.to_string());
    let dead_letters = found.iter().map(|(id, letter)| answers::dead_letter(*id, letter)).collect();
    Ok(HttpResponse::Ok().json(DeadLettersBody { dead_letters, next }))
}

pub(super) async fn dead_letter(node: &Node, queue: &QueueName, id: DeadLetterId) -> Result<HttpResponse, ApiError> {
    let letter = node.queues.dead_letter(queue, id).await?;
    Ok(HttpResponse::Ok().json(answers::dead_letter(id, &letter)))
}

pub(super) async fn replay(node: &Node, queue: &QueueName, id: DeadLetterId) -> Result<HttpResponse, ApiError> {
    node.queues.replay(queue, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn drop_dead(node: &Node, queue: &QueueName, id: DeadLetterId) -> Result<HttpResponse, ApiError> {
    node.queues.drop_dead(queue, id).await?;
    Ok(HttpResponse::NoContent().finish())
}
