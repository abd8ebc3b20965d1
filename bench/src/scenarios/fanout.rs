//! One channel with many subscribers and small messages. A message contains the time at which it was due, so a late publisher increases
//! the measured latency.

use crate::{
    client::TEXT,
    http::Http,
    latency,
    redis::GatewayPair,
    result::Result,
    server::{Binaries, Kind, Server, generator_cpu_seconds},
    sockets,
    statistics::median,
    tls::Identity,
};
use hdrhistogram::Histogram;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

/// Bytes of a message.
const MESSAGE_SIZE: usize = 128;
/// Digits of the time in a message, which is in microseconds.
const TIME_DIGITS: usize = 16;
/// Connections that publish.
const PUBLISHERS: usize = 4;
/// Shortest time between two requests.
const MIN_REQUEST_INTERVAL: Duration = Duration::from_millis(5);
/// Maximum number of messages in one request.
const MAX_BATCH: u64 = 500;
/// One of this many subscribers measures latency; all subscribers count messages.
const SAMPLE: usize = 50;
/// Longest wait for the delivery of published messages.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Subscribed connections
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Publications per second; several rates are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "100")]
    rates: Vec<u32>,
    /// Seconds for each rate
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Runs of each server, interleaved
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Also measure, interleaved, a gateway that gets its publications through Redis from another gateway
    #[arg(long)]
    redis: bool,
    /// Also measure, interleaved, a gateway whose subscribers use TLS
    #[arg(long)]
    tls: bool,
    /// Channel for the publications
    #[arg(long, default_value = "open:fan")]
    channel: String,
}

/// What is measured.
enum Target {
    /// One server with subscribers and publications.
    Single(Server),
    /// Two gateways: one gets the publications, the other one has the subscribers.
    Pair(Box<GatewayPair>),
}

impl Target {
    fn server(&self) -> &Server {
        match self {
            Self::Single(server) => server,
            Self::Pair(pair) => &pair.subscribed,
        }
    }

    /// The address for publications.
    fn publish_address(&self) -> SocketAddr {
        match self {
            Self::Single(server) => server.internal,
            Self::Pair(pair) => pair.publishing.internal,
        }
    }

    /// CPU time that the publishing gateway and Redis have used on the generator's cores, in seconds.
    fn other_cpu_seconds(&self) -> Result<f64> {
        match self {
            Self::Single(_) => Ok(0.0),
            Self::Pair(pair) => Ok(pair.publishing.cpu_seconds()? + pair.redis.cpu_seconds()?),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Single(Server { kind: Kind::Bare, .. }) => "bare",
            Self::Single(server) if server.endpoint.has_tls() => "tls",
            Self::Single(_) => "memory",
            Self::Pair(_) => "redis",
        }
    }
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    println!(
        "server   rate/s  delivered            us CPU/delivery  segments/delivery  p50 ms   p99 ms   max ms  server  generator  others"
    );
    let one_worker = [("WORKERS", "1")];
    let (identity, mut plain, mut secure) = (Identity::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        plain.push(measure(Target::Single(binaries.start(Kind::Gateway, &one_worker).await?), arguments).await?);
        if arguments.tls {
            secure.push(measure(Target::Single(binaries.start_with_tls(&identity, &one_worker).await?), arguments).await?);
        }
        if binaries.has_bare() {
            measure(Target::Single(binaries.start(Kind::Bare, &[]).await?), arguments).await?;
        }
        if arguments.redis {
            measure(Target::Pair(Box::new(GatewayPair::start(binaries, &one_worker).await?)), arguments).await?;
        }
    }
    for (number, rate) in arguments.rates.iter().enumerate().filter(|_| arguments.tls) {
        let of = |rounds: &[Vec<f64>]| median(rounds.iter().filter_map(|rates| rates.get(number).copied()));
        println!("{rate}/s with TLS: CPU per delivery {:.2} times that without (medians)", of(&secure) / of(&plain));
    }
    Ok(())
}

/// Returns the CPU time of the server for a delivery at each rate, in microseconds.
async fn measure(target: Target, arguments: &Arguments) -> Result<Vec<f64>> {
    let target = Rc::new(target);
    let subscribers = Subscribers::open(target.clone(), arguments).await?;
    let mut cpu = Vec::new();
    for rate in &arguments.rates {
        cpu.push(subscribers.measure_rate(*rate, arguments.seconds).await?);
        sleep(Duration::from_secs(1)).await;
    }
    Ok(cpu)
}

