//! What operators and their tools ask for. Shared with the public listener.

use crate::node::Node;
use actix_web::{HttpResponse, http::header, web::Data};
use shared_proto::rest::ReadyBody;

/// All metrics, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()), responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(node: Data<Node>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(node.metrics.render())
}

/// Tell that the process is alive.
#[utoipa::path(get, path = "/livez", tag = "operations", security(()), responses((status = 200, description = "It is", body = String, content_type = "text/plain")))]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// Tell whether the node can serve, and why not.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "It can", body = ReadyBody), (status = 503, description = "It cannot: the reasons", body = ReadyBody)))]
pub async fn readyz(node: Data<Node>) -> HttpResponse {
    let reasons = node.unready();
    if reasons.is_empty() {
        return HttpResponse::Ok().json(ReadyBody { ready: true, reasons });
    }
    HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "1")).json(ReadyBody { ready: false, reasons })
}
