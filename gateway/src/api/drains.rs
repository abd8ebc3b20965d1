//! Draining of single instances and targets.

use super::{
    extract::{InPath, Json, Named},
    problem::ApiError,
};
use crate::{
    cluster::{DrainOrder, DrainPart},
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
/// the instance, also when it opens its links again, until a node restarts.
#[utoipa::path(patch, path = "/v1/services/{service}/instances/{instance}", tag = "services",
    params(("service" = String, Path, description = "As the settings name it", example = "chatbot"), ("instance" = String, Path, description = "As its `hello` named it")),
    request_body(content = DrainRequest, example = json!({"draining": true})),
    responses((status = 200, description = "The order counts on these nodes", body = AffectedNodesBody),
        (status = 404, description = "`no_service`; `not_found`: no node has a link of the instance", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: a node did not answer; the others may have carried the order out. It is safe to repeat it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn instance(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(Instance(name)): Named<Instance>,
    Json(DrainRequest { draining }): Json<DrainRequest>,
) -> Result<HttpResponse, ApiError> {
    carry_out(&node, &DrainOrder { service: service.as_str().into(), part: DrainPart::Instance(name), draining }).await
}

/// Drain a target of a webhook, or use it again, on all nodes.
///
/// A drained target gets no new requests; those in flight go on. The order counts until a node restarts.
#[utoipa::path(patch, path = "/v1/services/{service}/targets/{target}", tag = "services",
    params(("service" = String, Path, description = "As the settings name it", example = "shop"), ("target" = usize, Path, description = "The place of the target in `targets` of `GET /v1/services`, beginning with 0")),
    request_body(content = DrainRequest, example = json!({"draining": true})),
    responses((status = 200, description = "The order counts on these nodes", body = AffectedNodesBody),
        (status = 404, description = "`no_service`; `not_found`: the service has no such target", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: a node did not answer; the others may have carried the order out. It is safe to repeat it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn target(
    node: Data<Node>,
    Named(service): Named<ServiceName>,
    Named(Target(place)): Named<Target>,
    Json(DrainRequest { draining }): Json<DrainRequest>,
) -> Result<HttpResponse, ApiError> {
    carry_out(&node, &DrainOrder { service: service.as_str().into(), part: DrainPart::Target(place), draining }).await
}

async fn carry_out(node: &Node, order: &DrainOrder) -> Result<HttpResponse, ApiError> {
    let here = usize::from(node.services.drain_part(order)?);
    match here + node.cluster.drain_elsewhere(order).await? {
        0 => Err(Refusal::new(ErrorCode::NotFound, not_found(order)).into()),
        nodes => Ok(HttpResponse::Ok().json(AffectedNodesBody { nodes })),
    }
}

fn not_found(DrainOrder { service, part, .. }: &DrainOrder) -> String {
    match part {
        DrainPart::Instance(name) => {
            format!("No node has a link of an instance {name:?} of {service}. GET /v1/services lists the instances.")
        }
        DrainPart::Target(place) => format!("{service} has no target {place}. GET /v1/services lists the targets; the first one is 0."),
    }
}