/// The subscribed connections and what they have received.
struct Subscribers {
    target: Rc<Target>,
    channel: Rc<str>,
    count: usize,
    received: Rc<Received>,
}

/// Messages that all subscribers together have received.
struct Received {
    /// Times in messages count from here.
    epoch: Instant,
    delivered: Cell<u64>,
    layout: Cell<Option<Layout>>,
    latency: RefCell<Histogram<u64>>,
}

/// The layout that all messages have.
#[derive(Clone, Copy)]
struct Layout {
    /// Bytes of a line, without the line break.
    length: usize,
    /// Index in a line of the first digit of the message's time.
    time_at: usize,
}

impl Subscribers {
    async fn open(target: Rc<Target>, arguments: &Arguments) -> Result<Self> {
        let (channel, count) = (Rc::from(arguments.channel.as_str()), arguments.subscribers);
        let received = Rc::new(Received {
            epoch: Instant::now(),
            delivered: Cell::new(0),
            layout: Cell::new(None),
            latency: RefCell::new(latency::histogram()?),
        });
        for number in 0..count {
            let (client, received) = (target.server().subscriber(number, &channel).await?, received.clone());
            spawn_local(client.receive_all(move |opcode, payload| {
                if opcode == TEXT && payload.len() >= MESSAGE_SIZE {
                    received.record(payload, number % SAMPLE == 0);
                }
            }));
        }
        let subscribers = Self { target, channel, count, received };
        subscribers.publisher().await?.publish(&[0]).await?;
        subscribers.wait_for_deliveries(count as u64).await;
        Ok(subscribers)
    }

    /// Waits until this number of messages is delivered, at most [`DELIVERY_TIMEOUT`].
    async fn wait_for_deliveries(&self, expected: u64) {
        let until = Instant::now() + DELIVERY_TIMEOUT;
        while self.received.delivered.get() < expected && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn publisher(&self) -> Result<Publisher> {
        let http = Http::open(self.target.publish_address()).await?;
        Ok(Publisher { http, kind: self.target.server().kind, channel: self.channel.clone() })
    }

    async fn measure_rate(&self, rate: u32, seconds: u32) -> Result<f64> {
        let server = self.target.server();
        self.received.delivered.set(0);
        self.received.latency.borrow_mut().reset();
        let segments = sockets::segments_sent(server.public)?;
        let cpu_times = || -> Result<_> { Ok([server.cpu_seconds()?, generator_cpu_seconds()?, self.target.other_cpu_seconds()?]) };
        let (cpu_before, begun) = (cpu_times()?, Instant::now());
        let (next, mut publishers) = (Rc::new(Cell::new(0)), Vec::new());
        for turn in 0..PUBLISHERS {
            let (next, epoch) = (next.clone(), self.received.epoch);
            let schedule = Schedule { rate, count: u64::from(rate * seconds), next, turn, begun, epoch };
            let publisher = self.publisher().await?;
            publishers.push(spawn_local(async move { schedule.run(publisher).await.map_err(|error| error.to_string()) }));
        }
        for publisher in publishers {
            publisher.await??;
        }
        let expected = u64::from(rate * seconds) * self.count as u64;
        self.wait_for_deliveries(expected).await;
        let cpu_after = cpu_times()?;
        let [server_cpu, generator_cpu, other_cpu] = std::array::from_fn(|process| cpu_after[process] - cpu_before[process]);
        let wall = begun.elapsed().as_secs_f64();
        let segments = sockets::segments_sent(server.public)? - segments;
        let delivered = self.received.delivered.get();
        let (latency, cpu) = (self.received.latency.borrow(), server_cpu * 1e6 / delivered as f64);
        let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{:<8} {rate:>6}  {delivered:>9}/{expected:<9}  {:>15.3}  {:>17.3}  {:>6.1}  {:>7.1}  {:>7.1}  {:>5.0} %  {:>7.0} %  {:>4.0} %",
            self.target.name(),
            cpu,
            segments as f64 / delivered as f64,
            ms(0.5),
            ms(0.99),
            latency.max() as f64 / 1000.0,
            100.0 * server_cpu / wall,
            100.0 * generator_cpu / wall,
            100.0 * other_cpu / wall,
        );
        Ok(cpu)
    }
}

