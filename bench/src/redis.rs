//! A Redis of the generator's own, and gateways that share it.

use crate::{
    Result,
    server::{Binaries, Kind, Server, bound, cpu},
};
use futures_util::{StreamExt as _, future::join};
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, time::sleep};

/// How often Redis does its housekeeping, per second, as docs/redis.md has it.
pub(crate) const HZ: u32 = 100;

/// A `redis-server`; dropping it ends it.
pub(crate) struct Redis {
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts one on a free port, bound to that core, that does its housekeeping so many times a second.
    pub(crate) async fn start(core: Option<usize>, hz: u32) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = bound(core, Path::new("redis-server"));
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
        Err("redis-server was not up in time; is it installed?".into())
    }

    /// Of a gateway that uses it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        cpu(&self.child)
    }

    /// Milliseconds of the longest time since the last call for which it did one thing and nothing else, if that was more than one.
    pub(crate) async fn stall(&self) -> Result<u64> {
        let events: Vec<(String, u64, u64, u64)> = self.command(&["LATENCY", "LATEST"]).await?;
        self.command::<redis::Value>(&["LATENCY", "RESET"]).await?;
        Ok(events.into_iter().map(|(_, _, _, longest)| longest).max().unwrap_or(0))
    }

    /// Carries a command out.
    pub(crate) async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        Ok(redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await?)
    }

    /// The first call of a script that comes to it while `act` goes on, word by word.
    pub(crate) async fn overhear<T>(&self, act: impl Future<Output = Result<T>>) -> Result<Vec<String>> {
        let monitor = redis::Client::open(self.url())?.get_async_monitor().await?;
        let calls = monitor.into_on_message::<String>().filter_map(async |line| {
            let words =
                serde_json::Deserializer::from_str(line.split_once("] ")?.1).into_iter().collect::<Result<Vec<String>, _>>().ok()?;
            (words.first()? == "EVALSHA" && words.get(2)? == "3").then_some(words)
        });
        let mut calls = Box::pin(calls);
        let (acted, call) = join(act, calls.next()).await;
        acted?;
        call.ok_or_else(|| "Redis was not asked to publish".into())
    }

    /// How often Redis's own load generator gets a command carried out, per second. `__rand_int__` in it is another number each time.
    pub(crate) fn benchmark(&self, requests: u64, command: &[String]) -> Result<f64> {
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(["-q", "-P", "16", "-r", "2000000000", "-p", &self.address.port().to_string(), "-n", &requests.to_string()]);
        let output = String::from_utf8(benchmark.args(command).output()?.stdout)?;
        let rate = output.rsplit_once(" requests per second").and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("redis-benchmark says: {output}").into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two gateways that share a Redis.
pub(crate) struct Pair {
    /// Published to; on the generator's cores, as Redis is.
    pub(crate) near: Server,
    /// The one that is measured.
    pub(crate) far: Server,
    pub(crate) redis: Redis,
}

impl Pair {
    /// Starts all three. The settings are for both gateways.
    pub(crate) async fn start(binaries: &Binaries, settings: &[(&str, &str)]) -> Result<Self> {
        let redis = Redis::start(None, HZ).await?;
        let url = redis.url();
        let settings = [&[("BROKER__KIND", "redis"), ("REDIS__URL", &*url)], settings].concat();
        let (near, far) = (binaries.start_beside(&settings).await?, binaries.start(Kind::Gateway, &settings).await?);
        Ok(Self { near, far, redis })
    }
}
