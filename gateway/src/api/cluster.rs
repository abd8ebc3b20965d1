//! Nodes and services.

use super::problem::ApiError;
use crate::{
    node::Node,
    services::{Deliver, InstanceSummary, LatencySummary, Reached, ServiceSummary, TargetSummary},
};
use actix_web::{HttpResponse, web::Data};
use shared_proto::rest::{InstanceBody, LatencyBody, NodeBody, NodesBody, Problem, ServiceBody, ServicesBody, TargetBody};
use std::time::Duration;

/// List the nodes.
#[utoipa::path(get, path = "/v1/nodes", tag = "operations", security(("api_key" = ["read"])),
    responses((status = 200, description = "Every node that is registered and alive now", body = NodesBody),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn nodes(node: Data<Node>) -> Result<HttpResponse, ApiError> {
    let all = node.cluster.nodes().await?;
    let each = all.into_iter().map(|n| NodeBody { name: n.name.to_string(), since: n.since_ms, workers: n.workers });
    Ok(HttpResponse::Ok().json(NodesBody { nodes: each.collect() }))
}

/// List the services, with their links to this node, or their targets as this node sees them.
#[utoipa::path(get, path = "/v1/services", tag = "services", security(("api_key" = ["admin"])), responses((status = 200, description = "Every service of the settings", body = ServicesBody)))]
pub(super) async fn services(node: Data<Node>) -> HttpResponse {
    HttpResponse::Ok().json(ServicesBody { services: node.services.summary().iter().map(service).collect() })
}

fn service(service: &ServiceSummary) -> ServiceBody {
    let (reach, instances, targets) = match &service.reached {
        Reached::ByLinks(instances) => ("link", instances.iter().map(instance).collect(), Vec::new()),
        Reached::ByWebhook(targets) => ("webhook", Vec::new(), targets.iter().map(target).collect()),
        Reached::ByQueue => ("queue", Vec::new(), Vec::new()),
    };
    let deliver = service.queue.map(|deliver| match deliver {
        Deliver::ByReach => "reach",
        Deliver::Stream => "stream",
    });
    ServiceBody {
        service: service.service.to_string(),
        reach: reach.into(),
        events: if deliver.is_some() { "queue" } else { "direct" }.into(),
        deliver: deliver.map(Into::into),
        waiting: service.waiting,
        instances,
        targets,
    }
}

fn target(target: &TargetSummary) -> TargetBody {
    TargetBody {
        url: target.url.to_string(),
        in_flight: target.in_flight,
        draining: target.draining,
        breaker: target.breaker.name().into(),
        latency: target.latency.map(latency),
    }
}

fn instance(instance: &InstanceSummary) -> InstanceBody {
    InstanceBody {
        instance: instance.instance.to_string(),
        in_flight: instance.in_flight,
        credit: instance.credit,
        draining: instance.draining,
        breaker: instance.breaker.name().into(),
        latency: instance.latency.map(latency),
    }
}

fn latency(latency: LatencySummary) -> LatencyBody {
    let millis = |duration: Duration| duration.as_micros() as f64 / 1000.0;
    LatencyBody { calls: latency.calls, p50_ms: millis(latency.p50), p99_ms: millis(latency.p99) }
}
