//! REST handlers of the internal listener, for services and operators. The listener itself is in `server`.
//!
//! Every refusal is a problem document (RFC 9457), and a refused request changes nothing. [`configure`] registers one table of paths. A test compares
//! it with the OpenAPI document.

mod audit_line;
mod broadcasts;
mod channels;
mod cluster;
mod connections;
mod drains;
mod extract;
mod guarded;
mod link;
mod observe;
mod openapi;
pub mod operations;
mod parameters;
mod paths;
mod problem;
mod publications;
mod queues;
mod revocations;
mod route;
#[cfg(test)]
mod tests;
mod users;

pub(crate) use extract::{BodyLimit, Json, limit_bodies};
pub use link::accepts_websocket;
pub use problem::ApiError;
pub(crate) use route::Path;

use crate::node::Node;
use actix_web::{
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use std::sync::Arc;

/// Registers the whole interface in an application.
pub fn configure(config: &mut ServiceConfig, node: &Arc<Node>) {
    let mut all = web::scope("").wrap(from_fn(observe::observe)).default_service(web::to(problem::no_such_path));
    for path in paths::guarded() {
        all = all.service(path.into_resource());
    }
    for path in paths::open() {
        all = all.service(path.into_resource());
    }
    all = all.service(openapi::to_docs()).service(openapi::docs());
    extract::limit_bodies(config, BodyLimit { bytes: node.api.body, setting: Some("internal.body_size") });
    config.app_data(web::Data::from(Arc::clone(node))).service(all);
}
