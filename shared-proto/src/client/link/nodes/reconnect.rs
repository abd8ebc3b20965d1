//! One node's address: connect, stay, connect again.

use super::calls::count;
use super::router::LinkNews;
use super::session::{self, End};
use super::{Phase, Service, Shared, socket};
use crate::client::backoff::Backoff;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Error as SocketError;

/// A link that stood this long was a good one: the pauses begin anew.
const STOOD: Duration = Duration::from_secs(5);
/// A node that others named, and that cannot be reached for this long, has left.
const FORGET_AFTER: Duration = Duration::from_mins(5);
/// How long an address rests at most whose node is linked by another one.
const REST: Duration = Duration::from_secs(30);

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the settings: tried for ever.
    Configured,
    /// Named by a node: forgotten once it is gone for long, since nodes come and go under new addresses.
    Named,
}

/// Keeps one link up; answers its address once it is no longer wanted.
pub(super) async fn keep<S: Service>(
    shared: Arc<Shared<S>>,
    url: String,
    origin: Origin,
    news: mpsc::Sender<LinkNews>,
    peers: mpsc::Sender<Vec<String>>,
) -> String {
    let config = &shared.config;
    let mut backoff = Backoff::new(config.reconnect_first, config.reconnect_longest);
    let mut reached = Instant::now();
    let mut phase = shared.phase.clone();
    loop {
        let began = Instant::now();
        let end = tokio::select! {
            end = attempt(&shared, &url, &news, &peers) => end,
            // A session closes by itself; this is for attempts that have not become one.
            () = closed_unwelcomed(&shared) => return url,
        };
        match end {
            End::Closed => return url,
            End::Elsewhere(node) => {
                reached = Instant::now();
                rest(&shared, &node).await;
                continue;
            }
            End::Lost { welcomed } => {
                count(&shared.counts.lost);
                if welcomed {
                    reached = Instant::now();
                }
                if welcomed && began.elapsed() >= STOOD {
                    backoff.reset();
                }
            }
        }
        if origin == Origin::Named && reached.elapsed() >= FORGET_AFTER {
            tracing::info!(url, "a node that others named is gone");
            return url;
        }
        tokio::select! {
            () = sleep(backoff.next_pause()) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Closed) => return url,
        }
    }
}

/// Ends some time after the phase is `Closed`, so that sessions get to say goodbye first.
async fn closed_unwelcomed<S: Service>(shared: &Shared<S>) {
    let mut phase = shared.phase.clone();
    // An error says that the handle was dropped, which closes the link too.
    drop(phase.wait_for(|phase| *phase == Phase::Closed).await);
    sleep(session::CLOSE_TIMEOUT).await;
}

/// Waits until the node's other link is lost, but not for ever: the address may have come to mean another node.
async fn rest<S: Service>(shared: &Shared<S>, node: &str) {
    let mut activity = shared.activity.subscribe();
    let mut phase = shared.phase.clone();
    tokio::select! {
        _ = activity.wait_for(|now| !now.nodes.contains(node)) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Closed) => {}
        () = sleep(REST) => {}
    }
}

async fn attempt<S: Service>(shared: &Arc<Shared<S>>, url: &str, news: &mpsc::Sender<LinkNews>, peers: &mpsc::Sender<Vec<String>>) -> End {
    match timeout(shared.config.connect_timeout, socket::connect(&shared.config, url)).await {
        Ok(Ok(socket)) => session::run(shared, url, socket, news, peers).await,
        Ok(Err(SocketError::Http(response))) => {
            tracing::warn!(url, status = response.status().as_u16(), "the gateway refuses the link");
            End::Lost { welcomed: false }
        }
        Ok(Err(error)) => {
            tracing::debug!(url, %error, "no link");
            End::Lost { welcomed: false }
        }
        Err(_) => {
            tracing::debug!(url, "no link in time");
            End::Lost { welcomed: false }
        }
    }
}
