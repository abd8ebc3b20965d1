//! Nodes and services.

use super::problem::ApiError;
use crate::{
    node::Node,
    services::{InstanceSummary, Reach},
};
use actix_web::{HttpResponse, web::Data};
use shared_proto::rest::{InstanceBody, NodeBody, NodesBody, Problem, ServiceBody, ServicesBody};

/// List the nodes.
#[utoipa::path(get, path = "/v1/nodes", tag = "operations",
    responses((status = 200, description = "Every node that is registered and alive now", body = NodesBody),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn nodes(node: Data<Node>) -> Result<HttpResponse, ApiError> {
    let all = node.cluster.nodes().await?;
    let each = all.into_iter().map(|n| NodeBody { name: n.name.to_string(), since: n.since_ms, workers: n.workers });
    Ok(HttpResponse::Ok().json(NodesBody { nodes: each.collect() }))
}

/// List the services, and their instances with links to this node.
#[utoipa::path(get, path = "/v1/services", tag = "services", responses((status = 200, description = "Every service of the settings", body = ServicesBody)))]
pub(super) async fn services(node: Data<Node>) -> HttpResponse {
    let each = node.services.summary().into_iter().map(|service| ServiceBody {
        service: service.service.to_string(),
        reach: match service.reach {
            Reach::Link => "link".into(),
        },
        waiting: service.waiting,
        instances: service.instances.iter().map(instance).collect(),
    });
    HttpResponse::Ok().json(ServicesBody { services: each.collect() })
}

fn instance(instance: &InstanceSummary) -> InstanceBody {
    InstanceBody {
        instance: instance.instance.to_string(),
        in_flight: instance.in_flight,
        credit: instance.credit,
        draining: instance.draining,
        breaker: instance.breaker.name().into(),
    }
}
