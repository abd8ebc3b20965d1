//! The process that attacks. It prints a line when the flood is there, and what it did when its standard input ends.

use super::{flood::Flood, forged, holding, storming};
use crate::{
    client::{
        Client,
        endpoint::{CONNECTIONS_PER_ADDRESS, Endpoint},
    },
    result::Result,
};
use std::{cell::Cell, io::Read as _, net::SocketAddr, rc::Rc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{spawn_blocking, spawn_local},
    time::{Instant, sleep},
};

/// The line that says that the flood is there.
pub(super) const READY: &str = "ready";
/// Connections that are being opened at a time. More would only wait for the gateway to accept them.
const OPENING: usize = 128;
/// Longest wait until all connections are open once.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a storm lasts before it counts as being there.
const STORM_START: Duration = Duration::from_secs(1);
/// Pause of a connection that was refused.
const PAUSE: Duration = Duration::from_millis(50);
/// Addresses from which the connections come, in turn.
const ADDRESSES: usize = 50_000;

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

/// What all connections of the attacker share.
pub(super) struct Attack {
    pub(super) server: Endpoint,
    /// The token that is not valid.
    pub(super) token: String,
    opening: Semaphore,
    last: Cell<usize>,
    opened: Cell<usize>,
    refused: Cell<usize>,
    pub(super) sent: Cell<usize>,
}

impl Attack {
    /// The number of a connection, which gives it an address of its own.
    pub(super) fn number(&self) -> usize {
        let number = self.last.get() + 1;
        self.last.set(number);
        (1 + number % ADDRESSES) * CONNECTIONS_PER_ADDRESS
    }

    /// Opens a WebSocket from a new address.
    pub(super) async fn upgraded(&self, receive_buffer: Option<u32>) -> Result<Client> {
        let place = self.opening.acquire().await?;
        let client = Client::open(&self.server, "/connection/websocket", self.number(), receive_buffer).await?;
        drop(place);
        self.has_opened();
        Ok(client)
    }

    /// Opens a WebSocket and connects anonymously.
    pub(super) async fn connected(&self, receive_buffer: Option<u32>) -> Result<Client> {
        let mut client = self.upgraded(receive_buffer).await?;
        client.connect("").await?;
        Ok(client)
    }

    pub(super) fn has_opened(&self) {
        self.opened.set(self.opened.get() + 1);
    }

    pub(super) fn has_sent(&self, messages: usize) {
        self.sent.set(self.sent.get() + messages);
    }

    /// One connection of the flood, until it ends.
    async fn once(&self, flood: Flood) -> Result {
        match flood {
            Flood::SlowReaders => holding::slow_reader(self).await,
            Flood::HalfMessages => holding::half_message(self).await,
            Flood::HalfHeads => holding::half_head(self).await,
            Flood::WrongTokens => storming::wrong_token(self).await,
            Flood::Upgrades => self.upgraded(None).await.map(drop),
            Flood::Commands => storming::commands(self).await,
            Flood::Presence => storming::presence(self).await,
            Flood::Joins => storming::joins(self).await,
        }
    }
}

pub(crate) async fn run(arguments: &Arguments) -> Result {
    let flood = arguments.flood;
    let attack = Rc::new(Attack {
        server: arguments.server.into(),
        token: forged::token()?,
        opening: Semaphore::new(OPENING),
        last: Cell::new(0),
        opened: Cell::new(0),
        refused: Cell::new(0),
        sent: Cell::new(0),
    });
    for _ in 0..arguments.connections {
        let attack = attack.clone();
        spawn_local(async move {
            loop {
                if attack.once(flood).await.is_err() {
                    attack.refused.set(attack.refused.get() + 1);
                    sleep(PAUSE).await;
                }
            }
        });
    }
    let begun = Instant::now();
    let (connections, counted) = (arguments.connections, attack.clone());
    let is_there = || {
        let time = begun.elapsed();
        if flood.holds() { counted.opened.get() >= connections || time > OPEN_TIMEOUT } else { time > STORM_START }
    };
    while !is_there() {
        sleep(Duration::from_millis(10)).await;
    }
    println!("{READY}");
    spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    let (opened, refused, sent) = (attack.opened.get(), attack.refused.get(), attack.sent.get());
    println!("{opened} connections opened, {refused} refused or cut, {sent} messages sent in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}
