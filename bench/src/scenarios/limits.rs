//! What the limits of connections and users cost: instructions of a delivery and of a command, with the limits and without them.

use crate::{
    client::{Client, READ_SIZE},
    http::Http,
    result::Result,
    server::{Binaries, Server},
};
use memchr::memmem;
use serde_json::{Value, json};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{sync::Notify, task::spawn_local, time::timeout};

const DELIVERIES: &str = "open:deliveries";
/// The namespace has a history, and its subscribers may publish and read it.
const COMMANDS: &str = "recover:commands";
/// Longest wait until all subscribers have a publication. In callgrind everything takes many times as long.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// Commands that are sent before the measurement, so that it has no first allocations.
const WARM_UP: usize = 200;
/// Commands in one write; fewer than a connection may have in flight.
const COMMANDS_AT_ONCE: usize = 10;

/// 0 is no limit, so nothing is counted.
const WITHOUT_LIMITS: &[(&str, &str)] = &[
    ("LIMITS__CONNECTION__COMMANDS_PER_SECOND", "0"),
    ("LIMITS__CONNECTION__BYTES_PER_SECOND", "0"),
    ("LIMITS__USER__COMMANDS_PER_SECOND", "0"),
    ("LIMITS__USER__BYTES_PER_SECOND", "0"),
    ("LIMITS__KEY__REQUESTS_PER_SECOND", "0"),
];

/// The bursts are so large that nothing is refused.
const WITH_LIMITS: &[(&str, &str)] = &[
    ("LIMITS__CONNECTION__COMMANDS_PER_SECOND", "1000"),
    ("LIMITS__CONNECTION__COMMANDS_BURST", "1000000"),
    ("LIMITS__CONNECTION__BYTES_PER_SECOND", "1MiB"),
    ("LIMITS__CONNECTION__BYTES_BURST", "1GiB"),
    ("LIMITS__USER__COMMANDS_PER_SECOND", "1000"),
    ("LIMITS__USER__COMMANDS_BURST", "1000000"),
    ("LIMITS__USER__BYTES_PER_SECOND", "1MiB"),
    ("LIMITS__USER__BYTES_BURST", "1GiB"),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Subscribed connections
    #[arg(long, default_value_t = 500)]
    subscribers: usize,
    /// Publications to them
    #[arg(long, default_value_t = 100)]
    publications: usize,
    /// Commands of each kind; a multiple of 10
    #[arg(long, default_value_t = 10_000)]
    commands: usize,
    /// Largest ratio of the instructions with limits to those without them
    #[arg(long, default_value_t = 1.03)]
    goal: f64,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let without = measure(binaries, arguments, WITHOUT_LIMITS).await?;
    let with = measure(binaries, arguments, WITH_LIMITS).await?;
    println!("instructions      without limits  with limits   ratio");
    let mut missed = Vec::new();
    for ((name, without), (_, with)) in without.into_iter().zip(with) {
        let ratio = with / without;
        println!("{name:<16}  {without:>14.0}  {with:>11.0}  {ratio:>6.3}");
        if ratio > arguments.goal {
            missed.push(name);
        }
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("above the goal of {}: {}", arguments.goal, missed.join(", ")).into()) }
}

/// The instructions of one delivery and of one command of each kind.
async fn measure(binaries: &Binaries, arguments: &Arguments, limits: &[(&str, &str)]) -> Result<Vec<(&'static str, f64)>> {
    let mut settings = vec![("WORKERS", "1"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    settings.extend(limits);
    let server = binaries.start_counted(&settings, true).await?;
    let mut client = user_connection(&server).await?;
    client.subscribe(COMMANDS).await?;
    let channel = json!({ "channel": COMMANDS });
    let commands = [
        ("publish", json!({ "publish": { "channel": COMMANDS, "data": "x".repeat(64) } })),
        ("history", json!({ "history": { "channel": COMMANDS, "limit": 1 } })),
        ("refused command", json!({ "presence": channel })),
    ];
    let mut figures = Vec::new();
    for (name, command) in commands {
        send(&mut client, &command, WARM_UP).await?;
        server.instructions()?;
        send(&mut client, &command, arguments.commands).await?;
        figures.push((name, counted(&server)? / arguments.commands as f64));
    }
    figures.push(("delivery", deliveries(&server, arguments).await?));
    Ok(figures)
}

/// A connection of a user, so that the user's limits count as well.
async fn user_connection(server: &Server) -> Result<Client> {
    let answer: Value = serde_json::from_str(&Http::open(server.public).await?.post("/demo/token", r#"{"user":"bench"}"#).await?)?;
    let mut client = server.open_connection(0, None).await?;
    client.connect(answer["token"].as_str().ok_or("no token")?).await?;
    Ok(client)
}

/// Sends the command this many times, some at once, and waits for all replies.
async fn send(client: &mut Client, command: &Value, count: usize) -> Result {
    for _ in (0..count).step_by(COMMANDS_AT_ONCE) {
        let message = |id: usize| {
            let mut command = command.clone();
            command["id"] = id.into();
            command.to_string().into_bytes()
        };
        client.send_all(&mut (1..=COMMANDS_AT_ONCE).map(message).collect()).await?;
        let (mut replies, mut last) = (0, Vec::new());
        while replies < COMMANDS_AT_ONCE {
            let read = client.read(READ_SIZE, |_, payload| {
                replies += memmem::find_iter(payload, br#"{"id":"#).count();
                last = payload.to_vec();
            });
            read.await.map_err(|_| format!("{command} was not answered; the last frame was {}", String::from_utf8_lossy(&last)))?;
        }
    }
    Ok(())
}

async fn deliveries(server: &Server, arguments: &Arguments) -> Result<f64> {
    let received = Rc::new((Cell::new(0), Notify::new()));
    for number in 0..arguments.subscribers {
        let (client, received) = (server.subscriber(number, DELIVERIES).await?, received.clone());
        spawn_local(client.receive_all(move |_, _| {
            received.0.set(received.0.get() + 1);
            received.1.notify_one();
        }));
    }
    let mut http = Http::open(server.internal).await?;
    let body = json!({ "data": "x".repeat(128) }).to_string();
    server.instructions()?;
    for number in 1..=arguments.publications {
        http.post(&format!("/v1/channels/{DELIVERIES}/publications"), &body).await?;
        let all = async {
            while received.0.get() < number * arguments.subscribers {
                received.1.notified().await;
            }
        };
        timeout(DELIVERY_TIMEOUT, all).await.map_err(|_| format!("publication {number} did not reach all subscribers in time"))?;
    }
    Ok(counted(server)? / (arguments.publications * arguments.subscribers) as f64)
}

fn counted(server: &Server) -> Result<f64> {
    Ok(server.instructions()?.ok_or("instructions are not counted")? as f64)
}
