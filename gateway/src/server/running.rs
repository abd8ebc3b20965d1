//! A gateway from its listeners to its end: listen, serve, drain, stop.

use super::public::Admissions;
use super::{error::RunError, internal, observe, open_files, public, signals, wiring};
use crate::{
    broker::{Mailbox, Post, mailbox::DrainPlan},
    node::{Node, ProcessEvent},
    settings::{self, Settings},
    telemetry::Metrics,
};
use shared_proto::http::{self, ConnectionErrors};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// The sockets of both listeners, bound.
pub struct Listeners {
    /// For frontends.
    pub public: TcpListener,
    /// For services and operators.
    pub internal: TcpListener,
}

impl Listeners {
    /// Binds the addresses of the settings.
    pub fn bind(settings: &Settings) -> Result<Self, RunError> {
        let listen = |key, address| http::listen(address).map_err(|error| RunError::from_bind(key, address, &error));
        let public = listen("public.address", settings.public.address)?;
        Ok(Self { public, internal: listen("internal.address", settings.internal.address)? })
    }
}

/// A gateway that serves.
pub struct Running {
    node: Arc<Node>,
    mailboxes: Vec<Arc<Mailbox>>,
    admissions: Arc<Admissions>,
    drain: settings::Drain,
    public: Server,
    internal: Server,
    background: JoinHandle<()>,
    stop: CancellationToken,
    addresses: (SocketAddr, SocketAddr),
}

/// One of the two HTTP servers.
struct Server {
    handle: actix_server::ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    fn spawn(server: actix_server::Server) -> Self {
        Self { handle: server.handle(), task: tokio::spawn(server) }
    }
}

/// Runs a gateway until `SIGTERM` or `SIGINT`, and drains it; a second signal ends it at once.
pub(crate) async fn run(settings: &Settings, metrics: &Arc<Metrics>) -> Result<(), RunError> {
    let files = http::raise_open_files();
    let settings = &open_files::fit(settings, wiring::workers(settings), files);
    tracing::info!(open_files = files, "effective settings:\n{}", settings.effective());
    let listeners = Listeners::bind(settings)?;
    let mut running = start(settings, listeners, metrics)?;
    let (public, internal) = running.addresses();
    tracing::info!(%public, %internal, node = %running.node.name, "ready");
    let mut signals = signals::Signals::new()?;
    tokio::select! {
        signal = signals.next() => tracing::info!(signal, "draining; a second signal ends this at once"),
        error = running.failed() => return Err(error.into()),
    }
    tokio::select! {
        () = running.drain() => tracing::info!("drained"),
        signal = signals.next() => tracing::warn!(signal, "ended without draining"),
    }
    Ok(())
}

/// Starts a gateway on bound listeners.
pub fn start(settings: &Settings, listeners: Listeners, metrics: &Arc<Metrics>) -> Result<Running, RunError> {
    let addresses = (listeners.public.local_addr()?, listeners.internal.local_addr()?);
    let parts = wiring::wire(settings, addresses, metrics)?;
    tracing::info!("pages may connect that come from {}", parts.origins);
    let admissions = Arc::new(Admissions::new(settings.public.max_connections, settings.public.retry_after));
    let errors = ["public", "internal"].map(|listener| Arc::new(ConnectionErrors::new(listener)));
    observe::observe_listeners(metrics, errors.clone());
    let [public_errors, internal_errors] = errors;
    let public = Server::spawn(public::server(settings, listeners.public, &parts, &admissions, public_errors)?);
    let internal = Server::spawn(internal::server(&settings.internal, listeners.internal, &parts.node, internal_errors)?);
    let stop = CancellationToken::new();
    let background = tokio::spawn({
        let (node, stop) = (parts.node.clone(), stop.clone());
        // The cluster is left through the broker.
        let last = CancellationToken::new();
        async move {
            let dead_node_events = stop.clone().run_until_cancelled_owned(node.services.send_dead_node_events(&node.cluster));
            let leave = async {
                node.cluster.run(stop).await;
                last.cancel();
            };
            tokio::join!(leave, dead_node_events, node.broker.run(last.clone()));
        }
    });
    let (drain, mailboxes, node) = (settings.drain.clone(), parts.mailboxes, parts.node);
    Ok(Running { node, mailboxes, admissions, drain, public, internal, background, stop, addresses })
}

impl Running {
    /// Where frontends and services find it.
    pub fn addresses(&self) -> (SocketAddr, SocketAddr) {
        self.addresses
    }

    /// What it shares among its threads.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Resolves when a listener stops by itself.
    async fn failed(&mut self) -> io::Error {
        let ended = tokio::select! {
            ended = &mut self.public.task => ended,
            ended = &mut self.internal.task => ended,
        };
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => io::Error::other("a listener stopped"),
            Err(panic) => io::Error::other(panic),
        }
    }

    /// Drains: the node is not ready, refuses connections, sends `drain` to links, closes connections in random order over the window, and cuts the
    /// rest at the deadline.
    pub async fn drain(self) {
        let deadline = Instant::now() + self.drain.deadline.max(self.drain.window);
        self.node.health.apply(ProcessEvent::DrainRequested);
        self.admissions.drain();
        self.node.services.drain();
        for mailbox in &self.mailboxes {
            if !mailbox.post(Post::Drain(DrainPlan { window: self.drain.window })) {
                tracing::warn!("a worker has no room for the drain; its connections are cut at the deadline");
            }
        }
        if timeout_at(deadline, self.admissions.emptied()).await.is_ok() {
            self.node.health.apply(ProcessEvent::ConnectionsClosed);
        } else {
            tracing::warn!(connections = self.admissions.open(), "cut at the deadline");
            self.node.health.apply(ProcessEvent::DeadlinePassed);
        }
        self.close().await;
    }

    /// Stops at once. Links get what is queued for them; nothing else is awaited.
    pub async fn stop(self) {
        self.node.health.apply(ProcessEvent::StopRequested);
        self.close().await;
    }

    async fn close(self) {
        self.node.services.close().await;
        for server in [self.public, self.internal] {
            server.handle.stop(false).await;
            let _ = server.task.await;
        }
        self.stop.cancel();
        let _ = self.background.await;
        self.node.health.apply(ProcessEvent::ClusterLeft);
    }
}
