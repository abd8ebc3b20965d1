//! The limits of open connections, and the end of admissions in a drain.

use crate::{node::Node, transport::websocket::Denial};
use gateway_core::{
    limits::{ClientNetwork, Limit},
    model::{ErrorCode, Refusal, Tick},
};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Fewer open connections say nothing about where clients come from.
const MANY: usize = 1000;

/// Counts the open connections of all workers, and admits new ones up to the limits.
pub(in crate::server) struct Admissions {
    node: Arc<Node>,
    open: AtomicUsize,
    limit: usize,
    retry_after: Duration,
    draining: AtomicBool,
    emptied: Notify,
    /// Whether a warning was written because nearly all connections come from one address.
    has_warned: AtomicBool,
}

impl Admissions {
    pub(in crate::server) fn new(node: Arc<Node>, limit: usize, retry_after: Duration) -> Self {
        let (open, draining, has_warned) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { node, open, limit, retry_after, draining, emptied: Notify::new(), has_warned }
    }

    pub(in crate::server) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    pub(in crate::server) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Waits until no connection is open.
    pub(in crate::server) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Admits a connection from this address, unless a limit of the address or of the node is reached.
    pub(super) fn admit(self: &Arc<Self>, now: Tick, address: Option<IpAddr>) -> Result<Permit, Denial> {
        if self.draining.load(Relaxed) {
            return Err(Denial::retry_after(ErrorCode::Draining, self.retry_after));
        }
        let place = address.map(|address| self.enter(now, address)).transpose()?.flatten();
        let permit = Permit(Box::new((self.clone(), place.as_ref().map(|place| place.client))));
        let open = self.open.fetch_add(1, Relaxed);
        if open >= self.limit {
            return Err(Denial::retry_after(ErrorCode::ConnectionLimit, self.retry_after));
        }
        if let Some(place) = place {
            self.warn_of_one_address(place.count, open + 1);
        }
        Ok(permit)
    }

    fn enter(&self, now: Tick, address: IpAddr) -> Result<Option<crate::limits::AddressPlace>, Denial> {
        let addresses = &self.node.addresses;
        let admitted = addresses.admit(now, address).and_then(|()| addresses.enter(address).map_err(|limit| (limit, self.retry_after)));
        admitted.map_err(|(limit, pause)| {
            self.node.metrics.limited(limit);
            Denial::retry_after(refusal(limit), pause)
        })
    }

    /// Behind a proxy that is not named in the settings, all clients seem to have its address, and share its limits.
    fn warn_of_one_address(&self, count: usize, open: usize) {
        if open >= MANY && count >= open - open / 20 && !self.has_warned.swap(true, Relaxed) {
            tracing::warn!(
                connections = open,
                "nearly all connections come from one address; if that is a proxy, name it in public.trusted_proxies, because its clients share \
                 the limits of one address"
            );
        }
    }
}

fn refusal(limit: Limit) -> Refusal {
    let (code, detail) = match limit {
        Limit::AddressConnections => (
            ErrorCode::ConnectionLimit,
            "This address has as many connections as limits.address.connections allows. Close some, or try later.",
        ),
        Limit::AddressWrongTokens => (ErrorCode::TooManyRequests, "This address sent too many tokens that are not valid. Get a valid one."),
        _ => (ErrorCode::TooManyRequests, "This address connects too often. Connect with increasing pauses."),
    };
    Refusal::new(code, detail)
}

/// The right to one open connection, boxed because the task of the connection has it. Its drop frees the place for another connection.
pub(super) struct Permit(Box<(Arc<Admissions>, Option<ClientNetwork>)>);

impl Drop for Permit {
    fn drop(&mut self) {
        let (admissions, client) = &*self.0;
        if let Some(client) = client {
            admissions.node.addresses.leave(*client);
        }
        if admissions.open.fetch_sub(1, Relaxed) == 1 {
            admissions.emptied.notify_waiters();
        }
    }
}
