//! Connections to Redis: how they are made, and what is wrong when they cannot be.
//!
//! - [`address`], [`url`]: what the settings say; [`sentinel`]: where the master is now; [`route`]: the way to one server
//! - [`asking`]: the connection for what is asked again and again; [`seat`]: who a connection is there, so that the next one can end it
//! - [`probe`]: whether everything is allowed there; [`share`]: whether it is what other nodes take it for; [`trouble`]: what else there may be

mod address;
mod asking;
mod probe;
mod route;
mod seat;
mod sentinel;
mod share;
mod trouble;
mod url;

use super::{clock::Clock, pubsub::PubSub, scripts::SCRIPTS};
pub use address::Address;
pub(super) use address::{Peer, Site};
use asking::Asking;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use gateway_core::model::lock;
use probe::Denied;
pub(super) use probe::Probe;
use redis::{
    PushInfo, RedisError,
    aio::{ConnectionLike as _, MultiplexedConnection},
};
use route::Route;
pub(super) use seat::Seat;
use sentinel::Sentinels;
pub(super) use share::{Claims, Share};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
pub(super) use trouble::Trouble;

/// What a server has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Alone,
    OfCluster,
}

impl Mode {
    /// The oldest server whose commands are enough: a cluster's has to announce within slots.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Alone => (6, 2),
            Self::OfCluster => (7, 0),
        }
    }

    fn pubsub(self) -> PubSub {
        match self {
            Self::Alone => PubSub::Whole,
            Self::OfCluster => PubSub::Sharded,
        }
    }
}

/// Time bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For a connection to be made.
    pub(super) connect: Duration,
    /// For an answer, from when the command was sent.
    pub(super) response: Duration,
}

/// Makes connections to one Redis.
pub(super) struct Connector {
    way: Way,
    mode: Mode,
    /// What is kept there; none: its cluster sees to that.
    share: Option<Share>,
    clock: Clock,
    asks: Mutex<Option<Asking>>,
    lanes: usize,
    timeouts: Timeouts,
    probe: Probe,
    /// Who answered the newest connection.
    newest: watch::Sender<Server>,
}

/// Which server new connections lead to.
enum Way {
    /// Always this one.
    Direct(Arc<Route>),
    /// The one that sentinels name. The route leads to the one that they named last.
    Sentinels(Box<Sentinels>, Mutex<Option<Arc<Route>>>),
}

/// A process of Redis, and where it was found. After a failover an address leads to another one, while connections to the old one may go on: whoever
/// subscribes there hears nothing of what is published here. So all connections of a node follow the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    run_id: Box<str>,
    address: Box<str>,
}

impl Server {
    /// Whether it says which process it is. What stands between may hide that.
    fn is_named(&self) -> bool {
        self.run_id.bytes().any(|byte| byte != b'0')
    }
}

/// Between two questions to the sentinels.
const ASK: Duration = Duration::from_secs(1);

impl Connector {
    /// For what is kept there, with so many connections that carry commands. Connects to nothing yet.
    pub(super) fn new(site: Site, share: Share, lanes: usize, timeouts: Timeouts, probe: Probe) -> Result<Self, RedisError> {
        let way = match site {
            Site::Server(peer) => Way::Direct(Arc::new(Route::new(peer, lanes, timeouts)?)),
            Site::Sentinels { sentinels, service, server } => {
                Way::Sentinels(Box::new(Sentinels::new(sentinels, service, server, timeouts)), Mutex::default())
            }
        };
        Ok(Self { share: Some(share), ..Self::by(way, Mode::Alone, lanes, timeouts, probe) })
    }

    /// For a server of a Redis Cluster.
    pub(super) fn of_cluster(peer: Peer, lanes: usize, timeouts: Timeouts, probe: Probe) -> Result<Self, RedisError> {
        let way = Way::Direct(Arc::new(Route::new(peer, lanes, timeouts)?));
        Ok(Self::by(way, Mode::OfCluster, lanes, timeouts, probe))
    }

