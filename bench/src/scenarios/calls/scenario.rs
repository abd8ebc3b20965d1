//! Calls of frontends to a service: over a link and as a webhook, interleaved with bare frames over the same connections and with a plain HTTP client.

use super::service;
use crate::{
    client::Client,
    latency,
    result::Result,
    server::{Binaries, Kind, Server, generator_cpu_seconds, run_sibling},
    statistics::median,
};
use hdrhistogram::Histogram;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep_until},
};

/// Bytes of a call's data and of its reply.
const DATA_SIZE: usize = 128;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Frontends, each with one call in flight
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measurements of each kind, interleaved
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// What carries the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Frames without a protocol through a server with the gateway's transport.
    Bare,
    Link,
    Webhook,
}

const WAYS: [Way; 3] = [Way::Bare, Way::Link, Way::Webhook];

/// The figures of one measurement.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    rate: f64,
    p99_ms: f64,
    /// CPU time of the server for one call, in microseconds.
    cpu_us: f64,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    println!("               calls/s  p50 ms  p99 ms  us CPU of server, generator");
    let mut full = [const { Vec::new() }; 3];
    let mut paced = [const { Vec::new() }; 3];
    let mut loops = Vec::new();
    for _ in 0..arguments.rounds {
        let mut quarter = None;
        for way in WAYS {
            let bench = Bench::start(binaries, way, arguments).await?;
            let at_full_speed = bench.measure(None).await?;
            // All are paced at a quarter of what bare frames reach.
            let rate = *quarter.get_or_insert(at_full_speed.rate / 4.0);
            full[way as usize].push(at_full_speed);
            if way != Way::Webhook {
                paced[way as usize].push(bench.measure(Some(rate)).await?);
            }
        }
        loops.push(plain_loop(binaries, arguments).await?);
    }
    let rate = |way: Way| median(full[way as usize].iter().map(|figures| figures.rate));
    let cpu = |way: Way| median(full[way as usize].iter().map(|figures| figures.cpu_us));
    let p99 = |way: Way| median(paced[way as usize].iter().map(|figures| figures.p99_ms));
    let plain = median(loops);
    println!("medians of {} rounds", arguments.rounds);
    println!("rate of calls over a link, as a part of bare frames: {:.2}", rate(Way::Link) / rate(Way::Bare));
    println!("p99 of calls over a link at a quarter of that rate, as a multiple of bare frames: {:.2}", p99(Way::Link) / p99(Way::Bare));
    println!(
        "CPU of the gateway for a call: link {:.1} us, webhook {:.1} us; a plain HTTP client {plain:.1} us",
        cpu(Way::Link),
        cpu(Way::Webhook)
    );
    println!("link / webhook {:.2}, webhook / plain client {:.2}", cpu(Way::Link) / cpu(Way::Webhook), cpu(Way::Webhook) / plain);
    Ok(())
}

/// A running server, its service, and its clients.
struct Bench<'a> {
    way: Way,
    server: Server,
    _service: service::Running,
    arguments: &'a Arguments,
}

