//! Publications with a history through one gateway into Redis, in turns with Redis's own load generator and the very same script.

use crate::{
    Result,
    http::Http,
    latency,
    redis::{HZ, Redis},
    server::{Binaries, Kind, Server, own_cpu},
};
use hdrhistogram::Histogram;
use shared_proto::{
    client::link::{self, CallFailure, Link},
    link::Call,
};
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

/// Bytes of a message.
const SIZE: usize = 128;
/// Part of Redis's own rate that the gateway is to reach.
const GOAL: f64 = 0.6;
/// Milliseconds since 1970, far away.
const NEVER: &str = "9999999999999";
/// For a publication over a link.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels; a service has one publication of each under way on its link
    #[arg(long, default_value_t = 250)]
    channels: usize,
    /// HTTP connections, each with one request under way
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Publications of one request
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Times that everything is measured, in turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests of Redis's own load generator
    #[arg(long, default_value_t = 250_000)]
    requests: u64,
    /// The core that Redis is bound to
    #[arg(long)]
    redis_cpu: Option<usize>,
    /// How often Redis does its housekeeping, per second; its own default is 10
    #[arg(long, default_value_t = HZ)]
    redis_hz: u32,
    /// What is measured
    #[arg(long, value_enum, value_delimiter = ',', default_value = "rest,link")]
    ways: Vec<Way>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Way {
    /// Requests of many publications
    Rest,
    /// Requests of one
    Single,
    /// A service's link
    Link,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let redis = Redis::start(arguments.redis_cpu, arguments.redis_hz).await;
    let url = redis.url();
    let server = binaries.start(Kind::Gateway, &[("WORKERS", "1"), ("BROKER__KIND", "redis"), ("REDIS__URL", &url)]).await?;
    let bench = Bench { redis, server, arguments };
    let command = bench.command().await?;
    println!("                rate/s  of Redis's  p50 ms  p99 ms  us CPU of gateway, generator, Redis  Redis  its longest stall, ms");
    for _ in 0..arguments.rounds {
        let before = (bench.redis.cpu()?, Instant::now());
        let rate = bench.redis.benchmark(arguments.requests, &command)?;
        let busy = (bench.redis.cpu()? - before.0) / before.1.elapsed().as_secs_f64();
        let stall = bench.redis.stall().await?;
        println!("{:<14} {rate:>7.0} {:>65.0} % {stall:>6}", "benchmark", 100.0 * busy);
        for way in &arguments.ways {
            bench.measure(*way, None, rate).await?;
            bench.measure(*way, Some(rate * GOAL / 2.0), rate).await?;
        }
    }
    Ok(())
}

struct Bench<'a> {
    redis: Redis,
    server: Server,
    arguments: &'a Arguments,
}

