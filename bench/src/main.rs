//! Starts a server, loads it from one thread, and prints what it cost. See `bench/README.md`.

mod callgrind;
mod client;
mod http;
mod issuer;
mod latency;
mod probe;
mod redis;
mod result;
mod scenarios;
mod server;
mod sockets;
mod statistics;
mod tls;

use clap::{Parser, Subcommand};
use result::Result;
use scenarios::{
    broadcast, calls,
    connects::{issuers, reconnect},
    encodings, fanout, flood,
    handshakes::scenario as handshakes,
    hostile::{attacker, scenario as hostile},
    limits, memory, publish, queues, resubscribe, slow_service,
    soak::scenario as soak,
    streams, stuck,
};
use server::Binaries;

/// Measures a gateway that it starts itself, on its own ports
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    binaries: Binaries,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Resident memory of an additional idle connection
    Memory(memory::Arguments),
    /// CPU, writes, latency and highest rate of one channel with many subscribers
    Fanout(fanout::Arguments),
    /// CPU, instructions and bytes of a delivery, for each encoding and for what clients negotiate
    Encodings(encodings::Arguments),
    /// Requests for probes, REST and the page beside very many streams
    Streams(streams::Arguments),
    /// Cost of clients that never read or read too slowly
    Stuck(stuck::Arguments),
    /// How much a flooding client and a large fan-out delay other clients
    Flood(flood::Arguments),
    /// WebSockets that are opened and closed, with full and resumed TLS handshakes, beside Node's ws
    Handshakes(handshakes::Arguments),
    /// How much floods of attackers delay honest clients, and how much memory they take
    Hostile(hostile::Arguments),
    /// The process that attacks in `hostile`
    #[command(hide = true)]
    Attack(attacker::Arguments),
    /// Instructions of a delivery and of a command, with the limits of connections and users and without them; needs valgrind
    Limits(limits::Arguments),
    /// Publications with a history through one gateway into Redis, compared with redis-benchmark
    Publish(publish::Arguments),
    /// A broadcast to 10,000 personal channels, compared with ten batches of 1,000
    Broadcast(broadcast::Arguments),
    /// Calls over a link and as a webhook, compared with bare frames and with a plain HTTP client
    Calls(calls::Arguments),
    /// Calls to a fast service while another service does not answer, for the same connections
    SlowService(slow_service::Arguments),
    /// Many clients connect at once, and a guard decides about each of them
    Reconnect(reconnect::Arguments),
    /// Many clients connect at once with tokens of an issuer whose keys have a URL
    Issuers(issuers::Arguments),
    /// Queues of events, and ingest: how fast they store and deliver, and what a failing entry and a million waiting entries cost
    Queues(queues::Arguments),
    /// A mixed load that comes and goes for half an hour: memory, descriptors, threads and tasks return
    Soak(soak::Arguments),
    /// How long a node with very many channels needs to resubscribe all of them
    Resubscribe(resubscribe::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let Arguments { binaries, scenario } = Arguments::parse();
    let run = async {
        match scenario {
            Scenario::Memory(arguments) => memory::run(&binaries, arguments).await,
            Scenario::Fanout(arguments) => fanout::run(&binaries, &arguments).await,
            Scenario::Encodings(arguments) => encodings::run(&binaries, &arguments).await,
            Scenario::Streams(arguments) => streams::run(&binaries, &arguments).await,
            Scenario::Stuck(arguments) => stuck::run(&binaries, &arguments).await,
            Scenario::Flood(arguments) => flood::run(&binaries, &arguments).await,
            Scenario::Handshakes(arguments) => handshakes::run(&binaries, &arguments).await,
            Scenario::Hostile(arguments) => hostile::run(&binaries, &arguments).await,
            Scenario::Attack(arguments) => attacker::run(&arguments).await,
            Scenario::Limits(arguments) => limits::run(&binaries, &arguments).await,
            Scenario::Publish(arguments) => publish::run(&binaries, &arguments).await,
            Scenario::Broadcast(arguments) => broadcast::run(&binaries, &arguments).await,
            Scenario::Calls(arguments) => calls::run(&binaries, &arguments).await,
            Scenario::SlowService(arguments) => slow_service::run(&binaries, &arguments).await,
            Scenario::Reconnect(arguments) => reconnect::run(&binaries, &arguments).await,
            Scenario::Issuers(arguments) => issuers::run(&binaries, &arguments).await,
            Scenario::Queues(arguments) => queues::run(&binaries, &arguments).await,
            Scenario::Soak(arguments) => soak::run(&binaries, &arguments).await,
            Scenario::Resubscribe(arguments) => resubscribe::run(&binaries, &arguments).await,
        }
    };
    tokio::task::LocalSet::new().run_until(Box::pin(run)).await
}
