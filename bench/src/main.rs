//! Starts a server, loads it from one thread, and prints what it cost. See `bench/README.md`.

mod client;
mod fanout;
mod flood;
mod http;
mod latency;
mod memory;
mod probe;
mod publish;
mod redis;
mod resubscribe;
mod server;
mod sockets;
mod stuck;

use clap::{Parser, Subcommand};
use server::Binaries;
use std::error::Error;

/// What every scenario ends with; a failure is printed and is for people to read.
pub(crate) type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Measures a gateway that it starts itself, on ports of its own.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    binaries: Binaries,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Resident memory of one more idle connection
    Memory(memory::Arguments),
    /// CPU, writes, latency and highest rate of one channel with many subscribers
    Fanout(fanout::Arguments),
    /// What peers cost that read nothing, or too slowly
    Stuck(stuck::Arguments),
    /// How far a flood, or a large fan-out, delays the others
    Flood(flood::Arguments),
    /// Publications with a history through one gateway into Redis, against Redis's own load generator
    Publish(publish::Arguments),
    /// How long a node with very many channels takes to subscribe to them again
    Resubscribe(resubscribe::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let Arguments { binaries, scenario } = Arguments::parse();
    let load = async {
        match scenario {
            Scenario::Memory(arguments) => memory::run(&binaries, arguments).await,
            Scenario::Fanout(arguments) => fanout::run(&binaries, &arguments).await,
            Scenario::Stuck(arguments) => stuck::run(&binaries, &arguments).await,
            Scenario::Flood(arguments) => flood::run(&binaries, &arguments).await,
            Scenario::Publish(arguments) => publish::run(&binaries, &arguments).await,
            Scenario::Resubscribe(arguments) => resubscribe::run(&binaries, &arguments).await,
        }
    };
    tokio::task::LocalSet::new().run_until(load).await
}
