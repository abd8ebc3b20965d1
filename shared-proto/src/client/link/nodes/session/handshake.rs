//! The start of a session: hello and welcome.

use super::driver::Session;
use super::end::{CLOSE_TIMEOUT, SessionEnd};
use super::registration::LinkedNode;
use super::wire::{self, Incoming};
use crate::client::link::context::{Context, Phase};
use crate::client::link::counts::increment;
use crate::client::link::nodes::socket::Socket;
use crate::client::link::publishing::{LinkId, LinkUpdate};
use crate::client::link::service::Service;
use crate::link::{Hello, ToGateway, ToService, Welcome};
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Maximum number of unacknowledged publications per link. A node may allow less.
const MAX_WINDOW: u32 = 256;

static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

/// Sends the hello, waits for the welcome, and runs the session until its end. `node` is the name in the response to the upgrade. If that
/// node is linked, no hello is sent, because it would replace the earlier link.
pub(in crate::client::link) async fn run<S: Service>(
    context: &Arc<Context<S>>,
    url: &str,
    mut socket: Socket,
    node: Option<String>,
    updates: &mpsc::Sender<LinkUpdate>,
    peers: &mpsc::Sender<Vec<String>>,
) -> SessionEnd {
    if let Some(node) = node.filter(|node| context.activity.borrow().nodes.contains(node)) {
        return already_linked(socket, node).await;
    }
    let handshake = timeout(context.config.connect_timeout, exchange_hello(context, &mut socket)).await;
    let Ok(Ok(welcome)) = handshake else {
        tracing::warn!(url, "the node did not send a welcome frame");
        return SessionEnd::Lost { welcomed: false };
    };
    let Some(_registration) = LinkedNode::register(context, &welcome.node) else {
        return already_linked(socket, welcome.node).await;
    };
    increment(&context.counts.welcomed);
    tracing::info!(url, node = welcome.node, "linked to a node");
    let link = LinkId(NEXT_LINK.fetch_add(1, Ordering::Relaxed));
    let window = welcome.limits.publishes_in_flight.clamp(1, MAX_WINDOW) as usize;
    let (frames, publications) = mpsc::channel(window);
    let up = LinkUpdate::Up { link, node: welcome.node.clone(), window, frames };
    if updates.send(up).await.is_err() {
        return SessionEnd::Closed;
    }
    let end = Session::new(context, link, updates, peers, &welcome, window).run(socket, publications, welcome.peers).await;
    // The router ends before the links only if the `Link` was dropped.
    let _router_ended = updates.send(LinkUpdate::Down(link)).await;
    tracing::info!(url, node = welcome.node, ?end, "the link ended");
    end
}

async fn already_linked(mut socket: Socket, node: String) -> SessionEnd {
    let _timeout = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
    SessionEnd::AlreadyLinked(node)
}

async fn exchange_hello<S: Service>(context: &Context<S>, socket: &mut Socket) -> Result<Welcome, ()> {
    let config = &context.config;
    let running = *context.phase.borrow() == Phase::Running;
    let hello = Hello {
        service: config.service.clone(),
        instance: config.instance.clone(),
        credit: if running { config.credit } else { 0 },
        events: config.events.clone(),
    };
    socket.send(Message::text(wire::encode(&ToGateway::Hello(hello)))).await.map_err(|_| ())?;
    loop {
        match wire::decode(socket.next().await, &context.counts)? {
            Incoming::Frame(frame) => match *frame {
                ToService::Welcome(welcome) => return Ok(welcome),
                _ => return Err(()),
            },
            Incoming::Ignored | Incoming::Pong(_) => {}
        }
    }
}
