//! Starts and stops telemetry.

use super::{metrics::Metrics, trace};
use crate::settings::{self, LogFormat, Problems, Settings};
use opentelemetry::{KeyValue, metrics::MeterProvider as _, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::Registry;
use shared_proto::http::SILENCED_TARGET;
use std::sync::Arc;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, Registry as Subscriber, filter::Targets, layer::SubscriberExt as _};

type BoxedLayer = Box<dyn tracing_subscriber::Layer<Subscriber> + Send + Sync>;

/// Logs, metrics and traces of the process.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    meters: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts telemetry of the whole process, logs included. Call it once per process.
    pub fn start(settings: &Settings) -> Result<Self, Problems> {
        let filter = log_filter(&settings.telemetry)?;
        let telemetry = Self::without_logs(settings)?;
        let mut layers = vec![log_layer(settings.telemetry.log_format, filter)];
        if let Some(traces) = &telemetry.traces {
            let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("gateway")).with_location(false).with_threads(false);
            layers.push(spans.with_filter(Targets::new().with_target("gateway", LevelFilter::INFO)).boxed());
            trace::enable();
        }
        // Fails only if a subscriber is already set, as in tests. That one stays.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers));
        Ok(telemetry)
    }

    /// Makes the same checks of settings as a start.
    pub fn check(settings: &Settings) -> Result<(), Problems> {
        let mut problems = Problems::default();
        [log_filter(&settings.telemetry).err(), endpoint(&settings.telemetry).err()]
            .into_iter()
            .flatten()
            .for_each(|found| problems.append(found));
        problems.into_result(())
    }

    /// Starts metrics and, with an endpoint, the sending of metrics and traces.
    pub fn without_logs(settings: &Settings) -> Result<Self, Problems> {
        let registry = Registry::new();
        let internal = |error: &dyn std::fmt::Display| Problems::of("telemetry", error.to_string());
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_units()
            .build()
            .map_err(|error| internal(&error))?;
        let resource = resource(settings);
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(prometheus);
        let mut traces = None;
        if let Some(endpoint) = endpoint(&settings.telemetry)? {
            let refused = |error: ExporterBuildError| Problems::of("telemetry.otlp_endpoint", error.to_string());
            let metrics = MetricExporter::builder().with_http().with_endpoint(format!("{endpoint}/v1/metrics")).build().map_err(refused)?;
            let spans = SpanExporter::builder().with_http().with_endpoint(format!("{endpoint}/v1/traces")).build().map_err(refused)?;
            meters = meters.with_periodic_exporter(metrics);
            let share = Sampler::TraceIdRatioBased(settings.telemetry.sample_ratio);
            let sampler = Sampler::ParentBased(Box::new(share));
            traces = Some(SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler).with_batch_exporter(spans).build());
        }
        let meters = meters.build();
        Ok(Self { metrics: Arc::new(Metrics::new(meters.meter("gateway"), registry)), meters, traces })
    }

    /// The metrics.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Sends all queued data. May block for 5 s each for traces and metrics, so do not call it on a thread that runs async tasks.
    pub fn shutdown(&self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "cannot send the last traces");
        }
        if let Err(error) = self.meters.shutdown() {
            tracing::warn!(%error, "cannot send the last metrics");
        }
    }
}

fn log_layer(format: LogFormat, filter: Targets) -> BoxedLayer {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    }
}

fn log_filter(telemetry: &settings::Telemetry) -> Result<Targets, Problems> {
    let filter = telemetry.log_filter.replace(' ', "").parse::<Targets>();
    filter
        .map(|filter| filter.with_target(SILENCED_TARGET, LevelFilter::OFF))
        .map_err(|error| Problems::of("telemetry.log_filter", format!("is not a filter such as \"info,gateway::hub=debug\": {error}")))
}

fn endpoint(telemetry: &settings::Telemetry) -> Result<Option<&str>, Problems> {
    let endpoint = telemetry.otlp_endpoint.trim_end_matches('/');
    if endpoint.is_empty() || endpoint.starts_with("http://") {
        return Ok((!endpoint.is_empty()).then_some(endpoint));
    }
    Err(Problems::of("telemetry.otlp_endpoint", "expected an address such as \"http://127.0.0.1:4318\"; this version sends without TLS"))
}

fn resource(settings: &Settings) -> Resource {
    Resource::builder()
        .with_service_name(settings.telemetry.service_name.clone())
        .with_attribute(KeyValue::new("service.instance.id", settings.node.name.clone()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}
