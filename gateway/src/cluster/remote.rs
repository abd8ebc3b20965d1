//! The state of a node in a cluster of several.

use super::{
    local::Local,
    members::Member,
    message::Answer,
    types::{Bereft, Times},
};
use crate::broker::{Broker, Mailbox, NodeId, Post};
use gateway_core::{
    channel::Namespaces,
    model::{WorkerId, lock},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
};
use tokio::sync::{Notify, mpsc, watch};

/// See the module.
pub(super) struct Remote {
    pub(super) broker: Arc<Broker>,
    pub(super) local: Local,
    /// Where the broker puts what other nodes say, as if it were a worker.
    pub(super) inbox: (Arc<Mailbox>, WorkerId),
    pub(super) times: Times,
    pub(super) namespaces: Namespaces,
    pub(super) me: Member,
    /// Who is to be cleared away.
    pub(super) dead: watch::Sender<Vec<NodeId>>,
    pub(super) links: watch::Sender<Arc<[String]>>,
    pub(super) waiting: Mutex<HashMap<u64, mpsc::Sender<(String, Answer)>>>,
    pub(super) next: AtomicU64,
    pub(super) trouble: Mutex<Option<Box<str>>>,
    /// This node registers anew.
    pub(super) anew: Notify,
    /// Lives of this node that have ended, and in whose name connections may still be entered.
    pub(super) former: Mutex<Vec<NodeId>>,
    /// Something may have been said to this node that it did not hear.
    pub(super) missed: Notify,
    /// Services want to hear of the end of every connection.
    pub(super) register_connections: Notify,
    /// To whom tells services what ended with a dead node.
    pub(super) bereft: mpsc::Sender<Bereft>,
    pub(super) teller: Mutex<Option<mpsc::Receiver<Bereft>>>,
}

impl Remote {
    pub(super) fn new(
        broker: Arc<Broker>,
        local: Local,
        inbox: (Arc<Mailbox>, WorkerId),
        namespaces: Namespaces,
        me: Member,
        times: Times,
    ) -> Self {
        let (bereft, teller) = mpsc::channel(1);
        Self {
            broker,
            local,
            inbox,
            times,
            links: watch::Sender::new([me.link.to_string()].into()),
            dead: watch::Sender::default(),
            namespaces,
            me,
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            trouble: Mutex::new(Some("not registered with the cluster yet".into())),
            anew: Notify::new(),
            former: Mutex::default(),
            missed: Notify::new(),
            register_connections: Notify::new(),
            bereft,
            teller: Mutex::new(Some(teller)),
        }
    }

    /// Where services reach them, as it changes.
    pub(super) fn links(&self) -> watch::Receiver<Arc<[String]>> {
        self.links.subscribe()
    }

    /// Why this node does not belong to the cluster.
    pub(super) fn trouble(&self) -> Option<Box<str>> {
        lock(&self.trouble).clone()
    }

    /// Tells the workers what became of this node. For good.
    pub(super) async fn remind(&self) {
        let anew = self.local.tell_whenever(&self.anew, || Post::RegisterAgain);
        let missed = self.local.tell_whenever(&self.missed, || Post::CheckRevocations);
        let register_connections = self.local.tell_whenever(&self.register_connections, || Post::RegisterConnections);
        futures_util::future::join3(anew, missed, register_connections).await;
    }
}
