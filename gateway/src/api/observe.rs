//! Every request is measured and traced, in one place.

use super::extract::traceparent;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use opentelemetry::{KeyValue, global, metrics::Histogram};
use std::{sync::LazyLock, time::Instant};
use tracing::{Instrument, field::Empty, info_span};

/// Seconds by method, route and status, as OpenTelemetry's HTTP conventions name them.
static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    let boundaries = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let meter = global::meter("gateway");
    let histogram = meter.f64_histogram("http.server.request.duration").with_unit("s").with_boundaries(boundaries);
    histogram.with_description("Requests of the internal listener").build()
});

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
    let attributes = [
        KeyValue::new("http.request.method", known(&method)),
        KeyValue::new("http.route", route),
        KeyValue::new("http.response.status_code", i64::from(status)),
    ];
    DURATION.record(start.elapsed().as_secs_f64(), &attributes);
    Ok(response)
}

/// The method, or `_OTHER`: what clients make up must not grow the number of series.
fn known(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
