//! Publications: publish, read history, clear it.

use super::{
    extract::{Json, Key, Named, PublishHeaders, Query},
    problem::{ApiError, bad_request},
};
use crate::{
    auth::Scope,
    broker::{BrokerError, Published},
    node::Node,
    publish::{CallerIdentity, CallerKey, Draft, DraftAll, permit},
};
use actix_web::{HttpResponse, web::Data};
use gateway_core::{
    channel::recovery::is_known,
    model::{
        ChannelName, Content, ErrorCode, Page, PageLimit, Position, Publication, ReadRange, RecoverFrom, Refusal, Retention, Span, Tags,
    },
};
use serde::{Deserialize, Serialize};
use shared_proto::content::{ContentBody, ContentMembers};
use shared_proto::rest::{
    BatchBody, BatchItem, BatchRequest, BatchResult, ClientInfoBody, HistoryBody, PositionBody, Problem, PublicationBody, PublishItem,
    PublishRequest, SpanBody,
};

/// Publish into a channel. With `Idempotency-Key` or `producer`, a repeat is answered with the position of the first publish and
/// `Idempotent-Replayed: true`. With `publications`, all of them are stored or none.
#[utoipa::path(post, path = "/v1/channels/{channel}/publications", tag = "publish", security(("api_key" = ["publish"])),
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "news:world"), ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    request_body(content = PublishRequest, example = json!({"data": {"headline": "It rains"}, "tags": {"lang": "en"}})),
    responses(
        (status = 200, description = "Stored (or, ephemeral, announced)", body = PublishedBody, example = json!({"epoch": "Xq3h0aZk", "offset": 1})),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`sequence_gap`, `producer_fenced`, `idempotency_in_progress`; with `publications` also `not_available`: the namespace keeps no history", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`idempotency_mismatch`, `invalid_producer`, `limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not published", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "`outcome_unknown`: repeat with the same key", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn publish(
    node: Data<Node>,
    Named(channel): Named<ChannelName>,
    headers: PublishHeaders,
    Json(body): Json<PublishRequest>,
) -> Result<HttpResponse, ApiError> {
    publish_into(&node, &channel, headers, body).await
}

pub(super) async fn publish_into(
    node: &Node,
    channel: &ChannelName,
    headers: PublishHeaders,
    body: PublishRequest,
) -> Result<HttpResponse, ApiError> {
    headers.api_key.check_channel(Scope::Publish, channel)?;
    let PublishRequest { data, text, data_base64, tags, ephemeral, producer, publications, queue } = body;
    if queue.is_some() {
        return Err(bad_request("The member `queue` is for messages to a user. Leave it out."));
    }
    let identity = CallerIdentity::new(headers.key, producer)?;
    let members = ContentMembers { data, text, data_base64 };
    let published = if let Some(items) = publications {
        if let Some(name) = single_member(&members, &tags, ephemeral) {
            return Err(bad_request(format!("The members `publications` and `{name}` exclude each other. Leave one of them out.")));
        }
        let draft = DraftAll::parse(channel, item_contents(items)?, headers.traceparent, identity)?;
        node.publisher.publish_all(draft).await?.map(PublishedBody::all)
    } else {
        let draft = Draft::parse(channel, members.read()?, tags, ephemeral)?.within(headers.traceparent, identity);
        let published = node.publisher.publish(draft).await?;
        Published { position: Some(PublishedBody::One(position(published.position))), replayed: published.replayed }
    };
    let mut response = HttpResponse::Ok();
    if published.replayed {
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    Ok(response.json(published.position.unwrap_or_else(PublishedBody::forgotten)))
}

/// The positions of what a request published.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum PublishedBody {
    /// Of one publication.
    One(PositionBody),
    /// Of `publications`.
    All(SpanBody),
}

impl PublishedBody {
    fn all(Span { epoch, first, last }: Span) -> Self {
        Self::All(SpanBody { epoch: epoch.to_string(), first, last })
    }

    /// The positions of `publications` that were stored earlier, and are no longer remembered.
    fn forgotten() -> Self {
        Self::All(SpanBody { epoch: String::new(), first: 0, last: 0 })
    }
}

/// The member that only a single publication has, if the request has one.
fn single_member(members: &ContentMembers, tags: &Tags, ephemeral: bool) -> Option<&'static str> {
    let ContentMembers { data, text, data_base64 } = members;
    let present = [
        (data.is_some(), "data"),
        (text.is_some(), "text"),
        (data_base64.is_some(), "data_base64"),
        (!tags.is_empty(), "tags"),
        (ephemeral, "ephemeral"),
    ];
    present.into_iter().find_map(|(is_present, name)| is_present.then_some(name))
}

