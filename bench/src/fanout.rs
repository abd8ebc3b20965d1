//! One channel, many subscribers, small messages. Every message carries the time at which it was to be published, so that a publisher that
//! falls behind makes the latency worse and not better.

use crate::{
    Result,
    client::TEXT,
    http::Http,
    latency,
    redis::Pair,
    server::{Binaries, Kind, Server, own_cpu},
    sockets,
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
const SIZE: usize = 128;
/// Digits of the time in a message, in microseconds.
const DIGITS: usize = 16;
/// Connections that publish.
const PUBLISHERS: usize = 4;
/// What is due is published this often at most.
const TICK: Duration = Duration::from_millis(5);
/// Messages of one request, for a publisher that is late.
const MOST: u64 = 500;
/// Of so many subscribers one measures latency; all count.
const SAMPLE: usize = 50;
/// For what was published to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// Publications per second; several are tried one after the other
    #[arg(long, value_delimiter = ',', default_value = "100")]
    rates: Vec<u32>,
    /// Seconds of each
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Runs of each server, interleaved
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// In turns with it, a gateway whose publications come through Redis from another one
    #[arg(long)]
    redis: bool,
    /// Published to
    #[arg(long, default_value = "open:fan")]
    channel: String,
}

/// Who has the subscribers.
enum Target {
    /// A server that is published to as well.
    Alone(Server),
    /// Of two gateways, the one that is not.
    Behind(Pair),
}

impl Target {
    fn server(&self) -> &Server {
        match self {
            Self::Alone(server) | Self::Behind(Pair { far: server, .. }) => server,
        }
    }

    /// Where publications are posted.
    fn entrance(&self) -> SocketAddr {
        match self {
            Self::Alone(server) | Self::Behind(Pair { near: server, .. }) => server.internal,
        }
    }

    /// Seconds of CPU that others have used who take part, on the generator's cores.
    fn beside(&self) -> Result<f64> {
        match self {
            Self::Alone(_) => Ok(0.0),
            Self::Behind(Pair { near, redis, .. }) => Ok(near.cpu()? + redis.cpu()?),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Alone(Server { kind: Kind::Bare, .. }) => "bare",
            Self::Alone(_) => "memory",
            Self::Behind(_) => "redis",
        }
    }
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    println!(
        "server   rate/s  delivered            us CPU/delivery  segments/delivery  p50 ms   p99 ms   max ms  server  generator  beside it"
    );
    let one_worker = [("WORKERS", "1")];
    for _ in 0..arguments.rounds {
        measure(Target::Alone(binaries.start(Kind::Gateway, &one_worker).await?), arguments).await?;
        if binaries.has_bare() {
            measure(Target::Alone(binaries.start(Kind::Bare, &[]).await?), arguments).await?;
        }
        if arguments.redis {
            measure(Target::Behind(Pair::start(binaries, &one_worker).await?), arguments).await?;
        }
    }
    Ok(())
}

