//! Publications with a history through one gateway into Redis, interleaved with `redis-benchmark` running the same script.

use crate::{
    http::Http,
    latency,
    redis::{HZ, Redis},
    result::Result,
    server::{Binaries, Kind, Server, generator_cpu_seconds},
};
use hdrhistogram::Histogram;
use shared_proto::{
    client::link::{self, Answer, CallFailure, CallResult, Link},
    link::Call,
};
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

/// Bytes of a message.
const MESSAGE_SIZE: usize = 128;
/// The goal: the gateway's rate as a fraction of the rate of `redis-benchmark`.
const GOAL: f64 = 0.6;
/// A deadline that never passes, in milliseconds since 1970.
const FAR_DEADLINE: &str = "9999999999999";
/// Longest wait for the acknowledgement of a publication over a link.
const LINK_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels; over a link each has one publication in flight
    #[arg(long, default_value_t = 250)]
    channels: usize,
    /// HTTP connections, each with one request in flight
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Publications in one request
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Repetitions of all measurements, interleaved
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests of redis-benchmark
    #[arg(long, default_value_t = 250_000)]
    requests: u64,
    /// CPU core of Redis
    #[arg(long)]
    redis_cpu: Option<usize>,
    /// How often per second Redis runs its background tasks; the default of Redis is 10
    #[arg(long, default_value_t = HZ)]
    redis_hz: u32,
    /// Interfaces to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "rest,link")]
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Interface {
    /// REST requests with many publications
    Rest,
    /// REST requests with one publication
    Single,
    /// Link of a service
    Link,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let redis = Redis::start(arguments.redis_cpu, arguments.redis_hz).await;
    let url = redis.url();
    let server = binaries.start(Kind::Gateway, &[("WORKERS", "1"), ("BROKER__KIND", "redis"), ("REDIS__URL", &url)]).await?;
    let bench = Bench { redis, server, arguments };
    let command = bench.command().await?;
    println!("                rate/s  of Redis's  p50 ms  p99 ms  us CPU of gateway, generator, Redis  Redis  longest Redis task, ms");
    for _ in 0..arguments.rounds {
        let (cpu, begun) = (bench.redis.cpu_seconds()?, Instant::now());
        let rate = bench.redis.benchmark(arguments.requests, &command)?;
        let busy = (bench.redis.cpu_seconds()? - cpu) / begun.elapsed().as_secs_f64();
        let longest_task = bench.redis.longest_task_ms().await?;
        println!("{:<14} {rate:>7.0} {:>65.0} % {longest_task:>6}", "benchmark", 100.0 * busy);
        for interface in &arguments.interfaces {
            bench.measure(*interface, None, rate).await?;
            bench.measure(*interface, Some(rate * GOAL / 2.0), rate).await?;
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
    /// The command that the gateway sends to Redis for one publication. The key differs in each request; the deadline never passes.
    async fn command(&self) -> Result<Vec<String>> {
        let mut http = Http::open(self.server.internal).await?;
        let path = format!("/v1/channels/{}/publications", channel(0));
        let body = format!(r#"{{"data":{}}}"#, data());
        let mut words = self.redis.capture_script_call(http.post(&path, &body)).await?;
        // EVALSHA, digest, 3, meta, stream, idempotency key of 32 digits, arguments; the last argument is the deadline.
        let key = words.get_mut(5).ok_or("the publish script was called with less than three keys")?;
        key.truncate(key.len() - 12);
        key.push_str("__rand_int__");
        *words.last_mut().ok_or("the publish script was called without arguments")? = FAR_DEADLINE.into();
        Ok(words)
    }

    /// Measures the highest rate, or the latency at a rate of `target_rate` per second. `redis_rate` is that of `redis-benchmark`.
    async fn measure(&self, interface: Interface, target_rate: Option<f64>, redis_rate: f64) -> Result {
        let publishers = self.publishers(interface).await?;
        let latency = Rc::new(RefCell::new(latency::histogram()?));
        let cpu_times = || -> Result<_> { Ok([self.server.cpu_seconds()?, generator_cpu_seconds()?, self.redis.cpu_seconds()?]) };
        let (cpu_before, begun) = (cpu_times()?, Instant::now());
        let until = begun + Duration::from_secs(self.arguments.seconds);
        let schedule = Schedule { begun, until, target_rate, publishers: publishers.len() };
        let tasks: Vec<_> =
            (0..).zip(publishers).map(|(turn, publisher)| spawn_local(schedule.run(turn, publisher, latency.clone()))).collect();
        let mut published = 0;
        for task in tasks {
            published += task.await??;
        }
        let wall = begun.elapsed().as_secs_f64();
        let cpu_after = cpu_times()?;
        let [server, generator, redis] = std::array::from_fn(|process| cpu_after[process] - cpu_before[process]);
        let (rate, latency) = (published as f64 / wall, latency.borrow().clone());
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
        let us_each = |seconds| seconds * 1e6 / published as f64;
        println!(
            "{:<14} {rate:>7.0} {:>11.2} {:>7.1} {:>7.1} {:>14.1} {:>10.1} {:>6.1} {:>7.0} % {:>6}",
            format!("{interface:?}{}", if target_rate.is_some() { ", paced" } else { "" }).to_lowercase(),
            rate / redis_rate,
            ms(0.5),
            ms(0.99),
            us_each(server),
            us_each(generator),
            us_each(redis),
            100.0 * redis / wall,
            self.redis.longest_task_ms().await?,
        );
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    async fn publishers(&self, interface: Interface) -> Result<Vec<Publisher>> {
        let Arguments { channels, connections, batch, .. } = *self.arguments;
        let mut publishers = Vec::new();
        match interface {
            Interface::Rest => {
                for connection in 0..connections {
                    let item =
                        |number| format!(r#"{{"channel":"{}","data":{}}}"#, channel((connection * batch + number) % channels), data());
                    let body = format!(r#"{{"publications":[{}]}}"#, (0..batch).map(item).collect::<Vec<_>>().join(","));
                    publishers.push(Publisher::Rest {
                        http: Http::open(self.server.internal).await?,
                        path: "/v1/publications".into(),
                        body,
                        count: batch,
                    });
                }
            }
            Interface::Single => {
                for number in 0..channels {
                    let path = format!("/v1/channels/{}/publications", channel(number));
                    let body = format!(r#"{{"data":{}}}"#, data());
                    publishers.push(Publisher::Rest { http: Http::open(self.server.internal).await?, path, body, count: 1 });
                }
            }
            Interface::Link => {
                let urls = vec![format!("ws://{}", self.server.internal)];
                let unused = async |_: Call| CallResult::<Answer>::Err(CallFailure::refused(400, "this service only publishes"));
                let link = Rc::new(Link::start(link::Config::new("chatbot", urls, "dev"), unused)?);
                link.ready().await;
                publishers.extend((0..channels).map(|number| Publisher::Link { link: link.clone(), channel: channel(number) }));
            }
        }
        Ok(publishers)
    }
}

/// When the publishers send their requests.
#[derive(Clone, Copy)]
struct Schedule {
    begun: Instant,
    until: Instant,
    /// Publications per second. `None`: each publisher sends its next request when the last one is answered.
    target_rate: Option<f64>,
    publishers: usize,
}

impl Schedule {
    /// Sends the requests of one publisher. Returns the number of publications. Latency counts from the time at which a request was due.
    async fn run(self, turn: u32, mut publisher: Publisher, latency: Rc<RefCell<Histogram<u64>>>) -> Result<usize, String> {
        let gap = self.target_rate.map(|rate| Duration::from_secs_f64(publisher.batch_size() as f64 / rate));
        let mut count = 0;
        for number in 0.. {
            let due = gap.map_or_else(Instant::now, |gap| self.begun + gap * (turn + number * self.publishers as u32));
            if due >= self.until {
                break;
            }
            sleep_until(due).await;
            publisher.publish().await.map_err(|error| error.to_string())?;
            count += publisher.batch_size();
            latency.borrow_mut().saturating_record(due.elapsed().as_micros() as u64);
        }
        Ok(count)
    }
}

/// Publishes with one request in flight.
enum Publisher {
    Rest { http: Http, path: String, body: String, count: usize },
    Link { link: Rc<Link>, channel: String },
}

impl Publisher {
    /// Publications in one request.
    fn batch_size(&self) -> usize {
        match self {
            Self::Rest { count, .. } => *count,
            Self::Link { .. } => 1,
        }
    }

    async fn publish(&mut self) -> Result {
        match self {
            Self::Rest { http, path, body, count } => {
                let answer = http.post(path, body).await?;
                if answer.matches(r#""offset":"#).count() != *count {
                    return Err(format!("the gateway refused a publication: {answer}").into());
                }
            }
            Self::Link { link, channel } => {
                let publication = link::Publication::new(channel.as_str(), &"x".repeat(MESSAGE_SIZE - 2))?;
                link.publisher().publish(publication, LINK_TIMEOUT).await?;
            }
        }
        Ok(())
    }
}

/// A channel in a namespace with a short history, so that each publication removes an older one.
fn channel(number: usize) -> String {
    format!("news:bench-{number}")
}

/// The data of a publication: [`MESSAGE_SIZE`] bytes of JSON.
fn data() -> String {
    format!(r#""{}""#, "x".repeat(MESSAGE_SIZE - 2))
}
