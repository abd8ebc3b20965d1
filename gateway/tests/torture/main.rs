//! Injects faults into gateways that share a Redis, and checks what they deliver. Each acknowledged publication that the history still contains must
//! reach every subscriber once and in order. If a publication is lost, the loss must be reported to the subscriber. Each accepted event must be processed
//! by a consumer of its service, in the order of its key, and each accepted entry of ingest must be published once and in order.
//!
//! - [`options`]: the command line; [`run`]: one run, from its start to the table of results
//! - [`world`]: the state of a run: its [`store`] and its gateways ([`node`])
//! - [`workload`]: the publishers and subscribers: [`publisher`], [`subscriber`], [`client`]
//! - [`queues`]: the same for queues: what sends, what consumes, and what checks
//! - [`fault`]: fault injection; [`control`]: deliberate defects that prove that the checks can fail
//! - [`ledger`]: records publications; [`delivery_checker`]: checks the deliveries to one subscriber; [`checkpoint`]: compares them with the histories
//! - [`tally`]: counts violations; [`counters`]: reads the metrics of the gateways

mod checkpoint;
mod client;
mod content;
mod control;
mod counters;
mod delivery_checker;
mod fault;
mod ledger;
mod node;
mod number_set;
mod options;
mod publisher;
mod queues;
mod run;
mod scope;
mod store;
mod subscriber;
mod tally;
mod workload;
mod world;

use clap::Parser as _;
use control::Control;
use options::Options;
use run::{Plan, Verdict};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.is_selected() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let good = runtime.block_on(async {
        tokio::select! {
            good = torture(&options) => good,
            _ = tokio::signal::ctrl_c() => false,
        }
    });
    // Drops all tasks, which kills their processes.
    drop(runtime);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the torture. Returns whether it found no violation.
async fn torture(options: &Options) -> bool {
    let seed = options.seed();
    match (options.length(), options.control) {
        (Some(length), control) => {
            let mut good = true;
            for store in options.stores() {
                good &= run::run(Plan::long(options, seed, store, length), control).await == Verdict::Good;
            }
            good
        }
        (None, Some(control)) => run::run(Plan::without_faults(options, control), Some(control)).await == Verdict::Good,
        (None, None) => {
            let mut good = true;
            for store in options.stores() {
                good &= run::run(Plan::short(options, seed, store), None).await == Verdict::Good;
            }
            for control in [Control::Memory, Control::Drop, Control::Forget] {
                println!("\nControl: {control:?}. The checks must find this defect.");
                if run::run(Plan::without_faults(options, control), Some(control)).await == Verdict::Good {
                    println!("FAILED: the checks did not find it");
                    good = false;
                }
            }
            println!("\ntorture: {}", if good { "good" } else { "FAILED" });
            good
        }
    }
}
