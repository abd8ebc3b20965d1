//! How long the others wait while one client floods, and while a channel with very many subscribers is served.

use crate::{
    Result,
    client::{Client, text_frame},
    http::Http,
    server::{Binaries, Kind, Server},
};
use hdrhistogram::Histogram;
use std::{
    cell::{Cell, RefCell},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{
    task::spawn_local,
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};

/// The longest round trip that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;
/// Between two round trips of one probe.
const EVERY: Duration = Duration::from_millis(10);
/// Between two fan-outs.
const FAN_OUT_EVERY: Duration = Duration::from_millis(500);
/// Pings and publications in one write of the flooder.
const FLOOD: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Connections that measure
    #[arg(long, default_value_t = 10)]
    probes: usize,
    /// Subscribers of the large channel; 0: only the flood
    #[arg(long, default_value_t = 15_000)]
    subscribers: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Pairs of quiet and loud, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    // Subscribers of the large channel are not read while it is measured, and so cannot answer pings.
    let settings = [("WORKERS", "1"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let probes = Probes::open(&server, arguments.probes).await?;
    let mut moved = Vec::new();
    for _ in 0..arguments.rounds {
        let quiet = probes.measure(arguments.seconds).await?;
        let flooder = Flooder::start(server.public).await?;
        let loud = probes.measure(arguments.seconds).await?;
        let commands = flooder.end();
        println!("flood: {:.1} million commands; p99 {quiet:.2} ms quiet, {loud:.2} ms under it", commands as f64 / 1e6);
        moved.push(loud - quiet);
    }
    println!("flood: p99 moved by {:.2} ms (median)", median(&mut moved));
    if arguments.subscribers == 0 {
        return Ok(());
    }
    crowd(&server, &probes, arguments).await
}

async fn crowd(server: &Server, probes: &Probes, arguments: &Arguments) -> Result {
    let mut clients = Vec::new();
    for number in 0..arguments.subscribers {
        clients.push(server.subscriber(number, "open:crowd").await?);
    }
    let (sent, mut moved) = (Rc::new(Cell::new(0)), Vec::new());
    for _ in 0..arguments.rounds {
        let quiet = probes.measure(arguments.seconds).await?;
        let (sent, mut http) = (sent.clone(), Http::open(server.internal).await?);
        let publisher = spawn_local(async move {
            loop {
                let body = format!(r#"{{"data":"{}"}}"#, "x".repeat(126));
                if http.post("/v1/channels/open:crowd/publications", &body).await.is_ok() {
                    sent.set(sent.get() + 1);
                }
                sleep(FAN_OUT_EVERY).await;
            }
        });
        let loud = probes.measure(arguments.seconds).await?;
        publisher.abort();
        println!("fan-out to {}: p99 {quiet:.2} ms quiet, {loud:.2} ms with it", arguments.subscribers);
        moved.push(loud - quiet);
    }
    println!("fan-out: p99 moved by {:.2} ms (median)", median(&mut moved));
    sleep(Duration::from_secs(1)).await;
    let mut delivered = 0;
    for client in &mut clients {
        let _ = client
            .read(1 << 16, |_, payload| delivered += payload.split(|byte| *byte == b'\n').filter(|line| line.len() > b"{}".len()).count())
            .await;
    }
    println!("fan-out: {delivered} of {} delivered", arguments.subscribers * sent.get());
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Connections that ping and wait for the answer.
struct Probes {
    latency: Rc<RefCell<Histogram<u64>>>,
}

impl Probes {
    async fn open(server: &Server, count: usize) -> Result<Self> {
        let latency = Rc::new(RefCell::new(Histogram::new_with_max(LONGEST, 3)?));
        for number in 0..count {
            let mut client = server.frontend(number, None).await?;
            client.connect("").await?;
            let start = Instant::now() + EVERY * number as u32 / count as u32;
            spawn_local(probe(client, start, latency.clone()));
        }
        Ok(Self { latency })
    }

    /// The 99th percentile of the round trips of so many seconds, in milliseconds.
    async fn measure(&self, seconds: u64) -> Result<f64> {
        sleep(Duration::from_millis(500)).await;
        self.latency.borrow_mut().reset();
        sleep(Duration::from_secs(seconds)).await;
        let latency = self.latency.borrow();
        if latency.is_empty() { Err("no probe was answered".into()) } else { Ok(latency.value_at_quantile(0.99) as f64 / 1000.0) }
    }
}

async fn probe(mut client: Client, start: Instant, latency: Rc<RefCell<Histogram<u64>>>) -> Result {
    let mut interval = interval_at(start, EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        // From when it was due: a probe that had to wait for the one before counts that, too.
        let due = interval.tick().await;
        client.send(r#"{"id":3,"ping":{}}"#).await?;
        client.expect(r#""id":3"#).await?;
        latency.borrow_mut().saturating_record(due.elapsed().as_micros() as u64);
    }
}

/// One client on threads of its own that sends as fast as it is read.
struct Flooder {
    stream: TcpStream,
    commands: Arc<AtomicU64>,
}

impl Flooder {
    async fn start(server: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(
            b"GET /connection/websocket HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )?;
        stream.write_all(&text_frame(br#"{"id":1,"connect":{}}"#))?;
        stream.write_all(&text_frame(br#"{"id":2,"subscribe":{"channel":"open:flood"}}"#))?;
        sleep(Duration::from_millis(300)).await;
        let ping = text_frame(br#"{"id":3,"ping":{}}"#);
        let publish = text_frame(br#"{"id":4,"publish":{"channel":"open:flood","data":{}}}"#);
        let block: Vec<_> = (0..FLOOD).flat_map(|number| if number % 2 == 0 { ping.clone() } else { publish.clone() }).collect();
        let (mut reader, mut writer, commands) = (stream.try_clone()?, stream.try_clone()?, Arc::new(AtomicU64::new(0)));
        let counter = commands.clone();
        thread::spawn(move || {
            while writer.write_all(&block).is_ok() {
                counter.fetch_add(FLOOD as u64, Ordering::Relaxed);
            }
        });
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 18];
            while matches!(reader.read(&mut bytes), Ok(1..)) {}
        });
        Ok(Self { stream, commands })
    }

    /// Ends it; returns how many commands it got rid of.
    fn end(self) -> u64 {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.commands.load(Ordering::Relaxed)
    }
}
