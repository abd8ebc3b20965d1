//! Health and metrics. The public listener uses them too.

use crate::node::Node;
use actix_web::{HttpResponse, http::header, web::Data};
use shared_proto::rest::ReadyBody;

/// Get all metrics, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", security(()), responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(node: Data<Node>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(node.metrics.render())
}

/// Check that the process is alive.
#[utoipa::path(get, path = "/livez", tag = "operations", security(()), responses((status = 200, description = "The process is alive", body = String, content_type = "text/plain")))]
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// Check whether the node can serve.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "The node can serve. If some channels are unavailable, with the reasons", body = ReadyBody), (status = 503, description = "The node cannot serve, with the reasons", body = ReadyBody)))]
pub async fn readyz(node: Data<Node>) -> HttpResponse {
    answer(node.readiness().into())
}

/// Readiness for the public listener. The answer has no reasons, because they contain addresses of servers and their error messages.
pub async fn public_readyz(node: Data<Node>) -> HttpResponse {
    answer(ReadyBody { reasons: Vec::new(), ..node.readiness().into() })
}

fn answer(readiness: ReadyBody) -> HttpResponse {
    match readiness.ready {
        true => HttpResponse::Ok().json(readiness),
        false => HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "1")).json(readiness),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeReadiness;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn a_node_that_serves_only_some_channels_is_ready_and_gives_reasons() {
        for (readiness, status, body) in [
            (NodeReadiness::Ready, 200, r#"{"ready":true}"#),
            (NodeReadiness::Partial(vec!["one is down".into()]), 200, r#"{"ready":true,"reasons":["one is down"]}"#),
            (NodeReadiness::NotReady(vec!["all are down".into()]), 503, r#"{"ready":false,"reasons":["all are down"]}"#),
        ] {
            let answer = answer(readiness.into());
            assert_eq!(answer.status(), status);
            assert_eq!(to_bytes(answer.into_body()).await.expect("whole"), body);
        }
    }
}
