//! Every request is measured and traced, in one place.

use super::extract::traceparent;
use crate::node::Node;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use std::time::Instant;
use tracing::{Instrument, field::Empty, info_span};

/// Measures a request, and puts what it does into a span that continues the caller's trace.
pub(super) async fn observe(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let start = Instant::now();
    let method = request.method().as_str().to_owned();
    let parent = traceparent(request.request());
    let span = info_span!("http", otel.kind = "server", method, route = Empty, status = Empty, traceparent = parent.as_deref());
    let response = next.call(request).instrument(span.clone()).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "none".into());
    let status = response.status().as_u16();
    span.record("route", &route).record("status", status);
    if let Some(node) = response.request().app_data::<Data<Node>>() {
        node.metrics.node().rest_request(route, known(&method), status, start.elapsed());
    }
    Ok(response)
}

/// The method, or `_OTHER`: what clients make up must not grow the number of series.
fn known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
