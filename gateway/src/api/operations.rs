//! What operators and their tools ask for. Shared with the public listener.

use crate::node::{Node, Serves};
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

/// Tell whether the node can serve, and why not, or not all channels.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "It can; the reasons, if not for all channels", body = ReadyBody), (status = 503, description = "It cannot: the reasons", body = ReadyBody)))]
pub async fn readyz(node: Data<Node>) -> HttpResponse {
    answer(node.serves())
}

/// The same for the public listener: whether, and not why. Reasons name servers, and what those said.
pub async fn readyz_in_brief(node: Data<Node>) -> HttpResponse {
    answer(match node.serves() {
        Serves::All | Serves::Some(_) => Serves::All,
        Serves::Nothing(_) => Serves::Nothing(Vec::new()),
    })
}

fn answer(serves: Serves) -> HttpResponse {
    match serves {
        Serves::All => HttpResponse::Ok().json(ReadyBody { ready: true, reasons: Vec::new() }),
        Serves::Some(reasons) => HttpResponse::Ok().json(ReadyBody { ready: true, reasons }),
        Serves::Nothing(reasons) => {
            HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "1")).json(ReadyBody { ready: false, reasons })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn a_node_that_serves_some_channels_stays_in_service_and_says_what_is_wrong() {
        for (serves, status, body) in [
            (Serves::All, 200, r#"{"ready":true}"#),
            (Serves::Some(vec!["one is away".into()]), 200, r#"{"ready":true,"reasons":["one is away"]}"#),
            (Serves::Nothing(vec!["all are away".into()]), 503, r#"{"ready":false,"reasons":["all are away"]}"#),
        ] {
            let answer = answer(serves);
            assert_eq!(answer.status(), status);
            assert_eq!(to_bytes(answer.into_body()).await.expect("whole"), body);
        }
    }
}
