//! The process that attacks. It prints a line when the flood is there, and what it did when its standard input ends.

use super::{attack::Attack, flood::Flood, holding, storming};
use crate::result::Result;
use std::{io::Read as _, net::SocketAddr, rc::Rc, time::Duration};
use tokio::{
    task::{spawn_blocking, spawn_local},
    time::{Instant, sleep},
};

/// The line that says that the flood is there.
pub(super) const READY: &str = "ready";
/// Longest wait until all connections are open once.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a storm lasts before it counts as being there.
const STORM_START: Duration = Duration::from_secs(1);
/// Pause of a connection that was refused.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    flood: Flood,
    /// Address for frontends
    #[arg(long)]
    server: SocketAddr,
    /// Connections at a time
    #[arg(long)]
    connections: usize,
}

pub(crate) async fn run(arguments: &Arguments) -> Result {
    let flood = arguments.flood;
    let attack = Rc::new(Attack::new(arguments.server)?);
    for _ in 0..arguments.connections {
        let attack = attack.clone();
        spawn_local(async move {
            loop {
                if once(&attack, flood).await.is_err() {
                    attack.was_refused();
                    sleep(PAUSE).await;
                }
            }
        });
    }
    let begun = Instant::now();
    let (connections, counted) = (arguments.connections, attack.clone());
    let is_there = || {
        let time = begun.elapsed();
        if flood.holds() { counted.opened() >= connections || time > OPEN_TIMEOUT } else { time > STORM_START }
    };
    while !is_there() {
        sleep(Duration::from_millis(10)).await;
    }
    println!("{READY}");
    spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    println!("{attack} in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// One connection of the flood, until it ends.
async fn once(attack: &Attack, flood: Flood) -> Result {
    match flood {
        Flood::SlowReaders => holding::slow_reader(attack).await,
        Flood::HalfMessages => holding::half_message(attack).await,
        Flood::HalfHeads => holding::half_head(attack).await,
        Flood::WrongTokens => storming::wrong_token(attack).await,
        Flood::Upgrades => attack.upgraded(None).await.map(drop),
        Flood::Commands => storming::commands(attack).await,
        Flood::Presence => storming::presence(attack).await,
        Flood::Joins => storming::joins(attack).await,
    }
}
