//! A broadcast to many personal channels, interleaved with the same publications in batches.

use crate::{
    http::Http,
    redis::{HZ, Redis},
    result::Result,
    server::{Binaries, Kind, Server},
    statistics::median,
};
use tokio::time::Instant;

/// Publications in one batch.
const BATCH: usize = 1000;
/// Bytes of a message.
const MESSAGE_SIZE: usize = 128;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Personal channels; a multiple of 1,000
    #[arg(long, default_value_t = 10_000)]
    users: usize,
    /// Measurements of each kind, interleaved
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Repetitions in one measurement
    #[arg(long, default_value_t = 5)]
    repeats: u32,
    /// Keep the publications in the gateway instead of Redis
    #[arg(long)]
    embedded: bool,
    /// CPU core of Redis
    #[arg(long)]
    redis_cpu: Option<usize>,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let redis = if arguments.embedded { None } else { Some(Redis::start(arguments.redis_cpu, HZ).await) };
    let url = redis.as_ref().map(Redis::url).unwrap_or_default();
    let kind = if arguments.embedded { "memory" } else { "redis" };
    let url = if arguments.embedded { "redis://127.0.0.1" } else { &url };
    let settings = [("WORKERS", "1"), ("BROKER__KIND", kind), ("REDIS__URL", url), ("INTERNAL__BODY_SIZE", "16MiB")];
    let server = binaries.start(Kind::Gateway, &settings).await?;
    let mut http = Http::open(server.internal).await?;
    let requests = [("batches", batches(arguments.users)), ("broadcast", vec![broadcast(arguments.users)])];
    println!("{kind:<12} wall ms  ms CPU of the gateway");
    let mut figures = [Vec::new(), Vec::new()];
    for round in 0..=arguments.rounds {
        for ((name, requests), figures) in requests.iter().zip(&mut figures) {
            let measured = measure(&server, &mut http, requests, arguments).await?;
            // The first round creates the channels.
            if round > 0 {
                println!("{name:<12} {:>7.1} {:>8.1}", measured[0], measured[1]);
                figures.push(measured);
            }
        }
    }
    let [batches, broadcast] = figures.map(|figures| [0, 1].map(|which| median(figures.iter().map(|figure| figure[which]))));
    let ratio = |which: usize| broadcast[which] / batches[which];
    println!("median ratio of broadcast to batches: wall {:.2}, CPU {:.2}", ratio(0), ratio(1));
    Ok(())
}

/// Sends all requests, one after the other. Returns wall time and CPU time of the gateway in milliseconds, of one repetition.
async fn measure(server: &Server, http: &mut Http, requests: &[(&str, String)], arguments: &Arguments) -> Result<[f64; 2]> {
    let (cpu, begun) = (server.cpu_seconds()?, Instant::now());
    for _ in 0..arguments.repeats {
        let mut published = 0;
        for (path, body) in requests {
            published += http.post(path, body).await?.matches(r#""offset":"#).count();
        }
        if published != arguments.users {
            return Err(format!("the gateway published {published} of {}", arguments.users).into());
        }
    }
    let of_one = |seconds: f64| 1000.0 * seconds / f64::from(arguments.repeats);
    Ok([of_one(begun.elapsed().as_secs_f64()), of_one(server.cpu_seconds()? - cpu)])
}

fn data() -> String {
    format!(r#""{}""#, "x".repeat(MESSAGE_SIZE - 2))
}

fn batches(users: usize) -> Vec<(&'static str, String)> {
    let item = |user| format!(r##"{{"channel":"#user-{user}","data":{}}}"##, data());
    let batch = |first| format!(r#"{{"publications":[{}]}}"#, (first..first + BATCH).map(item).collect::<Vec<_>>().join(","));
    (0..users).step_by(BATCH).map(|first| ("/v1/publications", batch(first))).collect()
}

fn broadcast(users: usize) -> (&'static str, String) {
    let users = (0..users).map(|user| format!(r#""user-{user}""#)).collect::<Vec<_>>().join(",");
    ("/v1/broadcasts", format!(r#"{{"data":{},"users":[{users}]}}"#, data()))
}
