//! Traces, metrics and logs.
//!
//! Metrics are always there as Prometheus text; with `telemetry.otlp_endpoint` they are also sent, and traces with them.

mod failure_log;
mod labels;
mod metrics;
mod series;
mod setup;
mod trace;
mod worker;

#[cfg(test)]
mod tests;

pub use failure_log::FailureLog;
pub use labels::{Closed, CommandKind, Count, DropCause, Label, Level, OverflowPolicy, TransportEnd};
pub use metrics::{Metrics, NodeMetrics};
pub use series::{Kind, SERIES, Series, SeriesRow};
pub use setup::Telemetry;
pub use trace::{InvalidTraceParent, Step, TraceContext, Work};
pub use worker::{OpenTask, WorkerMetrics};