    fn by(way: Way, mode: Mode, lanes: usize, timeouts: Timeouts, probe: Probe) -> Self {
        let (clock, newest) = (Clock::new(), watch::Sender::default());
        Self { way, mode, share: None, clock, asks: Mutex::default(), lanes, timeouts, probe, newest }
    }

    /// Where it leads, for sentences.
    pub(super) fn address(&self) -> String {
        match &self.way {
            Way::Direct(route) => route.peer.to_string(),
            Way::Sentinels(_, known) => lock(known).as_ref().map_or_else(|| "the sentinels' master".into(), |route| route.peer.to_string()),
        }
    }

    /// The host of a server of a cluster.
    pub(super) fn host(&self) -> &str {
        match &self.way {
            Way::Direct(route) => route.peer.host(),
            Way::Sentinels(..) => "",
        }
    }

    /// The server's clock.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// All connections are to be made anew.
    fn abandon(&self) {
        self.newest.send_replace(Server::default());
    }

    /// What the server says of itself, if it can be relied on, and is to other nodes what it is to this one.
    async fn admit(&self, route: &Route, connection: &mut MultiplexedConnection) -> Result<String, Trouble> {
        let info: String = redis::cmd("INFO").query_async(connection).await.map_err(|error| route.trouble(&error))?;
        judge(&info, self.mode, &route.peer)?;
        if let Some(share) = &self.share {
            share.claim(&route.peer, connection).await?;
        }
        Ok(info)
    }

    /// A connection for commands, whose server knows the scripts, in place of the `last` one. Tells the clock what time it is there.
    pub(super) async fn command(&self, last: Option<&Seat>) -> Result<(MultiplexedConnection, Seat), Trouble> {
        let route = self.route().await?;
        let mut connection = route.command().await?;
        let info = self.admit(&route, &mut connection).await?;
        let ready = async {
            instruct(&mut connection, &self.clock).await?;
            self.probe.commands(self.mode.pubsub(), &mut connection).await
        };
        allowed(&route, ready.await)?;
        let (server, data) = (self.meet(&info, &route), field(&info, "master_replid"));
        let seat = Seat::take(&mut connection, server, data, last).await.map_err(|error| route.trouble(&error))?;
        Ok((connection, seat))
    }

    /// A connection that subscribes. `take` gets what comes, on the connection's own task: it must not block.
    pub(super) async fn subscriber(
        &self,
        take: impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Server), Trouble> {
        let route = self.route().await?;
        let mut connection = route.subscriber(take).await?;
        let info = self.admit(&route, &mut connection).await?;
        allowed(&route, self.probe.subscriptions(self.mode.pubsub(), &mut connection).await)?;
        Ok((connection, self.meet(&info, &route)))
    }

