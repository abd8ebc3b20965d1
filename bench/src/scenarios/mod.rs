//! One file for each scenario: its options and its measurement. Clients, servers and sockets that scenarios share belong one folder up.

pub(crate) mod broadcast;
pub(crate) mod calls;
pub(crate) mod connects;
pub(crate) mod encodings;
pub(crate) mod fanout;
pub(crate) mod flood;
pub(crate) mod handshakes;
pub(crate) mod hostile;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod publish;
pub(crate) mod queues;
pub(crate) mod resubscribe;
pub(crate) mod slow_service;
pub(crate) mod soak;
pub(crate) mod streams;
pub(crate) mod stuck;