fn item_contents(items: Vec<PublishItem>) -> Result<Vec<(ContentBody, Tags)>, ApiError> {
    let read = |(index, item): (usize, PublishItem)| {
        let members = ContentMembers { data: item.data, text: item.text, data_base64: item.data_base64 };
        Ok((members.read().map_err(|error| bad_request(format!("publications[{index}]: {error}")))?, item.tags))
    };
    items.into_iter().enumerate().map(read).collect()
}

/// Publish several publications. The gateway handles each of them in order, like a single publication, and each has its own result.
#[utoipa::path(post, path = "/v1/publications", tag = "publish", security(("api_key" = ["publish"])),
    request_body(content = BatchRequest, example = json!({"publications": [{"channel": "news:world", "data": {"headline": "It rains"}, "idempotency_key": "a-1"}]})),
    responses((status = 200, description = "One result for each publication, in the order of the request", body = BatchBody),
        (status = 413, description = "`payload_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`: too many at once", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn batch(node: Data<Node>, headers: PublishHeaders, Json(body): Json<BatchRequest>) -> Result<HttpResponse, ApiError> {
    if headers.key.is_some() {
        return Err(bad_request("A batch takes no Idempotency-Key: give each publication an idempotency_key."));
    }
    let (count, limit) = (body.publications.len(), node.api.batch);
    if count > limit {
        return Err(ApiError(Refusal::new(
            ErrorCode::LimitExceeded,
            format!("The request has {count} publications; the limit is {limit}."),
        )));
    }
    let mut answers = Vec::with_capacity(count);
    for (item, content) in contents(body.publications)? {
        let draft = draft(&node, &headers, item, content);
        answers.push(async { node.publisher.hand_over(draft?).await }.await);
    }
    Ok(HttpResponse::Ok().json(BatchBody { results: results(answers).await }))
}

/// Waits for the answers to publications that were handed over.
pub(super) async fn results<F: Future<Output = Result<Published, Refusal>>>(answers: Vec<Result<F, Refusal>>) -> Vec<BatchResult> {
    let mut results = Vec::with_capacity(answers.len());
    for answer in answers {
        results.push(match async { answer?.await }.await {
            Ok(published) => BatchResult { position: Some(position(published.position)), replayed: published.replayed, error: None },
            Err(refusal) => BatchResult { position: None, replayed: false, error: Some(refusal.problem()) },
        });
    }
    results
}

/// Takes the content out of each publication of a batch. If one has no valid content, the batch is refused, like one with a malformed member.
fn contents(items: Vec<BatchItem>) -> Result<Vec<(BatchItem, ContentBody)>, ApiError> {
    let read = |(index, mut item): (usize, BatchItem)| {
        let members = ContentMembers { data: item.data.take(), text: item.text.take(), data_base64: item.data_base64.take() };
        let content = members.read().map_err(|error| bad_request(format!("publications[{index}]: {error}")))?;
        Ok((item, content))
    };
    items.into_iter().enumerate().map(read).collect()
}

fn draft(node: &Node, headers: &PublishHeaders, item: BatchItem, content: ContentBody) -> Result<Draft, Refusal> {
    let key = item.idempotency_key.map(|key| CallerKey::new(headers.api_key.name(), &key)).transpose()?;
    let identity = CallerIdentity::new(key, item.producer)?;
    let draft = Draft::parse(&item.channel, content, item.tags, item.ephemeral)?;
    permit(&headers.api_key, &node.audit, &draft.channel)?;
    Ok(draft.within(headers.traceparent.clone(), identity))
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// Oldest first, after `since`.
    #[default]
    Asc,
    /// Newest first, before `since`.
    Desc,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// `epoch:offset` of an earlier answer (`Xq3h0aZk:41`), or `:offset` of the current epoch. Without it, or with `:0`, from the
    /// oldest (`asc`) or newest (`desc`) stored publication.
    #[param(pattern = "^[^:]*:[0-9]{1,20}$")]
    since: Option<String>,
    /// Number of publications, 0 for the position only; 100 if absent.
    limit: Option<usize>,
    /// `asc` or `desc`.
    #[param(inline)]
    #[serde(default)]
    order: Order,
}

/// Read the history of a channel, page by page.
#[utoipa::path(get, path = "/v1/channels/{channel}/publications", tag = "channels", security(("api_key" = ["read"])),
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "news:world"), HistoryQuery),
    responses((status = 200, description = "One page of the current epoch", body = HistoryBody),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`not_available`: the namespace keeps no history; `unrecoverable_position`: publications after `since` are no longer stored", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn history(
    node: Data<Node>,
    Key(key): Key,
    Named(channel): Named<ChannelName>,
    Query(query): Query<HistoryQuery>,
) -> Result<HttpResponse, ApiError> {
    key.check_channel(Scope::Read, &channel)?;
    let retention = retention(&node, &channel)?;
    let since = query.since.as_deref().map(parse_since).transpose()?.flatten();
    let entries = query.limit.unwrap_or(100);
    if entries > node.api.history {
        let detail = format!("`limit` must be 0 to {}. Request the next page with `since`.", node.api.history);
        return Err(ApiError(Refusal::new(ErrorCode::LimitExceeded, detail)));
    }
    let offset = since.as_ref().map(|since| since.offset);
    let range = match query.order {
        _ if entries == 0 => ReadRange::Top,
        Order::Asc => ReadRange::After(offset.unwrap_or(0)),
        Order::Desc => ReadRange::Before(offset),
    };
    let page =
        node.broker.read(&channel, retention, range, PageLimit { entries, bytes: node.history_bytes }).await.map_err(Refusal::from)?;
    if let Some(since) = &since {
        check_since(&page, since, query.order)?;
    }
    let publications = page.publications.iter().map(|p| publication(p)).collect();
    Ok(HttpResponse::Ok().json(HistoryBody { epoch: page.epoch.to_string(), offset: page.top, publications }))
}

