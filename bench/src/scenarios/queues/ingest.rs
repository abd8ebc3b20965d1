//! Publications by ingest, interleaved with REST requests of many publications.

use super::{
    costs::{Begin, COLUMNS, Costs},
    store::{self, Pipeline},
};
use crate::{
    http::Http,
    redis::{HZ, Redis},
    result::Result,
    server::{Binaries, Server},
    statistics::median,
};
use redis_testing::Reply;
use std::time::Duration;
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Bytes of the data of a publication.
const DATA_SIZE: usize = 128;
/// Pause of the producer while enough entries wait.
const PAUSE: Duration = Duration::from_millis(1);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Channels
    #[arg(long, default_value_t = 250)]
    channels: usize,
    /// HTTP connections, each with one request in flight
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Publications in one request, and entries that the producer writes at once
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Entries that wait at most: the producer writes no more meanwhile
    #[arg(long, default_value_t = 4096)]
    waiting: usize,
    /// Partitions of ingest
    #[arg(long, default_value_t = 1)]
    partitions: u16,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Measurements of each kind, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Count the gateway's instructions in user space; then rates say nothing
    #[arg(long)]
    instructions: bool,
}

pub(crate) async fn run(binaries: &Binaries, redis_cpu: Option<usize>, arguments: &Arguments) -> Result {
    let redis = Redis::start(redis_cpu, HZ).await;
    let (url, partitions) = (redis.url(), arguments.partitions.to_string());
    let settings = [
        ("WORKERS", "1"),
        ("BROKER__KIND", "redis"),
        ("REDIS__URL", &url),
        ("INGEST__CHANNELS", "news:*"),
        ("INGEST__PARTITIONS", &partitions),
    ];
    let server = binaries.start_counted(&settings, arguments.instructions).await?;
    let pipeline = Pipeline::open(&redis).await;
    let mut bench = Bench { server, redis, pipeline, arguments, published: 0 };
    println!("          rate/s  {COLUMNS}");
    let (mut rest, mut ingest) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        rest.push(bench.rest().await?);
        ingest.push(bench.ingest().await?);
    }
    let ratio = |figure: fn(&Costs) -> f64| median(ingest.iter().zip(&rest).map(|(ingest, rest)| figure(ingest) / figure(rest)));
    println!(
        "ingest as a part of REST, median of {} rounds: rate {:.2}, CPU of the gateway {:.2}, of Redis {:.2}, instructions {:.2}",
        arguments.rounds,
        ratio(Costs::rate),
        ratio(|costs| costs.cpu_us[0]),
        ratio(|costs| costs.cpu_us[2]),
        ratio(|costs| costs.instructions.unwrap_or(f64::NAN)),
    );
    Ok(())
}

struct Bench<'a> {
    server: Server,
    redis: Redis,
    pipeline: Pipeline,
    arguments: &'a Arguments,
    /// Publications so far.
    published: usize,
}

impl Bench<'_> {
    fn until(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.arguments.seconds)
    }

    async fn rest(&mut self) -> Result<Costs> {
        let Arguments { channels, connections, batch, .. } = *self.arguments;
        let mut clients = Vec::new();
        for connection in 0..connections {
            let item = |number| format!(r#"{{"channel":"{}","data":{}}}"#, channel((connection * batch + number) % channels), data());
            let body = format!(r#"{{"publications":[{}]}}"#, (0..batch).map(item).collect::<Vec<_>>().join(","));
            clients.push((Http::open(self.server.internal).await?, body));
        }
        let (begin, until) = (Begin::now(&self.server, &self.redis)?, self.until());
        let tasks: Vec<_> = clients.into_iter().map(|(http, body)| spawn_local(post_until(http, body, batch, until))).collect();
        let mut count = 0;
        for task in tasks {
            count += task.await??;
        }
        self.end("rest", begin.end(count)?, count).await
    }

    /// Writes entries as fast as they are published, and waits for the end of the last one.
    async fn ingest(&mut self) -> Result<Costs> {
        let Arguments { channels, batch, waiting, partitions, .. } = *self.arguments;
        let streams: Vec<_> = (0..partitions).map(store::ingest).collect();
        let data = data();
        let (begin, until) = (Begin::now(&self.server, &self.redis)?, self.until());
        let (mut count, mut length) = (0, 0);
        while length > 0 || Instant::now() < until {
            if length + batch > waiting || Instant::now() >= until {
                sleep(PAUSE).await;
            } else {
                for _ in 0..batch {
                    let channel = count % channels;
                    let stream = &streams[channel % streams.len()];
                    self.pipeline.add(&["XADD", stream, "*", "channel", &self::channel(channel), "data", &data]);
                    count += 1;
                }
                self.pipeline.run().await?;
            }
            length = self.pipeline.length(&streams).await?;
        }
        let costs = begin.end(count)?;
        let dead: Vec<_> = (0..partitions).map(store::ingest_dead).collect();
        match self.pipeline.length(&dead).await? {
            0 => self.end("ingest", costs, count).await,
            dead => Err(format!("{dead} entries are dead letters").into()),
        }
    }

    /// Checks that the channels have all publications, and prints a line.
    async fn end(&mut self, name: &str, costs: Costs, count: usize) -> Result<Costs> {
        self.published += count;
        for number in 0..self.arguments.channels {
            self.pipeline.add(&["HGET", &store::meta(&channel(number)), "top"]);
        }
        let tops = self.pipeline.run().await?.into_iter().map(|top| if top == Reply::Nil { Ok(0) } else { top.text().parse() });
        let stored: usize = tops.sum::<std::result::Result<_, _>>()?;
        if stored != self.published {
            return Err(format!("{} publications were accepted, but the channels have {stored}", self.published).into());
        }
        println!("{name:<8} {:>7.0}  {}", costs.rate(), costs.columns());
        sleep(Duration::from_millis(500)).await;
        Ok(costs)
    }
}

/// Posts the body again and again until then. Returns the number of publications.
async fn post_until(mut http: Http, body: String, batch: usize, until: Instant) -> Result<usize, String> {
    let mut count = 0;
    while Instant::now() < until {
        let answer = http.post("/v1/publications", &body).await.map_err(|error| error.to_string())?;
        if answer.matches(r#""offset":"#).count() != batch {
            return Err(format!("the gateway refused a publication: {answer}"));
        }
        count += batch;
    }
    Ok(count)
}

/// A channel in a namespace with a short history, so that each publication removes an older one.
fn channel(number: usize) -> String {
    format!("news:bench-{number}")
}

/// The data of a publication: [`DATA_SIZE`] bytes of JSON.
fn data() -> String {
    format!(r#""{}""#, "x".repeat(DATA_SIZE - 2))
}
