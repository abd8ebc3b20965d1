//! The server under load, and its use of CPU and memory according to the kernel.

use crate::{
    callgrind::Callgrind,
    client::{Client, endpoint::Endpoint},
    http::Http,
    result::Result,
    tls::{Identity, Tickets},
};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{sync::Mutex, time::sleep};

/// Clock ticks per second (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Wait between two checks whether a server is ready.
const START_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Checks until the start counts as failed. In callgrind a start takes seconds.
const START_CHECKS: u32 = 300;

/// The gateway counts what clients and services ask for, as always, and refuses nothing: a few clients stand for many.
const LIMITS: &[(&str, &str)] = &[
    ("LIMITS__CONNECTION__COMMANDS_PER_SECOND", "1000000"),
    ("LIMITS__CONNECTION__BYTES_PER_SECOND", "1GiB"),
    ("LIMITS__USER__COMMANDS_PER_SECOND", "1000000"),
    ("LIMITS__USER__BYTES_PER_SECOND", "1GiB"),
    ("LIMITS__ACCEPTS__PER_SECOND", "1000000"),
    ("LIMITS__KEY__REQUESTS_PER_SECOND", "1000000"),
];

/// The programs to start and the core to pin them to.
#[derive(clap::Args)]
pub(crate) struct Binaries {
    /// Gateway executable
    #[arg(long, default_value = "target/release/gateway")]
    gateway: PathBuf,
    /// Settings of the gateway
    #[arg(long, default_value = "gateway/config/dev.toml")]
    config: PathBuf,
    /// Server to compare with, without a protocol: listens on 127.0.0.1:9001, `GET /` subscribes, `POST /pub` sends its body to all
    #[arg(long)]
    bare: Option<PathBuf>,
    /// CPU core of the server; pin the generator to another core with taskset
    #[arg(long)]
    cpu: Option<usize>,
}

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gateway,
    /// A server without a protocol. It sends each posted body to all connections as one frame.
    Bare,
}

/// A running server. Dropping this kills it.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// The address for frontends.
    pub(crate) public: SocketAddr,
    /// How frontends reach it.
    pub(crate) endpoint: Endpoint,
    /// The address for publications.
    pub(crate) internal: SocketAddr,
    child: Child,
    /// Present if instructions are counted.
    callgrind: Option<Callgrind>,
    /// The connection that carries the commands of all streams.
    commands: Box<Mutex<Option<Http>>>,
}

impl Binaries {
    pub(crate) fn has_bare(&self) -> bool {
        self.bare.is_some()
    }

    /// Starts a server and waits until it is ready. `settings` are environment variables without their prefix.
    pub(crate) async fn start(&self, kind: Kind, settings: &[(&str, &str)]) -> Result<Server> {
        let (program, ports) = match kind {
            Kind::Gateway => (&self.gateway, [18_000, 18_001]),
            Kind::Bare => (self.bare.as_ref().ok_or("--bare is missing")?, [9001, 9001]),
        };
        self.launch(kind, command(&launcher(self.cpu), program), ports, &self.config, settings).await
    }

    /// The file with the settings of the gateway.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }

    /// Starts a gateway with the settings of another file, and these variables.
    pub(crate) async fn start_gateway_with(&self, config: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        let command = command(&launcher(self.cpu), &self.gateway);
        self.launch(Kind::Gateway, command, [18_000, 18_001], config, settings).await
    }

    /// Starts a gateway whose listener for frontends has TLS. Clients make full handshakes.
    pub(crate) async fn start_with_tls(&self, identity: &Identity, settings: &[(&str, &str)]) -> Result<Server> {
        let pair = identity.pair();
        let mut server = self.start(Kind::Gateway, &[&[("PUBLIC__TLS__PAIRS", &*pair)], settings].concat()).await?;
        server.endpoint = Endpoint::from(server.public).with_tls(identity.client(Tickets::Ignored)?);
        Ok(server)
    }

    /// Starts another program that listens on this port.
    pub(crate) async fn start_program(&self, words: &[String], port: u16) -> Result<Server> {
        let Some((program, arguments)) = words.split_first() else { return Err("no program".into()) };
        let mut command = command(&launcher(self.cpu), Path::new(program));
        command.args(arguments);
        self.launch(Kind::Bare, command, [port, port], &self.config, &[]).await
    }

    /// Starts a gateway, in callgrind if instructions are to be counted.
    pub(crate) async fn start_counted(&self, settings: &[(&str, &str)], instructions: bool) -> Result<Server> {
        let callgrind = instructions.then(Callgrind::new);
        let mut words = launcher(self.cpu);
        words.extend(callgrind.iter().flat_map(Callgrind::launcher));
        let mut server = self.launch(Kind::Gateway, command(&words, &self.gateway), [18_000, 18_001], &self.config, settings).await?;
        server.callgrind = callgrind;
        Ok(server)
    }

    /// Starts a second gateway on the generator's cores.
    pub(crate) async fn start_second_gateway(&self, settings: &[(&str, &str)]) -> Result<Server> {
        self.launch(Kind::Gateway, command(&launcher(None), &self.gateway), [18_010, 18_011], &self.config, settings).await
    }

    /// Starts a bare server that is built beside this program.
    pub(crate) async fn start_sibling(&self, name: &str) -> Result<Server> {
        self.launch(Kind::Bare, command(&launcher(self.cpu), &sibling(name)?), [9002, 9002], &self.config, &[]).await
    }

