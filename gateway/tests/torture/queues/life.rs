//! Whether consumers run. Faults kill and freeze them.

use super::plan::{Delivery, SERVICES, Service};
use std::net::SocketAddr;
use tokio::sync::watch;

/// The state of a consumer's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Life {
    #[default]
    Running,
    /// It does nothing, and its connections stay open.
    Frozen,
    /// It has ended, with the work that it had in hand.
    Dead,
}

/// The control of one consumer.
pub(crate) type Control = watch::Sender<Life>;

/// A consumer's view of its own state.
#[derive(Clone)]
pub(crate) struct ProcessState(pub(crate) watch::Receiver<Life>);

impl ProcessState {
    /// Waits while the process is frozen.
    pub(crate) async fn thawed(&mut self) {
        self.until(|life| life != Life::Frozen).await;
    }

    /// Waits until the state is one of these.
    pub(crate) async fn until(&mut self, is: impl Fn(Life) -> bool) {
        if self.0.wait_for(|life| is(*life)).await.is_err() {
            // The run is over.
            std::future::pending::<()>().await;
        }
    }
}

/// The controls of all consumers.
pub(crate) struct Consumers {
    pub(crate) all: Vec<Control>,
    /// The addresses of the webhook's targets.
    pub(crate) targets: Vec<SocketAddr>,
}

impl Consumers {
    /// Consumers that are not started.
    pub(crate) fn new() -> Self {
        let count = |service: &&Service| match service.delivery {
            Delivery::Links(count) | Delivery::Webhook(count) => count,
            Delivery::Streams => usize::from(service.partitions),
        };
        let of_webhook = |service: &&Service| if let Delivery::Webhook(count) = service.delivery { count } else { 0 };
        let targets = (0..SERVICES.iter().map(of_webhook).sum()).map(|_| ([127, 0, 0, 1], redis_testing::free_port()).into()).collect();
        Self { all: (0..SERVICES.iter().map(count).sum()).map(|_| Control::default()).collect(), targets }
    }
}
