//! Latency of the events of many keys, interleaved with the same while the service refuses the event of another key again and again.

use super::consumer::{Event, Order, Reach, SERVICE, Served, Verdict, number};
use crate::{
    client::Client,
    http::Http,
    latency,
    redis::{HZ, Redis},
    result::Result,
    server::Binaries,
    statistics::median,
};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

/// The key whose event is refused. Its events do not count for the latency.
const POISONED: &str = "key-0";
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for something that has to happen after a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keys; each belongs to one frontend
    #[arg(long, default_value_t = 1000)]
    keys: usize,
    /// Frontends
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Events per second
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Tries until the event is a dead letter
    #[arg(long, default_value = "10")]
    tries: String,
    /// Measurements with and without the refused event, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How the gateway reaches the service
    #[arg(long, value_enum, value_delimiter = ',', default_value = "link,webhook")]
    reach: Vec<Reach>,
}

pub(crate) async fn run(binaries: &Binaries, redis_cpu: Option<usize>, arguments: &Arguments) -> Result {
    println!("                    events/s  p50 ms  p99 ms  longest  tries  dead letter after s  arrived again after ms");
    for reach in &arguments.reach {
        measure_reach(binaries, redis_cpu, *reach, arguments).await?;
    }
    Ok(())
}

async fn measure_reach(binaries: &Binaries, redis_cpu: Option<usize>, reach: Reach, arguments: &Arguments) -> Result {
    let redis = Redis::start(redis_cpu, HZ).await;
    let url = redis.url();
    let settings = [
        ("WORKERS", "1"),
        ("CONNECTION__PING_INTERVAL", "1h"),
        ("CONNECTION__PONG_TIMEOUT", "10m"),
        ("BROKER__KIND", "redis"),
        ("REDIS__URL", &url),
        ("SERVICES__WORK__TRIES", &arguments.tries),
        ("SERVICES__WORK__RETRY_MIN", "100ms"),
        ("SERVICES__WORK__RETRY_MAX", "1s"),
        ("SERVICES__WORK__METHODS__PUT__REPLY", "false"),
        ("SERVICES__WORK__METHODS__PUT__ORDER", "/key"),
    ];
    let seen = Rc::new(Seen::new()?);
    let handle = seen.clone();
    let served = Served::start(binaries, reach, &settings, Rc::new(move |event| handle.take(event))).await?;
    let mut bench = Bench { reach, served, seen, arguments, sent: 0 };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        without.push(bench.measure(Turn::Without).await?);
        bench.poison().await?;
        with.push(bench.measure(Turn::Beside).await?);
    }
    println!("{reach:?}: median p99 beside a refused event, as a multiple of that without: {:.2}", median(with) / median(without));
    Ok(())
}

/// What the service has got.
struct Seen {
    begun: Instant,
    latency: RefCell<Histogram<u64>>,
    order: RefCell<Order>,
    /// Deliveries of the refused event since it was sent.
    refused: Cell<u32>,
    /// Whether the service accepts the event that it refused before.
    is_cured: Cell<bool>,
    /// When it accepted it.
    cured: Cell<Option<Instant>>,
}

impl Seen {
    fn new() -> Result<Self> {
        Ok(Self {
            begun: Instant::now(),
            latency: RefCell::new(latency::histogram()?),
            order: RefCell::default(),
            refused: Cell::default(),
            is_cured: Cell::default(),
            cured: Cell::default(),
        })
    }

    fn now_us(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    fn take(&self, event: &Event) -> Verdict {
        if event.data.contains(r#""refuse":true"#) {
            if self.is_cured.get() {
                self.cured.set(Some(Instant::now()));
                return Verdict::Done;
            }
            self.refused.set(self.refused.get() + 1);
            return Verdict::Failed;
        }
        self.order.borrow_mut().take(event);
        if event.key != POISONED {
            let at = number(&event.data, "at").unwrap_or_default();
            self.latency.borrow_mut().saturating_record(self.now_us().saturating_sub(at));
        }
        Verdict::Done
    }
}

struct Bench<'a> {
    reach: Reach,
    served: Served,
    seen: Rc<Seen>,
    arguments: &'a Arguments,
    /// Events that the service should get, without those that it refuses.
    sent: usize,
}

/// Whether the service refuses an event during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Without,
    Beside,
}

