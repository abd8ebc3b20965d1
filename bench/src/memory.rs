//! What one more idle connection costs: the slope between two numbers of them, which leaves out what the process has anyway.

use crate::{
    Result,
    client::Client,
    http::Http,
    server::{Binaries, Kind, Server, kernel},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{task::spawn_local, time::sleep};

/// Connections that are opened side by side.
const STRIDE: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Idle {
    /// No token, one subscription
    Anonymous,
    /// Token, personal channel, a channel with presence, and messages received
    Token,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the connections have
    #[arg(long, value_enum, default_value = "anonymous")]
    idle: Idle,
    /// From this many
    #[arg(long, default_value_t = 5000)]
    from: usize,
    /// To this many
    #[arg(long, default_value_t = 15_000)]
    to: usize,
    /// Connections of one presence channel
    #[arg(long, default_value_t = 50)]
    room: usize,
    /// Messages that each of those receives
    #[arg(long, default_value_t = 20)]
    messages: usize,
    /// The gateway's worker threads; 0: one per core
    #[arg(long, default_value = "0")]
    workers: String,
}

pub(crate) async fn run(binaries: &Binaries, arguments: Arguments) -> Result {
    let server = binaries.start(Kind::Gateway, &[("WORKERS", &arguments.workers), ("CONNECTION__PING_INTERVAL", "10m")]).await?;
    let (server, arguments) = (Rc::new(server), Rc::new(arguments));
    let received = Rc::new(Cell::new(0));
    let before = point(&server, 0).await?;
    fill(&server, &arguments, 0..arguments.from, &received).await?;
    let low = point(&server, arguments.from).await?;
    fill(&server, &arguments, arguments.from..arguments.to, &received).await?;
    let high = point(&server, arguments.to).await?;
    let count = (arguments.to - arguments.from) as f64;
    println!("{:?}: {} messages received in all", arguments.idle, received.get());
    println!("process: {:.2} KiB per connection (from 0: {:.2})", per(low.0, high.0, count), per(before.0, high.0, arguments.to as f64));
    println!("kernel: {:.2} KiB slab, {:.2} KiB socket buffers, both ends together", per(low.2, high.2, count), per(low.1, high.1, count));
    Ok(())
}

fn per(low: u64, high: u64, count: f64) -> f64 {
    (high as f64 - low as f64) / count
}

/// Resident memory of the process, socket buffers and slab of the kernel, once it is quiet.
async fn point(server: &Server, connections: usize) -> Result<(u64, u64, u64)> {
    sleep(Duration::from_secs(3)).await;
    let (resident, (buffers, slab)) = (server.resident()?, kernel()?);
    println!("{connections:>6} connections: {resident} KiB resident, {buffers} KiB socket buffers, {slab} KiB slab");
    Ok((resident, buffers, slab))
}

async fn fill(server: &Rc<Server>, arguments: &Rc<Arguments>, numbers: std::ops::Range<usize>, received: &Rc<Cell<u64>>) -> Result {
    for first in numbers.clone().step_by(STRIDE) {
        let mut opening = Vec::new();
        for number in first..(first + STRIDE).min(numbers.end) {
            let (server, arguments) = (server.clone(), arguments.clone());
            opening.push(spawn_local(async move { open(&server, &arguments, number).await.map_err(|error| error.to_string()) }));
        }
        for task in opening {
            let (client, received) = (task.await??, received.clone());
            spawn_local(client.live(move |_, payload| {
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

async fn open(server: &Server, arguments: &Arguments, number: usize) -> Result<Client> {
    if arguments.idle == Idle::Anonymous {
        return server.subscriber(number, "open:idle").await;
    }
    let answer = Http::open(server.public).await?.post("/demo/token", &format!(r#"{{"user":"user-{number}"}}"#)).await?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let mut client = server.frontend(number, None).await?;
    client.connect(answer["token"].as_str().ok_or("no token")?).await?;
    client.subscribe(&format!("chat:room-{}", number / arguments.room)).await?;
    Ok(client)
}
