//! What may be asked for on the command line.

use crate::{control::Control, fault::kind::Fault, store::Kind};
use clap::{ArgAction, Args, Parser};
use std::time::Duration;

/// Breaks a cluster of gateways in every way it knows, and looks whether anything is lost, doubled or out of order.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// How long; without it a short form of about a minute, with both controls.
    #[arg(long)]
    minutes: Option<f64>,
    /// What publications are kept in: a standalone Redis, if nothing else is said; the short form goes on with a cluster.
    #[arg(long)]
    store: Option<Kind>,
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
    /// Only these faults, separated by commas; those that cannot befall the store are left out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) faults: Vec<Fault>,
    /// Breaks something that the checker has to find.
    #[arg(long)]
    pub(crate) control: Option<Control>,
    /// Leaves the logs of all processes there.
    #[arg(long)]
    pub(crate) logs: Option<std::path::PathBuf>,
    #[command(flatten)]
    libtest: Libtest,
}

/// What `cargo test` passes on to all test targets.
#[derive(Clone, Debug, Args)]
struct Libtest {
    /// What a test's name has to contain.
    #[arg(hide = true)]
    filters: Vec<String>,
    /// What it must not contain.
    #[arg(long, hide = true)]
    skip: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, short, hide = true, action = ArgAction::Count)]
    quiet: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    nocapture: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    show_output: u8,
    #[arg(long, hide = true, action = ArgAction::Count)]
    exact: u8,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
}

impl Options {
    /// Whether cargo asks for this one too.
    pub(crate) fn is_meant(&self) -> bool {
        let Libtest { filters, skip, list, ignored, .. } = &self.libtest;
        let named = |parts: &[String]| parts.iter().any(|part| "torture".contains(part.as_str()));
        !list && !ignored && (filters.is_empty() || named(filters)) && !named(skip)
    }

    /// None: the short form.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0))
    }

    /// The seed given, or one that nobody knows yet.
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()))
    }

    /// The stores of the short form, or the one of the long form.
    pub(crate) fn stores(&self) -> Vec<Kind> {
        match (self.store, self.minutes) {
            (Some(store), _) => vec![store],
            (None, Some(_)) => vec![Kind::Standalone],
            (None, None) => vec![Kind::Standalone, Kind::Cluster],
        }
    }

    /// The faults that were asked for, or else these; of both those that can befall the store.
    pub(crate) fn chosen(&self, store: Kind, or: &[Fault]) -> Vec<Fault> {
        let all = if self.faults.is_empty() { or } else { &self.faults };
        all.iter().copied().filter(|fault| fault.befalls(store)).collect()
    }
}
