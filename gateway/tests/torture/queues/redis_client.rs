//! A client of the store, as producers and consumers of streams have one. It reaches the servers through the proxies of one gateway, so the faults of
//! that gateway's network are also its own.

use crate::{
    store::{Route, server_of},
    world::World,
};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Value, aio::MultiplexedConnection, cmd};
use redis_testing::{SERVICE, slot};
use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

/// Time limit for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The name of the connections, for the lists of servers.
pub(crate) const NAME: &str = "torture";
/// How often a command is redirected.
const REDIRECTIONS: u32 = 8;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was not carried out.
    #[error("not carried out: {0}")]
    NotDone(String),
    /// It may have been carried out, or what it wrote may be lost.
    #[error("not answered: {0}")]
    Unknown(String),
}

/// A client. After a failure it connects again.
pub(crate) struct RedisClient {
    world: Arc<World>,
    node: usize,
    connections: HashMap<SocketAddr, MultiplexedConnection>,
    /// The master of each slot, as a redirection named it.
    masters: HashMap<u16, SocketAddr>,
}

impl RedisClient {
    /// A client in the network of a random gateway.
    pub(crate) fn new(world: Arc<World>) -> Self {
        let node = rand::random_range(0..world.nodes.len());
        Self { world, node, connections: HashMap::new(), masters: HashMap::new() }
    }

    /// Runs a command for a key with this hash tag.
    pub(crate) async fn run<T: FromRedisValue>(&mut self, tag: &str, command: &Cmd) -> Result<T, Failure> {
        let value = self.value(tag, command).await?.1;
        T::from_redis_value(value).map_err(|error| Failure::Unknown(error.to_string()))
    }

    /// Appends to a stream. With `queues.replicas` it waits until the replica has the entry.
    pub(crate) async fn add(&mut self, tag: &str, key: &str, fields: &[(&str, &str)]) -> Result<(), Failure> {
        let mut command = cmd("XADD");
        command.arg(key).arg("*");
        for (name, value) in fields {
            command.arg(*name).arg(*value);
        }
        let (server, _) = self.value(tag, &command).await?;
        if self.world.replicas == 0 {
            return Ok(());
        }
        // The same connection, because the server waits for what this connection wrote.
        let replicas: u64 = match self.at(server, cmd("WAIT").arg(self.world.replicas).arg(1000)).await {
            Ok(value) => u64::from_redis_value(value).unwrap_or_default(),
            Err(_) => 0,
        };
        if replicas >= self.world.replicas { Ok(()) } else { Err(Failure::Unknown("the replica did not confirm it".into())) }
    }

    /// Runs a command. Returns the server that answered, and its answer.
    async fn value(&mut self, tag: &str, command: &Cmd) -> Result<(SocketAddr, Value), Failure> {
        let mut server = self.server_of(tag).await?;
        let mut asks = false;
        for _ in 0..REDIRECTIONS {
            if asks {
                self.at(server, &cmd("ASKING")).await.map_err(|failure| Failure::NotDone(failure.to_string()))?;
            }
            match self.at(server, command).await {
                Ok(value) => return Ok((server, value)),
                Err(Refusal::Redirected { to, moved }) => {
                    if moved {
                        self.masters.insert(slot(tag), to);
                    }
                    (server, asks) = (to, !moved);
                }
                Err(Refusal::Refused(why)) => {
                    self.forget();
                    return Err(Failure::NotDone(why));
                }
                Err(Refusal::NoConnection(why)) => return Err(Failure::NotDone(why)),
                Err(Refusal::NoAnswer(why)) => return Err(Failure::Unknown(why)),
            }
        }
        Err(Failure::NotDone("too many redirections".into()))
    }

    async fn server_of(&mut self, tag: &str) -> Result<SocketAddr, Failure> {
        let world = self.world.clone();
        let proxies = &world.nodes[self.node].proxies;
        match &world.route {
            Route::Single => Ok(proxies[0].address()),
            Route::Named => Ok(proxies[server_of(tag)].address()),
            Route::Cluster => Ok(self.masters.get(&slot(tag)).copied().unwrap_or_else(|| proxies[0].address())),
            Route::Sentinels(first) => {
                if let Some(known) = self.masters.get(&0) {
                    return Ok(*known);
                }
                let sentinel = rand::random_range(*first..proxies.len());
                let named = self.at(proxies[sentinel].address(), cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(SERVICE)).await;
                let named = named.map_err(|refusal| Failure::NotDone(refusal.to_string()))?;
                let (host, port): (String, String) =
                    FromRedisValue::from_redis_value(named).map_err(|error| Failure::NotDone(error.to_string()))?;
                let master = format!("{host}:{port}").parse().map_err(|_| Failure::NotDone(format!("{host}:{port} is no address")))?;
                self.masters.insert(0, master);
                Ok(master)
            }
        }
    }

    /// Runs a command at a server.
    async fn at(&mut self, server: SocketAddr, command: &Cmd) -> Result<Value, Refusal> {
        if !self.connections.contains_key(&server) {
            let connection = connect(server).await.map_err(|error| {
                self.forget();
                Refusal::NoConnection(error.to_string())
            })?;
            self.connections.insert(server, connection);
        }
        let connection = self.connections.get_mut(&server).expect("it was inserted");
        command.query_async::<Value>(connection).await.map_err(|error| {
            if let Some((to, _)) = error.redirect_node() {
                let moved = error.code() == Some("MOVED");
                return to.parse().map_or_else(|_| Refusal::Refused(error.to_string()), |to| Refusal::Redirected { to, moved });
            }
            let is_answer = error.code().is_some();
            if is_answer {
                return Refusal::Refused(error.to_string());
            }
            self.forget();
            Refusal::NoAnswer(error.to_string())
        })
    }

    /// Closes all connections. The next command finds out where the servers are, in the network of any gateway.
    fn forget(&mut self) {
        self.connections.clear();
        self.masters.clear();
        self.node = rand::random_range(0..self.world.nodes.len());
    }
}

#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("redirected to {to}")]
    Redirected { to: SocketAddr, moved: bool },
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    NoConnection(String),
    #[error("{0}")]
    NoAnswer(String),
}

async fn connect(server: SocketAddr) -> Result<MultiplexedConnection, redis::RedisError> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT)).set_connection_timeout(Some(CONNECT_TIMEOUT));
    let mut connection = Client::open(format!("redis://{server}"))?.get_multiplexed_async_connection_with_config(&config).await?;
    cmd("CLIENT").arg("SETNAME").arg(NAME).query_async::<Value>(&mut connection).await?;
    Ok(connection)
}
