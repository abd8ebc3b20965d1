//! Traces, metrics and logs. Other modules count and begin spans; this module defines the names and meanings of all metrics.
//!
//! `/metrics` is always available. With `telemetry.otlp_endpoint`, metrics and traces are also sent by OTLP.

mod audit;
mod failure_log;
mod labels;
mod metrics;
mod series;
mod setup;
mod trace;
mod worker;

#[cfg(test)]
mod tests;

pub use audit::{Audit, AuditEntry};
pub use failure_log::FailureLog;
pub use labels::{
    Closed, CommandKind, Count, DropCause, IgnoredCredentials, Label, Level, LogoutResult, OverflowPolicy, PostResult, TransportEnd,
    UncheckedToken,
};
pub use metrics::{Metrics, NodeMetrics};
pub use series::{Kind, SERIES, Series, SeriesRow};
pub use setup::Telemetry;
pub use trace::{InvalidTraceParent, SpanKind, TraceContext, TraceSpan};
pub use worker::{OpenTask, WorkerMetrics};
