//! The demo page and its tokens. The gateway serves them only with `demo.enabled`, because any visitor gets a token for any user.

use super::cors::allow_origins;
use crate::{
    api::{ApiError, BodyLimit, Json, Path, limit_bodies},
    auth::{ConnectionClaims, Origins},
    node::Node,
    settings::Demo,
};
use actix_web::{HttpResponse, http::header, middleware::from_fn, web};
use gateway_core::model::{ErrorCode, Refusal, UserId};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use shared_proto::name::equal_ignoring_case;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How long a demo token is valid. The page requests a new one before that.
const TTL: Duration = Duration::from_hours(1);

/// The page may load and call only its own origin.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The page's files.
#[derive(RustEmbed)]
#[folder = "../web/"]
#[exclude = "tests/*"]
#[exclude = "*.md"]
struct Files;

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    user: String,
}

#[derive(Serialize)]
struct TokenResponse {
    token: String,
}

#[derive(Serialize)]
struct NodesResponse {
    /// The node that answered.
    here: Arc<str>,
    /// Version of the gateway.
    version: &'static str,
    /// Address of the REST interface of a node, as `http://host:port`, with its documentation under `/docs`. Absent if no node has published
    /// its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    nodes: Vec<NodeEntry>,
}

#[derive(Serialize)]
struct NodeEntry {
    name: Arc<str>,
    url: Box<str>,
}

/// Largest request for a token, in bytes.
const REQUEST_BYTES: usize = 4096;

/// Users that get no token: `demo.reserved_names`.
#[derive(Clone)]
pub(super) struct ReservedNames(Arc<[String]>);

impl ReservedNames {
    pub(super) fn new(settings: &Demo) -> Self {
        Self(settings.reserved_names.as_slice().into())
    }

    fn contains(&self, user: &str) -> bool {
        self.0.iter().any(|name| equal_ignoring_case(name, user))
    }
}

pub(super) fn configure(config: &mut web::ServiceConfig, origins: &Arc<Origins>, reserved: &ReservedNames) {
    limit_bodies(config, BodyLimit { bytes: REQUEST_BYTES, setting: None });
    config
        .app_data(web::Data::from(origins.clone()))
        .app_data(web::Data::new(reserved.clone()))
        .service(Path::new("/demo/token").post(token).options(preflight).into_resource().wrap(from_fn(allow_origins)))
        .service(Path::new("/demo/nodes").get(nodes).into_resource())
        .service(Path::new("/{path:.*}").get(file).into_resource());
}

async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"))
        .finish()
}

async fn token(
    node: web::Data<Node>,
    reserved: web::Data<ReservedNames>,
    Json(request): Json<TokenRequest>,
) -> Result<HttpResponse, ApiError> {
    let bad = |why: String| ApiError(Refusal::new(ErrorCode::BadRequest, why));
    let user: UserId = request.user.parse().map_err(|error| bad(format!("The user {error}.")))?;
    if user.is_anonymous() {
        return Err(bad("The user is empty.".into()));
    }
    if reserved.contains(&request.user) {
        return Err(bad(format!("The name \"{}\" is reserved. Choose another name.", request.user)));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = ConnectionClaims { expires: Some(Duration::from_secs(now) + TTL), ..ConnectionClaims::of(user) };
    let token = node.tokens.sign_connection(&claims, now).map_err(|error| bad(format!("tokens.hmac_secret {error}.")))?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(TokenResponse { token }))
}

/// Lists the nodes that a tab can use, and says where the documentation is. Nodes without a public address are left out.
async fn nodes(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    let all = node.cluster.nodes().await?.into_iter().filter(|each| !each.public.is_empty());
    let nodes = all.map(|each| NodeEntry { name: each.name, url: each.public }).collect();
    let here = node.name.clone();
    // Links and the REST interface share the internal listener: `ws://` becomes `http://`, `wss://` becomes `https://`.
    let api = node.cluster.links().borrow().first().map(|link| link.replacen("ws", "http", 1));
    let version = env!("CARGO_PKG_VERSION");
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(NodesResponse { here, version, api, nodes }))
}

async fn file(path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let path = if path.is_empty() { "index.html" } else { path.as_str() };
    let Some(file) = Files::get(path) else {
        return Err(ApiError(Refusal::new(ErrorCode::NotFound, format!("The demo has no file {path}."))));
    };
    let response = HttpResponse::Ok()
        .content_type(content_type(file.metadata.mimetype()))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(file.data.into_owned());
    Ok(response)
}

fn content_type(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_requests_follow_the_json_rules() {
        shared_proto::json::testing::check_members::<TokenRequest>(r#"{"user":"alice"}"#, &[]);
    }
}
