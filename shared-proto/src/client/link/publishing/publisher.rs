//! What a service publishes through its links.

use super::router::Submission;
use crate::client::Failure;
use crate::link::Publish;
use crate::rest::PositionBody;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// How much longer than its deadline a publish waits for the word of the task that keeps the deadline.
const GRACE: Duration = Duration::from_secs(1);

/// Something to publish.
#[derive(Debug, Clone)]
pub struct Publication {
    channel: String,
    data: Box<RawValue>,
    tags: BTreeMap<String, String>,
    ephemeral: bool,
    idempotency_key: Option<String>,
    traceparent: Option<String>,
}

impl Publication {
    /// `data` in `channel`; fails where `data` cannot be written as JSON.
    pub fn new(channel: impl Into<String>, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        let data = to_raw_value(data)?;
        Ok(Self { channel: channel.into(), data, tags: BTreeMap::new(), ephemeral: false, idempotency_key: None, traceparent: None })
    }

    /// Not stored: only who is subscribed now receives it.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Stored once, however often it is published under this key. Without one, a random key is used.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Delivered along with the data.
    #[must_use]
    pub fn tagged(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Continues a trace.
    #[must_use]
    pub fn traced(mut self, traceparent: Option<String>) -> Self {
        self.traceparent = traceparent;
        self
    }

    fn into_frame(self) -> Publish {
        let key = self.idempotency_key.or_else(|| (!self.ephemeral).then(|| format!("{:032x}", rand::random::<u128>())));
        Publish {
            id: 0,
            channel: self.channel,
            data: self.data,
            tags: self.tags,
            ephemeral: self.ephemeral,
            idempotency_key: key,
            traceparent: self.traceparent,
        }
    }
}

/// Publishes through the links of this instance. Cheap to clone.
///
/// All publications of a channel go over one link at a time, in the order in which `publish` was called. What a lost link
/// left unanswered is sent again over another, under the same key, before anything newer of that channel.
#[derive(Debug, Clone)]
pub struct Publisher {
    submissions: mpsc::Sender<Submission>,
}

impl Publisher {
    pub(super) fn new(submissions: mpsc::Sender<Submission>) -> Self {
        Self { submissions }
    }

    /// Publishes, and waits until a node has taken it, for at most `within`.
    ///
    /// Dropping the future gives up the answer, not the publication. While no link is there or the queue is full this waits.
    pub async fn publish(&self, publication: Publication, within: Duration) -> Result<PositionBody, Failure> {
        let deadline = Instant::now() + within;
        let (waiter, outcome) = oneshot::channel();
        let submission = Submission { publish: publication.into_frame(), deadline, waiter };
        match timeout_at(deadline, self.submissions.send(submission)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Failure::unreachable("the links are closed")),
            Err(_) => return Err(Failure::unreachable("too many publications wait")),
        }
        match timeout_at(deadline + GRACE, outcome).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(Failure::no_answer("the links were closed before the answer came")),
        }
    }
}
