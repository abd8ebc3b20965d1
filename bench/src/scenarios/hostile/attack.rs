//! What all connections of an attacker use together.

use super::forged;
use crate::{
    client::{
        Client,
        endpoint::{CONNECTIONS_PER_ADDRESS, Endpoint},
    },
    result::Result,
};
use std::{cell::Cell, fmt, net::SocketAddr};
use tokio::sync::Semaphore;

/// Connections that are being opened at a time. More would only wait for the gateway to accept them.
const OPENING: usize = 128;
/// Addresses from which the connections come, in turn.
const ADDRESSES: usize = 50_000;

/// An attack, and what it did so far.
pub(super) struct Attack {
    pub(super) server: Endpoint,
    /// The token that is not valid.
    pub(super) token: String,
    opening: Semaphore,
    last: Cell<usize>,
    opened: Cell<usize>,
    refused: Cell<usize>,
    sent: Cell<usize>,
}

impl Attack {
    pub(super) fn new(server: SocketAddr) -> Result<Self> {
        let (last, opened, refused, sent) = Default::default();
        Ok(Self { server: server.into(), token: forged::token()?, opening: Semaphore::new(OPENING), last, opened, refused, sent })
    }

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

    pub(super) fn opened(&self) -> usize {
        self.opened.get()
    }

    pub(super) fn was_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }

    pub(super) fn has_sent(&self, messages: usize) {
        self.sent.set(self.sent.get() + messages);
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (opened, refused, sent) = (self.opened.get(), self.refused.get(), self.sent.get());
        write!(f, "{opened} connections opened, {refused} refused or cut, {sent} messages sent")
    }
}
