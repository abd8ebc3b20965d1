//! The measurements by name.

use super::{backlog, enqueue, ingest, poisoned};
use crate::{result::Result, server::Binaries};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// CPU core of Redis
    #[arg(long)]
    redis_cpu: Option<usize>,
    #[command(subcommand)]
    part: Part,
}

#[derive(clap::Subcommand)]
enum Part {
    /// How many events frontends store, compared with publications with a history over the same connections
    Enqueue(enqueue::Arguments),
    /// Publications by ingest, compared with REST requests of many publications
    Ingest(ingest::Arguments),
    /// Latency of events while the event of another key always fails
    Poisoned(poisoned::Arguments),
    /// A million waiting entries: memory of the gateway, and how fast they are delivered
    Backlog(backlog::Arguments),
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let core = arguments.redis_cpu;
    match &arguments.part {
        Part::Enqueue(arguments) => enqueue::run(binaries, core, arguments).await,
        Part::Ingest(arguments) => ingest::run(binaries, core, arguments).await,
        Part::Poisoned(arguments) => poisoned::run(binaries, core, arguments).await,
        Part::Backlog(arguments) => backlog::run(binaries, core, arguments).await,
    }
}
