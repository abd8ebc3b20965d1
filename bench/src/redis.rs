//! The Redis server that the generator starts, and gateways that share it.

use crate::{
    result::Result,
    server::{Binaries, Kind, Server, cpu_seconds, pinned},
};
use futures_util::{StreamExt as _, future::join};
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, time::sleep};

/// How often per second Redis runs its background tasks (`hz`), as docs/redis.md recommends.
pub(crate) const HZ: u32 = 100;

/// A running `redis-server`. Dropping this kills it.
pub(crate) struct Redis {
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts a server on a free port. `core` pins it to a CPU core; `hz` is the setting of that name.
    pub(crate) async fn start(core: Option<usize>, hz: u32) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = pinned(core, Path::new("redis-server"));
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &address.port().to_string()]);
        command.args(["--hz", &hz.to_string(), "--latency-monitor-threshold", "1"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let redis = Self { address, child };
        for _ in 0..100 {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(redis);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("redis-server did not accept a connection within 5 s".into())
    }

    /// The value for a gateway's setting `redis.url`.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// CPU time that the server has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(&self.child)
    }

    /// The longest single task of Redis since the last call, in milliseconds; 0 if no task took more than 1 ms.
    pub(crate) async fn longest_task_ms(&self) -> Result<u64> {
        let events: Vec<(String, u64, u64, u64)> = self.command(&["LATENCY", "LATEST"]).await?;
        self.command::<redis::Value>(&["LATENCY", "RESET"]).await?;
        Ok(events.into_iter().map(|(_, _, _, longest)| longest).max().unwrap_or(0))
    }

    /// Runs a command.
    pub(crate) async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        Ok(redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await?)
    }

    /// Runs `action` and returns the arguments of the first script call with three keys that Redis receives meanwhile.
    pub(crate) async fn capture_script_call<T>(&self, action: impl Future<Output = Result<T>>) -> Result<Vec<String>> {
        let monitor = redis::Client::open(self.url())?.get_async_monitor().await?;
        let calls = monitor.into_on_message::<String>().filter_map(async |line| {
            let words =
                serde_json::Deserializer::from_str(line.split_once("] ")?.1).into_iter().collect::<Result<Vec<String>, _>>().ok()?;
            (words.first()? == "EVALSHA" && words.get(2)? == "3").then_some(words)
        });
        let mut calls = Box::pin(calls);
        let (outcome, call) = join(action, calls.next()).await;
        outcome?;
        call.ok_or_else(|| "Redis received no script call".into())
    }

    /// Runs `redis-benchmark` with this command and returns its rate per second. It replaces `__rand_int__` by a random number.
    pub(crate) fn benchmark(&self, requests: u64, command: &[String]) -> Result<f64> {
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(["-q", "-P", "16", "-r", "2000000000", "-p", &self.address.port().to_string(), "-n", &requests.to_string()]);
        let output = String::from_utf8(benchmark.args(command).output()?.stdout)?;
        let rate = output.rsplit_once(" requests per second").and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("redis-benchmark printed no rate: {output}").into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two gateways that share a Redis server.
pub(crate) struct GatewayPair {
    /// Receives the publications. It runs on the generator's cores, like Redis.
    pub(crate) publishing: Server,
    /// Has the subscribers and is measured.
    pub(crate) subscribed: Server,
    pub(crate) redis: Redis,
}

impl GatewayPair {
    /// Starts all three processes. Both gateways get the settings.
    pub(crate) async fn start(binaries: &Binaries, settings: &[(&str, &str)]) -> Result<Self> {
        let redis = Redis::start(None, HZ).await?;
        let url = redis.url();
        let settings = [&[("BROKER__KIND", "redis"), ("REDIS__URL", &*url)], settings].concat();
        let publishing = binaries.start_second_gateway(&settings).await?;
        let subscribed = binaries.start(Kind::Gateway, &settings).await?;
        Ok(Self { publishing, subscribed, redis })
    }
}
