//! Gateways share a Redis while everything breaks. Each acknowledged publication that the history still holds reaches every subscriber once and in
//! order, and a subscriber that lost something learns of it.
//!
//! - [`options`]: what may be asked for; [`run`]: one run, from start to table
//! - [`world`]: all who take part: [`store`], [`node`]; [`population`]: [`publisher`], [`subscriber`], [`client`]
//! - [`fault`]: what breaks
//! - [`control`]: what is broken on purpose, so that the checker has something to find
//! - [`ledger`]: what was published; [`follower`]: what a subscriber has of it; [`checkpoint`]: whether that is all; [`tally`]: what came of it, [`counters`]: what the
//!   gateways say of it

mod checkpoint;
mod client;
mod control;
mod counters;
mod fault;
mod follower;
mod ledger;
mod node;
mod numbers;
mod options;
mod population;
mod publisher;
mod run;
mod store;
mod subscriber;
mod tally;
mod world;

use clap::Parser as _;
use control::Control;
use options::Options;
use run::{Plan, Verdict};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.is_meant() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let good = runtime.block_on(async {
        tokio::select! {
            good = torture(&options) => good,
            _ = tokio::signal::ctrl_c() => false,
        }
    });
    // Whatever still runs ends its processes when it is dropped.
    drop(runtime);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether everything is as promised.
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
        (None, Some(control)) => run::run(Plan::calm(), Some(control)).await == Verdict::Good,
        (None, None) => {
            let mut good = true;
            for store in options.stores() {
                good &= run::run(Plan::short(options, seed, store), None).await == Verdict::Good;
            }
            for control in [Control::Memory, Control::Drop] {
                println!("\nControl: {control:?}. This has to be found out.");
                if run::run(Plan::calm(), Some(control)).await == Verdict::Good {
                    println!("FAILED: the checker did not find out");
                    good = false;
                }
            }
            println!("\ntorture: {}", if good { "good" } else { "FAILED" });
            good
        }
    }
}
