//! One publication into many channels.

use super::{
    extract::{InPath, Json, PublishHeaders},
    problem::{ApiError, bad_request},
    publications::results,
};
use crate::{node::Node, publish::permit};
use actix_web::{HttpResponse, rt::task::yield_now, web::Data};
use gateway_core::model::{ChannelName, ErrorCode, Refusal, UserId};
use shared_proto::{
    content::ContentMembers,
    rest::{BatchBody, BroadcastRequest, Problem},
};

/// Number of channels after which other requests get a turn.
const TURN: usize = 256;

/// Publish the same into many channels, or to many users. Each channel has its own result; `Idempotency-Key` counts for each channel, so a
/// repeat publishes only where the first request did not.
#[utoipa::path(post, path = "/v1/broadcasts", tag = "publish", security(("api_key" = ["publish"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    request_body(content = BroadcastRequest, example = json!({"data": {"kind": "notification", "title": "Hello"}, "users": ["alice", "bob"]})),
    responses((status = 200, description = "One result for each channel or user, in the order of the request", body = BatchBody),
        (status = 413, description = "`payload_too_large`: the data, or more channels or users than `internal.broadcast` allows", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit_exceeded`; `invalid_producer`: a broadcast has none", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn broadcast(
    node: Data<Node>,
    headers: PublishHeaders,
    Json(body): Json<BroadcastRequest>,
) -> Result<HttpResponse, ApiError> {
    let BroadcastRequest { data, text, data_base64, tags, ephemeral, channels, users, producer } = body;
    if producer.is_some() {
        let detail = "A broadcast has no `producer`, because each channel has an order of its own. Leave it out; an Idempotency-Key makes repeats safe.";
        return Err(ApiError(Refusal::new(ErrorCode::InvalidProducer, detail)));
    }
    let targets = Targets::new(channels, users)?;
    let (count, limit) = (targets.names.len(), node.api.broadcast);
    if count > limit {
        let detail =
            format!("The broadcast has {count} {}; {limit} are allowed. Send several requests, or raise internal.broadcast.", targets.what);
        return Err(ApiError(Refusal::new(ErrorCode::PayloadTooLarge, detail)));
    }
    let content = ContentMembers { data, text, data_base64 }.read()?;
    let broadcast = node.publisher.broadcast(content, tags, ephemeral, headers.traceparent, headers.key)?;
    let mut all = Vec::with_capacity(count);
    for names in targets.names.chunks((node.api.broadcast_bytes / broadcast.size()).max(1)) {
        let mut answers = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            if index % TURN == TURN - 1 {
                yield_now().await;
            }
            let channel = (targets.channel)(name).and_then(|channel| permit(&headers.api_key, &node.audit, &channel).map(|()| channel));
            answers.push(async { node.publisher.hand_over_to(channel?, &broadcast).await }.await);
        }
        all.extend(results(answers).await);
    }
    Ok(HttpResponse::Ok().json(BatchBody { results: all }))
}

/// The channels of a broadcast.
struct Targets {
    names: Vec<String>,
    /// What the names are.
    what: &'static str,
    channel: fn(&str) -> Result<ChannelName, Refusal>,
}

impl Targets {
    fn new(channels: Option<Vec<String>>, users: Option<Vec<String>>) -> Result<Self, ApiError> {
        match (channels, users) {
            (Some(names), None) => Ok(Self { names, what: "channels", channel: <ChannelName as InPath>::parse }),
            (None, Some(names)) => Ok(Self { names, what: "users", channel: personal }),
            (None, None) => Err(bad_request("The members `channels` and `users` are missing. Send one of them.")),
            (Some(_), Some(_)) => Err(bad_request("The members `channels` and `users` exclude each other. Send two requests.")),
        }
    }
}

fn personal(user: &str) -> Result<ChannelName, Refusal> {
    let user = <UserId as InPath>::parse(user)?;
    ChannelName::personal(&user).ok_or_else(|| Refusal::new(ErrorCode::BadRequest, "The user is empty."))
}
