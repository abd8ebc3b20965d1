//! Makes connections to one Redis, wherever it is now.

use super::{
    connect_error::ConnectError,
    control_connection::{ControlConnection, KeptConnection},
    predecessor_guard::PredecessorGuard,
    probe::{Denied, Probe},
    route::Route,
    sentinel::Sentinels,
    server::Server,
    server_assignment::ServerAssignment,
    server_check::{Mode, field, judge},
    timing::{Timeouts, pauses},
};
use crate::broker::redis::{
    schema::{clock::Clock, scripts::SCRIPTS},
    servers::{
        address::{Peer, Site},
        health::{Health, HealthPart},
    },
};
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

/// Makes connections to one Redis.
pub(crate) struct Connector {
    way: Discovery,
    mode: Mode,
    /// What is kept there; none: its cluster sees to that.
    share: Option<ServerAssignment>,
    clock: Clock,
    control: KeptConnection,
    lanes: usize,
    timeouts: Timeouts,
    probe: Probe,
    /// Who answered the newest connection.
    newest: watch::Sender<Server>,
}

/// Which server new connections lead to.
enum Discovery {
    /// Always this one.
    Direct(Arc<Route>),
    /// The one that sentinels name. The route leads to the one that they named last.
    Sentinels(Box<Sentinels>, Mutex<Option<Arc<Route>>>),
}

/// Between two questions to the sentinels.
const ASK: Duration = Duration::from_secs(1);

impl Connector {
    /// For what is kept there, with so many connections that carry commands. Connects to nothing yet.
    pub(crate) fn new(site: Site, share: ServerAssignment, lanes: usize, timeouts: Timeouts, probe: Probe) -> Result<Self, RedisError> {
        let way = match site {
            Site::Server(peer) => Discovery::Direct(Arc::new(Route::new(peer, lanes, timeouts)?)),
            Site::Sentinels { sentinels, service, server } => {
                Discovery::Sentinels(Box::new(Sentinels::new(sentinels, service, server, timeouts)), Mutex::default())
            }
        };
        Ok(Self { share: Some(share), ..Self::by(way, Mode::Alone, lanes, timeouts, probe) })
    }

    /// For a server of a Redis Cluster.
    pub(crate) fn of_cluster(peer: Peer, lanes: usize, timeouts: Timeouts, probe: Probe) -> Result<Self, RedisError> {
        let way = Discovery::Direct(Arc::new(Route::new(peer, lanes, timeouts)?));
        Ok(Self::by(way, Mode::OfCluster, lanes, timeouts, probe))
    }

    fn by(way: Discovery, mode: Mode, lanes: usize, timeouts: Timeouts, probe: Probe) -> Self {
        let (clock, newest) = (Clock::new(), watch::Sender::default());
        Self { way, mode, share: None, clock, control: KeptConnection::default(), lanes, timeouts, probe, newest }
    }

    /// Where it leads, for sentences.
    pub(crate) fn address(&self) -> String {
        match &self.way {
            Discovery::Direct(route) => route.peer.to_string(),
            Discovery::Sentinels(_, known) => {
                lock(known).as_ref().map_or_else(|| "the sentinels' master".into(), |route| route.peer.to_string())
            }
        }
    }

    /// The host of a server of a cluster.
    pub(crate) fn host(&self) -> &str {
        match &self.way {
            Discovery::Direct(route) => route.peer.host(),
            Discovery::Sentinels(..) => "",
        }
    }

    /// The server's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// All connections are to be made anew.
    fn reset(&self) {
        self.newest.send_replace(Server::default());
    }

    /// What the server says of itself, if it can be relied on, and is to other nodes what it is to this one.
    async fn admit(&self, route: &Route, connection: &mut MultiplexedConnection) -> Result<String, ConnectError> {
        let info: String = redis::cmd("INFO").query_async(connection).await.map_err(|error| route.trouble(&error))?;
        judge(&info, self.mode, &route.peer)?;
        if let Some(share) = &self.share {
            share.claim(&route.peer, connection).await?;
        }
        Ok(info)
    }

    /// A connection for commands, whose server knows the scripts, in place of the `last` one. Tells the clock what time it is there.
    pub(crate) async fn command(&self, last: Option<&PredecessorGuard>) -> Result<(MultiplexedConnection, PredecessorGuard), ConnectError> {
        let route = self.route().await?;
        let mut connection = route.command().await?;
        let info = self.admit(&route, &mut connection).await?;
        let ready = async {
            instruct(&mut connection, &self.clock).await?;
            self.probe.commands(self.mode.pubsub(), &mut connection).await
        };
        allowed(&route, ready.await)?;
        let (server, data) = (self.meet(&info, &route), field(&info, "master_replid"));
        let seat = PredecessorGuard::take(&mut connection, server, data, last).await.map_err(|error| route.trouble(&error))?;
        Ok((connection, seat))
    }

    /// A connection that subscribes. `take` gets what comes, on the connection's own task: it must not block.
    pub(crate) async fn subscriber(
        &self,
        take: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Server), ConnectError> {
        let route = self.route().await?;
        let mut connection = route.subscriber(take).await?;
        let info = self.admit(&route, &mut connection).await?;
        allowed(&route, self.probe.subscriptions(self.mode.pubsub(), &mut connection).await)?;
        Ok((connection, self.meet(&info, &route)))
    }

