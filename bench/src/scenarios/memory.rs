//! Memory of an additional idle connection: the difference between two numbers of connections, divided by the difference of the numbers.
//! This leaves out the memory that the process has without connections.

use crate::{
    client::transport::{Got, Subscriber, Transport},
    http::Http,
    result::Result,
    server::{Binaries, Kind, Server, kernel_memory_kib},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{task::spawn_local, time::sleep};

/// Connections that are opened concurrently.
const CONCURRENCY: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Idle {
    /// No token, one subscription
    Anonymous,
    /// Token, personal channel, a channel with presence, and messages received
    Token,
    /// `http_stream` without a token, one subscription
    HttpStream,
    /// `sse` without a token, one subscription
    Sse,
    /// An EventSource without a token, one channel
    Events,
}

impl Idle {
    /// The transport of connections without a token.
    fn transport(self) -> Option<Transport> {
        match self {
            Self::Token => None,
            Self::Anonymous => Some(Transport::WebSocket),
            Self::HttpStream => Some(Transport::HttpStream),
            Self::Sse => Some(Transport::Sse),
            Self::Events => Some(Transport::Events),
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Kind of the connections
    #[arg(long, value_enum, default_value = "anonymous")]
    idle: Idle,
    /// Connections at the first measurement
    #[arg(long, default_value_t = 5000)]
    from: usize,
    /// Connections at the second measurement
    #[arg(long, default_value_t = 15_000)]
    to: usize,
    /// Connections in each presence channel
    #[arg(long, default_value_t = 50)]
    room: usize,
    /// Messages in each presence channel
    #[arg(long, default_value_t = 20)]
    messages: usize,
    /// Worker threads of the gateway; 0: one per core
    #[arg(long, default_value = "0")]
    workers: String,
}

pub(crate) async fn run(binaries: &Binaries, arguments: Arguments) -> Result {
    let settings = [("WORKERS", &*arguments.workers), ("CONNECTION__PING_INTERVAL", "10m"), ("STREAMS__HEART_BEAT", "1m")];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let (server, arguments) = (Rc::new(server), Rc::new(arguments));
    let received = Rc::new(Cell::new(0));
    let empty = measure(&server, 0).await?;
    open_connections(&server, &arguments, 0..arguments.from, &received).await?;
    let low = measure(&server, arguments.from).await?;
    open_connections(&server, &arguments, arguments.from..arguments.to, &received).await?;
    let high = measure(&server, arguments.to).await?;
    let count = (arguments.to - arguments.from) as f64;
    println!("{:?}: {} messages received in total", arguments.idle, received.get());
    let (resident, from_empty) = (slope(low.resident, high.resident, count), slope(empty.resident, high.resident, arguments.to as f64));
    println!("process: {resident:.2} KiB per connection (from 0: {from_empty:.2})");
    let (slab, buffers) = (slope(low.slab, high.slab, count), slope(low.buffers, high.buffers, count));
    println!("kernel: {slab:.2} KiB slab, {buffers:.2} KiB socket buffers, both ends together");
    Ok(())
}

fn slope(low: u64, high: u64, count: f64) -> f64 {
    (high as f64 - low as f64) / count
}

/// Memory in KiB.
struct Memory {
    /// Resident memory of the server.
    resident: u64,
    /// Socket buffers of the machine.
    buffers: u64,
    /// Slab of the machine.
    slab: u64,
}

/// Waits until memory has settled, then measures.
async fn measure(server: &Server, connections: usize) -> Result<Memory> {
    sleep(Duration::from_secs(3)).await;
    let (resident, (buffers, slab)) = (server.resident_kib()?, kernel_memory_kib()?);
    println!("{connections:>6} connections: {resident} KiB resident, {buffers} KiB socket buffers, {slab} KiB slab");
    Ok(Memory { resident, buffers, slab })
}

async fn open_connections(
    server: &Rc<Server>,
    arguments: &Rc<Arguments>,
    numbers: std::ops::Range<usize>,
    received: &Rc<Cell<u64>>,
) -> Result {
    for first in numbers.clone().step_by(CONCURRENCY) {
        let mut opening = Vec::new();
        for number in first..(first + CONCURRENCY).min(numbers.end) {
            let (server, arguments) = (server.clone(), arguments.clone());
            opening.push(spawn_local(async move { open(&server, &arguments, number).await.map_err(|error| error.to_string()) }));
        }
        for task in opening {
            let (client, received) = (task.await??, received.clone());
            spawn_local(client.receive_all(move |_, payload| {
                let text = String::from_utf8_lossy(payload);
                received.set(received.get() + text.matches(r#""pub":"#).count() as u64);
            }));
        }
    }
    if arguments.idle == Idle::Token {
        let mut http = Http::open(server.internal).await?;
        for room in numbers.start / arguments.room..numbers.end.div_ceil(arguments.room) {
            for message in 0..arguments.messages {
                let body = format!(r#"{{"data":{{"kind":"message","id":"{message}","text":"{}"}}}}"#, "x".repeat(80));
                http.post(&format!("/v1/channels/chat:room-{room}/publications"), &body).await?;
            }
        }
    }
    Ok(())
}

async fn open(server: &Server, arguments: &Arguments, number: usize) -> Result<Subscriber> {
    if let Some(transport) = arguments.idle.transport() {
        return transport.subscribe(server, number, None, "open:idle", &mut Got::default()).await;
    }
    let answer = Http::open(server.public).await?.post("/demo/token", &format!(r#"{{"user":"user-{number}"}}"#)).await?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let mut client = server.open_connection(number, None).await?;
    client.connect(answer["token"].as_str().ok_or("no token")?).await?;
    client.subscribe(&format!("chat:room-{}", number / arguments.room)).await?;
    Ok(Subscriber::WebSocket(client))
}
