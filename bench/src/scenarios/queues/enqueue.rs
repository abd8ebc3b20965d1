//! How many events frontends store in a queue, interleaved with publications with a history over the same number of connections.

use super::{
    consumer::{self, Event, SERVICE, Verdict},
    costs::{Begin, COLUMNS, Costs},
    store::{self, Pipeline},
};
use crate::{
    client::{Client, READ_SIZE},
    latency,
    redis::{HZ, Redis},
    result::Result,
    server::{Binaries, Server},
    statistics::median,
};
use hdrhistogram::Histogram;
use memchr::memmem;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Bytes of the data of a message.
const DATA_SIZE: usize = 128;
/// A service whose events the gateway only stores.
const STORED: &str = "store";
/// Partitions of each queue: the default of the setting.
const PARTITIONS: u16 = 4;
/// Pause between two looks at the length of streams.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Frontends
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Commands of each frontend in flight
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Measurements of each kind, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Count the gateway's instructions in user space; then rates say nothing
    #[arg(long)]
    instructions: bool,
}

/// What the frontends do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Publish in a channel with a history, one for each frontend.
    Publish,
    /// Call a method with `reply = false`.
    Rpc,
    /// Send events; the last of those in flight is a call, whose answer says that all are stored.
    Send,
    /// As [`Self::Rpc`], to a service that gets the events over a link and acknowledges them.
    Delivered,
}

const WAYS: [Way; 4] = [Way::Publish, Way::Rpc, Way::Send, Way::Delivered];

pub(crate) async fn run(binaries: &Binaries, redis_cpu: Option<usize>, arguments: &Arguments) -> Result {
    let redis = Redis::start(redis_cpu, HZ).await;
    let url = redis.url();
    let settings = [
        ("WORKERS", "1"),
        ("CONNECTION__PING_INTERVAL", "1h"),
        ("CONNECTION__PONG_TIMEOUT", "10m"),
        ("LINK__HEARTBEAT", "10m"),
        ("BROKER__KIND", "redis"),
        ("REDIS__URL", &url),
        ("NAMESPACES__NEWS__PUBLISH", "anyone"),
        ("QUEUES__MAX_LENGTH", "100000000"),
        ("SERVICES__STORE__REACH", "queue"),
        ("SERVICES__WORK__EVENTS", "queue"),
        ("SERVICES__WORK__METHODS__PUT__REPLY", "false"),
    ];
    let server = binaries.start_counted(&settings, arguments.instructions).await?;
    let delivered = Rc::new(Cell::new(0));
    let counter = delivered.clone();
    let count = move |_: &Event| {
        counter.set(counter.get() + 1);
        Verdict::Done
    };
    let _consumer = consumer::link(&server, Rc::new(count)).await?;
    let pipeline = Pipeline::open(&redis).await;
    let mut bench = Bench { server, redis, pipeline, delivered, arguments };
    println!("            rate/s  of publish  p50 ms  p99 ms  {COLUMNS}");
    let mut all: [Vec<Costs>; WAYS.len()] = Default::default();
    for _ in 0..arguments.rounds {
        for way in WAYS {
            let publish = all[0].last().map(Costs::rate).filter(|_| way != Way::Publish);
            all[way as usize].push(bench.measure(way, publish).await?);
        }
    }
    let [publish, stored @ ..] = all;
    for (way, costs) in WAYS[1..].iter().zip(stored) {
        let ratio = |figure: fn(&Costs) -> f64| median(costs.iter().zip(&publish).map(|(costs, publish)| figure(costs) / figure(publish)));
        println!(
            "{way:?}, as a part of publish, median of {} rounds: rate {:.2}, CPU of the gateway {:.2}, of Redis {:.2}, instructions {:.2}",
            arguments.rounds,
            ratio(Costs::rate),
            ratio(|costs| costs.cpu_us[0]),
            ratio(|costs| costs.cpu_us[2]),
            ratio(|costs| costs.instructions.unwrap_or(f64::NAN)),
        );
    }
    Ok(())
}

struct Bench<'a> {
    server: Server,
    redis: Redis,
    pipeline: Pipeline,
    delivered: Rc<Cell<usize>>,
    arguments: &'a Arguments,
}

