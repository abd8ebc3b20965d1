//! Measures and traces every request.

use crate::{
    node::Node,
    telemetry::{SpanKind, TraceContext, TraceSpan},
};
use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use std::time::Instant;
use tracing::Instrument;

/// Measures a request, and handles it in a span that continues the caller's trace.
pub(super) async fn observe(request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let start = Instant::now();
    let method = known(request.method().as_str());
    let step = TraceSpan::begin(SpanKind::Request, TraceContext::from_headers(request.headers()));
    request.extensions_mut().insert(step.clone());
    let response = next.call(request).instrument(step.span().clone()).await?;
    let route = response.request().match_pattern().unwrap_or_else(|| "none".into());
    let status = response.status().as_u16();
    step.span().record("method", method).record("route", &route).record("status", status);
    if let Some(node) = response.request().app_data::<Data<Node>>() {
        node.metrics.node().rest_request(route, method, status, start.elapsed());
    }
    Ok(response)
}

/// The method, or `_OTHER`, so that unknown methods do not add series.
fn known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
