//! Telemetry of a service process: logs to standard error, and metrics for Prometheus. With an endpoint, traces and metrics are also sent by OTLP.

use crate::http::SILENCED_TARGET;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, global};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prometheus::Registry;
use serde::Deserialize;
use std::io::IsTerminal;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

/// The section `[telemetry]` of the settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// The log filter, a level, or levels for modules: `info`, or `warn,chatbot_backend=debug`.
    pub log: String,
    /// The format of log lines.
    pub log_format: LogFormat,
    /// Base address of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`. Empty: nothing is sent.
    pub otlp_endpoint: String,
    /// The fraction of traces that are recorded, 0 to 1. It applies to traces that begin in this process; other traces keep their decision.
    pub trace_ratio: f64,
}

impl TelemetrySettings {
    fn filter(&self) -> Result<Targets, ParseError> {
        let filter = self.log.replace(' ', "").parse::<Targets>()?;
        Ok(filter.with_target(SILENCED_TARGET, LevelFilter::OFF))
    }

    /// Checks the values. The error names the key.
    pub fn check(&self) -> Result<(), String> {
        self.filter().map_err(|error| format!("telemetry.log: {error}"))?;
        if !(0.0..=1.0).contains(&self.trace_ratio) {
            return Err(format!("telemetry.trace_ratio = {}: must be 0 to 1", self.trace_ratio));
        }
        let endpoint = &self.otlp_endpoint;
        if endpoint.is_empty() || endpoint.starts_with("http://") {
            Ok(())
        } else {
            Err(format!("telemetry.otlp_endpoint = {endpoint}: must begin with http://"))
        }
    }
}

/// Telemetry of this process. [`Telemetry::finish`] sends all queued data.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    metrics: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

/// Telemetry could not start.
#[derive(Debug, thiserror::Error)]
#[error("telemetry: {0}")]
pub struct TelemetryError(String);

impl Telemetry {
    /// Starts logs, traces and metrics of the whole process. Call it once per process.
    pub fn start(program: &'static str, settings: &TelemetrySettings) -> Result<Self, TelemetryError> {
        let bad = |error: &dyn std::fmt::Display| TelemetryError(error.to_string());
        let filter = settings.filter().map_err(|error| bad(&error))?;
        let logs = match settings.log_format {
            LogFormat::Text => fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed(),
            LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        };
        let traces = traces(program, settings).map_err(|error| bad(&error))?;
        // The log filter does not apply to traces.
        let spans = traces.as_ref().map(|traces| {
            let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer(program)).with_location(false).with_threads(false);
            spans.with_filter(LevelFilter::INFO)
        });
        global::set_text_map_propagator(TraceContextPropagator::new());
        tracing_subscriber::registry().with(spans).with(logs.with_filter(filter)).try_init().map_err(|error| bad(&error))?;
        let registry = Registry::new();
        let metrics = metrics(program, settings, &registry)?;
        Ok(Self { registry, metrics, traces })
    }

    /// The meter that creates the metrics of the program.
    pub fn meter(&self, program: &'static str) -> Meter {
        self.metrics.meter(program)
    }

    /// The metrics that `/metrics` serves.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Sends all queued data. May block for some seconds, so do not call it in an async task.
    pub fn finish(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "cannot send the last traces");
        }
        if let Err(error) = self.metrics.shutdown() {
            tracing::warn!(%error, "cannot send the last metrics");
        }
    }
}

fn resource(program: &'static str) -> Resource {
    Resource::builder().with_service_name(program).build()
}

fn traces(program: &'static str, settings: &TelemetrySettings) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let endpoint = format!("{}/v1/traces", settings.otlp_endpoint.trim_end_matches('/'));
    let exporter =
        SpanExporter::builder().with_http().with_endpoint(endpoint).build().map_err(|error| TelemetryError(error.to_string()))?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.trace_ratio)));
    let provider =
        SdkTracerProvider::builder().with_resource(resource(program)).with_sampler(sampler).with_batch_exporter(exporter).build();
    Ok(Some(provider))
}

fn metrics(program: &'static str, settings: &TelemetrySettings, registry: &Registry) -> Result<SdkMeterProvider, TelemetryError> {
    let prometheus = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|error| TelemetryError(error.to_string()))?;
    let mut provider = SdkMeterProvider::builder().with_resource(resource(program)).with_reader(prometheus);
    if !settings.otlp_endpoint.is_empty() {
        let endpoint = format!("{}/v1/metrics", settings.otlp_endpoint.trim_end_matches('/'));
        let exporter =
            MetricExporter::builder().with_http().with_endpoint(endpoint).build().map_err(|error| TelemetryError(error.to_string()))?;
        provider = provider.with_periodic_exporter(exporter);
    }
    Ok(provider.build())
}

/// Makes `span` a child of the W3C trace context of a request, if the request has a valid one.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(parse) {
        // Fails only without a collector. Then there is no trace.
        let _no_collector = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// The W3C trace context of `span`, for an outgoing request. `None` if the span belongs to no trace.
pub fn traceparent(span: &Span) -> Option<String> {
    let context = span.context();
    let here = context.span().span_context().clone();
    here.is_valid().then(|| format!("00-{}-{}-{:02x}", here.trace_id(), here.span_id(), here.trace_flags().to_u8()))
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if (version.len(), trace.len(), span.len(), flags.len()) != (2, 32, 16, 2) || version == "ff" {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_trace_contexts_are_accepted() {
        assert!(parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").is_some_and(|context| context.is_sampled()));
        for bad in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-zzf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
