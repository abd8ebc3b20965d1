//! Channels: list, details and presence.

use super::{
    extract::{Key, Named, Query},
    problem::ApiError,
    publications::{client_info, position},
};
use crate::{auth::Scope, node::Node};
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{ChannelName, ErrorCode, PageLimit, Position, ReadRange, Refusal};
use serde::{Deserialize, Serialize};
use shared_proto::rest::{ChannelBody, ChannelDetailBody, ChannelsBody, PresenceBody, PresenceStatsBody, Problem};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// `*` matches any characters, `?` matches one; without it, all channels.
    #[param(example = "chat:*", max_length = 255)]
    pattern: Option<String>,
    /// `next` of the previous page.
    #[param(min_length = 1, max_length = 255)]
    after: Option<String>,
    /// Number of channels, at least 1; 100 if absent.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

/// List the channels that have subscribers or publications, or had subscribers within `recovery.memory_time`, by name. A channel that became active at another node a moment ago may be missing.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", security(("api_key" = ["read"])), params(ListQuery),
    responses((status = 200, description = "One page", body = ChannelsBody),
        (status = 422, description = "`limit_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(node: Data<Node>, Key(key): Key, Query(query): Query<ListQuery>) -> Result<HttpResponse, ApiError> {
    let limit = query.limit.unwrap_or(100);
    if limit == 0 || limit > node.api.channels {
        let detail = format!("`limit` must be 1 to {}.", node.api.channels);
        return Err(ApiError(Refusal::new(ErrorCode::LimitExceeded, detail)));
    }
    let pattern = query.pattern.as_deref().unwrap_or("*");
    if pattern.len() > 255 {
        return Err(ApiError(Refusal::new(ErrorCode::BadRequest, "`pattern` is longer than 255 bytes.")));
    }
    key.check_list(pattern)?;
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
#[utoipa::path(get, path = "/v1/channels/{channel}", tag = "channels", security(("api_key" = ["read"])),
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby")),
    responses((status = 200, description = "The channel", body = ChannelDetailBody),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get(node: Data<Node>, Key(key): Key, Named(channel): Named<ChannelName>) -> Result<HttpResponse, ApiError> {
    key.check_channel(Scope::Read, &channel)?;
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

/// The current subscribers of a channel, or their number.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum PresenceAnswer {
    Connections(PresenceBody),
    Counts(PresenceStatsBody),
}

/// Get the subscribers of a channel.
#[utoipa::path(get, path = "/v1/channels/{channel}/presence", tag = "channels", security(("api_key" = ["presence"])),
    params(("channel" = String, Path, description = "Percent-encoded, including `/` and `#`", example = "chat:lobby"), PresenceQuery),
    responses((status = 200, description = "Each connection, or with `stats=true` only the counts: `clients` and `users`", body = PresenceAnswer),
        (status = 404, description = "`unknown_channel`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`not_available`: the namespace has no presence", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn presence(
    node: Data<Node>,
    Key(key): Key,
    Named(channel): Named<ChannelName>,
    Query(query): Query<PresenceQuery>,
) -> Result<HttpResponse, ApiError> {
    key.check_channel(Scope::Presence, &channel)?;
    if !node.publisher.options(&channel)?.presence {
        let detail = "The channel's namespace has no presence. Set presence = true for it.";
        return Err(ApiError(Refusal::new(ErrorCode::NotAvailable, detail)));
    }
    if query.stats {
        let stats = node.broker.presence_stats(&channel).await.map_err(Refusal::from)?;
        let counts = PresenceStatsBody { clients: stats.clients, users: stats.users };
        return Ok(HttpResponse::Ok().json(PresenceAnswer::Counts(counts)));
    }
    let present = node.broker.presence(&channel, node.presence_limit).await.map_err(Refusal::from)?;
    let connections = PresenceBody { clients: present.iter().map(|info| client_info(info)).collect() };
    Ok(HttpResponse::Ok().json(PresenceAnswer::Connections(connections)))
}