    async fn launch(&self, kind: Kind, mut command: Command, ports: [u16; 2], config: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        let [public, internal] = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        if kind == Kind::Gateway {
            command.arg("--config").arg(config);
            command.env("GATEWAY__PUBLIC__ADDRESS", public.to_string()).env("GATEWAY__INTERNAL__ADDRESS", internal.to_string());
            command.env("GATEWAY__TELEMETRY__SAMPLE_RATIO", "0.1");
            for (key, value) in LIMITS.iter().chain(settings) {
                command.env(format!("GATEWAY__{key}"), value);
            }
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { kind, public, endpoint: public.into(), internal, child, callgrind: None, commands: Box::default() };
        server.wait_until_ready().await?;
        Ok(server)
    }
}

/// Runs a program that is built beside this one, on the server's core. Returns what it printed.
pub(crate) async fn run_sibling(binaries: &Binaries, name: &str, arguments: &[&str]) -> Result<String> {
    let mut command = command(&launcher(binaries.cpu), &sibling(name)?);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    // This thread answers the program's requests meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    if !output.status.success() {
        return Err(format!("{name} ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn sibling(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A command that runs `program` with these words in front of it.
fn command(words: &[String], program: &Path) -> Command {
    let Some((first, rest)) = words.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// The words in front of a program that pin it to this core; no words for `None`.
pub(crate) fn launcher(cpu: Option<usize>) -> Vec<String> {
    cpu.map(|cpu| ["taskset".into(), "-c".into(), cpu.to_string()]).into_iter().flatten().collect()
}

impl Server {
    async fn wait_until_ready(&mut self) -> Result {
        for _ in 0..START_CHECKS {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended during its start with {status}; check that its ports are free").into());
            }
            if let Ok(mut http) = Http::open(self.internal).await
                && (self.kind == Kind::Bare || http.get("/readyz").await.is_ok())
            {
                return Ok(());
            }
            sleep(START_CHECK_INTERVAL).await;
        }
        Err(format!("the server was not ready within {:?}", START_CHECK_INTERVAL * START_CHECKS).into())
    }

    /// Opens a connection and subscribes it. A bare server has no channels: there the connection is a subscription.
    pub(crate) async fn subscriber(&self, number: usize, channel: &str) -> Result<Client> {
        match self.kind {
            Kind::Bare => Client::open(&self.endpoint, "/", number, None).await,
            Kind::Gateway => {
                let mut client = self.open_connection(number, None).await?;
                client.connect("").await?;
                client.subscribe(channel).await?;
                Ok(client)
            }
        }
    }

    /// Opens a connection to the gateway. The caller sends the connect command.
    pub(crate) async fn open_connection(&self, number: usize, receive_buffer: Option<u32>) -> Result<Client> {
        Client::open(&self.endpoint, "/connection/websocket", number, receive_buffer).await
    }

    /// Posts commands for the session of a stream.
    pub(crate) async fn post_commands(&self, content_type: &str, body: &[u8]) -> Result {
        let mut connection = self.commands.lock().await;
        if let Some(http) = &mut *connection
            && http.post_as("/emulation", content_type, body).await.is_ok()
        {
            return Ok(());
        }
        // The gateway closes connections that were idle.
        connection.insert(Http::open_at(&self.endpoint).await?).post_as("/emulation", content_type, body).await
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The highest resident memory since the start, in KiB.
    pub(crate) fn peak_resident_kib(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// A number of /proc/PID/status.
    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name} in /proc/PID/status"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Threads of the process.
    pub(crate) fn threads(&self) -> Result<u64> {
        self.status("Threads:")
    }

    /// Open files of the process.
    pub(crate) fn descriptors(&self) -> Result<u64> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count() as u64)
    }

    /// CPU time that the server has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(&self.child.id().to_string())
    }

    /// Instructions in user space since the last call; `None` if they are not counted.
    pub(crate) fn instructions(&self) -> Result<Option<u64>> {
        self.callgrind.as_ref().map(|callgrind| callgrind.instructions(self.child.id())).transpose()
    }

    /// The value of a metric from `/metrics`, summed over all labels.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        Ok(rows(&self.metrics().await?, name).filter_map(|value| value.parse::<f64>().ok()).sum())
    }

    /// The same of a metric that is a whole number.
    pub(crate) async fn count(&self, name: &str) -> Result<u64> {
        Ok(rows(&self.metrics().await?, name).filter_map(|value| value.parse::<u64>().ok()).sum())
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> Result<String> {
        Http::open(self.internal).await?.get("/metrics").await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The values of a metric in the text of `/metrics`.
fn rows<'a>(metrics: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let rows = metrics.lines().filter(move |line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
    rows.filter_map(|line| line.rsplit(' ').next())
}

/// CPU time that the generator has used, in seconds.
pub(crate) fn generator_cpu_seconds() -> Result<f64> {
    cpu_seconds("self")
}

/// CPU time that a process has used, in seconds, by its id.
pub(crate) fn cpu_seconds(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(')').ok_or("/proc/PID/stat has an unknown format")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// Kernel memory of the whole machine in KiB: TCP socket buffers, and slab (the kernel's small objects).
pub(crate) fn kernel_memory_kib() -> Result<(u64, u64)> {
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockets
        .lines()
        .find(|line| line.starts_with("TCP:"))
        .and_then(|line| line.split_whitespace().last())
        .ok_or("no TCP line in /proc/net/sockstat")?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let slab = memory.lines().find_map(|line| line.strip_prefix("Slab:")).ok_or("no Slab line in /proc/meminfo")?;
    Ok((tcp.parse::<u64>()? * 4, slab.trim().trim_end_matches(" kB").parse()?))
}
