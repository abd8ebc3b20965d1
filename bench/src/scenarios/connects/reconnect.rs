//! Many clients connect at once, and a guard decides about each of them: questions, time, and the delay of calls meanwhile.

use crate::{
    probe::{Probes, RoundTrips},
    result::Result,
    scenarios::calls::service,
    server::{Binaries, Kind, Server},
};
use serde_json::Value;
use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// Connections that call the other service meanwhile.
const CALLERS: usize = 4;
const CALL: &str = r#"{"id":3,"rpc":{"method":"chatbot.echo","data":"hello"}}"#;
/// One client in so many is refused by the guard.
const REFUSED: usize = 10;
/// Pause before a client that was refused with a temporary error tries again.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients that connect at once
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
}

/// How often the guard was asked about each token.
type Questions = Rc<RefCell<HashMap<String, u32>>>;

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let url = service::Running::webhook_on_thread(128)?;
    let settings = [
        ("WORKERS", "1"),
        ("CONNECTION__PING_INTERVAL", "1h"),
        ("CONNECTION__PONG_TIMEOUT", "10m"),
        ("CONNECTION__CONNECT_TIMEOUT", "1m"),
        ("CONNECT__SERVICE", "door"),
        ("CONNECT__TOKENS", "never"),
        ("SERVICES__DOOR__CALLERS", "nobody"),
        ("SERVICES__CHATBOT__REACH", "webhook"),
        ("SERVICES__CHATBOT__URLS", &url),
        ("SERVICES__CHATBOT__ORDER", "none"),
    ];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let questions = Questions::default();
    let asked = questions.clone();
    let _door = service::Running::link(&server, "door", move |frame| answer(&asked, frame)).await?;
    let address = server.public;
    // The guard on this thread decides about them meanwhile.
    let probes = spawn_blocking(move || Probes::open_with(address, CALLERS, CALL).map_err(|error| error.to_string())).await??;
    println!(
        "                       connected  refused  tried again  questions  seconds  p99 of calls, ms (delay of the generator, longest)"
    );
    let RoundTrips { p99, send_delay, max } = probes.measure(3).await?;
    println!("{:<22} {p99:>65.1} ({send_delay:.1}, {max:.1})", "calls alone");
    for name in ["first time", "answers are remembered"] {
        questions.borrow_mut().clear();
        let (storm, RoundTrips { p99, send_delay, max }) = probes.measure_during(storm(&server, arguments.clients)).await?;
        let asked = questions.borrow();
        if let Some((token, count)) = asked.iter().find(|(token, count)| token.starts_with("client") && **count > 1) {
            return Err(format!("the guard was asked {count} times about {token}").into());
        }
        let of_clients = asked.keys().filter(|token| token.starts_with("client")).count();
        println!(
            "{name:<22} {:>9} {:>8} {:>12} {of_clients:>10} {:>8.1} {p99:>17.1} ({send_delay:.1}, {max:.1})",
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
