//! Whether the gateway answers requests while very many streams are open, while they open, and while it delivers to them.

use crate::{
    client::transport::{Got, Transport},
    http::{API_KEY, Http},
    probe::{Probes, RoundTrips},
    result::Result,
    server::{Binaries, Kind, Server},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

const CHANNEL: &str = "open:large";
/// A text that each publication has once.
const MARK: &[u8] = b"publication-";
/// Streams that are opened concurrently.
const CONCURRENCY: usize = 100;
/// Connections of each kind of requests.
const PROBES: usize = 4;
/// Longest wait for deliveries behind the last publication.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Transport of the streams
    #[arg(long, value_enum, default_value = "events")]
    transport: Transport,
    /// Streams, all subscribed to one channel
    #[arg(long, default_value_t = 10_000)]
    streams: usize,
    /// Publications per second
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Worker threads of the gateway; 0: one per core
    #[arg(long, default_value = "1")]
    workers: String,
}

/// What all streams together have received.
#[derive(Default)]
struct Received {
    publications: Cell<usize>,
    closed: Cell<usize>,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let settings = [("WORKERS", &*arguments.workers), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    let server = Rc::new(binaries.start(Kind::Gateway, &settings).await?);
    let probes = Requests::start(&server)?;
    println!("requests                readyz p99, max    REST p99, max    page p99, max  delay of the generator");
    let pause = || async {
        sleep(Duration::from_secs(arguments.seconds)).await;
        Ok(())
    };
    probes.measure("without streams", pause()).await?;
    let received = Rc::new(Received::default());
    probes.measure("while streams open", open_all(&server, arguments, &received)).await?;
    probes.measure(&format!("{} streams open", arguments.streams), pause()).await?;
    let deliveries = probes.measure("during deliveries", deliver(&server, arguments, &received)).await?;
    println!("{:?}: all {deliveries} deliveries arrived, {} streams were closed", arguments.transport, received.closed.get());
    Ok(())
}

/// Probes of the three kinds of requests.
struct Requests {
    readyz: Probes,
    rest: Probes,
    page: Probes,
}

impl Requests {
    fn start(server: &Server) -> Result<Self> {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {API_KEY}\r\n\r\n");
        Ok(Self {
            readyz: Probes::open_http(server.internal, PROBES, &get("/readyz"))?,
            rest: Probes::open_http(server.internal, PROBES, &get("/v1/channels/recover:probe/publications?limit=1"))?,
            page: Probes::open_http(server.public, PROBES, &get("/"))?,
        })
    }

    /// Measures while `work` runs, and prints the round trips. Returns the work's result.
    async fn measure<T>(&self, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let rest = self.rest.measure_during(self.page.measure_during(work));
        let (((result, page), rest), readyz) = self.readyz.measure_during(rest).await?;
        print_row(name, [&readyz, &rest, &page]);
        Ok(result)
    }
}

fn print_row(name: &str, all: [&RoundTrips; 3]) {
    let delay = all.iter().map(|round_trips| round_trips.send_delay).fold(0.0, f64::max);
    let [readyz, rest, page] = all.map(|RoundTrips { p99, max, .. }| format!("{p99:>7.2}, {max:>6.1} ms"));
    println!("{name:<22} {readyz}  {rest}  {page}  {delay:>18.2} ms");
}

async fn open_all(server: &Rc<Server>, arguments: &Arguments, received: &Rc<Received>) -> Result {
    for first in (0..arguments.streams).step_by(CONCURRENCY) {
        let mut opening = Vec::new();
        for number in first..(first + CONCURRENCY).min(arguments.streams) {
            let (server, transport) = (server.clone(), arguments.transport);
            opening.push(spawn_local(async move {
                let opened = transport.subscribe(&server, number, None, CHANNEL, &mut Got::default()).await;
                opened.map_err(|error| error.to_string())
            }));
        }
        for task in opening {
            let (subscriber, received) = (task.await??, received.clone());
            spawn_local(async move {
                let count = received.clone();
                let handle = move |_, payload: &[u8]| {
                    count.publications.set(count.publications.get() + memchr::memmem::find_iter(payload, MARK).count());
                };
                subscriber.receive_all(handle).await;
                received.closed.set(received.closed.get() + 1);
            });
        }
    }
    Ok(())
}

/// Publishes at the rate, and waits until all streams have everything. Returns the number of deliveries.
async fn deliver(server: &Server, arguments: &Arguments, received: &Received) -> Result<usize> {
    let (begun, mut http) = (Instant::now(), Http::open(server.internal).await?);
    let (mut published, end) = (0u32, Duration::from_secs(arguments.seconds));
    loop {
        let due = Duration::from_secs_f64(f64::from(published) / arguments.rate);
        if due >= end {
            break;
        }
        sleep_until(begun + due).await;
        let body = format!(r#"{{"data":"publication-{published:0114}"}}"#);
        http.post(&format!("/v1/channels/{CHANNEL}/publications"), &body).await?;
        published += 1;
    }
    let (expected, last) = (arguments.streams * published as usize, Instant::now());
    while received.publications.get() < expected {
        if last.elapsed() > DELIVERY_TIMEOUT {
            let missing = expected - received.publications.get();
            return Err(format!("{missing} deliveries did not come in time; {} streams were closed", received.closed.get()).into());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(expected)
}
