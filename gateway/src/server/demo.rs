//! The demo page and its tokens, served only where `demo.enabled` says so: whoever asks gets a token for any name.

use super::public::get;
use crate::{auth::ConnectionClaims, model::UserId, node::Node};
use actix_web::{HttpResponse, http::header, web};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// How long a demo token is valid; the page gets a new one by itself.
const TTL: Duration = Duration::from_hours(1);

/// Nothing but what the page brings itself.
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
#[serde(deny_unknown_fields)]
struct TokenRequest {
    user: String,
}

#[derive(Serialize)]
struct TokenResponse {
    token: String,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(4096).error_handler(|error, _| {
            let detail = format!("{error}; send {{\"user\":\"alice\"}} as application/json");
            actix_web::error::InternalError::from_response(error, problem(&detail)).into()
        }))
        .route("/demo/token", web::post().to(token))
        .route("/{path:.*}", get().to(file));
}

async fn token(node: web::Data<Node>, request: web::Json<TokenRequest>) -> HttpResponse {
    let user = match request.user.parse::<UserId>() {
        Ok(user) if !user.is_anonymous() => user,
        Ok(_) => return problem("the user is empty"),
        Err(error) => return problem(&format!("the user {error}")),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = ConnectionClaims { expires: Some(now + TTL.as_secs()), ..ConnectionClaims::of(user) };
    match node.tokens.sign_connection(&claims, now) {
        Ok(token) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(TokenResponse { token }),
        Err(error) => problem(&error.to_string()),
    }
}

async fn file(path: web::Path<String>) -> HttpResponse {
    let path = if path.is_empty() { "index.html" } else { path.as_str() };
    let Some(file) = Files::get(path) else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("There is nothing here.\n");
    };
    HttpResponse::Ok()
        .content_type(content_type(file.metadata.mimetype()))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(file.data.into_owned())
}

fn content_type(kind: &str) -> String {
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

fn problem(detail: &str) -> HttpResponse {
    let problem = shared_proto::rest::Problem {
        kind: "about:blank".into(),
        title: "Bad Request".into(),
        status: 400,
        code: "bad_request".into(),
        retryable: false,
        detail: detail.into(),
    };
    HttpResponse::BadRequest().content_type("application/problem+json").body(serde_json::to_string(&problem).unwrap_or_default())
}
