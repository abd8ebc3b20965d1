//! A Redis of the generator's own, and gateways that share it.

use crate::{
    Result,
    server::{Binaries, Kind, Server, cpu_of, launcher},
};
use futures_util::future::join;
use redis_testing::{Options, Reply};
use std::process::Command;

/// How often Redis does its housekeeping, per second, as docs/redis.md has it.
pub(crate) const HZ: u32 = 100;

/// A `redis-server`; dropping it ends it.
pub(crate) struct Redis(Box<redis_testing::Server>);

impl Redis {
    /// Starts one on a free port, bound to that core, that does its housekeeping so many times a second.
    pub(crate) async fn start(core: Option<usize>, hz: u32) -> Self {
        let options = Options::default().with_port().launched_by(&launcher(core));
        let options = options.with(&["--hz", &hz.to_string(), "--latency-monitor-threshold", "1"]);
        Self(Box::new(redis_testing::Server::start_with(options).await))
    }

    /// Of a gateway that uses it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.0.address())
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        cpu_of(&self.0.process_id().to_string())
    }

    /// Milliseconds of the longest time since the last call for which it did one thing and nothing else, if that was more than one.
    pub(crate) async fn stall(&self) -> Result<u64> {
        let events = self.command(&["LATENCY", "LATEST"]).await?.list();
        self.command(&["LATENCY", "RESET"]).await?;
        // Name, time of the newest, milliseconds of the newest and of the longest.
        let longest = events.into_iter().filter_map(|event| event.list().pop()).map(Reply::number).max();
        Ok(longest.unwrap_or(0).try_into()?)
    }

    /// Carries a command out.
    pub(crate) async fn command(&self, words: &[&str]) -> Result<Reply> {
        Ok(self.0.try_command(words).await?)
    }

    /// The first call of a script that comes to it while `act` goes on, word by word.
    pub(crate) async fn overhear<T>(&self, act: impl Future<Output = Result<T>>) -> Result<Vec<String>> {
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
        let (acted, call) = join(act, call).await;
        acted?;
        call
    }

    /// How often Redis's own load generator gets a command carried out, per second. `__rand_int__` in it is another number each time.
    pub(crate) fn benchmark(&self, requests: u64, command: &[String]) -> Result<f64> {
        let mut benchmark = Command::new("redis-benchmark");
        benchmark.args(["-q", "-P", "16", "-r", "2000000000", "-p", &self.0.address().port().to_string(), "-n", &requests.to_string()]);
        let output = String::from_utf8(benchmark.args(command).output()?.stdout)?;
        let rate = output.rsplit_once(" requests per second").and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("redis-benchmark says: {output}").into())
    }
}

/// The words of a command, as a line of `MONITOR` has them behind its first `]`.
fn words(line: &str) -> Option<Vec<String>> {
    let quoted = line.split_once("] ")?.1;
    serde_json::Deserializer::from_str(quoted)
        .into_iter()
        .collect::<std::result::Result<Vec<_>, _>>()
        .ok()
        .filter(|words| !words.is_empty())
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
        let redis = Redis::start(None, HZ).await;
        let url = redis.url();
        let settings = [&[("BROKER__KIND", "redis"), ("REDIS__URL", &*url)], settings].concat();
        let (near, far) = (binaries.start_beside(&settings).await?, binaries.start(Kind::Gateway, &settings).await?);
        Ok(Self { near, far, redis })
    }
}
