//! A node with very many channels whose connection to Redis is cut: how long until it hears all of them again, and has what came meanwhile.

use crate::{
    Result,
    client::Client,
    http::Http,
    redis::Pair,
    server::{Binaries, Server},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Connections that subscribe side by side.
const STRIDE: usize = 8;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// For everything to be as before.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels, with a history
    #[arg(long, default_value_t = 100_000)]
    channels: usize,
    /// Of them to one connection
    #[arg(long, default_value_t = 125)]
    each: usize,
    /// Channels that are published to right after the cut
    #[arg(long, default_value_t = 1000)]
    published: usize,
    /// Cuts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    // The audit, which looks at every channel as well, would be counted as the node's answer to the cut.
    let settings = [("WORKERS", "1"), ("REDIS__AUDIT", "1h"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    let pair = Pair::start(binaries, &settings).await?;
    let (received, begun) = (Rc::new(Cell::new(0)), Instant::now());
    fill(&pair.far, arguments, &received).await?;
    println!(
        "{} channels, {} connections: subscribed in {:.1} s",
        arguments.channels,
        arguments.channels / arguments.each,
        begun.elapsed().as_secs_f64()
    );
    for _ in 0..arguments.rounds {
        sleep(Duration::from_secs(3)).await;
        cut(&pair, arguments, &received).await?;
    }
    Ok(())
}

/// Opens connections and subscribes them; what is published to them is counted.
async fn fill(server: &Server, arguments: &Arguments, received: &Rc<Cell<usize>>) -> Result {
    let connections = arguments.channels.div_ceil(arguments.each);
    for first in (0..connections).step_by(STRIDE) {
        let opening = (first..(first + STRIDE).min(connections)).map(|number| open(server, arguments, number));
        for client in futures_util::future::try_join_all(opening).await? {
            let received = received.clone();
            spawn_local(client.live(move |_, payload| {
                received.set(received.get() + String::from_utf8_lossy(payload).matches(r#""pub":"#).count());
            }));
        }
    }
    Ok(())
}

async fn open(server: &Server, arguments: &Arguments, number: usize) -> Result<Client> {
    let mut client = server.frontend(number, None).await?;
    client.connect("").await?;
    let channels = number * arguments.each..((number + 1) * arguments.each).min(arguments.channels);
    let command = |channel| format!(r#"{{"id":{},"subscribe":{{"channel":"{}"}}}}"#, channel + 2, name(channel));
    client.send(&channels.clone().map(command).collect::<Vec<_>>().join("\n")).await?;
    let mut subscribed = 0;
    while subscribed < channels.len() {
        let mut failed = None;
        let read = client.read(1 << 18, |_, payload| {
            let text = String::from_utf8_lossy(payload);
            subscribed += text.matches(r#""subscribe":"#).count();
            failed = text.contains(r#""error":"#).then(|| text.into_owned());
        });
        read.await.map_err(|_| "closed while it subscribed")?;
        if let Some(answer) = failed {
            return Err(format!("a subscribe was refused: {answer}").into());
        }
    }
    Ok(client)
}

/// Cuts the connections that subscribe, publishes at once, and waits until all is as before.
async fn cut(pair: &Pair, arguments: &Arguments, received: &Rc<Cell<usize>>) -> Result {
    let Pair { near, far, redis } = pair;
    let mut http = Http::open(near.internal).await?;
    let step = arguments.channels / arguments.published.max(1);
    let item = |number: usize| format!(r#"{{"channel":"{}","data":{number}}}"#, name(number * step));
    let body = format!(r#"{{"publications":[{}]}}"#, (0..arguments.published).map(item).collect::<Vec<_>>().join(","));
    received.set(0);
    let of = async |name| far.metric(name).await;
    let (before, backfills, lost) = (of(RESUBSCRIBED).await?, of(BACKFILLS).await?, of(LOST).await?);
    redis.command(&["CONFIG", "RESETSTAT"]).await?;
    let (begun, cpu) = (Instant::now(), far.cpu()?);
    let killed = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await?.number();
    let publishing = spawn_local(async move { http.post("/v1/publications", &body).await.map_err(|error| error.to_string()) });
    let (mut subscribed, mut looked_at, mut delivered) = (None, None, None);
    while subscribed.is_none() || looked_at.is_none() || delivered.is_none() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("after {PATIENCE:?}: {subscribed:?}, {looked_at:?}, {delivered:?}, {} delivered", received.get()).into());
        }
        sleep(LOOK).await;
        let now = || begun.elapsed().as_secs_f64();
        if subscribed.is_none() && of(RESUBSCRIBED).await? - before >= arguments.channels as f64 {
            subscribed = Some(now());
        }
        if looked_at.is_none()
            && scripts(&redis.command(&["INFO", "commandstats"]).await?.text()) >= arguments.channels + arguments.published
        {
            looked_at = Some(now());
        }
        if delivered.is_none() && received.get() >= arguments.published {
            delivered = Some(now());
        }
    }
    publishing.await??;
    sleep(Duration::from_secs(1)).await;
    println!(
        "cut ({killed} connections): subscribed again after {:.2} s, all looked at after {:.2} s, what was published meanwhile delivered after {:.2} s",
        subscribed.unwrap_or_default(),
        looked_at.unwrap_or_default(),
        delivered.unwrap_or_default(),
    );
    println!(
        "    {} of {} delivered, {:.0} channels read from history, {:.0} lost, {:.1} s of CPU",
        received.get(),
        arguments.published,
        of(BACKFILLS).await? - backfills,
        of(LOST).await? - lost,
        far.cpu()? - cpu
    );
    Ok(())
}

const RESUBSCRIBED: &str = "switchboard_redis_resubscribed_total";
const BACKFILLS: &str = "switchboard_backfills_total";
const LOST: &str = "switchboard_gaps_lost_total";

/// Scripts that Redis ran: a look at a channel is one, and so is a publication.
fn scripts(stats: &str) -> usize {
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    calls.and_then(|calls| calls.split(',').next()?.parse().ok()).unwrap_or(0)
}

fn name(channel: usize) -> String {
    format!("recover:bench-{channel}")
}