impl Bench<'_> {
    /// What the gateway sends to Redis for one publication; of the words those are changed that differ each time.
    async fn command(&self) -> Result<Vec<String>> {
        let mut http = Http::open(self.server.internal).await?;
        let path = format!("/v1/channels/{}/publications", channel(0));
        let body = format!(r#"{{"data":{}}}"#, data());
        let mut words = self.redis.overhear(http.post(&path, &body)).await?;
        // EVALSHA, digest, 3, meta, stream, key of 32 digits; the last argument is the time from which on it is refused.
        let made_up = words.get_mut(5).ok_or("a publish has three keys")?;
        made_up.truncate(made_up.len() - 12);
        made_up.push_str("__rand_int__");
        *words.last_mut().ok_or("a publish has arguments")? = NEVER.into();
        Ok(words)
    }

    /// Publishes as fast as it goes, or so many per second.
    async fn measure(&self, way: Way, pace: Option<f64>, reference: f64) -> Result {
        let callers = self.callers(way).await?;
        let latency = Rc::new(RefCell::new(latency::times()?));
        let (server, own, redis, begun) = (self.server.cpu()?, own_cpu()?, self.redis.cpu()?, Instant::now());
        let schedule = Schedule { begun, until: begun + Duration::from_secs(self.arguments.seconds), pace, callers: callers.len() };
        let running: Vec<_> =
            (0..).zip(callers).map(|(turn, caller)| spawn_local(schedule.carry_out(turn, caller, latency.clone()))).collect();
        let mut published = 0;
        for caller in running {
            published += caller.await??;
        }
        let wall = begun.elapsed().as_secs_f64();
        let (server, own, redis) = (self.server.cpu()? - server, own_cpu()? - own, self.redis.cpu()? - redis);
        let (rate, latency) = (published as f64 / wall, latency.borrow().clone());
        let (ms, each) = (|quantile| latency.value_at_quantile(quantile) as f64 / 1000.0, |seconds| seconds * 1e6 / published as f64);
        println!(
            "{:<14} {rate:>7.0} {:>11.2} {:>7.1} {:>7.1} {:>14.1} {:>10.1} {:>6.1} {:>7.0} % {:>6}",
            format!("{way:?}{}", if pace.is_some() { ", paced" } else { "" }).to_lowercase(),
            rate / reference,
            ms(0.5),
            ms(0.99),
            each(server),
            each(own),
            each(redis),
            100.0 * redis / wall,
            self.redis.stall().await?,
        );
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    async fn callers(&self, way: Way) -> Result<Vec<Caller>> {
        let Arguments { channels, connections, batch, .. } = *self.arguments;
        let mut callers = Vec::new();
        match way {
            Way::Rest => {
                for connection in 0..connections {
                    let item =
                        |number| format!(r#"{{"channel":"{}","data":{}}}"#, channel((connection * batch + number) % channels), data());
                    let body = format!(r#"{{"publications":[{}]}}"#, (0..batch).map(item).collect::<Vec<_>>().join(","));
                    callers.push(Caller::Rest {
                        http: Http::open(self.server.internal).await?,
                        path: "/v1/publications".into(),
                        body,
                        count: batch,
                    });
                }
            }
            Way::Single => {
                for number in 0..channels {
                    let path = format!("/v1/channels/{}/publications", channel(number));
                    let body = format!(r#"{{"data":{}}}"#, data());
                    callers.push(Caller::Rest { http: Http::open(self.server.internal).await?, path, body, count: 1 });
                }
            }
            Way::Link => {
                let urls = vec![format!("ws://{}", self.server.internal)];
                let unused = async |_: Call| Err(CallFailure::refused(400, "this service only publishes"));
                let link = Rc::new(Link::start(link::Config::new("chatbot", urls, "dev"), unused)?);
                link.ready().await;
                callers.extend((0..channels).map(|number| Caller::Link { link: link.clone(), channel: channel(number) }));
            }
        }
        Ok(callers)
    }
}

/// When calls are made.
#[derive(Clone, Copy)]
struct Schedule {
    begun: Instant,
    until: Instant,
    /// Publications per second; none: the next one when the last is answered.
    pace: Option<f64>,
    callers: usize,
}

impl Schedule {
    /// Lets a caller take its turns; answers how much was published. Latency counts from when a call was due.
    async fn carry_out(self, turn: u32, mut caller: Caller, latency: Rc<RefCell<Histogram<u64>>>) -> Result<usize, String> {
        let gap = self.pace.map(|pace| Duration::from_secs_f64(caller.count() as f64 / pace));
        let mut published = 0;
        for number in 0.. {
            let due = gap.map_or_else(Instant::now, |gap| self.begun + gap * (turn + number * self.callers as u32));
            if due >= self.until {
                break;
            }
            sleep_until(due).await;
            caller.call().await.map_err(|error| error.to_string())?;
            published += caller.count();
            latency.borrow_mut().saturating_record(due.elapsed().as_micros() as u64);
        }
        Ok(published)
    }
}

/// Who has one call under way.
enum Caller {
    Rest { http: Http, path: String, body: String, count: usize },
    Link { link: Rc<Link>, channel: String },
}

impl Caller {
    /// Publications of one call.
    fn count(&self) -> usize {
        match self {
            Self::Rest { count, .. } => *count,
            Self::Link { .. } => 1,
        }
    }

    async fn call(&mut self) -> Result {
        match self {
            Self::Rest { http, path, body, count } => {
                let answer = http.post(path, body).await?;
                if answer.matches(r#""offset":"#).count() != *count {
                    return Err(format!("not everything was published: {answer}").into());
                }
            }
            Self::Link { link, channel } => {
                let publication = link::Publication::new(channel.as_str(), &"x".repeat(SIZE - 2))?;
                link.publisher().publish(publication, PATIENCE).await?;
            }
        }
        Ok(())
    }
}

/// Of a namespace with a short history, so that every publication ends one that is held.
fn channel(number: usize) -> String {
    format!("news:bench-{number}")
}

fn data() -> String {
    format!(r#""{}""#, "x".repeat(SIZE - 2))
}
