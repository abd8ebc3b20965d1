//! Many clients connect at once with tokens of an issuer whose keys have a URL: the source is slow, away, or back again.

use crate::{
    client::Client,
    issuer::{Behavior, Key, Source},
    result::Result,
    server::{Binaries, Server},
};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::{
    task::LocalSet,
    time::{Instant, sleep},
};

/// How long a slow source takes.
const SLOW: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients that connect at once
    #[arg(long, default_value_t = 5000)]
    clients: usize,
}

/// A gateway that trusts the issuer.
async fn gateway(source: &Source, binaries: &Binaries, refresh: Duration) -> Result<Server> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let times = [
        ("TOKENS__JWKS_REFRESH", &*seconds(refresh)),
        ("TOKENS__JWKS_INTERVAL", &seconds(INTERVAL)),
        ("TOKENS__JWKS_TIMEOUT", &seconds(INTERVAL)),
        ("CONNECTION__CONNECT_TIMEOUT", "1m"),
    ];
    let file = source.settings(binaries)?;
    binaries.start_gateway_with(&file.0, &times).await
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    LocalSet::new().run_until(run_all(binaries, arguments.clients)).await
}

async fn run_all(binaries: &Binaries, clients: usize) -> Result {
    let (old, new) = (Key::new("old")?, Key::new("new")?);
    println!("{:<40} connected  fetches  p99, s  longest, s", format!("{clients} clients at once"));

    // The clients are there before the source answers its first request.
    let source = Source::start(Behavior::Slow(vec![old.jwk()])).await?;
    let server = gateway(&source, binaries, INTERVAL * 100).await?;
    let waiting = open(&server, clients).await?;
    let answers_at = source.answers_at.clone();
    report("source is slow (1 s)", &source, 1, connect(waiting, &old, || answers_at.set(Some(Instant::now() + SLOW))).await?)?;
    drop(server);

    let source = Source::start(Behavior::Keys(vec![old.jwk()])).await?;
    let server = gateway(&source, binaries, INTERVAL * 2).await?;
    source.requested(1).await;
    let waiting = open(&server, clients).await?;
    *source.behavior.borrow_mut() = Behavior::Away;
    source.requested(source.requests.get() + 1).await;
    report("source is away, known key", &source, usize::MAX, connect(waiting, &old, || ()).await?)?;

    // A try while it is away; then, one interval after the return, the first try of all the others.
    let early = connect(open(&server, 1).await?, &new, || ()).await;
    if early.is_ok() {
        return Err("a token with a key that was never published is accepted".into());
    }
    let waiting = open(&server, clients).await?;
    *source.behavior.borrow_mut() = Behavior::Keys(vec![old.jwk(), new.jwk()]);
    sleep(INTERVAL).await;
    report("back since an interval, unknown key", &source, usize::MAX, connect(waiting, &new, || ()).await?)
}

async fn open(server: &Server, clients: usize) -> Result<Vec<Client>> {
    let mut all = Vec::with_capacity(clients);
    for number in 0..clients {
        all.push(server.open_connection(number, None).await?);
    }
    Ok(all)
}

/// All clients connect at the same time, after `at_start`. Returns how long each took. Fails if one is refused.
async fn connect(waiting: Vec<Client>, key: &Key, at_start: impl FnOnce()) -> Result<Vec<f64>> {
    let commands: Vec<_> =
        (0..waiting.len()).map(|number| format!(r#"{{"id":1,"connect":{{"token":"{}"}}}}"#, key.token(number))).collect();
    at_start();
    let begun = Instant::now();
    let each = waiting.into_iter().zip(commands).enumerate().map(async |(number, (mut client, sent))| {
        client.send(&sent).await?;
        let reply = client.expect(r#""id":1"#).await?;
        if reply.contains(r#""connect":"#) {
            Ok((begun.elapsed().as_secs_f64(), client))
        } else {
            Err(format!("client {number} got {reply}").into())
        }
    });
    let mut took = Vec::new();
    let mut open = Vec::new();
    for answer in join_all(each).await {
        let (seconds, client) = answer.map_err(|error: Box<dyn std::error::Error>| error)?;
        took.push(seconds);
        open.push(client);
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}

fn report(name: &str, source: &Source, most: usize, took: Vec<f64>) -> Result {
    let (p99, longest) = (took.get(took.len() * 99 / 100).or(took.last()), took.last());
    let (p99, longest) = (p99.copied().unwrap_or(f64::NAN), longest.copied().unwrap_or(f64::NAN));
    let fetches = source.requests.get();
    println!("{name:<40} {:>9} {fetches:>8} {p99:>7.2} {longest:>11.2}", took.len());
    if fetches > most {
        return Err(format!("{name}: {fetches} fetches, at most {most} are right").into());
    }
    if p99 >= 3.0 { Err(format!("{name}: p99 is {p99:.2} s").into()) } else { Ok(()) }
}
