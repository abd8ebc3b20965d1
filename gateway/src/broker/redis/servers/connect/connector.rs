//! Makes connections to one server, or to the master that sentinels name.

use super::{
    connect_error::ConnectError,
    control_connection::{ControlConnection, KeptConnection},
    predecessor_guard::PredecessorGuard,
    rights::probe::{Denied, Probe},
    route::Route,
    sentinel::Sentinels,
    server::Server,
    server_assignment::ServerAssignment,
    server_check::{Mode, check, field},
    timing::{Timeouts, pauses},
};
use crate::broker::redis::{
    schema::{clock::Clock, counters::Counters, scripts::SCRIPTS},
    servers::{
        address::{Peer, ServerAddress},
        health::{Health, HealthPart},
    },
};
use futures_util::future::join;
use gateway_core::model::lock;
use redis::{
    PushInfo, RedisError,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Makes connections to one server, or to the master that sentinels name.
pub(crate) struct Connector {
    discovery: Discovery,
    mode: Mode,
    /// The server's role among several servers. None in a Redis Cluster, which divides the channels itself.
    assignment: Option<ServerAssignment>,
    clock: Clock,
    control: KeptConnection,
    lanes: usize,
    timeouts: Timeouts,
    probe: Probe,
    /// The server that the newest connection leads to.
    newest: watch::Sender<Server>,
}

/// How the connector finds its server.
enum Discovery {
    /// The address of the server is fixed.
    Direct(Arc<Route>),
    /// The sentinels name the server. The route leads to the server that they named last.
    Sentinels(Box<Sentinels>, Mutex<Option<Arc<Route>>>),
}

/// Time between two queries to the sentinels.
const SENTINEL_INTERVAL: Duration = Duration::from_secs(1);

impl Connector {
    /// A connector for one of the servers of `redis.url`, with this number of lanes. It does not connect yet.
    pub(crate) fn new(
        server: ServerAddress,
        assignment: ServerAssignment,
        lanes: usize,
        timeouts: Timeouts,
        probe: Probe,
    ) -> Result<Self, RedisError> {
        let discovery = match server {
            ServerAddress::Server(peer) => Discovery::Direct(Arc::new(Route::new(peer, lanes, timeouts)?)),
            ServerAddress::Sentinels { sentinels, service, server } => {
                Discovery::Sentinels(Box::new(Sentinels::new(sentinels, service, server, timeouts)), Mutex::default())
            }
        };
        Ok(Self { assignment: Some(assignment), ..Self::with_discovery(discovery, Mode::Standalone, lanes, timeouts, probe) })
    }

    /// A connector for a server of a Redis Cluster.
    pub(crate) fn of_cluster(peer: Peer, lanes: usize, timeouts: Timeouts, probe: Probe) -> Result<Self, RedisError> {
        let discovery = Discovery::Direct(Arc::new(Route::new(peer, lanes, timeouts)?));
        Ok(Self::with_discovery(discovery, Mode::Cluster, lanes, timeouts, probe))
    }

    fn with_discovery(discovery: Discovery, mode: Mode, lanes: usize, timeouts: Timeouts, probe: Probe) -> Self {
        let (clock, newest) = (Clock::new(), watch::Sender::default());
        Self { discovery, mode, assignment: None, clock, control: KeptConnection::default(), lanes, timeouts, probe, newest }
    }

    /// The server's address, for messages.
    pub(crate) fn address(&self) -> String {
        match &self.discovery {
            Discovery::Direct(route) => route.peer.to_string(),
            Discovery::Sentinels(_, route) => {
                lock(route).as_ref().map_or_else(|| "the sentinels' master".into(), |route| route.peer.to_string())
            }
        }
    }

    /// The host of a server of a Redis Cluster.
    pub(crate) fn host(&self) -> &str {
        match &self.discovery {
            Discovery::Direct(route) => route.peer.host(),
            Discovery::Sentinels(..) => "",
        }
    }

    /// The server's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Closes all connections, so that they reconnect.
    fn reset(&self) {
        self.newest.send_replace(Server::default());
    }

    /// Checks that the gateway can use the server. Returns its answer to `INFO`.
    async fn check_server(&self, route: &Route, connection: &mut MultiplexedConnection) -> Result<String, ConnectError> {
        let info: String = redis::cmd("INFO").query_async(connection).await.map_err(|error| route.error(&error))?;
        check(&info, self.mode, &route.peer)?;
        Ok(info)
    }

    /// Checks that all nodes agree on the server's role, and records that the newest connection leads to this server.
    async fn admit(&self, info: &str, route: &Route, connection: &mut MultiplexedConnection) -> Result<Server, ConnectError> {
        if let Some(assignment) = &self.assignment {
            assignment.renew_or_keep(&route.peer, connection).await?;
        }
        Ok(self.record_server(info, route))
    }

    /// Makes a connection for commands that replaces `last`. Afterwards the server has the scripts, and the clock is set.
    pub(crate) async fn command(&self, last: Option<&PredecessorGuard>) -> Result<(MultiplexedConnection, PredecessorGuard), ConnectError> {
        let route = self.route().await?;
        let mut connection = route.command().await?;
        let info = self.check_server(&route, &mut connection).await?;
        let ready = async {
            prepare(&mut connection, &self.clock).await?;
            self.probe.commands(self.mode.pubsub(), &mut connection).await
        };
        check_rights(&route, ready.await)?;
        let (server, data) = (self.admit(&info, &route, &mut connection).await?, field(&info, "master_replid"));
        let guard = PredecessorGuard::take(&mut connection, server, data, last).await.map_err(|error| route.error(&error))?;
        Ok((connection, guard))
    }

    /// Makes a connection for subscriptions. `on_push` gets each push. It runs on the connection's own task, so it must not block.
    pub(crate) async fn subscriber(
        &self,
        on_push: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Server), ConnectError> {
        let route = self.route().await?;
        let mut connection = route.subscriber(on_push).await?;
        let info = self.check_server(&route, &mut connection).await?;
        check_rights(&route, self.probe.subscriptions(self.mode.pubsub(), &mut connection).await)?;
        let server = self.admit(&info, &route, &mut connection).await?;
        Ok((connection, server))
    }

    /// Makes a connection for commands that block. The server need not have the scripts.
    pub(crate) async fn blocking(&self) -> Result<(MultiplexedConnection, Server), ConnectError> {
        let (connection, _, server) = self.plain().await?;
        Ok((connection, server))
    }

    /// Makes a connection without scripts, subscriptions and a check of rights.
    async fn plain(&self) -> Result<(MultiplexedConnection, Arc<Route>, Server), ConnectError> {
        let route = self.route().await?;
        let mut connection = route.subscriber(|_| Ok(())).await?;
        let info = self.check_server(&route, &mut connection).await?;
        let server = self.admit(&info, &route, &mut connection).await?;
        Ok((connection, route, server))
    }

    /// Queries the sentinels at intervals, if there are any. This is necessary because a master that was replaced but is still alive does
    /// not report that.
    pub(crate) async fn follow_sentinels(&self) {
        let Discovery::Sentinels(sentinels, _) = &self.discovery else { return };
        let mut failed = false;
        loop {
            sleep(SENTINEL_INTERVAL).await;
            match sentinels.master().await {
                Ok(master) => {
                    failed = false;
                    self.reset_unless(&master.to_string());
                }
                // A failed query changes nothing, because existing connections do not need the sentinels.
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        tracing::warn!("{error}");
                    }
                }
            }
        }
    }

    /// Closes all connections if the newest one leads to another server than `master`.
    fn reset_unless(&self, master: &str) {
        self.newest.send_if_modified(|newest| {
            let has_moved = !newest.address.is_empty() && &*newest.address != master;
            if has_moved {
                tracing::warn!(from = %newest.address, to = master, "the sentinels name another master");
                *newest = Server::default();
            }
            has_moved
        });
    }

    async fn route(&self) -> Result<Arc<Route>, ConnectError> {
        match &self.discovery {
            Discovery::Direct(route) => Ok(route.clone()),
            Discovery::Sentinels(sentinels, current) => {
                let master = sentinels.master().await?;
                let mut current = lock(current);
                if let Some(route) = current.as_ref().filter(|route| route.peer.to_string() == master.to_string()) {
                    return Ok(route.clone());
                }
                let route = Route::new(master.clone(), self.lanes, self.timeouts).map_err(|error| ConnectError::of(&master, &error))?;
                Ok(current.insert(Arc::new(route)).clone())
            }
        }
    }

    // NL-1.11
    /// Whether the newest connection leads to this server.
    pub(crate) fn is_newest(&self, server: &Server) -> bool {
        *self.newest.borrow() == *server
    }

    /// Waits until a newer connection leads to another server.
    pub(crate) async fn server_changed(&self, server: &Server) {
        // This cannot fail, because `self` owns the sender.
        let _ = self.newest.subscribe().wait_for(|newest| newest != server).await;
    }

    /// Records the server of a new connection.
    fn record_server(&self, info: &str, route: &Route) -> Server {
        let server = Server { run_id: field(info, "run_id").into(), address: route.peer.to_string().into() };
        self.newest.send_if_modified(|newest| {
            let has_changed = *newest != server;
            newest.clone_from(&server);
            has_changed
        });
        server
    }

    /// The server's answer to `CLUSTER NODES`.
    pub(crate) async fn nodes(&self) -> Result<String, ConnectError> {
        let mut control = self.control().await?;
        let answer = control.cluster_nodes().await?;
        self.control.keep(control);
        Ok(answer)
    }

    /// Renews the server's assignment. Never returns. All connections close, and none opens until the server is assigned again, in two
    /// cases: another node disagrees about this server or another one, or the assignment ends because the server refuses renewals.
    pub(crate) async fn keep_assignment(&self, part: HealthPart, health: &Health, counters: &Counters) {
        if let Some(assignment) = &self.assignment {
            join(self.renew_assignment(assignment, part, health, counters), self.end_with_assignment(assignment)).await;
        }
    }

    async fn renew_assignment(&self, assignment: &ServerAssignment, part: HealthPart, health: &Health, counters: &Counters) {
        let (mut attempts, mut is_suspended, mut logged) = (pauses(), false, String::new());
        loop {
            let renewed = self.renew_once(assignment).await;
            let mut pause = assignment.renew_interval();
            match renewed {
                Ok(()) => {
                    (attempts, is_suspended, logged) = (pauses(), false, String::new());
                    health.set_working(part);
                }
                Err(error) => {
                    counters.failed_renewals.add(1);
                    if matches!(error, ConnectError::Disputed { .. } | ConnectError::Suspended { .. }) {
                        (attempts, is_suspended) = (pauses(), true);
                        self.reset();
                        health.warn(part, &error.to_string());
                    } else {
                        pause = pause.min(attempts.next().unwrap_or_default());
                        let error = error.to_string();
                        if logged != error {
                            tracing::warn!("the assignment of a server was not renewed: {error}");
                            logged = error;
                        }
                        // After any other error, connections continue until the assignment ends. A part that then cannot connect reports
                        // the error.
                        if !is_suspended {
                            health.set_working(part);
                        }
                    }
                }
            }
            sleep(pause).await;
        }
    }

    /// Closes all connections each time the assignment ends.
    async fn end_with_assignment(&self, assignment: &ServerAssignment) {
        loop {
            assignment.ended().await;
            tracing::warn!(address = self.address(), "the assignment of this server has ended, so this node stops using the server");
            self.reset();
        }
    }

    async fn renew_once(&self, assignment: &ServerAssignment) -> Result<(), ConnectError> {
        let mut control = self.control().await?;
        let renewed = control.renew(assignment).await;
        if matches!(renewed, Ok(()) | Err(ConnectError::Unassigned { .. } | ConnectError::Forbidden { .. })) {
            self.control.keep(control);
        }
        renewed
    }

    /// Takes the control connection, or makes one. After an answer, the caller gives it back with [`KeptConnection::keep`].
    async fn control(&self) -> Result<ControlConnection, ConnectError> {
        if let Some(kept) = self.control.take(|server| self.is_newest(server)) {
            return Ok(kept);
        }
        let (connection, route, server) = self.plain().await?;
        Ok(ControlConnection::new(connection, route, server))
    }

    /// How long a connection may be idle before it sends a `PING`.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.timeouts.response / 2
    }
}

/// Loads the scripts into the server and sets the clock.
async fn prepare(connection: &mut MultiplexedConnection, clock: &Clock) -> Result<(), RedisError> {
    let scripts = SCRIPTS.load();
    for loaded in connection.req_packed_commands(scripts, 0, scripts.len()).await? {
        loaded.extract_error()?;
    }
    let asked = Instant::now();
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
    clock.set(asked, seconds * 1000 + micros / 1000);
    Ok(())
}

fn check_rights(route: &Route, probed: Result<Option<Denied>, RedisError>) -> Result<(), ConnectError> {
    match probed {
        Ok(None) => Ok(()),
        Ok(Some(denied)) => Err(ConnectError::forbidden(&route.peer, &denied)),
        Err(error) => Err(route.error(&error)),
    }
}
