//! The paths `/livez`, `/readyz` and `/metrics`.

use crate::rest::ReadyBody;
use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{HttpResponse, Resource, web};
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;

/// The health paths and the data behind them.
#[derive(Clone)]
pub struct Health {
    ready: Arc<dyn Fn() -> ReadyBody + Send + Sync>,
    registry: Registry,
}

impl Health {
    /// `ready` is called with each request for `/readyz`.
    pub fn new(registry: Registry, ready: impl Fn() -> ReadyBody + Send + Sync + 'static) -> Self {
        Self { ready: Arc::new(ready), registry }
    }

    /// Whether the process can do its work now.
    pub fn readiness(&self) -> ReadyBody {
        (self.ready)()
    }

    /// Adds the paths to an application.
    pub fn configure(&self, app: &mut ServiceConfig) {
        app.app_data(Data::new(self.clone()))
            .service(only_get("/livez", get().to(livez)))
            .service(only_get("/readyz", get().to(readyz)))
            .service(only_get("/metrics", get().to(metrics)));
    }
}

fn only_get(path: &'static str, route: actix_web::Route) -> Resource {
    web::resource(path).route(route)
}

/// Check that the process is alive.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/livez", tag = "operations", security(()), responses((status = 200, description = "The process is alive", body = Object))))]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"alive"}"#)
}

/// Check whether the process can do its work.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "The process can do its work", body = ReadyBody), (status = 503, description = "The process cannot do its work, with the reasons", body = ReadyBody))))]
pub async fn readyz(health: Data<Health>) -> HttpResponse {
    let answer = health.readiness();
    if answer.ready { HttpResponse::Ok().json(answer) } else { HttpResponse::ServiceUnavailable().json(answer) }
}

/// Get all metrics, in the text format of Prometheus.
#[cfg_attr(feature = "openapi", utoipa::path(get, path = "/metrics", tag = "operations", security(()), responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"))))]
pub async fn metrics(health: Data<Health>) -> HttpResponse {
    match TextEncoder::new().encode_to_string(&health.registry.gather()) {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}