async fn measure(target: Target, arguments: &Arguments) -> Result {
    let target = Rc::new(target);
    let crowd = Crowd::gather(target.clone(), arguments).await?;
    for rate in &arguments.rates {
        crowd.step(*rate, arguments.seconds).await?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// The subscribers, and what they have seen.
struct Crowd {
    target: Rc<Target>,
    channel: Rc<str>,
    size: usize,
    seen: Rc<Seen>,
}

struct Seen {
    started: Instant,
    delivered: Cell<u64>,
    /// Of one line: its length, and where its time is.
    shape: Cell<Option<(usize, usize)>>,
    latency: RefCell<Histogram<u64>>,
}

impl Crowd {
    async fn gather(target: Rc<Target>, arguments: &Arguments) -> Result<Self> {
        let (channel, size) = (Rc::from(arguments.channel.as_str()), arguments.subscribers);
        let seen = Rc::new(Seen {
            started: Instant::now(),
            delivered: Cell::new(0),
            shape: Cell::new(None),
            latency: RefCell::new(latency::times()?),
        });
        for number in 0..size {
            let (client, seen) = (target.server().subscriber(number, &channel).await?, seen.clone());
            spawn_local(client.live(move |opcode, payload| {
                if opcode == TEXT && payload.len() >= SIZE {
                    seen.frame(payload, number % SAMPLE == 0);
                }
            }));
        }
        let crowd = Self { target, channel, size, seen };
        crowd.outlet().await?.publish(&[0]).await?;
        crowd.arrived(size as u64).await;
        Ok(crowd)
    }

    /// Waits until so many messages were delivered, or for as long as that is worth.
    async fn arrived(&self, expected: u64) {
        let until = Instant::now() + PATIENCE;
        while self.seen.delivered.get() < expected && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A way for publications.
    async fn outlet(&self) -> Result<Outlet> {
        let http = Http::open(self.target.entrance()).await?;
        Ok(Outlet { http, kind: self.target.server().kind, channel: self.channel.clone() })
    }

    async fn step(&self, rate: u32, seconds: u32) -> Result {
        let server = self.target.server();
        self.seen.delivered.set(0);
        self.seen.latency.borrow_mut().reset();
        let segments = sockets::segments(server.public)?;
        let (cpu, own, beside, begun) = (server.cpu()?, own_cpu()?, self.target.beside()?, Instant::now());
        let (next, mut publishers) = (Rc::new(Cell::new(0)), Vec::new());
        for turn in 0..PUBLISHERS {
            let (next, epoch) = (next.clone(), self.seen.started);
            let plan = Plan { rate, count: u64::from(rate * seconds), next, turn, begun, epoch };
            let outlet = self.outlet().await?;
            publishers.push(spawn_local(async move { plan.carry_out(outlet).await.map_err(|error| error.to_string()) }));
        }
        for publisher in publishers {
            publisher.await??;
        }
        let expected = u64::from(rate * seconds) * self.size as u64;
        self.arrived(expected).await;
        let (cpu, own, beside) = (server.cpu()? - cpu, own_cpu()? - own, self.target.beside()? - beside);
        let wall = begun.elapsed().as_secs_f64();
        let segments = sockets::segments(server.public)? - segments;
        let delivered = self.seen.delivered.get();
        let latency = self.seen.latency.borrow();
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{:<8} {rate:>6}  {delivered:>9}/{expected:<9}  {:>15.3}  {:>17.3}  {:>6.1}  {:>7.1}  {:>7.1}  {:>5.0} %  {:>7.0} %  {:>7.0} %",
            self.target.name(),
            cpu * 1e6 / delivered as f64,
            segments as f64 / delivered as f64,
            at(0.5),
            at(0.99),
            latency.max() as f64 / 1000.0,
            100.0 * cpu / wall,
            100.0 * own / wall,
            100.0 * beside / wall,
        );
        Ok(())
    }
}

impl Seen {
    /// Counts the lines of a message. All have one length, so that nothing has to be looked at but its size.
    fn frame(&self, payload: &[u8], sampled: bool) {
        let Some((length, at)) = self.shape.get().or_else(|| shape(payload)) else { return };
        self.shape.set(Some((length, at)));
        let count = payload.len().div_ceil(length + 1);
        self.delivered.set(self.delivered.get() + count as u64);
        if !sampled {
            return;
        }
        let now = self.started.elapsed().as_micros() as u64;
        let mut latency = self.latency.borrow_mut();
        for line in payload.chunks(length + 1) {
            let sent =
                line.get(at..at + DIGITS).and_then(|digits| str::from_utf8(digits).ok()).and_then(|digits| digits.parse::<u64>().ok());
            // A line that is not what it must be counts as the worst of all.
            latency.saturating_record(sent.map_or(u64::MAX, |sent| now.saturating_sub(sent)));
        }
    }
}

/// Length of the first message and where its time is; it is the only run of so many digits.
fn shape(payload: &[u8]) -> Option<(usize, usize)> {
    let at = payload.windows(DIGITS).position(|window| window.iter().all(u8::is_ascii_digit))?;
    Some((payload.len(), at))
}

/// What the publishers do: at each tick, the one whose turn it is takes all that is due.
struct Plan {
    rate: u32,
    count: u64,
    /// The first message that nobody has taken, shared by all.
    next: Rc<Cell<u64>>,
    turn: usize,
    begun: Instant,
    epoch: Instant,
}

impl Plan {
    async fn carry_out(self, mut outlet: Outlet) -> Result {
        let gap = Duration::from_secs(1) / self.rate;
        let tick = TICK.max(gap);
        for number in (self.turn as u32..).step_by(PUBLISHERS) {
            sleep_until(self.begun + tick * number).await;
            let from = self.next.get();
            if from == self.count {
                return Ok(());
            }
            let due = (self.begun.elapsed().as_nanos() / gap.as_nanos()) as u64 + 1;
            let to = due.min(self.count).clamp(from, from + MOST);
            self.next.set(to);
            let at = |number: u64| (self.begun + gap * number as u32 - self.epoch).as_micros() as u64;
            outlet.publish(&(from..to).map(at).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

/// A connection that publishes.
struct Outlet {
    http: Http,
    kind: Kind,
    channel: Rc<str>,
}

impl Outlet {
    /// Publishes a message for each of these times.
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

    /// A message of [`SIZE`] bytes, as JSON where the server wants that.
    fn message(&self, time: u64) -> String {
        match self.kind {
            Kind::Bare => format!("{time:0DIGITS$}{}", "x".repeat(SIZE - DIGITS)),
            Kind::Gateway => format!(r#""{time:0DIGITS$}{}""#, "x".repeat(SIZE - DIGITS - 2)),
        }
    }
}
