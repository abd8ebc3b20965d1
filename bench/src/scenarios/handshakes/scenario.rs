//! Opens WebSockets and closes them at once: without TLS, with full handshakes, and with resumed ones. The difference to the first is what the
//! handshake costs.

use super::node::Node;
use crate::{
    client::{Client, endpoint::Endpoint, ticket_store::TicketStore},
    result::Result,
    server::{Binaries, Kind, Server, generator_cpu_seconds},
    statistics::median,
    tls::{Identity, Tickets},
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients, each with one connection at a time
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Measurements of everything, interleaved
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure the gateway alone
    #[arg(long)]
    no_node: bool,
}

/// How a WebSocket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Plain,
    Full,
    Resumed,
}

/// Tickets that each client gathers before it resumes. A measurement ends when they are used up.
const TICKETS: usize = 400;
const WAYS: [Way; 3] = [Way::Plain, Way::Full, Way::Resumed];
/// The programs that are compared.
const NAMES: [&str; 2] = ["gateway", "node"];

/// What one measurement found.
struct Figures {
    per_second: f64,
    /// CPU time of the server for one connection, in microseconds.
    cpu: f64,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let node = if arguments.no_node { None } else { Some(Node::install()?) };
    let identity = Identity::new();
    // No connection has the source port of an earlier one.
    let last = Rc::new(Cell::new(0));
    let mut figures: BTreeMap<(usize, Way), Vec<Figures>> = BTreeMap::new();
    println!("server   way      connections/s  us CPU of the server  generator");
    for _ in 0..arguments.rounds {
        for way in WAYS {
            let secure = (way != Way::Plain).then_some(&identity);
            let server = match secure {
                Some(identity) => binaries.start_with_tls(identity, &[("WORKERS", "1")]).await?,
                None => binaries.start(Kind::Gateway, &[("WORKERS", "1")]).await?,
            };
            figures.entry((0, way)).or_default().push(measure(&server, "gateway", way, &identity, arguments, &last).await?);
            drop(server);
            if let Some(node) = &node {
                let server = node.start(binaries, secure).await?;
                figures.entry((1, way)).or_default().push(measure(&server, "node", way, &identity, arguments, &last).await?);
            }
        }
    }
    println!(
        "medians; handshake: CPU of the server beyond that without TLS{}",
        node.map(|node| format!("; {}", node.version)).unwrap_or_default()
    );
    let cpu = |program: usize, way: Way| median(figures.get(&(program, way)).into_iter().flatten().map(|figures| figures.cpu));
    for ((program, way), rounds) in &figures {
        let rate = median(rounds.iter().map(|figures| figures.per_second));
        let handshake = cpu(*program, *way) - cpu(*program, Way::Plain);
        println!(
            "{:<8} {:<8} {rate:>13.0} {:>21.0} {handshake:>10.0} us for the handshake",
            NAMES[*program],
            format!("{way:?}"),
            cpu(*program, *way)
        );
    }
    Ok(())
}

/// Opens connections for some seconds, or until all tickets are used.
async fn measure(
    server: &Server,
    name: &str,
    way: Way,
    identity: &Identity,
    arguments: &Arguments,
    last: &Rc<Cell<usize>>,
) -> Result<Figures> {
    let path = if server.kind == Kind::Bare { "/" } else { "/connection/websocket" };
    let opened = Rc::new(Cell::new(0_usize));
    let mut clients = Vec::new();
    for _ in 0..arguments.clients {
        let (endpoint, tickets) = (Endpoint::from(server.public), Arc::new(TicketStore::default()));
        let endpoint = match way {
            Way::Plain => endpoint,
            Way::Full => endpoint.with_tls(identity.client(Tickets::Ignored)?),
            Way::Resumed => endpoint.with_tls(identity.client_with(tickets.resumption())?),
        };
        open(&endpoint, path, last).await?;
        while way == Way::Resumed && tickets.len() < TICKETS {
            let before = tickets.len();
            open(&endpoint, path, last).await?;
            if tickets.len() == before {
                return Err(format!("{name} sends no tickets").into());
            }
        }
        tickets.use_tickets();
        clients.push((endpoint, tickets));
    }
    let (cpu, generator, begun) = (server.cpu_seconds()?, generator_cpu_seconds()?, Instant::now());
    let until = begun + Duration::from_secs(arguments.seconds);
    let mut tasks = Vec::new();
    for (endpoint, tickets) in clients {
        let (opened, last) = (opened.clone(), last.clone());
        tasks.push(spawn_local(async move {
            while Instant::now() < until && (way != Way::Resumed || tickets.len() > 0) {
                let is_resumed = open(&endpoint, path, &last).await.map_err(|error| error.to_string())?;
                if is_resumed != (way == Way::Resumed) {
                    return Err(format!("{way:?}: a handshake was {}resumed", if is_resumed { "" } else { "not " }));
                }
                opened.set(opened.get() + 1);
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let wall = begun.elapsed().as_secs_f64();
    // The server ends the last connections.
    sleep(Duration::from_millis(200)).await;
    let count = opened.get() as f64;
    let figures = Figures { per_second: count / wall, cpu: (server.cpu_seconds()? - cpu) * 1e6 / count };
    let generator = 100.0 * (generator_cpu_seconds()? - generator) / wall;
    println!("{name:<8} {:<8} {:>13.0} {:>21.0} {generator:>8.0} %", format!("{way:?}"), figures.per_second, figures.cpu);
    Ok(figures)
}

/// Opens a WebSocket and closes it. Returns whether TLS resumed a session.
async fn open(endpoint: &Endpoint, path: &str, last: &Cell<usize>) -> Result<bool> {
    last.set(last.get() + 1);
    Ok(Client::open(endpoint, path, last.get(), None).await?.is_resumed())
}
