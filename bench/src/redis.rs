//! The Redis server that the generator starts, and gateways that share it.

use crate::{
    result::Result,
    server::{Binaries, Kind, Server, cpu_seconds, launcher},
};
use futures_util::future::join;
use redis_testing::{Connection, Options, Reply};
use std::process::Command;

/// How often per second Redis runs its background tasks (`hz`), as docs/redis.md recommends.
pub(crate) const HZ: u32 = 100;

/// A running `redis-server`. Dropping this kills it.
pub(crate) struct Redis(Box<redis_testing::Server>);

impl Redis {
    /// Starts a server on a free port. `core` pins it to a CPU core; `hz` is the setting of that name.
    pub(crate) async fn start(core: Option<usize>, hz: u32) -> Self {
        let options = Options::default().with_port().launched_by(&launcher(core));
        let options = options.with(&["--hz", &hz.to_string(), "--latency-monitor-threshold", "1"]);
        Self(Box::new(redis_testing::Server::start_with(options).await))
    }

    /// The value for a gateway's setting `redis.url`.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.0.address())
    }

    /// CPU time that the server has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(&self.0.process_id().to_string())
    }

    /// The longest single task of Redis since the last call, in milliseconds; 0 if no task took more than 1 ms.
    pub(crate) async fn longest_task_ms(&self) -> Result<u64> {
        let events = self.command(&["LATENCY", "LATEST"]).await?.list();
        self.command(&["LATENCY", "RESET"]).await?;
        // Name, time of the newest, milliseconds of the newest and of the longest.
        let longest = events.into_iter().filter_map(|event| event.list().pop()).map(Reply::number).max();
        Ok(longest.unwrap_or(0).try_into()?)
    }

    /// Runs a command.
    pub(crate) async fn command(&self, words: &[&str]) -> Result<Reply> {
        Ok(self.0.try_command(words).await?)
    }

    /// Opens a connection, for commands in pipelines.
    pub(crate) async fn connection(&self) -> Connection {
        self.0.connection().await
    }

    /// Memory that Redis has allocated, in bytes.
    pub(crate) async fn used_memory(&self) -> Result<u64> {
        let info = self.0.info("memory").await;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).ok_or("INFO has no used_memory")?;
        Ok(used.trim().parse()?)
    }

    /// Runs `action` and returns the arguments of the first script call with three keys that Redis receives meanwhile.
    pub(crate) async fn capture_script_call<T>(&self, action: impl Future<Output = Result<T>>) -> Result<Vec<String>> {
        let mut monitor = self.0.connection().await;
        monitor.command(&["MONITOR"]).await?;
        let call = async {
            loop {
                let line = monitor.reply().await?.text();
                if let Some(words) = words(&line).filter(|words| words[0] == "EVALSHA" && words.get(2).is_some_and(|keys| keys == "3")) {
                    return Ok(words);
                }
            }
        };
        let (outcome, call) = join(action, call).await;
        outcome?;
        call
    }

    /// Runs `redis-benchmark` with this command and returns its rate per second. It replaces `__rand_int__` by a random number.
    pub(crate) fn benchmark(&self, requests: u64, command: &[String]) -> Result<f64> {
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(["-q", "-P", "16", "-r", "2000000000", "-p", &self.0.address().port().to_string(), "-n", &requests.to_string()]);
        let output = String::from_utf8(benchmark.args(command).output()?.stdout)?;
        let rate = output.rsplit_once(" requests per second").and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("redis-benchmark printed no rate: {output}").into())
    }
}

/// The words of a command in a line of `MONITOR`.
fn words(line: &str) -> Option<Vec<String>> {
    let quoted = line.split_once("] ")?.1;
    serde_json::Deserializer::from_str(quoted)
        .into_iter()
        .collect::<std::result::Result<Vec<_>, _>>()
        .ok()
        .filter(|words| !words.is_empty())
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
        let redis = Redis::start(None, HZ).await;
        let url = redis.url();
        let settings = [&[("BROKER__KIND", "redis"), ("REDIS__URL", &*url)], settings].concat();
        let publishing = binaries.start_second_gateway(&settings).await?;
        let subscribed = binaries.start(Kind::Gateway, &settings).await?;
        Ok(Self { publishing, subscribed, redis })
    }
}
