//! Calls to a fast service while another service does not answer, for the same connections.

use super::calls::{Schedule, service};
use crate::{
    client::Client,
    latency,
    result::Result,
    server::{Binaries, Kind, Server},
    statistics::median,
};
use memchr::memmem;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{task::spawn_local, time::Instant};

/// Calls in flight to the slow service that the gateway allows.
const LIMIT: usize = 256;
/// Calls to the slow service that each connection sends.
const SLOW_CALLS: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Frontends, each with one call to the fast service in flight
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Calls per second to the fast service
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measurements with and without calls to the slow service, interleaved
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let limit = LIMIT.to_string();
    let settings = [
        ("WORKERS", "1"),
        ("CONNECTION__PING_INTERVAL", "1h"),
        ("CONNECTION__PONG_TIMEOUT", "10m"),
        // The instances of this program answer no pings.
        ("LINK__HEARTBEAT", "10m"),
        ("SERVICES__CHATBOT__ORDER", "none"),
        ("SERVICES__SLOW__ORDER", "none"),
        ("SERVICES__SLOW__MAX_IN_FLIGHT", &limit),
        ("SERVICES__SLOW__CALL_TIMEOUT", "10m"),
    ];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let _fast = service::Running::link(&server, "chatbot", service::echo(128)).await?;
    let _slow = service::Running::link(&server, "slow", |_| None).await?;
    println!("                p50 ms  p99 ms  refused calls to the slow service  resident KiB");
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        alone.push(measure(&server, arguments, 0).await?);
        beside.push(measure(&server, arguments, SLOW_CALLS).await?);
    }
    println!("median p99 beside a slow service, as a multiple of that alone: {:.2}", median(beside) / median(alone));
    Ok(())
}

/// Measures the fast service, and returns its p99 in milliseconds. Each connection first sends this many calls to the slow one.
async fn measure(server: &Server, arguments: &Arguments, slow_calls: usize) -> Result<f64> {
    let (mut clients, mut refused) = (Vec::new(), 0);
    for number in 0..arguments.connections {
        let mut client = server.open_connection(number, None).await?;
        client.connect("").await?;
        refused += call_slow(&mut client, slow_calls, refused, number).await?;
        clients.push(client);
    }
    let expected = (slow_calls * arguments.connections).saturating_sub(LIMIT);
    if refused != expected {
        return Err(format!("the gateway refused {refused} calls to the slow service, not {expected}").into());
    }
    let latency = Rc::new(RefCell::new(latency::histogram()?));
    let message = format!(r#"{{"id":7,"rpc":{{"method":"chatbot.echo","data":"{}"}}}}"#, "x".repeat(126));
    let begun = Instant::now();
    let until = begun + Duration::from_secs(arguments.seconds);
    let schedule = Schedule { begun, until, rate: Some(arguments.rate), clients: clients.len() };
    let tasks: Vec<_> =
        (0..).zip(clients).map(|(turn, client)| spawn_local(schedule.run(turn, client, message.clone(), latency.clone()))).collect();
    for task in tasks {
        task.await??;
    }
    let ms = |quantile| latency.borrow().value_at_quantile(quantile) as f64 / 1000.0;
    let p99 = ms(0.99);
    let name = if slow_calls == 0 { "alone" } else { "beside slow" };
    println!("{name:<14} {:>7.2} {:>7.2} {refused:>34} {:>13}", ms(0.5), p99, server.resident_kib()?);
    Ok(p99)
}

/// Sends calls to the slow service, and waits until the gateway has taken all of them. Returns how many were refused at once. `before` is that number
/// for the connections before.
async fn call_slow(client: &mut Client, calls: usize, before: usize, number: usize) -> Result<usize> {
    for _ in 0..calls {
        client.send(r#"{"id":9,"rpc":{"method":"slow.wait","data":null}}"#).await?;
    }
    client.send(r#"{"id":10,"ping":{}}"#).await?;
    let refused = ((number + 1) * calls).saturating_sub(LIMIT) - before;
    let (mut seen, mut answered) = (0, false);
    while seen < refused || !answered {
        let read = client.read(16 * 1024, |_, payload| {
            seen += memmem::find_iter(payload, br#""code":1002"#).count();
            answered |= memmem::find(payload, br#""id":10"#).is_some();
        });
        read.await.map_err(|_| "the server closed the connection")?;
    }
    Ok(refused)
}
