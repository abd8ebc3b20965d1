//! Many clients connect at once, and a guard decides about each of them: questions, time, and the delay of calls meanwhile.

use super::calls::{Schedule, service};
use crate::{
    latency,
    result::Result,
    server::{Binaries, Kind, Server},
};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::{Instant, sleep},
};

/// Connections that call the other service meanwhile.
const CALLERS: usize = 16;
/// One client in so many is refused by the guard.
const REFUSED: usize = 10;
/// Pause before a client that was refused with a temporary error tries again.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients that connect at once
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Calls per second to the other service
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
}

/// How often the guard was asked about each token.
type Questions = Rc<RefCell<HashMap<String, u32>>>;

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let settings = [
        ("WORKERS", "1"),
        ("CONNECTION__PING_INTERVAL", "1h"),
        ("CONNECTION__CONNECT_TIMEOUT", "1m"),
        ("CONNECT__SERVICE", "door"),
        ("CONNECT__TOKENS", "never"),
        ("SERVICES__DOOR__CALLERS", "nobody"),
        ("SERVICES__CHATBOT__ORDER", "none"),
    ];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let questions = Questions::default();
    let asked = questions.clone();
    let _door = service::Running::link(&server, "door", move |frame| answer(&asked, frame)).await?;
    let _fast = service::Running::link(&server, "chatbot", service::echo(128)).await?;
    println!("                       connected  refused  tried again  questions  seconds  p99 of calls, ms");
    let alone = calls(&server, arguments, async {
        sleep(Duration::from_secs(3)).await;
        Ok(())
    })
    .await?;
    println!("{:<22} {:>65.1}", "calls alone", alone.1);
    for name in ["first time", "answers are remembered"] {
        questions.borrow_mut().clear();
        let (storm, p99) = calls(&server, arguments, storm(&server, arguments.clients)).await?;
        let asked = questions.borrow();
        if let Some((token, count)) = asked.iter().find(|(token, count)| token.starts_with("client") && **count > 1) {
            return Err(format!("the guard was asked {count} times about {token}").into());
        }
        let of_clients = asked.keys().filter(|token| token.starts_with("client")).count();
        println!(
            "{name:<22} {:>9} {:>8} {:>12} {of_clients:>10} {:>8.1} {p99:>17.1}",
            storm.connected, storm.refused, storm.tried_again, storm.seconds
        );
    }
    Ok(())
}

/// What the guard answers: it remembers the question, and refuses some clients.
fn answer(questions: &Questions, frame: &[u8]) -> Option<String> {
    let call: Value = serde_json::from_slice(frame).ok()?;
    let token = call["call"]["data"]["token"].as_str()?.to_owned();
    let answer = if token.ends_with("-stranger") {
        r#"{"error":{"code":403,"message":"no"},"cache":600}"#.to_owned()
    } else {
        format!(r#"{{"user":"{token}","cache":600}}"#)
    };
    *questions.borrow_mut().entry(token).or_default() += 1;
    Some(answer)
}

/// Runs `work` while callers call the other service. Returns its result and the p99 of these calls in milliseconds.
async fn calls<T>(server: &Server, arguments: &Arguments, work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
    let latency: Rc<RefCell<Histogram<u64>>> = Rc::new(RefCell::new(latency::histogram()?));
    let message = format!(r#"{{"id":7,"rpc":{{"method":"chatbot.echo","data":"{}"}}}}"#, "x".repeat(126));
    let mut callers = Vec::new();
    for number in 0..CALLERS {
        let mut client = server.open_connection(number, None).await?;
        client.connect(&format!("caller-{number}")).await?;
        callers.push(client);
    }
    let (begun, forever) = (Instant::now(), Instant::now() + Duration::from_secs(600));
    let schedule = Schedule { begun, until: forever, rate: Some(arguments.rate), clients: CALLERS };
    let tasks: Vec<JoinHandle<_>> =
        (0..).zip(callers).map(|(turn, client)| spawn_local(schedule.run(turn, client, message.clone(), latency.clone()))).collect();
    let result = work.await?;
    for task in tasks {
        if task.is_finished() {
            task.await??;
        } else {
            task.abort();
        }
    }
    let p99 = latency.borrow().value_at_quantile(0.99) as f64 / 1000.0;
    Ok((result, p99))
}

/// The result of a storm.
struct Storm {
    connected: usize,
    refused: usize,
    tried_again: usize,
    seconds: f64,
}

/// All clients open their sockets. Then all connect at the same time, and again after a temporary error, until each has an answer of the guard.
async fn storm(server: &Server, clients: usize) -> Result<Storm> {
    let mut waiting = Vec::new();
    for number in 0..clients {
        waiting.push((number, server.open_connection(CALLERS + number, None).await?));
    }
    let begun = Instant::now();
    let (mut connected, mut refused, mut tried_again) = (Vec::new(), 0, 0);
    while !waiting.is_empty() {
        for (number, client) in &mut waiting {
            client.send(&format!(r#"{{"id":1,"connect":{{"token":"{}"}}}}"#, token(*number))).await?;
        }
        let mut again = Vec::new();
        for (number, mut client) in waiting {
            let reply = client.expect(r#""id":1"#).await?;
            match (reply.contains(r#""connect":"#), reply.contains(r#""code":403"#), reply.contains(r#""temporary":true"#)) {
                (true, _, _) if is_stranger(number) => return Err(format!("{} is connected", token(number)).into()),
                (true, _, _) => connected.push(client),
                (_, true, _) if is_stranger(number) => refused += 1,
                (_, _, true) => again.push(number),
                _ => return Err(format!("{} got {reply}", token(number)).into()),
            }
        }
        waiting = Vec::new();
        if !again.is_empty() {
            sleep(PAUSE).await;
        }
        for number in again {
            tried_again += 1;
            waiting.push((number, server.open_connection(CALLERS + number, None).await?));
        }
    }
    Ok(Storm { connected: connected.len(), refused, tried_again, seconds: begun.elapsed().as_secs_f64() })
}

fn is_stranger(number: usize) -> bool {
    number.is_multiple_of(REFUSED)
}

fn token(number: usize) -> String {
    format!("client-{number}{}", if is_stranger(number) { "-stranger" } else { "" })
}
