//! What may be asked for on the command line.

use crate::fault::Fault;
use clap::{Parser, ValueEnum};
use std::time::Duration;

/// Breaks a cluster of gateways in every way it knows, and looks whether anything is lost, doubled or out of order.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// How long; without it a short form of about 40 seconds, with both controls.
    #[arg(long)]
    minutes: Option<f64>,
    /// Repeats the schedule of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=4))]
    pub(crate) gateways: u8,
    /// Subscribers, each with three channels.
    #[arg(long, default_value_t = 200)]
    pub(crate) clients: usize,
    /// Publications a second, all channels together.
    #[arg(long, default_value_t = 200)]
    pub(crate) rate: u32,
    /// Only these faults, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) faults: Vec<Fault>,
    /// Breaks something that the checker has to find.
    #[arg(long)]
    pub(crate) control: Option<Control>,
    /// Leaves the logs of all processes there.
    #[arg(long)]
    pub(crate) logs: Option<std::path::PathBuf>,
    /// As cargo passes it on: what a test's name has to contain.
    #[arg(hide = true)]
    filters: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true, action = clap::ArgAction::Count)]
    nocapture: u8,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, short, hide = true, action = clap::ArgAction::Count)]
    quiet: u8,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

/// See [`Options::control`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// Each gateway has a memory broker of its own.
    Memory,
    /// One delivery in a thousand is left out, behind everything that could notice.
    Drop,
}

impl Options {
    /// Whether cargo asks for other tests only.
    pub(crate) fn is_meant(&self) -> bool {
        !self.list && !self.ignored && (self.filters.is_empty() || self.filters.iter().any(|filter| "torture".contains(filter.as_str())))
    }

    /// None: the short form.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0))
    }

    /// The seed given, or one that nobody knows yet.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()))
    }

    /// The faults of a run in the long form.
    pub(crate) fn chosen(&self) -> Vec<Fault> {
        if self.faults.is_empty() { Fault::value_variants().to_vec() } else { self.faults.clone() }
    }
}
