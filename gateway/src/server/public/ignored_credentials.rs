//! Tells of cookies and passwords that did not count.

use super::counted_headers::CountedHeaders;
use crate::{
    auth::{Client, RequestingPage},
    telemetry::{IgnoredCredentials, WorkerMetrics},
};

/// Counts and logs a request of which a cookie or a password was asked for that does not count.
pub(super) fn tell_ignored(counted: &CountedHeaders<'_>, client: &Client, path: &str, metrics: &WorkerMetrics) {
    let why = match counted.ignored() {
        None | Some(RequestingPage::Allowed) => return,
        Some(RequestingPage::Untold) => IgnoredCredentials::NoPage,
        Some(RequestingPage::Any) => IgnoredCredentials::AnyOrigin,
    };
    metrics.credentials_ignored(why);
    let client = client.address.map(tracing::field::display);
    tracing::debug!(client, path, reason = why.text(), "cookies and passwords of a request were ignored");
}
