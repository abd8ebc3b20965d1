//! Connections to Redis: how they are made, and what is wrong when they cannot be.

use super::{clock::Clock, scripts::SCRIPTS};
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion, PushInfo, RedisError,
    ServerErrorKind,
    aio::{ConnectionLike as _, MultiplexedConnection},
    io::tcp::TcpSettings,
};
use std::time::Duration;
use tokio::{sync::watch, time::Instant};

/// The oldest server whose commands are enough.
const OLDEST: (u32, u32) = (6, 2);

/// Time bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For a connection to be made.
    pub(super) connect: Duration,
    /// For an answer, from when the command was sent.
    pub(super) response: Duration,
}

/// Why there is no usable connection. The sentence names cause and cure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("Redis at {address} cannot be reached: {cause}. Start it, or correct redis.url")]
    Unreachable { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} does not accept the user or password in redis.url: {cause}")]
    Unauthorized { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} is version {found}; 6.2 or newer is needed")]
    TooOld { address: Box<str>, found: Box<str> },
    #[error("Redis at {address} forgets what it is short of memory for (maxmemory-policy {policy}): set it to noeviction")]
    Evicting { address: Box<str>, policy: Box<str> },
    #[error("Redis at {address} cannot be used: {cause}")]
    Unusable { address: Box<str>, cause: Box<str> },
}

/// Makes connections to one Redis.
pub(super) struct Connector {
    /// Of the connections for commands; each is taken out for as long as it works.
    pool: Pool,
    /// For the connections that subscribe.
    client: Client,
    timeouts: Timeouts,
    address: Box<str>,
    /// Who answered the newest connection.
    newest: watch::Sender<Server>,
}

/// A process of Redis, by its `run_id`. After a failover an address leads to another one, while connections to the old one may go on: whoever
/// subscribes there hears nothing of what is published here. So all connections of a node follow the newest.
pub(super) type Server = Box<str>;

impl Connector {
    /// For the Redis at `url`. Connects to nothing yet.
    pub(super) fn new(url: &str, lanes: usize, timeouts: Timeouts) -> Result<Self, RedisError> {
        let info = url.into_connection_info()?;
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(2 * timeouts.response);
        let info = info.set_tcp_settings(tcp);
        let address = info.addr().to_string().into();
        let manager = Manager::new_with_config(info.clone(), config(timeouts))?;
        let limit = Some(timeouts.connect);
        let pool = Pool::builder(manager)
            .max_size(lanes)
            .wait_timeout(limit)
            .create_timeout(limit)
            .recycle_timeout(limit)
            .runtime(Runtime::Tokio1);
        let pool = pool
            .build()
            .map_err(|error| RedisError::from((ErrorKind::InvalidClientConfig, "the pool cannot be made", error.to_string())))?;
        Ok(Self { pool, client: Client::open(resp3(info))?, timeouts, address, newest: watch::Sender::default() })
    }

    /// A connection for commands, whose server knows the scripts. Tells the clock what time it is there.
    pub(super) async fn command(&self, clock: &Clock) -> Result<(MultiplexedConnection, Server), Trouble> {
        let pooled = self.pool.get().await.map_err(|error| self.not_pooled(error))?;
        let mut connection = deadpool_redis::Connection::take(pooled);
        let server = self.greet(&mut connection, clock).await.map_err(|error| self.trouble(&error))??;
        Ok((connection, server))
    }

    /// A connection that subscribes. `take` gets what comes, on the connection's own task: it must not block.
    pub(super) async fn subscriber(
        &self,
        take: impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Server), Trouble> {
        let config = config(self.timeouts).set_push_sender(take);
        let connected = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
            Ok((connection, self.meet(&info)))
        };
        connected.await.map_err(|error| self.trouble(&error))
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
    fn meet(&self, info: &str) -> Server {
        let server: Server = field(info, "run_id").into();
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

    async fn greet(&self, connection: &mut MultiplexedConnection, clock: &Clock) -> Result<Result<Server, Trouble>, RedisError> {
        let info: String = redis::cmd("INFO").query_async(connection).await?;
        if let Err(trouble) = self.judge(&info) {
            return Ok(Err(trouble));
        }
        let scripts = SCRIPTS.load();
        for loaded in connection.req_packed_commands(scripts, 0, scripts.len()).await? {
            loaded.extract_error()?;
        }
        let asked = Instant::now();
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
        clock.set(asked, seconds * 1000 + micros / 1000);
        Ok(Ok(self.meet(&info)))
    }

    /// Whether a server of which `INFO` says this can be relied on.
    fn judge(&self, info: &str) -> Result<(), Trouble> {
        let (version, policy, address) = (field(info, "redis_version"), field(info, "maxmemory_policy"), self.address.clone());
        if !is_new_enough(version) {
            return Err(Trouble::TooOld { address, found: version.into() });
        }
        if !matches!(policy, "" | "noeviction") {
            return Err(Trouble::Evicting { address, policy: policy.into() });
        }
        Ok(())
    }

    fn not_pooled(&self, error: PoolError) -> Trouble {
        match error {
            PoolError::Backend(error) => self.trouble(&error),
            PoolError::Timeout(_) => self.unreachable(&format!("no answer within {:?}", self.timeouts.connect)),
            other => Trouble::Unusable { address: self.address.clone(), cause: other.to_string().into() },
        }
    }

    fn trouble(&self, error: &RedisError) -> Trouble {
        let (address, cause) = (self.address.clone(), error.to_string().into());
        match error.kind() {
            ErrorKind::Io => self.unreachable(&error.to_string()),
            ErrorKind::AuthenticationFailed => Trouble::Unauthorized { address, cause },
            _ if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => Trouble::Unauthorized { address, cause },
            ErrorKind::Server(ServerErrorKind::BusyLoading) => self.unreachable("it is still loading its data"),
            _ => Trouble::Unusable { address, cause },
        }
    }

    fn unreachable(&self, cause: &str) -> Trouble {
        Trouble::Unreachable { address: self.address.clone(), cause: cause.into() }
    }
}

/// Pauses between attempts, without end: from 50 ms to 2 s, spread at random.
pub(super) fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::new().with_min_delay(Duration::from_millis(50)).with_max_delay(Duration::from_secs(1));
    pauses.without_max_times().with_jitter().build()
}

fn config(timeouts: Timeouts) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeouts.connect))
        .set_response_timeout(Some(timeouts.response))
        .set_write_backpressure_boundary(64 << 10)
}

/// Deliveries and answers share the connection only with this protocol.
fn resp3(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
}

/// A field of an answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, enough) in
            [("6.2.0", true), ("7.0.15", true), ("10.1", true), ("6.0.16", false), ("5.9", false), ("", false), ("x", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[test]
    fn a_server_that_cannot_be_relied_on_is_refused_with_cause_and_cure() {
        let timeouts = Timeouts { connect: Duration::from_secs(1), response: Duration::from_secs(1) };
        let connector = Connector::new("redis://h:1", 1, timeouts).expect("a good address");
        for (info, told) in [
            ("redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n", None),
            ("redis_version:7.2.4\r\n", None),
            ("redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", Some("6.2 or newer is needed")),
            ("redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\n", Some("set it to noeviction")),
        ] {
            let found = connector.judge(info).err().map(|trouble| trouble.to_string());
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
