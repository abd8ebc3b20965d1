//! The inputs of the router task.

use super::links::LinkId;
use crate::client::Failure;
use crate::link::{Ack, Nack, Publish, ToGateway};
use crate::rest::PositionBody;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Submissions that wait ahead of the publish queue.
const SUBMISSIONS: usize = 64;
/// Link updates that wait for the router.
const UPDATES: usize = 256;

/// Gets the outcome of a publication.
pub(super) type Waiter = oneshot::Sender<Result<PositionBody, Failure>>;

/// A publication from a [`Publisher`](super::Publisher).
#[derive(Debug)]
pub(in crate::client::link) struct Submission {
    pub(super) publish: Publish,
    pub(super) deadline: Instant,
    pub(super) waiter: Waiter,
}

/// A change of a link, or a frame from a link, that concerns publications.
#[derive(Debug)]
pub(in crate::client::link) enum LinkUpdate {
    /// The node welcomed the link. It accepts `window` unacknowledged publications, which go to `frames`.
    Up {
        link: LinkId,
        node: String,
        window: usize,
        frames: mpsc::Sender<ToGateway>,
    },
    Draining(LinkId),
    Ack(LinkId, Ack),
    Nack(LinkId, Nack),
    Down(LinkId),
}

/// The senders of the router's inputs.
pub(in crate::client::link) struct RouterChannels {
    pub(in crate::client::link) submissions: mpsc::Sender<Submission>,
    pub(in crate::client::link) updates: mpsc::Sender<LinkUpdate>,
}

/// The receivers of the router's inputs.
pub(in crate::client::link) struct RouterReceivers {
    pub(super) submissions: mpsc::Receiver<Submission>,
    pub(super) updates: mpsc::Receiver<LinkUpdate>,
}

impl RouterChannels {
    pub(in crate::client::link) fn new() -> (Self, RouterReceivers) {
        let (submissions, submission_receiver) = mpsc::channel(SUBMISSIONS);
        let (updates, update_receiver) = mpsc::channel(UPDATES);
        (Self { submissions, updates }, RouterReceivers { submissions: submission_receiver, updates: update_receiver })
    }
}
