//! REST handlers of the internal listener, for services and operators. The listener itself is in `server`.
//!
//! Every refusal is a problem document (RFC 9457), and a refused request changes nothing. [`configure`] registers one table of paths. A test compares
//! it with the OpenAPI document.

mod broadcasts;
mod channels;
mod cluster;
mod connections;
mod drains;
mod extract;
mod link;
mod observe;
mod openapi;
pub mod operations;
mod problem;
mod publications;
mod route;
#[cfg(test)]
mod tests;
mod users;

pub(crate) use extract::{BodyLimit, Json, limit_bodies};
pub use link::accepts_websocket;
pub use problem::{ApiError, problem};
pub(crate) use route::Path;

use crate::node::Node;
use actix_web::{
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use shared_proto::http::openapi::DOCUMENT;
use std::sync::Arc;

/// Paths that require an API key. They are tried in order, so frequent ones come first.
fn guarded() -> Vec<Path> {
    vec![
        Path::new("/v1/publications").post(publications::batch),
        Path::new("/v1/channels/{channel}/publications").post(publications::publish).get(publications::history).delete(publications::clear),
        Path::new("/v1/broadcasts").post(broadcasts::broadcast),
        Path::new("/v1/users/{user}/messages").post(users::message),
        Path::new("/v1/channels").get(channels::list),
        Path::new("/v1/channels/{channel}").get(channels::get),
        Path::new("/v1/channels/{channel}/presence").get(channels::presence),
        Path::new("/v1/users/{user}/connections").get(users::connections).delete(users::disconnect),
        Path::new("/v1/users/{user}/subscriptions/{channel}").put(users::subscribe).delete(users::unsubscribe),
        Path::new("/v1/connections/{id}").get(connections::get).delete(connections::disconnect),
        Path::new("/v1/connections/{id}/messages").post(connections::message),
        Path::new("/v1/nodes").get(cluster::nodes),
        Path::new("/v1/services").get(cluster::services),
        Path::new("/v1/services/{service}/instances/{instance}").patch(drains::instance),
        Path::new("/v1/services/{service}/targets/{target}").patch(drains::target),
        Path::new(link::PATH).get(link::open),
    ]
}

/// Paths for operations. They require no key.
fn open() -> Vec<Path> {
    vec![
        Path::new("/metrics").get(operations::metrics),
        Path::new("/livez").get(operations::livez),
        Path::new("/readyz").get(operations::readyz),
        Path::new(DOCUMENT).get(openapi::document),
    ]
}

/// Registers the whole interface in an application.
pub fn configure(config: &mut ServiceConfig, node: &Arc<Node>) {
    let mut all = web::scope("").wrap(from_fn(observe::observe)).default_service(web::to(problem::no_such_path));
    for path in guarded() {
        all = all.service(path.into_resource().wrap(from_fn(extract::require_key)));
    }
    for path in open() {
        all = all.service(path.into_resource());
    }
    all = all.service(openapi::to_docs()).service(openapi::docs());
    extract::limit_bodies(config, BodyLimit { bytes: node.api.body, setting: Some("internal.body_size") });
    config.app_data(web::Data::from(Arc::clone(node))).service(all);
}
