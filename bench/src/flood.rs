//! How long the others wait while one client floods, and while a channel with very many subscribers is served.

use crate::{
    Result,
    client::{UPGRADE, text_frame},
    http::Http,
    probe::{Probes, Seen},
    server::{Binaries, Kind, Server},
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
    let probes = Probes::open(&server, arguments.probes)?;
    let mut moved = Vec::new();
    for _ in 0..arguments.rounds {
        let quiet = probes.measure(arguments.seconds).await?;
        let flooder = Flooder::start(server.public).await?;
        let loud = probes.measure(arguments.seconds).await?;
        let commands = flooder.end();
        moved.push(compare(&format!("flood of {:.2} million commands", commands as f64 / 1e6), &quiet, &loud));
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
    let (mut sent, mut moved) = (0, Vec::new());
    for _ in 0..arguments.rounds {
        let quiet = probes.measure(arguments.seconds).await?;
        let (stop, mut http) = (Rc::new(Cell::new(false)), Http::open(server.internal).await?);
        let stopped = stop.clone();
        let publisher = spawn_local(async move {
            let (body, mut sent) = (format!(r#"{{"data":"{}"}}"#, "x".repeat(126)), 0);
            while !stopped.get() {
                http.post("/v1/channels/open:crowd/publications", &body).await.map_err(|error| error.to_string())?;
                sent += 1;
                sleep(FAN_OUT_EVERY).await;
            }
            Ok::<_, String>(sent)
        });
        let loud = probes.measure(arguments.seconds).await?;
        stop.set(true);
        sent += publisher.await??;
        moved.push(compare(&format!("fan-out to {}", arguments.subscribers), &quiet, &loud));
    }
    println!("fan-out: p99 moved by {:.2} ms (median)", median(&mut moved));
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

/// Prints what the probes saw without and with a load; returns by how much it moved their 99th percentile.
fn compare(what: &str, quiet: &Seen, loud: &Seen) -> f64 {
    println!("{what}: p99 {:.2} ms quiet, {:.2} ms with it (longest {:.1}, {:.1})", quiet.p99, loud.p99, quiet.max, loud.max);
    println!("    of it the generator's own delay: {:.2} ms quiet, {:.2} ms with it", quiet.own, loud.own);
    loud.p99 - quiet.p99
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One client on threads of its own that sends as fast as it is read.
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
