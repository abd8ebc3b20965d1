//! The public handle for publishing.

use super::input::Submission;
use super::publication::Publication;
use crate::client::Failure;
use crate::rest::PositionBody;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// The router keeps the deadlines. A publish waits this much longer for the outcome that the router reports.
const GRACE: Duration = Duration::from_secs(1);

/// Publishes through the links of this instance. Cheap to clone.
///
/// All publications of a channel go over one link at a time, in the order of the calls of `publish`. If a link is lost, its unanswered
/// publications are sent again over another link, with the same key and before newer publications of their channel.
#[derive(Debug, Clone)]
pub struct Publisher {
    submissions: mpsc::Sender<Submission>,
}

impl Publisher {
    pub(in crate::client::link) fn new(submissions: mpsc::Sender<Submission>) -> Self {
        Self { submissions }
    }

    /// Publishes, and waits until a node acknowledges the publication, at most `within`. Also waits while no link is up or the queue is
    /// full.
    ///
    /// If the future is dropped, the publication is sent nevertheless; only its outcome is lost.
    pub async fn publish(&self, publication: Publication, within: Duration) -> Result<PositionBody, Failure> {
        let deadline = Instant::now() + within;
        let (waiter, outcome) = oneshot::channel();
        let submission = Submission { publish: publication.into_frame(), deadline, waiter };
        match timeout_at(deadline, self.submissions.send(submission)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Failure::unreachable("the links are closed")),
            Err(_) => return Err(Failure::unreachable("the publish queue was full until the deadline")),
        }
        match timeout_at(deadline + GRACE, outcome).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(Failure::no_answer("the links were closed before the acknowledgement arrived")),
        }
    }
}