impl Bench<'_> {
    /// Measures the highest rate. `publish` is the rate of publications in this round.
    async fn measure(&mut self, way: Way, publish: Option<f64>) -> Result<Costs> {
        let mut clients = Vec::new();
        for number in 0..self.arguments.connections {
            let mut client = self.server.open_connection(number, None).await?;
            client.connect("").await?;
            clients.push(client);
        }
        let latency = Rc::new(RefCell::new(latency::histogram()?));
        let before = self.delivered.get();
        let begin = Begin::now(&self.server, &self.redis)?;
        let until = Instant::now() + Duration::from_secs(self.arguments.seconds);
        let in_flight = self.arguments.in_flight;
        let tasks: Vec<_> = (0..)
            .zip(clients)
            .map(|(number, client)| {
                let commands = Commands::new(way, number, in_flight);
                spawn_local(commands.run(client, until, latency.clone()))
            })
            .collect();
        let mut count = 0;
        for task in tasks {
            count += task.await??;
        }
        if way == Way::Delivered {
            wait_until_empty(&mut self.pipeline).await?;
        }
        let costs = begin.end(count)?;
        self.check(way, count, before).await?;
        let ms = |quantile| latency.borrow().value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{:<10} {:>7.0} {:>11} {:>7.1} {:>7.1} {}",
            format!("{way:?}").to_lowercase(),
            costs.rate(),
            publish.map_or_else(|| "-".to_owned(), |publish| format!("{:.2}", costs.rate() / publish)),
            ms(0.5),
            ms(0.99),
            costs.columns(),
        );
        sleep(Duration::from_millis(500)).await;
        Ok(costs)
    }

    /// Checks that Redis or the service got all events. Deletes those that are only stored.
    async fn check(&mut self, way: Way, count: usize, before: usize) -> Result {
        let got = match way {
            Way::Publish => return Ok(()),
            Way::Delivered => self.delivered.get() - before,
            Way::Rpc | Way::Send => {
                let streams = streams(STORED);
                let length = self.pipeline.length(&streams).await?;
                for stream in &streams {
                    self.pipeline.add(&["XTRIM", stream, "MAXLEN", "0"]);
                }
                self.pipeline.run().await?;
                length
            }
        };
        if got != count {
            return Err(format!("{count} events were accepted, but {got} arrived").into());
        }
        Ok(())
    }
}

async fn wait_until_empty(pipeline: &mut Pipeline) -> Result {
    let streams = streams(SERVICE);
    while pipeline.length(&streams).await? > 0 {
        sleep(PAUSE).await;
    }
    Ok(())
}

fn streams(service: &str) -> Vec<String> {
    (0..PARTITIONS).map(|partition| store::entries(service, partition)).collect()
}

/// The commands that a frontend sends at once, and what they stand for.
struct Commands {
    text: String,
    answers: usize,
    count: usize,
}

impl Commands {
    fn new(way: Way, frontend: usize, count: usize) -> Self {
        let data = format!(r#""{}""#, "x".repeat(DATA_SIZE - 2));
        let rpc = |service| format!(r#"{{"id":7,"rpc":{{"method":"{service}.put","data":{data}}}}}"#);
        let mut lines = match way {
            Way::Publish => vec![format!(r#"{{"id":7,"publish":{{"channel":"news:bench-{frontend}","data":{data}}}}}"#); count],
            Way::Rpc => vec![rpc(STORED); count],
            Way::Delivered => vec![rpc(SERVICE); count],
            Way::Send => vec![format!(r#"{{"send":{{"data":{{"service":"{STORED}","data":{data}}}}}}}"#); count],
        };
        let answers = if way == Way::Send { 1 } else { count };
        if way == Way::Send {
            lines.pop();
            lines.push(rpc(STORED));
        }
        Self { text: lines.join("\n"), answers, count }
    }

    /// Sends them again and again until then. Returns the number of messages.
    async fn run(self, mut client: Client, until: Instant, latency: Rc<RefCell<Histogram<u64>>>) -> Result<usize, String> {
        let mut count = 0;
        while Instant::now() < until {
            let sent = Instant::now();
            client.send(&self.text).await.map_err(|error| error.to_string())?;
            self.await_answers(&mut client).await?;
            count += self.count;
            latency.borrow_mut().saturating_record(sent.elapsed().as_micros() as u64);
        }
        Ok(count)
    }

    async fn await_answers(&self, client: &mut Client) -> Result<(), String> {
        let (mut answers, mut error) = (0, None);
        while answers < self.answers {
            let read = client.read(READ_SIZE, |_, payload| {
                answers += memmem::find_iter(payload, br#""id":7"#).count();
                if memmem::find(payload, br#""error""#).is_some() {
                    error = Some(String::from_utf8_lossy(payload).into_owned());
                }
            });
            read.await.map_err(|_| "the server closed the connection")?;
            if let Some(error) = error {
                return Err(format!("a command was answered with an error: {error}"));
            }
        }
        Ok(())
    }
}