    /// Asks the sentinels again and again, if there are any: an old master that lives on tells nobody that there is another one.
    pub(crate) async fn follow(&self) {
        let Discovery::Sentinels(sentinels, _) = &self.way else { return };
        let mut troubled = false;
        loop {
            sleep(ASK).await;
            match sentinels.master().await {
                Ok(master) => {
                    troubled = false;
                    self.reset_unless(&master.to_string());
                }
                // Connections that there are do not need the sentinels.
                Err(trouble) => {
                    if !std::mem::replace(&mut troubled, true) {
                        tracing::warn!("{trouble}");
                    }
                }
            }
        }
    }

    /// All connections are to be made anew if the newest leads elsewhere.
    fn reset_unless(&self, master: &str) {
        self.newest.send_if_modified(|newest| {
            let elsewhere = !newest.address.is_empty() && &*newest.address != master;
            if elsewhere {
                tracing::warn!(from = %newest.address, to = master, "the sentinels name another master");
                *newest = Server::default();
            }
            elsewhere
        });
    }

    async fn route(&self) -> Result<Arc<Route>, ConnectError> {
        match &self.way {
            Discovery::Direct(route) => Ok(route.clone()),
            Discovery::Sentinels(sentinels, known) => {
                let master = sentinels.master().await?;
                let mut known = lock(known);
                if let Some(route) = known.as_ref().filter(|route| route.peer.to_string() == master.to_string()) {
                    return Ok(route.clone());
                }
                let route = Route::new(master.clone(), self.lanes, self.timeouts).map_err(|error| ConnectError::of(&master, &error))?;
                Ok(known.insert(Arc::new(route)).clone())
            }
        }
    }

    // NL-1.11
    /// Whether no newer connection led to another server.
    pub(crate) fn is_newest(&self, server: &Server) -> bool {
        *self.newest.borrow() == *server
    }

    /// Resolves when one did.
    pub(crate) async fn left(&self, server: &Server) {
        // It cannot fail: the sender is here.
        let _ = self.newest.subscribe().wait_for(|newest| newest != server).await;
    }

    /// Takes note of who answered a new connection.
    fn meet(&self, info: &str, route: &Route) -> Server {
        let server = Server { run_id: field(info, "run_id").into(), address: route.peer.to_string().into() };
        self.newest.send_if_modified(|newest| {
            let is_news = *newest != server;
            newest.clone_from(&server);
            is_news
        });
        server
    }

    /// What the server knows of its cluster: its answer to `CLUSTER NODES`.
    pub(crate) async fn nodes(&self) -> Result<String, ConnectError> {
        let mut control = self.control().await?;
        let answer = control.cluster_nodes().await?;
        self.control.keep(control);
        Ok(answer)
    }

    /// Claims the server's share again and again. When this node is contradicted, here or elsewhere, all connections are to be made anew, and none will be.
    pub(crate) async fn renew_assignment(&self, part: HealthPart, health: &Health) {
        let Some(share) = &self.share else { return };
        let (mut attempts, mut is_suspended) = (pauses(), false);
        loop {
            let claimed = self.claim(share).await;
            let pause = match &claimed {
                Ok(()) | Err(ConnectError::Disputed { .. } | ConnectError::Suspended { .. }) => {
                    attempts = pauses();
                    share.pause()
                }
                Err(_) => attempts.next().unwrap_or_default().min(share.pause()),
            };
            match claimed {
                Err(trouble @ (ConnectError::Disputed { .. } | ConnectError::Suspended { .. })) => {
                    is_suspended = true;
                    self.reset();
                    health.warn(part, &trouble.to_string());
                }
                // Those who need the server tell what else is wrong with it.
                Err(_) if is_suspended => {}
                Ok(()) | Err(_) => {
                    is_suspended = false;
                    health.well(part);
                }
            }
            sleep(pause).await;
        }
    }

    async fn claim(&self, share: &ServerAssignment) -> Result<(), ConnectError> {
        let mut control = self.control().await?;
        control.claim(share).await?;
        self.control.keep(control);
        Ok(())
    }

    /// The control connection, to be kept if it gives an answer.
    async fn control(&self) -> Result<ControlConnection, ConnectError> {
        if let Some(kept) = self.control.take(|server| self.is_newest(server)) {
            return Ok(kept);
        }
        let route = self.route().await?;
        let mut connection = route.subscriber(|_| Ok(())).await?;
        let info = self.admit(&route, &mut connection).await?;
        let server = self.meet(&info, &route);
        Ok(ControlConnection::new(connection, route, server))
    }

    /// How long a connection may be idle before it is asked whether it still works.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.timeouts.response / 2
    }
}

/// Tells the server the scripts, and the clock what time it is there.
async fn instruct(connection: &mut MultiplexedConnection, clock: &Clock) -> Result<(), RedisError> {
    let scripts = SCRIPTS.load();
    for loaded in connection.req_packed_commands(scripts, 0, scripts.len()).await? {
        loaded.extract_error()?;
    }
    let asked = Instant::now();
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
    clock.set(asked, seconds * 1000 + micros / 1000);
    Ok(())
}

fn allowed(route: &Route, probed: Result<Option<Denied>, RedisError>) -> Result<(), ConnectError> {
    match probed {
        Ok(None) => Ok(()),
        Ok(Some(denied)) => Err(ConnectError::forbidden(&route.peer, &denied)),
        Err(error) => Err(route.trouble(&error)),
    }
}