impl Received {
    /// Counts the lines of a frame. All lines have the same length, so the length of the frame gives their number.
    fn record(&self, payload: &[u8], sampled: bool) {
        let Some(layout) = self.layout.get().or_else(|| Layout::of(payload)) else { return };
        self.layout.set(Some(layout));
        let Layout { length, time_at } = layout;
        let count = payload.len().div_ceil(length + 1);
        self.delivered.set(self.delivered.get() + count as u64);
        if !sampled {
            return;
        }
        let now = self.epoch.elapsed().as_micros() as u64;
        let mut latency = self.latency.borrow_mut();
        for line in payload.chunks(length + 1) {
            let digits = line.get(time_at..time_at + TIME_DIGITS).and_then(|digits| str::from_utf8(digits).ok());
            let due = digits.and_then(|digits| digits.parse::<u64>().ok());
            // A line without a time counts with the longest latency, so that it shows.
            latency.saturating_record(due.map_or(u64::MAX, |due| now.saturating_sub(due)));
        }
    }
}

impl Layout {
    /// The layout of a single message. Its time is the only sequence of [`TIME_DIGITS`] digits.
    fn of(payload: &[u8]) -> Option<Self> {
        let time_at = payload.windows(TIME_DIGITS).position(|window| window.iter().all(u8::is_ascii_digit))?;
        Some(Self { length: payload.len(), time_at })
    }
}

/// When a publisher sends requests. The publishers take turns; each takes all messages that are due.
struct Schedule {
    rate: u32,
    count: u64,
    /// The next message to publish, shared by all publishers.
    next: Rc<Cell<u64>>,
    turn: usize,
    begun: Instant,
    epoch: Instant,
}

impl Schedule {
    async fn run(self, mut publisher: Publisher) -> Result {
        let gap = Duration::from_secs(1) / self.rate;
        let tick = MIN_REQUEST_INTERVAL.max(gap);
        for number in (self.turn as u32..).step_by(PUBLISHERS) {
            sleep_until(self.begun + tick * number).await;
            let from = self.next.get();
            if from == self.count {
                return Ok(());
            }
            let due = (self.begun.elapsed().as_nanos() / gap.as_nanos()) as u64 + 1;
            let to = due.min(self.count).clamp(from, from + MAX_BATCH);
            self.next.set(to);
            let at = |number: u64| (self.begun + gap * number as u32 - self.epoch).as_micros() as u64;
            publisher.publish(&(from..to).map(at).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

/// A connection that publishes.
struct Publisher {
    http: Http,
    kind: Kind,
    channel: Rc<str>,
}

impl Publisher {
    /// Publishes one message for each of these times.
    async fn publish(&mut self, times: &[u64]) -> Result {
        let (messages, channel): (Vec<_>, _) = (times.iter().map(|time| self.message(*time)).collect(), &self.channel);
        match (self.kind, &*messages) {
            (_, []) => {}
            (Kind::Bare, messages) => drop(self.http.post_all("/pub", messages).await?),
            (Kind::Gateway, [one]) => {
                drop(self.http.post(&format!("/v1/channels/{channel}/publications"), &format!(r#"{{"data":{one}}}"#)).await?);
            }
            (Kind::Gateway, messages) => {
                let items: Vec<_> = messages.iter().map(|data| format!(r#"{{"channel":"{channel}","data":{data}}}"#)).collect();
                drop(self.http.post("/v1/publications", &format!(r#"{{"publications":[{}]}}"#, items.join(","))).await?);
            }
        }
        Ok(())
    }

    /// A message of [`MESSAGE_SIZE`] bytes; for the gateway it is JSON.
    fn message(&self, time: u64) -> String {
        match self.kind {
            Kind::Bare => format!("{time:0TIME_DIGITS$}{}", "x".repeat(MESSAGE_SIZE - TIME_DIGITS)),
            Kind::Gateway => format!(r#""{time:0TIME_DIGITS$}{}""#, "x".repeat(MESSAGE_SIZE - TIME_DIGITS - 2)),
        }
    }
}