impl Bench<'_> {
    /// Sends the event that the service refuses, and waits for its first delivery.
    async fn poison(&self) -> Result {
        self.seen.refused.set(0);
        self.seen.is_cured.set(false);
        self.seen.cured.set(None);
        let mut client = self.served.server.open_connection(0, None).await?;
        client.connect("").await?;
        client.send(&format!(r#"{{"id":7,"rpc":{{"method":"{SERVICE}.put","data":{{"key":"{POISONED}","refuse":true}}}}}}"#)).await?;
        client.expect(r#""accepted""#).await?;
        until("the refused event", async || Ok(self.seen.refused.get() > 0)).await
    }

    /// Measures the latency of the events of all other keys. Returns the p99 in milliseconds.
    async fn measure(&mut self, turn: Turn) -> Result<f64> {
        let Arguments { connections, keys, rate, seconds, .. } = *self.arguments;
        self.seen.latency.borrow_mut().reset();
        let (first, begun) = (self.sent as u64, Instant::now());
        let until = begun + Duration::from_secs(seconds);
        let gap = Duration::from_secs_f64(1.0 / rate);
        let mut tasks = Vec::new();
        for number in 0..connections {
            let mut client = self.served.server.open_connection(number, None).await?;
            client.connect("").await?;
            let keys = (number..keys).step_by(connections).collect();
            let frontend = Frontend { client, seen: self.seen.clone(), keys, first };
            tasks.push(spawn_local(frontend.run(begun + gap * number as u32, gap * connections as u32, until)));
        }
        for task in tasks {
            self.sent += task.await??;
        }
        let wall = begun.elapsed().as_secs_f64();
        let rest = match turn {
            Turn::Without => String::new(),
            Turn::Beside => self.dead_letter_and_replay().await?,
        };
        self.wait_for_all().await?;
        let latency = self.seen.latency.borrow();
        let ms = |micros: u64| micros as f64 / 1000.0;
        let p99 = ms(latency.value_at_quantile(0.99));
        println!(
            "{:<19} {:>8.0} {:>7.2} {p99:>7.2} {:>8.1}  {rest}",
            format!("{:?}, {turn:?}", self.reach).to_lowercase(),
            (self.sent as u64 - first) as f64 / wall,
            ms(latency.value_at_quantile(0.5)),
            ms(latency.max()),
        );
        Ok(p99)
    }

    async fn wait_for_all(&self) -> Result {
        until("all events", async || Ok(self.seen.order.borrow().count >= self.sent)).await?;
        let order = self.seen.order.borrow();
        if let Some(wrong) = &order.wrong {
            return Err(format!("an event came out of order or twice: {wrong}").into());
        }
        if order.count > self.sent {
            return Err(format!("{} events were delivered, not {}", order.count, self.sent).into());
        }
        Ok(())
    }

    /// Waits until the refused event is a dead letter, and replays it.
    async fn dead_letter_and_replay(&self) -> Result<String> {
        let mut http = Http::open(self.served.server.internal).await?;
        let path = format!("/v1/services/{SERVICE}/queue/dead");
        let mut found = Value::Null;
        let began = Instant::now();
        while found["dead_letters"].get(0).is_none() {
            if began.elapsed() > PATIENCE {
                return Err(format!("the refused event is no dead letter after {} deliveries", self.seen.refused.get()).into());
            }
            sleep(PAUSE).await;
            found = serde_json::from_str(&http.get(&path).await?)?;
        }
        let letter = &found["dead_letters"][0];
        let (id, at) =
            (letter["id"].as_str().ok_or("a dead letter without an id")?, letter["at"].as_u64().ok_or("a dead letter without a time")?);
        let entry_ms: u64 = letter["entry"].as_str().and_then(|entry| entry.split_once('-')?.0.parse().ok()).ok_or("no entry")?;
        let tries = self.seen.refused.get();
        if letter["reason"] != "tries" || letter["tries"] != tries || tries.to_string() != self.arguments.tries {
            return Err(format!("after {tries} deliveries the dead letter is {letter}").into());
        }
        self.seen.is_cured.set(true);
        let replayed = Instant::now();
        http.post(&format!("{path}/{id}/replay"), "").await?;
        until("the replayed event", async || Ok(self.seen.cured.get().is_some())).await?;
        let again = self.seen.cured.get().map_or(Duration::ZERO, |cured| cured - replayed);
        Ok(format!("{tries:>5} {:>20.1} {:>23.1}", (at - entry_ms) as f64 / 1000.0, again.as_secs_f64() * 1000.0))
    }
}

/// A frontend, which sends events of its own keys in turns.
struct Frontend {
    client: Client,
    seen: Rc<Seen>,
    keys: Vec<usize>,
    /// The numbers of its events are greater than this.
    first: u64,
}

impl Frontend {
    /// Sends an event each `gap`. Returns their number.
    async fn run(mut self, first_due: Instant, gap: Duration, until: Instant) -> Result<usize, String> {
        let mut count = 0;
        loop {
            let due = first_due + gap * count as u32;
            if due >= until {
                return Ok(count);
            }
            sleep_until(due).await;
            let key = self.keys[count % self.keys.len()];
            count += 1;
            let (number, at) = (self.first + count as u64, (due - self.seen.begun).as_micros());
            let data = format!(r#"{{"key":"key-{key}","n":{number},"at":{at}}}"#);
            let sent = self.client.send(&format!(r#"{{"id":7,"rpc":{{"method":"{SERVICE}.put","data":{data}}}}}"#)).await;
            sent.map_err(|error| error.to_string())?;
            let answer = self.client.expect(r#""id":7"#).await.map_err(|error| error.to_string())?;
            if !answer.contains(r#""accepted""#) {
                return Err(format!("an event was not accepted: {answer}"));
            }
        }
    }
}

/// Waits until `holds` returns true.
async fn until(what: &str, holds: impl AsyncFn() -> Result<bool>) -> Result {
    let began = Instant::now();
    while !holds().await? {
        if began.elapsed() > PATIENCE {
            return Err(format!("this did not happen within {PATIENCE:?}: {what}").into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}
