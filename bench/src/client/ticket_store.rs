//! Tickets of TLS for a measurement: gathered first, then each is used once (RFC 8446, appendix C.4).
//!
//! OpenSSL sends two tickets with a full handshake and none with a resumed one, so a client that only resumes would soon have none.

use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// The tickets of one client for one server.
#[derive(Default)]
pub(crate) struct TicketStore {
    tickets: Mutex<Vec<Tls13ClientSessionValue>>,
    /// Whether handshakes use the tickets. Before, all of them are full.
    is_used: AtomicBool,
}

impl TicketStore {
    pub(crate) fn resumption(self: &Arc<Self>) -> Resumption {
        Resumption::store(self.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// From now on handshakes use the tickets.
    pub(crate) fn use_tickets(&self) {
        self.is_used.store(true, Relaxed);
    }
}

impl ClientSessionStore for TicketStore {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.is_used.load(Relaxed).then(|| self.tickets.lock().unwrap_or_else(PoisonError::into_inner).pop())?
    }
}

impl fmt::Debug for TicketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketStore").field("tickets", &self.len()).finish_non_exhaustive()
    }
}