impl<'a> Bench<'a> {
    async fn start(binaries: &Binaries, way: Way, arguments: &'a Arguments) -> Result<Self> {
        let webhook = service::Running::webhook(DATA_SIZE).await?;
        let url = webhook.url();
        let mut settings = vec![("WORKERS", "1"), ("SERVICES__CHATBOT__ORDER", "none")];
        settings.extend([("CONNECTION__PING_INTERVAL", "1h"), ("CONNECTION__PONG_TIMEOUT", "10m")]);
        if way == Way::Webhook {
            settings.extend([("SERVICES__CHATBOT__REACH", "webhook"), ("SERVICES__CHATBOT__URLS", &url)]);
            settings.push(("SERVICES__CHATBOT__SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        }
        let server = match way {
            Way::Bare => binaries.start_sibling("relay").await?,
            Way::Link | Way::Webhook => binaries.start(Kind::Gateway, &settings).await?,
        };
        let service = match way {
            Way::Bare => service::Running::bare(&server).await?,
            Way::Link => service::Running::link(&server, "chatbot", service::echo(DATA_SIZE)).await?,
            Way::Webhook => webhook,
        };
        Ok(Self { way, server, _service: service, arguments })
    }

    async fn clients(&self) -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for number in 0..self.arguments.connections {
            clients.push(match self.way {
                Way::Bare => Client::open(&self.server.endpoint, "/", number, None).await?,
                Way::Link | Way::Webhook => {
                    let mut client = self.server.open_connection(number, None).await?;
                    client.connect("").await?;
                    client
                }
            });
        }
        Ok(clients)
    }

    /// Measures the highest rate, or the latency at a rate.
    async fn measure(&self, rate: Option<f64>) -> Result<Figures> {
        let clients = self.clients().await?;
        let latency = Rc::new(RefCell::new(latency::histogram()?));
        let data = "x".repeat(DATA_SIZE - 2);
        let message = match self.way {
            Way::Bare => format!(r#""{data}""#),
            Way::Link | Way::Webhook => format!(r#"{{"id":7,"rpc":{{"method":"chatbot.echo","data":"{data}"}}}}"#),
        };
        let (server_before, generator_before, begun) = (self.server.cpu_seconds()?, generator_cpu_seconds()?, Instant::now());
        let schedule = Schedule { begun, until: begun + Duration::from_secs(self.arguments.seconds), rate, clients: clients.len() };
        let tasks: Vec<_> =
            (0..).zip(clients).map(|(turn, client)| spawn_local(schedule.run(turn, client, message.clone(), latency.clone()))).collect();
        let mut calls = 0;
        for task in tasks {
            calls += task.await??;
        }
        let wall = begun.elapsed().as_secs_f64();
        let us_each = |seconds: f64| seconds * 1e6 / calls as f64;
        let ms = |quantile| latency.borrow().value_at_quantile(quantile) as f64 / 1000.0;
        let figures = Figures { rate: calls as f64 / wall, p99_ms: ms(0.99), cpu_us: us_each(self.server.cpu_seconds()? - server_before) };
        println!(
            "{:<14} {:>7.0} {:>7.2} {:>7.2} {:>15.1} {:>10.1}",
            format!("{:?}{}", self.way, if rate.is_some() { ", paced" } else { "" }).to_lowercase(),
            figures.rate,
            ms(0.5),
            figures.p99_ms,
            figures.cpu_us,
            us_each(generator_cpu_seconds()? - generator_before),
        );
        Ok(figures)
    }
}

/// When the clients send their calls.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) begun: Instant,
    pub(crate) until: Instant,
    /// Calls per second of all clients. `None`: each client calls again as soon as it has the answer.
    pub(crate) rate: Option<f64>,
    pub(crate) clients: usize,
}

impl Schedule {
    /// Sends the calls of one client. Returns their number. Latency counts from the time at which a call was due.
    pub(crate) async fn run(
        self,
        turn: u32,
        mut client: Client,
        message: String,
        latency: Rc<RefCell<Histogram<u64>>>,
    ) -> Result<usize, String> {
        let gap = self.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut count = 0;
        for number in 0.. {
            let due = gap.map_or_else(Instant::now, |gap| self.begun + gap * (turn + number * self.clients as u32));
            if due >= self.until {
                break;
            }
            sleep_until(due).await;
            client.send(&message).await.map_err(|error| error.to_string())?;
            let mut error = None;
            let read = client.read(16 * 1024, |_, payload| {
                if memchr::memmem::find(payload, b"\"error\"").is_some() {
                    error = Some(String::from_utf8_lossy(payload).into_owned());
                }
            });
            read.await.map_err(|_| "the server closed the connection")?;
            if let Some(error) = error {
                return Err(format!("a call was answered with an error: {error}"));
            }
            count += 1;
            latency.borrow_mut().saturating_record(due.elapsed().as_micros() as u64);
        }
        Ok(count)
    }
}

/// CPU time of a plain HTTP client for one request, in microseconds.
async fn plain_loop(binaries: &Binaries, arguments: &Arguments) -> Result<f64> {
    let webhook = service::Running::webhook(DATA_SIZE).await?;
    let (url, data) = (webhook.url(), "x".repeat(DATA_SIZE - 2));
    let body = format!(
        r#"{{"call":{{"id":"msg_0123456789abcdef0123456789abcdef","method":"echo","data":"{data}","user":"","connection":"0123456789abcdef0123456789abcdef"}}}}"#
    );
    let (connections, seconds) = (arguments.connections.to_string(), arguments.seconds.to_string());
    let output = run_sibling(binaries, "http_loop", &[&url, &connections, &seconds, &body]).await?;
    let (count, cpu) = output.trim().split_once(' ').ok_or_else(|| format!("http_loop printed {output:?}"))?;
    let us = cpu.parse::<f64>()? * 1e6 / count.parse::<f64>()?;
    println!("{:<14} {:>7.0} {:>31.1}", "plain client", count.parse::<f64>()? / arguments.seconds as f64, us);
    Ok(us)
}
