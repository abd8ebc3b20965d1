//! The server under load, and what the kernel says about it.

use crate::{Result, client::Client, http::Http};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::sleep;

/// Of this many clock ticks is a second (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// What is started, and where.
#[derive(clap::Args)]
pub(crate) struct Binaries {
    /// The gateway
    #[arg(long, default_value = "target/release/gateway")]
    gateway: PathBuf,
    /// Its settings
    #[arg(long, default_value = "gateway/config/dev.toml")]
    config: PathBuf,
    /// A server without a protocol to compare with: 127.0.0.1:9001, `GET /` subscribes, `POST /pub` sends its body to all
    #[arg(long)]
    bare: Option<PathBuf>,
    /// The core that the server is bound to; put the generator on another with taskset
    #[arg(long)]
    cpu: Option<usize>,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The gateway.
    Gateway,
    /// A broadcast of what is posted, one frame each.
    Bare,
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// Where frontends connect.
    pub(crate) public: SocketAddr,
    /// Where publications are posted.
    pub(crate) internal: SocketAddr,
    child: Child,
}

impl Binaries {
    pub(crate) fn has_bare(&self) -> bool {
        self.bare.is_some()
    }

    /// Starts a server and waits until it answers. `settings` are variables without their prefix.
    pub(crate) async fn start(&self, kind: Kind, settings: &[(&str, &str)]) -> Result<Server> {
        let (program, ports) = match kind {
            Kind::Gateway => (&self.gateway, [18_000, 18_001]),
            Kind::Bare => (self.bare.as_ref().ok_or("--bare is missing")?, [9001, 9001]),
        };
        self.launch(kind, bound(self.cpu, program), ports, settings).await
    }

    /// Starts a second gateway, on the generator's cores.
    pub(crate) async fn start_beside(&self, settings: &[(&str, &str)]) -> Result<Server> {
        self.launch(Kind::Gateway, bound(None, &self.gateway), [18_010, 18_011], settings).await
    }

    async fn launch(&self, kind: Kind, mut command: Command, ports: [u16; 2], settings: &[(&str, &str)]) -> Result<Server> {
        let [public, internal] = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        if kind == Kind::Gateway {
            command.arg("--config").arg(&self.config);
            command.env("GATEWAY__PUBLIC__ADDRESS", public.to_string()).env("GATEWAY__INTERNAL__ADDRESS", internal.to_string());
            command.env("GATEWAY__TELEMETRY__SAMPLE_RATIO", "0.1");
            for (key, value) in settings {
                command.env(format!("GATEWAY__{key}"), value);
            }
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { kind, public, internal, child };
        server.wait().await?;
        Ok(server)
    }
}

/// A command that runs on that core; none: where the generator does.
fn bound(cpu: Option<usize>, program: &Path) -> Command {
    let words = launcher(cpu);
    let Some((first, rest)) = words.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// The words ahead of a program that is to run on that core; none: it runs where the generator does.
pub(crate) fn launcher(cpu: Option<usize>) -> Vec<String> {
    cpu.map(|cpu| ["taskset".into(), "-c".into(), cpu.to_string()]).into_iter().flatten().collect()
}

impl Server {
    async fn wait(&mut self) -> Result {
        for _ in 0..100 {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once: {status}; are its ports taken?").into());
            }
            if let Ok(mut http) = Http::open(self.internal).await
                && (self.kind == Kind::Bare || http.get("/readyz").await.is_ok())
            {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err("the server was not ready in time".into())
    }

    /// A connection that is subscribed, as far as the server knows channels.
    pub(crate) async fn subscriber(&self, number: usize, channel: &str) -> Result<Client> {
        match self.kind {
            Kind::Bare => Client::open(self.public, "/", number, None).await,
            Kind::Gateway => {
                let mut client = self.frontend(number, None).await?;
                client.connect("").await?;
                client.subscribe(channel).await?;
                Ok(client)
            }
        }
    }

    /// A connection to the gateway that has said nothing yet.
    pub(crate) async fn frontend(&self, number: usize, receive_buffer: Option<u32>) -> Result<Client> {
        Client::open(self.public, "/connection/websocket", number, receive_buffer).await
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Seconds of CPU that it has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        cpu_of(&self.child.id().to_string())
    }

    /// What `/metrics` says of a series, all of its labels together.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let text = Http::open(self.internal).await?.get("/metrics").await?;
        let rows = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        Ok(rows.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of CPU that the generator itself has used.
pub(crate) fn own_cpu() -> Result<f64> {
    cpu_of("self")
}

/// Seconds of CPU that a process has used, by its id.
pub(crate) fn cpu_of(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(')').ok_or("unknown form of /proc/.../stat")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}

/// Kernel memory in KiB: sockets' buffers, and all of the kernel's small objects.
pub(crate) fn kernel() -> Result<(u64, u64)> {
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).and_then(|line| line.split_whitespace().last()).ok_or("no TCP")?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let slab = memory.lines().find_map(|line| line.strip_prefix("Slab:")).ok_or("no Slab")?;
    Ok((tcp.parse::<u64>()? * 4, slab.trim().trim_end_matches(" kB").parse()?))
}
