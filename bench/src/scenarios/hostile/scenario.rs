//! Measures honest clients without and with a flood, in turns, and the memory that the flood costs the gateway.

use super::{
    attacker::READY,
    bound::{self, Bound},
    counted::Counted,
    flood::Flood,
    forged,
};
use crate::{
    http::Http,
    probe::{Probes, RoundTrips},
    result::Result,
    server::{Binaries, Server},
    statistics::median,
};
use clap::ValueEnum as _;
use std::{
    cell::Cell,
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
    rc::Rc,
    time::Duration,
};
use tokio::{
    task::{JoinHandle, spawn_blocking, spawn_local},
    time::{Instant, sleep},
};

/// Time between two commands of an honest client.
const HONEST_INTERVAL: Duration = Duration::from_millis(50);
/// Time between two publications into the busy channel.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
/// Time between two looks at the gateway's memory.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);
/// Longest wait until the gateway has no connection of the attacker left.
const END_TIMEOUT: Duration = Duration::from_secs(60);
/// The p99 of honest clients may be so many times what it is without the flood.
const MOST_RATIO: f64 = 2.0;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Floods to measure
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Flood::value_variants().to_vec())]
    floods: Vec<Flood>,
    /// Connections of a flood that holds them
    #[arg(long, default_value_t = 9000)]
    holding: usize,
    /// Connections of other floods, at a time
    #[arg(long, default_value_t = 100)]
    storming: usize,
    /// Honest clients
    #[arg(long, default_value_t = 100)]
    honest: usize,
    /// Seconds of one measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Pairs of measurements without and with the flood, interleaved
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let mut missed = Vec::new();
    for flood in &arguments.floods {
        missed.extend(measure(binaries, arguments, *flood).await?);
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

/// Measures one flood with a new gateway. Returns the goals that were missed.
async fn measure(binaries: &Binaries, arguments: &Arguments, flood: Flood) -> Result<Vec<String>> {
    let connections = if flood.holds() { arguments.holding } else { arguments.storming };
    let server = Rc::new(start(binaries).await?);
    let _busy = Background(spawn_local(publish(Http::open(server.internal).await?)));
    let probes = Probes::open_every(&server, arguments.honest, HONEST_INTERVAL)?;
    let (mut without, mut with, mut growth, mut most_open) = (Vec::new(), Vec::new(), 0, 0);
    let begun = Counted::of(&server.metrics().await?);
    let mut report = String::new();
    probes.measure(1).await?;
    for _ in 0..arguments.rounds {
        without.push(probes.measure(arguments.seconds).await?);
        let before = server.resident_kib()?;
        let memory = Memory::watch(server.clone());
        let mut attacker = Attacker::start(&server, flood, connections)?;
        attacker.wait_until_ready().await?;
        with.push(probes.measure(arguments.seconds).await?);
        most_open = most_open.max(server.count("switchboard_connections_open").await?);
        report = attacker.stop().await?;
        growth = growth.max(memory.most().saturating_sub(before));
        wait_for_end(&server, arguments.honest).await?;
    }
    let counted = Counted::of(&server.metrics().await?).since(&begun);
    let p99 = |all: &[RoundTrips]| median(all.iter().map(|round_trips| round_trips.p99));
    let each = |all: &[RoundTrips]| all.iter().map(|round_trips| format!("{:.2}", round_trips.p99)).collect::<Vec<_>>().join(", ");
    let (ratio, Bound { kib, formula }) = (p99(&with) / p99(&without), bound::of(flood, connections as u64));
    let name = flood.name();
    println!(
        "{name}: p99 of {} honest clients {} ms without, {} ms with it; ratio of the medians {ratio:.2}",
        arguments.honest,
        each(&without),
        each(&with)
    );
    println!("    included delay of the generator: {:.2} ms", median(with.iter().map(|round_trips| round_trips.send_delay)));
    println!(
        "    memory of the gateway: {growth} KiB more, bound {kib} KiB: {formula}; open WebSockets and streams at the end: {most_open}"
    );
    println!("    attacker: {report}");
    println!("    the gateway counted in all rounds: {counted}");
    let slow = (ratio > MOST_RATIO).then(|| format!("{name}: p99 is {ratio:.2} times as high"));
    let large = (growth > kib).then(|| format!("{name}: {growth} KiB are more than {kib} KiB"));
    Ok(slow.into_iter().chain(large).collect())
}

/// A gateway with the default limits, and an issuer whose tokens the attacker forges.
async fn start(binaries: &Binaries) -> Result<Server> {
    let file = env::temp_dir().join(format!("bench-hostile-{}.toml", std::process::id()));
    fs::write(&file, fs::read_to_string(binaries.config())? + &forged::issuer()?)?;
    let server = binaries.start_gateway_with(&file, bound::SETTINGS).await;
    fs::remove_file(&file)?;
    server
}

/// Publishes 1 KiB into the busy channel in each interval.
async fn publish(mut http: Http) {
    let body = format!(r#"{{"data":"{}"}}"#, "x".repeat(1022));
    while http.post("/v1/channels/open:busy/publications", &body).await.is_ok() {
        sleep(BUSY_INTERVAL).await;
    }
}

/// Waits until only the honest clients are left.
async fn wait_for_end(server: &Server, honest: usize) -> Result {
    let begun = Instant::now();
    while server.count("switchboard_connections_open").await? != honest as u64 {
        if begun.elapsed() > END_TIMEOUT {
            return Err(format!("connections are left after the flood; only {honest} are honest").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// A task that ends with this value.
struct Background(JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The most memory of the gateway since the beginning.
struct Memory {
    most: Rc<Cell<u64>>,
    _watch: Background,
}

impl Memory {
    fn watch(server: Rc<Server>) -> Self {
        let most = Rc::new(Cell::new(0));
        let seen = most.clone();
        let watch = async move {
            while let Ok(kib) = server.resident_kib() {
                seen.set(kib.max(seen.get()));
                sleep(MEMORY_INTERVAL).await;
            }
        };
        Self { most, _watch: Background(spawn_local(watch)) }
    }

    fn most(&self) -> u64 {
        self.most.get()
    }
}

/// The process that attacks. Dropping this kills it.
struct Attacker {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Attacker {
    fn start(server: &Server, flood: Flood, connections: usize) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([
            "attack",
            "--flood",
            &flood.name(),
            "--server",
            &server.public.to_string(),
            "--connections",
            &connections.to_string(),
        ]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self { child, output })
    }

    async fn wait_until_ready(&mut self) -> Result {
        let mut output = self.output.take().ok_or("the attacker has no output")?;
        let (output, line) = spawn_blocking(move || {
            let mut line = String::new();
            output.read_line(&mut line).map(|_| (output, line))
        })
        .await??;
        self.output = Some(output);
        if line.trim() == READY { Ok(()) } else { Err("the attacker ended before its flood was there".into()) }
    }

    /// Ends the flood. Returns what the attacker says about it.
    async fn stop(mut self) -> Result<String> {
        drop(self.child.stdin.take());
        let mut output = self.output.take().ok_or("the attacker has no output")?;
        let mut text = String::new();
        let text = spawn_blocking(move || output.read_to_string(&mut text).map(|_| text)).await??;
        Ok(text.trim().to_owned())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