/// Delete the history of a channel. Epoch and offsets continue. Clients that return within `recovery.memory_time` may still get what they missed.
#[utoipa::path(delete, path = "/v1/channels/{channel}/publications", tag = "channels", security(("api_key" = ["admin"])),
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "news:world")),
    responses((status = 204, description = "The history is empty"),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`not_available`: the namespace keeps no history", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "`outcome_unknown`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn clear(node: Data<Node>, Named(channel): Named<ChannelName>) -> Result<HttpResponse, ApiError> {
    let detail =
        "The store did not confirm in time. Read the history to see whether it was deleted: a repeat also deletes newer publications.";
    retention(&node, &channel)?;
    node.broker.clear(&channel).await.map_err(|error| match error {
        BrokerError::OutcomeUnknown => Refusal::new(ErrorCode::OutcomeUnknown, detail),
        other => other.into(),
    })?;
    Ok(HttpResponse::NoContent().finish())
}

fn retention(node: &Node, channel: &ChannelName) -> Result<Retention, Refusal> {
    let detail = "The channel's namespace keeps no history. Set history_size and history_ttl for it.";
    node.publisher.options(channel)?.retention.ok_or_else(|| Refusal::new(ErrorCode::NotAvailable, detail))
}

/// Reads `since`. `None` means: from the oldest stored publication.
fn parse_since(text: &str) -> Result<Option<RecoverFrom>, ApiError> {
    let parsed = text.split_once(':').and_then(|(epoch, offset)| {
        let digits = !offset.is_empty() && offset.bytes().all(|b| b.is_ascii_digit());
        let since = RecoverFrom { epoch: epoch.into(), offset: digits.then(|| offset.parse().ok()).flatten()? };
        (epoch.is_empty() || since.position().is_some()).then_some(since)
    });
    let since = parsed.ok_or_else(|| bad_request("`since` must be `epoch:offset` of an earlier response, or `:offset`."))?;
    Ok(Some(since).filter(|since| !since.epoch.is_empty() || since.offset > 0))
}

/// Whether the page continues `since` without a gap.
fn check_since(page: &Page, since: &RecoverFrom, order: Order) -> Result<(), Refusal> {
    let known = is_known(since, page.epoch, &page.forks);
    let first = page.publications.first().and_then(|p| p.position).map(|p| p.offset);
    let is_trimmed = order == Order::Asc && first.is_some_and(|first| first > since.offset + 1);
    if known && since.offset <= page.top && !is_trimmed {
        return Ok(());
    }
    let detail = "Some publications after `since` are no longer stored. Read without `since` to get all stored ones.";
    Err(Refusal::new(ErrorCode::UnrecoverablePosition, detail))
}

pub(super) fn position(position: Option<Position>) -> PositionBody {
    position
        .map_or_else(|| PositionBody { epoch: String::new(), offset: 0 }, |p| PositionBody { epoch: p.epoch.to_string(), offset: p.offset })
}

fn publication(publication: &Publication) -> PublicationBody {
    let ContentMembers { data, text, data_base64 } = match &publication.content {
        Content::Json(data) => ContentBody::Json(data.raw().to_owned()),
        Content::Text(text) => ContentBody::Text(text.to_string()),
        Content::Bytes(bytes) => ContentBody::Bytes(bytes.to_vec()),
    }
    .into();
    PublicationBody {
        offset: publication.position.map_or(0, |p| p.offset),
        data,
        text,
        data_base64,
        tags: publication.tags.clone(),
        info: publication.info.as_deref().map(client_info),
        time: publication.time_ms,
    }
}

pub(super) fn client_info(info: &gateway_core::model::ClientInfo) -> ClientInfoBody {
    ClientInfoBody {
        user: info.user.to_string(),
        client: info.client.to_string(),
        conn_info: info.conn_info.as_ref().map(|data| data.raw().to_owned()),
        chan_info: info.chan_info.as_ref().map(|data| data.raw().to_owned()),
    }
}
