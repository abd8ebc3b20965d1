//! How long other clients wait while one client floods the server, and while it serves a channel with very many subscribers.

use crate::{
    client::{UPGRADE, text_frame},
    http::Http,
    probe::{Probes, RoundTrips},
    result::Result,
    server::{Binaries, Kind, Server},
    statistics::median,
};
use std::{
    cell::Cell,
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
use tokio::{task::spawn_local, time::sleep};

/// Time between two publications to the large channel.
const FAN_OUT_INTERVAL: Duration = Duration::from_millis(500);
/// Commands in one write of the flooding client: pings and publications in turn.
const COMMANDS_PER_WRITE: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Connections that measure round trips
    #[arg(long, default_value_t = 10)]
    probes: usize,
    /// Subscribers of the large channel; 0: measure only the flood
    #[arg(long, default_value_t = 15_000)]
    subscribers: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Pairs of measurements without and with load, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    // The generator does not read the subscribers of the large channel during a measurement, so they do not answer pings.
    let settings = [("WORKERS", "1"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let probes = Probes::open(&server, arguments.probes)?;
    let mut increases = Vec::new();
    for _ in 0..arguments.rounds {
        let without_load = probes.measure(arguments.seconds).await?;
        let flooder = Flooder::start(server.public).await?;
        let with_load = probes.measure(arguments.seconds).await?;
        let commands = flooder.stop();
        increases.push(compare(&format!("flood of {:.2} million commands", commands as f64 / 1e6), &without_load, &with_load));
    }
    println!("flood: p99 increased by {:.2} ms (median)", median(increases));
    if arguments.subscribers == 0 {
        return Ok(());
    }
    fan_out(&server, &probes, arguments).await
}

async fn fan_out(server: &Server, probes: &Probes, arguments: &Arguments) -> Result {
    let mut clients = Vec::new();
    for number in 0..arguments.subscribers {
        clients.push(server.subscriber(number, "open:large").await?);
    }
    let (mut sent, mut increases) = (0, Vec::new());
    for _ in 0..arguments.rounds {
        let without_load = probes.measure(arguments.seconds).await?;
        let (stop, mut http) = (Rc::new(Cell::new(false)), Http::open(server.internal).await?);
        let stopped = stop.clone();
        let publisher = spawn_local(async move {
            let (body, mut sent) = (format!(r#"{{"data":"{}"}}"#, "x".repeat(126)), 0);
            while !stopped.get() {
                http.post("/v1/channels/open:large/publications", &body).await.map_err(|error| error.to_string())?;
                sent += 1;
                sleep(FAN_OUT_INTERVAL).await;
            }
            Ok::<_, String>(sent)
        });
        let with_load = probes.measure(arguments.seconds).await?;
        stop.set(true);
        sent += publisher.await??;
        increases.push(compare(&format!("fan-out to {}", arguments.subscribers), &without_load, &with_load));
    }
    println!("fan-out: p99 increased by {:.2} ms (median)", median(increases));
    sleep(Duration::from_secs(1)).await;
    let mut delivered = 0;
    for client in &mut clients {
        let _ = client
            .read(1 << 16, |_, payload| delivered += payload.split(|byte| *byte == b'\n').filter(|line| line.len() > b"{}".len()).count())
            .await;
    }
    println!("fan-out: {delivered} of {} delivered", arguments.subscribers * sent);
    Ok(())
}

/// Prints both measurements. Returns the increase of the 99th percentile in milliseconds.
fn compare(load: &str, without: &RoundTrips, with: &RoundTrips) -> f64 {
    println!("{load}: p99 {:.2} ms without load, {:.2} ms with load (longest {:.1}, {:.1})", without.p99, with.p99, without.max, with.max);
    println!("    included delay of the generator: {:.2} ms without load, {:.2} ms with load", without.send_delay, with.send_delay);
    with.p99 - without.p99
}

/// A client with its own threads that sends commands as fast as the server reads them.
struct Flooder {
    stream: TcpStream,
    commands: Arc<AtomicU64>,
}

impl Flooder {
    async fn start(server: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(UPGRADE)?;
        stream.write_all(&text_frame(br#"{"id":1,"connect":{}}"#))?;
        stream.write_all(&text_frame(br#"{"id":2,"subscribe":{"channel":"open:flood"}}"#))?;
        sleep(Duration::from_millis(300)).await;
        let ping = text_frame(br#"{"id":3,"ping":{}}"#);
        let publish = text_frame(br#"{"id":4,"publish":{"channel":"open:flood","data":{}}}"#);
        let block: Vec<_> =
            (0..COMMANDS_PER_WRITE).flat_map(|number| if number % 2 == 0 { ping.clone() } else { publish.clone() }).collect();
        let (mut reader, mut writer, commands) = (stream.try_clone()?, stream.try_clone()?, Arc::new(AtomicU64::new(0)));
        let counter = commands.clone();
        thread::spawn(move || {
            while writer.write_all(&block).is_ok() {
                counter.fetch_add(COMMANDS_PER_WRITE as u64, Ordering::Relaxed);
            }
        });
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 18];
            while matches!(reader.read(&mut bytes), Ok(1..)) {}
        });
        Ok(Self { stream, commands })
    }

    /// Closes the connection. Returns the number of commands sent.
    fn stop(self) -> u64 {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.commands.load(Ordering::Relaxed)
    }
}
