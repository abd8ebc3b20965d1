//! All metrics of the node, as read by `/metrics` and OTLP.

use super::{
    labels::{Count, Label, Level},
    series::{Kind, SERIES, Series, SeriesRow},
    worker::{Family, WorkerMetrics},
};
use gateway_core::limits::Limit;
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Histogram, Meter},
};
use prometheus::{Registry, TextEncoder};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Upper bounds of the histograms in seconds, from a call within one host to one that reaches its deadline.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type Workers = Arc<Mutex<Vec<Arc<WorkerMetrics>>>>;

/// All metrics of the node.
pub struct Metrics {
    registry: Registry,
    meter: Meter,
    workers: Workers,
    node: NodeMetrics,
    limited: Arc<[AtomicU64; <Limit as Label>::LEN]>,
}

/// Histograms of the node. They are rare enough for a lock and a lookup per record.
pub struct NodeMetrics {
    rest: Histogram<f64>,
    calls: Histogram<f64>,
}

impl NodeMetrics {
    /// Records a request of the internal listener. `route` is the pattern, never the path; `method` is one of a few.
    pub fn rest_request(&self, route: String, method: &'static str, status: u16, took: Duration) {
        let labels = [KeyValue::new("route", route), KeyValue::new("method", method), KeyValue::new("status", i64::from(status))];
        self.rest.record(took.as_secs_f64(), &labels);
    }

    /// Records a call of a configured service.
    pub fn call(&self, service: &str, outcome: &'static str, took: Duration) {
        self.calls.record(took.as_secs_f64(), &[KeyValue::new("service", service.to_owned()), KeyValue::new("outcome", outcome)]);
    }
}

impl Metrics {
    pub(super) fn new(meter: Meter, registry: Registry) -> Self {
        let workers = Workers::default();
        observe_workers(&meter, &workers);
        let node = NodeMetrics { rest: histogram(&meter, Series::RestRequest), calls: histogram(&meter, Series::Call) };
        let limited = Arc::new([const { AtomicU64::new(0) }; <Limit as Label>::LEN]);
        let counts = limited.clone();
        observe(&meter, Series::Limited.row(), move |instrument| {
            for (index, count) in counts.iter().enumerate() {
                instrument.observe(count.load(Relaxed), &labels(Series::Limited.row(), Limit::values(index)));
            }
        });
        Self { registry, meter, workers, node, limited }
    }

    /// The content of `/metrics`, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| format!("# {error}\n"))
    }

    /// Creates the counts of a worker thread. Call it once per thread.
    pub fn worker(&self) -> Arc<WorkerMetrics> {
        let metrics = Arc::new(WorkerMetrics::default());
        lock(&self.workers).push(Arc::clone(&metrics));
        metrics
    }

    /// Counts something that was refused or ended because of a limit. Every thread may call it.
    pub fn limited(&self, by: Limit) {
        self.limited[by.index()].fetch_add(1, Relaxed);
    }

    /// Histograms of the node.
    pub fn node(&self) -> &NodeMetrics {
        &self.node
    }

    /// Registers a reader of counts that are kept elsewhere. `read` calls its argument once for each combination of label values.
    pub fn observe(&self, series: Series, read: impl Fn(&mut dyn FnMut(&[&str], u64)) + Send + Sync + 'static) {
        let row = series.row();
        observe(&self.meter, row, move |instrument| {
            read(&mut |values, number| instrument.observe(number, &labels(row, values.iter().map(|value| (*value).to_owned()))));
        });
    }
}

fn observe_workers(meter: &Meter, workers: &Workers) {
    for count in Count::ALL {
        observe_sum(meter, row_named(count.text()), workers, move |worker| worker.counts.get(count.index()));
    }
    for level in Level::ALL {
        observe_sum(meter, row_named(level.text()), workers, move |worker| worker.levels.get(level.index()));
    }
    observe_family(meter, Series::ConnectionsClosed, workers, |worker| &worker.closed);
    observe_family(meter, Series::UpgradesRefused, workers, |worker| &worker.refused);
    observe_family(meter, Series::Commands, workers, |worker| &worker.commands);
    observe_family(meter, Series::RepliesError, workers, |worker| &worker.errors);
    observe_family(meter, Series::Dropped, workers, |worker| &worker.dropped);
    observe_family(meter, Series::OutboxOverflow, workers, |worker| &worker.overflowed);
    observe_family(meter, Series::StreamRequests, workers, |worker| &worker.posted);
    observe_family(meter, Series::IgnoredCredentials, workers, |worker| &worker.ignored_credentials);
    observe_family(meter, Series::Logouts, workers, |worker| &worker.logouts);
    observe_family(meter, Series::TokensUnchecked, workers, |worker| &worker.unchecked);
}

fn observe_sum(meter: &Meter, row: &'static SeriesRow, workers: &Workers, read: impl Fn(&WorkerMetrics) -> u64 + Send + Sync + 'static) {
    let workers = Arc::clone(workers);
    observe(meter, row, move |instrument| instrument.observe(sum(&workers, &read), &[]));
}

fn observe_family<L: Label + 'static, const N: usize>(
    meter: &Meter,
    series: Series,
    workers: &Workers,
    family: fn(&WorkerMetrics) -> &Family<L, N>,
) {
    let workers = Arc::clone(workers);
    observe(meter, series.row(), move |instrument| {
        for index in 0..L::LEN {
            instrument.observe(sum(&workers, |worker| family(worker).get(index)), &labels(series.row(), L::values(index)));
        }
    });
}

fn observe(meter: &Meter, row: &'static SeriesRow, callback: impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static) {
    match row.kind {
        Kind::Counter => {
            meter.u64_observable_counter(row.otlp_name()).with_description(row.help).with_callback(callback).build();
        }
        Kind::Gauge | Kind::Histogram => {
            meter.u64_observable_gauge(row.otlp_name()).with_description(row.help).with_callback(callback).build();
        }
    }
}

fn histogram(meter: &Meter, series: Series) -> Histogram<f64> {
    let row = series.row();
    meter.f64_histogram(row.otlp_name()).with_description(row.help).with_unit("s").with_boundaries(SECONDS.to_vec()).build()
}

/// Sums a count over all workers. One worker may lower a gauge that another one raised, so single counts may wrap around.
fn sum(workers: &Workers, read: impl Fn(&WorkerMetrics) -> u64) -> u64 {
    lock(workers).iter().fold(0, |sum, worker| sum.wrapping_add(read(worker)))
}

fn labels(row: &SeriesRow, values: impl IntoIterator<Item = String>) -> Vec<KeyValue> {
    row.labels.iter().zip(values).map(|(name, value)| KeyValue::new(*name, value)).collect()
}

fn row_named(name: &str) -> &'static SeriesRow {
    SERIES.iter().find(|row| row.name == name).expect("a test checks that every counter has a row")
}

fn lock(workers: &Workers) -> MutexGuard<'_, Vec<Arc<WorkerMetrics>>> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}
