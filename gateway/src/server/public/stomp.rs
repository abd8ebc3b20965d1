//! The paths of STOMP on the public listener, and what SockJS clients ask before they connect.
//!
//! Each path of `stomp.paths` has the paths that Spring gives to an endpoint with SockJS
//! (<https://github.com/sockjs/sockjs-protocol/blob/v0.3.3/sockjs-protocol-0.3.3.py>):
//!
//! | path | what |
//! |---|---|
//! | `/stomp`, `/stomp/websocket` | a WebSocket with STOMP frames |
//! | `/stomp/{server}/{session}/websocket` | the same in SockJS messages |
//! | `/stomp/info` | what a SockJS client asks first |

use super::{
    cors::{allow_credentials, allow_origins},
    counted_headers::CountedHeaders,
};
use crate::{
    api::{ApiError, Path},
    auth::Origins,
};
use actix_web::{HttpResponse, http::header, middleware::from_fn, web};
use gateway_core::{
    model::{ErrorCode, Secret},
    protocol::stomp::Framing,
};
use serde::Serialize;
use std::sync::Arc;

/// The paths, and where a handshake has its token.
#[derive(Clone)]
pub(super) struct StompPaths {
    paths: Arc<[Box<str>]>,
    token_cookie: Option<Arc<str>>,
}

impl StompPaths {
    pub(super) fn new(paths: &[String], token_cookie: &str) -> Self {
        let token_cookie = (!token_cookie.is_empty()).then(|| token_cookie.into());
        Self { paths: paths.iter().map(|path| path.as_str().into()).collect(), token_cookie }
    }

    /// How messages carry frames on this path. `None`: it is no path of STOMP.
    pub(super) fn framing(&self, path: &str) -> Option<Framing> {
        self.paths.iter().find_map(|mount| {
            let rest = path.strip_prefix(&**mount)?;
            if matches!(rest, "" | "/websocket") {
                return Some(Framing::WebSocket);
            }
            // SockJS: neither name is empty or has a dot.
            let names = rest.strip_prefix('/')?.strip_suffix("/websocket")?;
            let (server, session) = names.split_once('/')?;
            let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '.']);
            (is_name(server) && is_name(session)).then_some(Framing::SockJs)
        })
    }

    /// The connection token of a handshake: in the query (`token`, `access_token`) or in the cookie of the settings.
    pub(super) fn token(&self, query: Option<&str>, headers: &CountedHeaders<'_>) -> Option<Secret> {
        let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let mut in_query =
            pairs.filter(|(name, value)| matches!(*name, "token" | "access_token") && !value.is_empty()).map(|(_, token)| token);
        in_query.next().or_else(|| headers.cookie(self.token_cookie.as_deref()?)).map(Into::into)
    }

    /// The name of the cookie that may have the token. `None`: no cookie has it.
    pub(super) fn token_cookie(&self) -> Option<&Arc<str>> {
        self.token_cookie.as_ref()
    }

    /// Serves the answers to requests that are no upgrades.
    pub(super) fn configure(&self, config: &mut web::ServiceConfig, origins: &Arc<Origins>) {
        if self.paths.is_empty() {
            return;
        }
        config.app_data(web::Data::from(origins.clone()));
        for mount in self.paths.iter() {
            let info = Path::new(format!("{mount}/info")).get(info).options(preflight);
            // SockJS clients request it with credentials.
            config.service(info.into_resource().wrap(from_fn(allow_credentials)).wrap(from_fn(allow_origins)));
            for path in [mount.to_string(), format!("{mount}/websocket"), format!("{mount}/{{server:[^/.]+}}/{{session:[^/.]+}}/websocket")]
            {
                config.service(Path::new(path).get(async || ApiError::from(ErrorCode::UpgradeRequired)).into_resource());
            }
        }
    }
}

/// The answer to the first request of a SockJS client.
#[derive(Serialize)]
struct Info {
    /// Whether the client may use a WebSocket. The gateway offers nothing else.
    websocket: bool,
    /// Not used by clients.
    origins: [&'static str; 1],
    /// Whether load balancers need a cookie.
    cookie_needed: bool,
    /// Seed for the client's random numbers.
    entropy: u32,
}

async fn info() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store, no-cache, no-transform, must-revalidate, max-age=0")).json(Info {
        websocket: true,
        origins: ["*:*"],
        cookie_needed: false,
        entropy: rand::random(),
    })
}

async fn preflight() -> HttpResponse {
    HttpResponse::NoContent().insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET")).finish()
}
