//! Channels: list, details and presence.

use super::{
    extract::{Named, Query},
    problem::ApiError,
    publications::{client_info, position},
};
use crate::node::Node;
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{ChannelName, ErrorCode, PageLimit, Position, ReadRange, Refusal};
use serde::Deserialize;
use shared_proto::rest::{ChannelBody, ChannelDetailBody, ChannelsBody, PresenceBody, PresenceStatsBody, Problem};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// `*` matches any characters, `?` matches one; without it, all channels.
    #[param(example = "chat:*")]
    pattern: Option<String>,
    /// `next` of the previous page.
    after: Option<String>,
    /// Number of channels, at least 1; 100 if absent.
    limit: Option<usize>,
}

/// List the channels that have subscribers or publications, or had subscribers within `recovery.memory_time`, by name. A channel that became active at another node a moment ago may be missing.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", params(ListQuery),
    responses((status = 200, description = "One page", body = ChannelsBody),
        (status = 422, description = "`limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(node: Data<Node>, Query(query): Query<ListQuery>) -> Result<HttpResponse, ApiError> {
    let limit = query.limit.unwrap_or(100);
    if limit == 0 || limit > node.api.channels {
        let detail = format!("`limit` must be 1 to {}.", node.api.channels);
        return Err(ApiError(Refusal::new(ErrorCode::LimitExceeded, detail)));
    }
    let pattern = query.pattern.as_deref().unwrap_or("*");
    if pattern.len() > 255 {
        return Err(ApiError(Refusal::new(ErrorCode::BadRequest, "`pattern` is longer than 255 bytes.")));
    }
    let after = query.after.as_deref().map(crate::publish::parse_channel).transpose()?;
    let mut found = node.broker.channels(pattern, after.as_deref(), limit + 1).await.map_err(Refusal::from)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.name.to_string());
    let each = found.into_iter().map(|c| ChannelBody {
        channel: c.name.to_string(),
        position: c.position.map(|p| position(Some(p))),
        held: c.held,
    });
    Ok(HttpResponse::Ok().json(ChannelsBody { channels: each.collect(), next }))
}

/// Get the number of a channel's subscribers, and its position.
#[utoipa::path(get, path = "/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby")),
    responses((status = 200, description = "The channel", body = ChannelDetailBody),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get(node: Data<Node>, Named(channel): Named<ChannelName>) -> Result<HttpResponse, ApiError> {
    let retention = node.publisher.options(&channel)?.retention;
    let subscribers = node.cluster.subscribers(&channel).await?;
    let top = match retention {
        None => None,
        Some(retention) => {
            let page =
                node.broker.read(&channel, retention, ReadRange::Top, PageLimit { entries: 0, bytes: 0 }).await.map_err(Refusal::from)?;
            Some(position(Some(Position { epoch: page.epoch, offset: page.top })))
        }
    };
    Ok(HttpResponse::Ok().json(ChannelDetailBody { channel: channel.to_string(), subscribers, position: top }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PresenceQuery {
    /// Whether to return only the numbers of connections and users.
    #[serde(default)]
    stats: bool,
}

/// Get the subscribers of a channel.
#[utoipa::path(get, path = "/v1/channels/{channel}/presence", tag = "channels",
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby"), PresenceQuery),
    responses((status = 200, description = "Each connection, or with `stats=true` only the counts: `clients` and `users`", body = PresenceBody),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`not_available`: the namespace has no presence", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn presence(
    node: Data<Node>,
    Named(channel): Named<ChannelName>,
    Query(query): Query<PresenceQuery>,
) -> Result<HttpResponse, ApiError> {
    if !node.publisher.options(&channel)?.presence {
        let detail = "The channel's namespace has no presence. Set presence = true for it.";
        return Err(ApiError(Refusal::new(ErrorCode::NotAvailable, detail)));
    }
    if query.stats {
        let stats = node.broker.presence_stats(&channel).await.map_err(Refusal::from)?;
        return Ok(HttpResponse::Ok().json(PresenceStatsBody { clients: stats.clients, users: stats.users }));
    }
    let present = node.broker.presence(&channel, node.presence_limit).await.map_err(Refusal::from)?;
    Ok(HttpResponse::Ok().json(PresenceBody { clients: present.iter().map(|info| client_info(info)).collect() }))
}
