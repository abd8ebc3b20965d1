//! Draining of single instances and targets.

use super::{
    audit_line::Action,
    extract::{InPath, Json, Named},
    problem::ApiError,
};
use crate::{
    cluster::{DrainAction, DrainOrder, DrainPart},
    node::Node,
};
use actix_web::{HttpResponse, web::Data};
use gateway_core::model::{ErrorCode, Refusal, ServiceName};
use shared_proto::rest::{AffectedNodesBody, DrainRequest, Problem};

/// The name of an instance.
pub(super) struct Instance(Box<str>);

impl InPath for Instance {
    const SEGMENT: &'static str = "instance";

    fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(Self(text.into()))
    }
}

/// The place of a target in the settings.
pub(super) struct Target(usize);

impl InPath for Target {
    const SEGMENT: &'static str = "target";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let detail = "The last segment of the path must be the place of a target in `targets` of GET /v1/services, beginning with 0.";
        text.parse().map(Self).map_err(|_| Refusal::new(ErrorCode::BadRequest, detail))
    }
}

/// Drain an instance, or use it again, on all nodes.
///
/// A drained instance gets no new calls and events; those in flight go on, and `GET /v1/services` shows their number. The order counts for the name of
/// the instance on each node, also when it opens its links again or has none, until the node restarts. A node remembers twice `link.max_links` names of
/// a service; above that it logs a warning and forgets the oldest one without a link.
#[utoipa::path(patch, path = "/v1/services/{service}/instances/{instance}", tag = "services", security(("api_key" = ["admin"])),
    params(("service" = String, Path, description = "As the settings name it", example = "chatbot"), ("instance" = String, Path, description = "As its `hello` named it")),
    request_body(content = DrainRequest, example = json!({"draining": true})),
    responses((status = 200, description = "The order counts on these nodes", body = AffectedNodesBody),
        (status = 404, description = "`no_service`; `not_found`: no node has a link of the instance or drains it", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: a node did not answer; the others may have carried the order out. It is safe to repeat it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn instance(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(Instance(name)): Named<Instance>,
    action: Action,
    Json(DrainRequest { draining }): Json<DrainRequest>,
) -> Result<HttpResponse, ApiError> {
    action.is(if draining { "instance.drain" } else { "instance.undrain" });
    match order_all(&node, &service, DrainPart::Instance(name.clone()), draining).await? {
        0 => {
            let detail = format!(
                "No node has a link of an instance {name:?} of {service}, and none drains it. GET /v1/services lists the instances with links."
            );
            Err(Refusal::new(ErrorCode::NotFound, detail).into())
        }
        nodes => Ok(HttpResponse::Ok().json(AffectedNodesBody { nodes })),
    }
}

/// Drain a target of a webhook, or use it again, on all nodes.
///
/// A drained target gets no new requests; those in flight go on. The node that takes the request reads the place in its own settings; the other nodes
/// drain the target with the same URL (queries left out, but counted among equal ones), wherever their settings list it. The order counts on each node
/// until it restarts.
#[utoipa::path(patch, path = "/v1/services/{service}/targets/{target}", tag = "services", security(("api_key" = ["admin"])),
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), ("target" = usize, Path, description = "The place of the target in `targets` of `GET /v1/services`, beginning with 0")),
    request_body(content = DrainRequest, example = json!({"draining": true})),
    responses((status = 200, description = "The order counts on these nodes", body = AffectedNodesBody),
        (status = 404, description = "`no_service`; `not_found`: the service has no such target", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: a node did not answer; the others may have carried the order out. It is safe to repeat it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn target(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(Target(place)): Named<Target>,
    action: Action,
    Json(DrainRequest { draining }): Json<DrainRequest>,
) -> Result<HttpResponse, ApiError> {
    action.is(if draining { "target.drain" } else { "target.undrain" });
    let part = node.services.target(&service, place)?;
    let nodes = order_all(&node, &service, part, draining).await?;
    Ok(HttpResponse::Ok().json(AffectedNodesBody { nodes }))
}

/// Gives the order to all nodes. Returns on how many of them it counts; none follows an order to drain what no node has.
async fn order_all(node: &Node, service: &ServiceName, part: DrainPart, draining: bool) -> Result<usize, Refusal> {
    let mut order = DrainOrder { service: service.as_str().into(), part, action: DrainAction::Find };
    if draining && !node.services.drain_part(&order)? && node.cluster.drain_elsewhere(&order).await? == 0 {
        return Ok(0);
    }
    order.action = if draining { DrainAction::Drain } else { DrainAction::Undrain };
    let here = usize::from(node.services.drain_part(&order)?);
    Ok(here + node.cluster.drain_elsewhere(&order).await?)
}
