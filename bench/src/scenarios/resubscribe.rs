//! Closes the subscriber connection of a node with very many channels. Measures the time until all channels are resubscribed and checked,
//! and until the publications of that time are delivered.

use crate::{
    client::Client,
    http::Http,
    redis::GatewayPair,
    result::Result,
    server::{Binaries, Server},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Connections that subscribe concurrently.
const CONCURRENCY: usize = 8;
/// Time between two reads of the metrics.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Longest time until everything is delivered.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels with a history
    #[arg(long, default_value_t = 100_000)]
    channels: usize,
    /// Channels per connection
    #[arg(long, default_value_t = 125)]
    channels_per_connection: usize,
    /// Channels that get a publication right after the disconnection
    #[arg(long, default_value_t = 1000)]
    published: usize,
    /// Disconnections
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    // The audit checks every channel too; it would be counted as part of the resubscription.
    let settings =
        [("WORKERS", "1"), ("REDIS__AUDIT_DURATION", "1h"), ("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")];
    let pair = GatewayPair::start(binaries, &settings).await?;
    let (received, begun) = (Rc::new(Cell::new(0)), Instant::now());
    subscribe_all(&pair.subscribed, arguments, &received).await?;
    println!(
        "{} channels, {} connections: subscribed in {:.1} s",
        arguments.channels,
        arguments.channels / arguments.channels_per_connection,
        begun.elapsed().as_secs_f64()
    );
    for _ in 0..arguments.rounds {
        sleep(Duration::from_secs(3)).await;
        disconnect(&pair, arguments, &received).await?;
    }
    Ok(())
}

/// Opens and subscribes all connections, and counts the publications that they receive.
async fn subscribe_all(server: &Server, arguments: &Arguments, received: &Rc<Cell<usize>>) -> Result {
    let connections = arguments.channels.div_ceil(arguments.channels_per_connection);
    for first in (0..connections).step_by(CONCURRENCY) {
        let opening = (first..(first + CONCURRENCY).min(connections)).map(|number| open(server, arguments, number));
        for client in futures_util::future::try_join_all(opening).await? {
            let received = received.clone();
            spawn_local(client.receive_all(move |_, payload| {
                received.set(received.get() + String::from_utf8_lossy(payload).matches(r#""pub":"#).count());
            }));
        }
    }
    Ok(())
}

async fn open(server: &Server, arguments: &Arguments, number: usize) -> Result<Client> {
    let mut client = server.open_connection(number, None).await?;
    client.connect("").await?;
    let channels = number * arguments.channels_per_connection..((number + 1) * arguments.channels_per_connection).min(arguments.channels);
    let command = |channel| format!(r#"{{"id":{},"subscribe":{{"channel":"{}"}}}}"#, channel + 2, channel_name(channel));
    client.send(&channels.clone().map(command).collect::<Vec<_>>().join("\n")).await?;
    let mut subscribed = 0;
    while subscribed < channels.len() {
        let mut failed = None;
        let read = client.read(1 << 18, |_, payload| {
            let text = String::from_utf8_lossy(payload);
            subscribed += text.matches(r#""subscribe":"#).count();
            failed = text.contains(r#""error":"#).then(|| text.into_owned());
        });
        read.await.map_err(|_| "the server closed a connection while it subscribed")?;
        if let Some(answer) = failed {
            return Err(format!("a subscribe command failed: {answer}").into());
        }
    }
    Ok(client)
}

const RESUBSCRIBED: &str = "switchboard_redis_resubscribed_total";
const BACKFILLS: &str = "switchboard_backfills_total";
const LOST: &str = "switchboard_gaps_lost_total";

/// Seconds from the disconnection until each step was complete.
#[derive(Debug, Default)]
struct Recovery {
    resubscribed: Option<f64>,
    checked: Option<f64>,
    delivered: Option<f64>,
}

/// Closes the subscriber connections, publishes at once, and waits until the node has recovered.
async fn disconnect(pair: &GatewayPair, arguments: &Arguments, received: &Rc<Cell<usize>>) -> Result {
    let GatewayPair { publishing, subscribed, redis } = pair;
    let mut http = Http::open(publishing.internal).await?;
    let step = arguments.channels / arguments.published.max(1);
    let item = |number: usize| format!(r#"{{"channel":"{}","data":{number}}}"#, channel_name(number * step));
    let body = format!(r#"{{"publications":[{}]}}"#, (0..arguments.published).map(item).collect::<Vec<_>>().join(","));
    received.set(0);
    let metric = async |name| subscribed.metric(name).await;
    let (resubscribed, backfills, lost) = (metric(RESUBSCRIBED).await?, metric(BACKFILLS).await?, metric(LOST).await?);
    redis.command(&["CONFIG", "RESETSTAT"]).await?;
    let (begun, cpu) = (Instant::now(), subscribed.cpu_seconds()?);
    let closed = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await?.number();
    let publish = spawn_local(async move { http.post("/v1/publications", &body).await.map_err(|error| error.to_string()) });
    let recovery = wait_for_recovery(pair, arguments, received, resubscribed, begun).await?;
    publish.await??;
    sleep(Duration::from_secs(1)).await;
    println!(
        "{closed} connections closed: resubscribed after {:.2} s, all channels checked after {:.2} s, missed publications delivered after {:.2} s",
        recovery.resubscribed.unwrap_or_default(),
        recovery.checked.unwrap_or_default(),
        recovery.delivered.unwrap_or_default(),
    );
    println!(
        "    {} of {} delivered, {:.0} channels read from history, {:.0} lost, {:.1} s of CPU",
        received.get(),
        arguments.published,
        metric(BACKFILLS).await? - backfills,
        metric(LOST).await? - lost,
        subscribed.cpu_seconds()? - cpu
    );
    Ok(())
}

async fn wait_for_recovery(
    pair: &GatewayPair,
    arguments: &Arguments,
    received: &Rc<Cell<usize>>,
    resubscribed_before: f64,
    begun: Instant,
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    while recovery.resubscribed.is_none() || recovery.checked.is_none() || recovery.delivered.is_none() {
        if begun.elapsed() > TIMEOUT {
            return Err(format!("no recovery within {TIMEOUT:?}: {recovery:?}, {} publications delivered", received.get()).into());
        }
        sleep(POLL_INTERVAL).await;
        let now = || begun.elapsed().as_secs_f64();
        if recovery.resubscribed.is_none() && pair.subscribed.metric(RESUBSCRIBED).await? - resubscribed_before >= arguments.channels as f64
        {
            recovery.resubscribed = Some(now());
        }
        if recovery.checked.is_none()
            && script_calls(&pair.redis.command(&["INFO", "commandstats"]).await?.text()) >= arguments.channels + arguments.published
        {
            recovery.checked = Some(now());
        }
        if recovery.delivered.is_none() && received.get() >= arguments.published {
            recovery.delivered = Some(now());
        }
    }
    Ok(recovery)
}

/// Script calls that Redis counted. The check of a channel is one call, and so is a publication.
fn script_calls(stats: &str) -> usize {
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    calls.and_then(|calls| calls.split(',').next()?.parse().ok()).unwrap_or(0)
}

fn channel_name(channel: usize) -> String {
    format!("recover:bench-{channel}")
}
