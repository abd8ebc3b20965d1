//! The options of the command line.

use crate::{control::Control, fault::kind::Fault, scope::Workload, store::Kind, subscriber::kind::Share};
use clap::{ArgAction, Args, Parser};
use std::time::Duration;

/// Injects faults into a cluster of gateways, and checks that no publication and no event is lost, duplicated or out of order.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// Length of the run. If absent, a short form of about two minutes runs, with all controls.
    #[arg(long)]
    minutes: Option<f64>,
    /// Kind of the store. If absent, a standalone Redis; the short form then also uses a cluster.
    #[arg(long)]
    store: Option<Kind>,
    /// Seed of the schedule of faults, to repeat an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of gateways.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=4))]
    pub(crate) gateways: u8,
    /// Number of subscribers. Each subscribes to three channels, except for EventSources with one channel.
    #[arg(long, default_value_t = 200)]
    pub(crate) clients: usize,
    /// How frequent each kind of subscribers is beside the others, separated by commas. A kind that is not named is absent.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "web-socket=8,stomp=3,http-stream=2,http-stream-protobuf=2,sse=2,events=2,events-many=2"
    )]
    pub(crate) shares: Vec<Share>,
    /// Publications per second in all channels together. Half as many events go through the queues.
    #[arg(long, default_value_t = 200)]
    pub(crate) rate: u32,
    /// Injects only these faults, separated by commas. Faults that the store cannot have are ignored.
    #[arg(long, value_delimiter = ',')]
    pub(crate) faults: Vec<Fault>,
    /// What runs: publications, queues, or both.
    #[arg(long, value_enum, default_value_t = Workload::All)]
    pub(crate) workload: Workload,
    /// Adds a deliberate defect that the checks must find.
    #[arg(long)]
    pub(crate) control: Option<Control>,
    /// Directory for the logs of all processes.
    #[arg(long)]
    pub(crate) logs: Option<std::path::PathBuf>,
    #[command(flatten)]
    libtest: Libtest,
}

/// The options that `cargo test` passes to all test targets.
#[derive(Clone, Debug, Args)]
struct Libtest {
    /// Parts of the names of the selected tests.
    #[arg(hide = true)]
    filters: Vec<String>,
    /// Parts of the names of tests that are not selected.
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
    /// Whether the options of `cargo test` select this test.
    pub(crate) fn is_selected(&self) -> bool {
        let Libtest { filters, skip, list, ignored, .. } = &self.libtest;
        let named = |parts: &[String]| parts.iter().any(|part| "torture".contains(part.as_str()));
        !list && !ignored && (filters.is_empty() || named(filters)) && !named(skip)
    }

    /// The length of the run. `None`: the short form.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0))
    }

    /// The given seed, or a random one.
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

    /// The given faults, or these defaults, without those that the store cannot have.
    pub(crate) fn faults_for(&self, store: Kind, default: &[Fault]) -> Vec<Fault> {
        let all = if self.faults.is_empty() { default } else { &self.faults };
        all.iter().copied().filter(|fault| fault.applies_to(store, self.workload)).collect()
    }
}