    /// Asks the sentinels again and again, if there are any: an old master that lives on tells nobody that there is another one.
    pub(super) async fn follow(&self) {
        let Way::Sentinels(sentinels, _) = &self.way else { return };
        let mut troubled = false;
        loop {
            sleep(ASK).await;
            match sentinels.master().await {
                Ok(master) => {
                    troubled = false;
                    self.abandon_unless(&master.to_string());
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
    fn abandon_unless(&self, master: &str) {
        self.newest.send_if_modified(|newest| {
            let elsewhere = !newest.address.is_empty() && &*newest.address != master;
            if elsewhere {
                tracing::warn!(from = %newest.address, to = master, "the sentinels name another master");
                *newest = Server::default();
            }
            elsewhere
        });
    }

    async fn route(&self) -> Result<Arc<Route>, Trouble> {
        match &self.way {
            Way::Direct(route) => Ok(route.clone()),
            Way::Sentinels(sentinels, known) => {
                let master = sentinels.master().await?;
                let mut known = lock(known);
                if let Some(route) = known.as_ref().filter(|route| route.peer.to_string() == master.to_string()) {
                    return Ok(route.clone());
                }
                let route = Route::new(master.clone(), self.lanes, self.timeouts).map_err(|error| Trouble::of(&master, &error))?;
                Ok(known.insert(Arc::new(route)).clone())
            }
        }
    }

    /// Whether no newer connection led to another server.
    pub(super) fn is_newest(&self, server: &Server) -> bool {
        *self.newest.borrow() == *server
    }

    /// Resolves when one did.
    pub(super) async fn left(&self, server: &Server) {
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

    /// How long a connection may be idle before it is asked whether it still works.
    pub(super) fn heartbeat(&self) -> Duration {
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

/// Whether a server of which `INFO` says this can be relied on.
fn judge(info: &str, mode: Mode, peer: &Peer) -> Result<(), Trouble> {
    let (version, policy, address) = (field(info, "redis_version"), field(info, "maxmemory_policy"), peer.to_string().into());
    match (mode, field(info, "cluster_enabled")) {
        (Mode::Alone, "1") => return Err(Trouble::Cluster { address }),
        (Mode::OfCluster, "0") => return Err(Trouble::NoCluster { address }),
        _ => {}
    }
    let oldest = mode.oldest();
    if !is_new_enough(version, oldest) {
        return Err(Trouble::TooOld { address, found: version.into(), oldest: format!("{}.{}", oldest.0, oldest.1).into() });
    }
    if !matches!(policy, "" | "noeviction") {
        return Err(Trouble::Evicting { address, policy: policy.into() });
    }
    // In a cluster the map says who is a master, and a replica leads to it.
    if mode == Mode::Alone && field(info, "role") == "slave" {
        return Err(Trouble::Replica { address });
    }
    Ok(())
}

fn allowed(route: &Route, probed: Result<Option<Denied>, RedisError>) -> Result<(), Trouble> {
    match probed {
        Ok(None) => Ok(()),
        Ok(Some(denied)) => Err(Trouble::forbidden(&route.peer, &denied)),
        Err(error) => Err(route.trouble(&error)),
    }
}

/// Pauses between attempts, without end: from 50 ms to 2 s, spread at random.
pub(super) fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::new().with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_secs(1));
    pauses.without_max_times().with_jitter().build()
}

/// A field of an answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
}

fn is_new_enough(version: &str, oldest: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, enough) in
            [("6.2.0", true), ("7.0.15", true), ("10.1", true), ("6.0.16", false), ("5.9", false), ("", false), ("x", false)]
        {
            assert_eq!(is_new_enough(version, (6, 2)), enough, "{version}");
        }
    }

    #[test]
    fn a_server_that_cannot_be_relied_on_is_refused_with_cause_and_cure() {
        let Address::One(Site::Server(peer)) = address::tests::address("redis://h:1").expect("a good address") else {
            panic!("one server")
        };
        for (mode, info, told) in [
            (Mode::Alone, "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n", None),
            (Mode::Alone, "redis_version:7.2.4\r\n", None),
            (Mode::Alone, "redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", Some("6.2 or newer is needed")),
            (Mode::Alone, "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\n", Some("set it to noeviction")),
            (Mode::Alone, "redis_version:7.0.15\r\nrole:master\r\n", None),
            (Mode::Alone, "redis_version:7.0.15\r\nrole:slave\r\n", Some("name its master in redis.url")),
            (Mode::Alone, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", None),
            (Mode::Alone, "redis_version:7.0.15\r\ncluster_enabled:1\r\n", Some("as redis+cluster://")),
            (Mode::OfCluster, "redis_version:7.0.15\r\nrole:slave\r\ncluster_enabled:1\r\n", None),
            (Mode::OfCluster, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", Some("belongs to no Redis Cluster")),
            (Mode::OfCluster, "redis_version:6.2.14\r\ncluster_enabled:1\r\n", Some("7.0 or newer is needed")),
        ] {
            let found = judge(info, mode, &peer).err().map(|trouble| trouble.to_string());
            assert_eq!(found.is_some(), told.is_some(), "{info}: {found:?}");
            assert!(found.unwrap_or_default().contains(told.unwrap_or_default()), "{info}");
        }
    }

    #[test]
    fn pauses_never_end() {
        let all: Vec<_> = pauses().take(1000).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|pause| *pause <= Duration::from_secs(2)));
    }
}
