//! Runs a gateway from its start to its end: listen, serve, drain, stop.

use super::follow::{Followed, Follower};
use super::public::Admissions;
use super::tls::{self, FollowedTls, ListenerTls};
use super::{error::RunError, internal, keys::FollowedKeys, observe, open_files, public, signals, wiring};
use crate::{
    auth::exposure_warnings,
    broker::{Mailbox, MailboxEntry, mailbox::DrainPlan},
    node::{Node, ProcessEvent},
    settings::{self, KeySources, NodeRole, Settings},
    telemetry::Metrics,
};
use futures_util::future::OptionFuture;
use shared_proto::{
    http::{self, ConnectionErrors, Tls},
    process::{core_dumps::forbid_core_dumps, supervisor::Supervisor},
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// The bound sockets of the listeners.
pub struct Listeners {
    /// The listener for frontends. `None` for a node with the role "api".
    pub public: Option<TcpListener>,
    /// The listener for services and operators.
    pub internal: TcpListener,
}

impl Listeners {
    /// Binds the addresses of the settings.
    pub fn bind(settings: &Settings) -> Result<Self, RunError> {
        let listen = |key, address| http::listen(address).map_err(|error| RunError::from_bind(key, address, &error));
        let has_public = settings.node.role == NodeRole::Full;
        let public = has_public.then(|| listen("public.address", settings.public.address)).transpose()?;
        Ok(Self { public, internal: listen("internal.address", settings.internal.address)? })
    }
}

/// A started gateway.
pub struct Running {
    node: Arc<Node>,
    mailboxes: Vec<Arc<Mailbox>>,
    admissions: Arc<Admissions>,
    drain: settings::Drain,
    public: Option<Server>,
    internal: Server,
    background: JoinHandle<()>,
    stop: CancellationToken,
    addresses: (Option<SocketAddr>, SocketAddr),
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

/// Runs a gateway until `SIGTERM` or `SIGINT`, and then drains it. A second signal ends the drain at once. Meanwhile the API keys are those that the
/// sources have.
pub(crate) async fn run(settings: &Settings, keys: KeySources, metrics: &Arc<Metrics>) -> Result<(), RunError> {
    if !settings.node.core_dumps
        && let Err(error) = forbid_core_dumps()
    {
        tracing::warn!(%error, "a crash can leave a core dump, which contains keys and tokens");
    }
    let files = http::raise_open_files();
    let settings = &open_files::fit_connection_limits(settings, wiring::workers(settings), files);
    tracing::info!(open_files = files, "effective settings:\n{}", settings.effective());
    settings.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let listeners = Listeners::bind(settings)?;
    let mut running = start_with(settings, listeners, metrics, Some(keys))?;
    exposure_warnings(settings, &running.node.tokens).iter().for_each(|warning| tracing::warn!("{warning}"));
    let (public, internal) = running.addresses();
    tracing::info!(public = public.map(tracing::field::display), %internal, node = %running.node.name, "ready");
    let mut signals = signals::Signals::new()?;
    let supervisor = Supervisor::start({
        let node = running.node.clone();
        move || node.readiness().into()
    });
    tokio::select! {
        signal = signals.next() => tracing::info!(signal, delay = ?settings.drain.delay, "not ready; after the delay the drain begins; a second signal ends the process at once"),
        error = running.failed() => return Err(error.into()),
    }
    supervisor.stopping().await;
    tokio::select! {
        () = running.drain() => tracing::info!("drained"),
        signal = signals.next() => tracing::warn!(signal, "ended without draining"),
    }
    Ok(())
}

/// Starts a gateway on bound listeners. Its API keys stay as they are.
pub fn start(settings: &Settings, listeners: Listeners, metrics: &Arc<Metrics>) -> Result<Running, RunError> {
    start_with(settings, listeners, metrics, None)
}

fn start_with(settings: &Settings, listeners: Listeners, metrics: &Arc<Metrics>, keys: Option<KeySources>) -> Result<Running, RunError> {
    let public_address = listeners.public.as_ref().map(TcpListener::local_addr).transpose()?;
    let addresses = (public_address, listeners.internal.local_addr()?);
    let (tls, followed) = load_tls(settings)?;
    tls::observe(metrics, &followed);
    let parts = wiring::wire(settings, addresses, metrics)?;
    let keys = keys.map(|sources| FollowedKeys::new(sources, settings, &parts.node, metrics)).transpose()?;
    let followed = followed.into_iter().map(|tls| Box::new(tls) as Box<dyn Followed>);
    let followed = followed.chain(keys.map(|keys| Box::new(keys) as Box<dyn Followed>)).collect();
    let admissions = Arc::new(Admissions::new(parts.node.clone(), settings.public.max_connections, settings.public.retry_after));
    let errors = ["public", "internal"].map(|listener| Arc::new(ConnectionErrors::new(listener)));
    observe::observe_listeners(metrics, errors.clone());
    let ([public_errors, internal_errors], [public_tls, internal_tls]) = (errors, tls);
    let public = match listeners.public {
        Some(listener) => Some(Server::spawn(public::server(settings, listener, &parts, &admissions, public_errors, public_tls)?)),
        None => None,
    };
    let internal = Server::spawn(internal::server(&settings.internal, listeners.internal, &parts.node, internal_errors, internal_tls)?);
    let stop = CancellationToken::new();
    if let Some(follower) = Follower::new(followed)? {
        tokio::spawn(stop.clone().run_until_cancelled_owned(async {
            if let Err(error) = follower.run().await {
                tracing::warn!(%error, "changes of certificates and API keys are no longer noticed");
            }
        }));
    }
    parts.key_fetchers.spawn(&stop);
    let background = tokio::spawn({
        let (node, stop) = (parts.node.clone(), stop.clone());
        // The broker stops last, because leaving the cluster needs it.
        let stop_broker = CancellationToken::new();
        async move {
            let services = async {
                tokio::join!(
                    node.services.send_events(&node.cluster),
                    node.services.follow_drain_orders(&node.cluster),
                    node.queue_monitor.run(&node.queues)
                )
            };
            let services = stop.clone().run_until_cancelled_owned(services);
            let leave = async {
                // The close of the services ends the work on queues, which needs the store for its last steps.
                let ingest = OptionFuture::from(node.ingest.as_ref().map(|ingest| ingest.serve(&node.cluster, stop.clone())));
                tokio::join!(node.cluster.run(stop.clone()), node.services.serve_queues(&node.cluster), ingest);
                stop_broker.cancel();
            };
            tokio::join!(leave, services, node.broker.run(stop_broker.clone()));
        }
    });
    let (drain, mailboxes, node) = (settings.drain.clone(), parts.mailboxes, parts.node);
    Ok(Running { node, mailboxes, admissions, drain, public, internal, background, stop, addresses })
}

/// Reads the certificates of the public and the internal listener.
fn load_tls(settings: &Settings) -> Result<([Option<Tls>; 2], Vec<FollowedTls>), RunError> {
    let has_public = settings.node.role == NodeRole::Full;
    let public = if has_public { ListenerTls::load("public", &settings.public.tls)? } else { None };
    let internal = ListenerTls::load("internal", &settings.internal.tls)?;
    let mut followed = Vec::new();
    let mut split = |loaded: Option<ListenerTls>| {
        let ListenerTls { tls, followed: files } = loaded?;
        followed.push(files);
        Some(tls)
    };
    Ok(([split(public), split(internal)], followed))
}

impl Running {
    /// The addresses of the public listener, if there is one, and of the internal listener.
    pub fn addresses(&self) -> (Option<SocketAddr>, SocketAddr) {
        self.addresses
    }

    /// The state that all threads share.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Waits until a listener stops unexpectedly.
    async fn failed(&mut self) -> io::Error {
        let ended = tokio::select! {
            Some(ended) = async { Some((&mut self.public.as_mut()?.task).await) } => ended,
            ended = &mut self.internal.task => ended,
        };
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => io::Error::other("a listener stopped"),
            Err(panic) => io::Error::other(panic),
        }
    }

    /// Drains the node and stops it. The node reports that it is not ready, and serves everybody for the delay. Then it refuses new connections and
    /// sends `drain` to links. It closes its connections in random order within the window, and all that remain at the deadline.
    pub async fn drain(self) {
        self.node.health.apply(ProcessEvent::EndRequested);
        if !self.drain.delay.is_zero() {
            sleep(self.drain.delay).await;
        }
        let deadline = Instant::now() + self.drain.deadline.max(self.drain.window);
        self.node.health.apply(ProcessEvent::DelayPassed);
        self.admissions.drain();
        self.node.services.drain();
        for mailbox in &self.mailboxes {
            if !mailbox.post(MailboxEntry::Drain(DrainPlan { window: self.drain.window })) {
                tracing::warn!("a worker's mailbox is full, so the worker does not drain; its connections are closed at the deadline");
            }
        }
        if timeout_at(deadline, self.admissions.emptied()).await.is_ok() {
            self.node.health.apply(ProcessEvent::ConnectionsClosed);
        } else {
            tracing::warn!(connections = self.admissions.open(), "the drain deadline has passed; the open connections are closed");
            self.node.health.apply(ProcessEvent::DeadlinePassed);
        }
        self.close().await;
    }

    /// Stops at once. It sends the queued frames of links, and waits for nothing else.
    pub async fn stop(self) {
        self.node.health.apply(ProcessEvent::StopRequested);
        self.close().await;
    }

    async fn close(self) {
        self.node.services.close().await;
        for server in self.public.into_iter().chain([self.internal]) {
            server.handle.stop(false).await;
            let _ = server.task.await;
        }
        self.stop.cancel();
        let _ = self.background.await;
        self.node.health.apply(ProcessEvent::ClusterLeft);
    }
}
