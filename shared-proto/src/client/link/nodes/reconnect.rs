//! The reconnect loop of one address.

use super::session::{self, SessionEnd};
use super::socket;
use crate::client::backoff::Backoff;
use crate::client::link::context::{Context, Phase};
use crate::client::link::counts::increment;
use crate::client::link::publishing::LinkUpdate;
use crate::client::link::service::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Error as SocketError;

/// After a link that lasted this long, the pauses between attempts start again with the shortest one.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// An address that a node named is forgotten after this time without a link.
const FORGET_AFTER: Duration = Duration::from_mins(5);
/// If the node of an address is linked through another address, this address is tried again after this time.
const RETRY_LINKED_AFTER: Duration = Duration::from_secs(30);

/// The source of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The settings. Such an address is tried until the process ends.
    Settings,
    /// A node. Such an address is forgotten when its node is gone, because new nodes may have new addresses.
    Node,
}

/// Connects to one address again and again. Returns the address when it is forgotten or the phase is `Closed`.
pub(super) async fn run<S: Service>(
    context: Arc<Context<S>>,
    url: String,
    source: Source,
    updates: mpsc::Sender<LinkUpdate>,
    peers: mpsc::Sender<Vec<String>>,
) -> String {
    let config = &context.config;
    let mut backoff = Backoff::new(config.reconnect_first, config.reconnect_longest);
    let mut last_linked = Instant::now();
    let mut phase = context.phase.clone();
    let mut failures = FailureLog::default();
    loop {
        let began = Instant::now();
        let end = tokio::select! {
            end = link_once(&context, &url, &updates, &peers, &mut failures) => end,
            // A session ends on its own. This branch ends an attempt that has no session yet.
            () = close_timeout_passed(&context) => return url,
        };
        match end {
            SessionEnd::Closed => return url,
            SessionEnd::AlreadyLinked(node) => {
                last_linked = Instant::now();
                wait_while_linked(&context, &node).await;
                continue;
            }
            SessionEnd::Lost { welcomed } => {
                increment(&context.counts.failed);
                if welcomed {
                    last_linked = Instant::now();
                }
                if welcomed && began.elapsed() >= STABLE_AFTER {
                    backoff.reset();
                }
            }
        }
        if source == Source::Node && last_linked.elapsed() >= FORGET_AFTER {
            tracing::info!(url, "a peer address is forgotten: its node was not reachable for 5 minutes");
            return url;
        }
        tokio::select! {
            () = sleep(backoff.next_pause()) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Closed) => return url,
        }
    }
}

/// Waits until the phase is `Closed`, and then for [`session::CLOSE_TIMEOUT`], so that a session can finish its close handshake.
async fn close_timeout_passed<S: Service>(context: &Context<S>) {
    let mut phase = context.phase.clone();
    // An error means that the `Link` was dropped, which closes the links too.
    drop(phase.wait_for(|phase| *phase == Phase::Closed).await);
    sleep(session::CLOSE_TIMEOUT).await;
}

/// Waits until the node's other link is lost, at most [`RETRY_LINKED_AFTER`], because the address may now belong to another node.
async fn wait_while_linked<S: Service>(context: &Context<S>, node: &str) {
    let mut activity = context.activity.subscribe();
    let mut phase = context.phase.clone();
    tokio::select! {
        _ = activity.wait_for(|now| !now.nodes.contains(node)) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Closed) => {}
        () = sleep(RETRY_LINKED_AFTER) => {}
    }
}

/// Connects and runs the session until its end.
async fn link_once<S: Service>(
    context: &Arc<Context<S>>,
    url: &str,
    updates: &mpsc::Sender<LinkUpdate>,
    peers: &mpsc::Sender<Vec<String>>,
    failures: &mut FailureLog,
) -> SessionEnd {
    let reason = match timeout(context.config.connect_timeout, socket::connect(&context.config, &context.connector, url)).await {
        Ok(Ok((socket, node))) => {
            *failures = FailureLog::default();
            return session::run(context, url, socket, node, updates, peers).await;
        }
        Ok(Err(SocketError::Http(response))) => {
            format!("the gateway refused the WebSocket upgrade with status {}", response.status().as_u16())
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the connection timed out".to_owned(),
    };
    failures.record(url, reason);
    SessionEnd::Lost { welcomed: false }
}

/// Logs why an address cannot be reached: each reason once, until a connection succeeds or another reason comes.
#[derive(Default)]
struct FailureLog(Option<String>);

impl FailureLog {
    fn record(&mut self, url: &str, reason: String) {
        if self.0.as_ref() == Some(&reason) {
            tracing::debug!(url, reason, "still cannot link to a node");
        } else {
            tracing::warn!(url, reason, "cannot link to a node, and tries again");
            self.0 = Some(reason);
        }
    }
}
