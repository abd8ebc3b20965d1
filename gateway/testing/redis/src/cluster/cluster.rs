//! A Redis Cluster: its members, their roles and slots, and its URL.

use super::{
    options::ClusterOptions,
    view::{Seen, View},
};
use crate::{login::Login, resp::reply::Reply, servers::server::Server, wait::until};
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// A running Redis Cluster. A member's number is its index in [`Self::members`].
pub struct Cluster {
    pub(super) options: ClusterOptions,
    /// All members, in the order in which they were started.
    pub members: Vec<Server>,
    /// The node id of each member, in the same order.
    pub(super) ids: Vec<String>,
    /// The members' view when the cluster was last settled.
    pub(super) view: View,
}

/// The cluster that [`Cluster::shared`] returns. It lives as long as a test uses it.
static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

impl Cluster {
    /// The cluster that all tests of this process share. A test that uses it must not change it.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start(ClusterOptions::default()).await);
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// Waits until all members agree on the roles and slots, and the replicas are synchronised with their masters.
    pub async fn settle(&mut self) {
        until("the cluster settles", async || self.settled().await.is_some()).await;
        if let Some(view) = self.settled().await {
            self.view = view;
        }
    }

    /// Waits until the cluster is settled. Returns whether all members have the same roles and slots as when it was last settled.
    pub async fn is_as_it_was(&mut self) -> bool {
        let before = self.view.clone();
        self.settle().await;
        self.view == before
    }

    /// Sets the ACL rights of a user on all members. The user loses all other rights.
    pub async fn set_user(&self, login: &Login, rights: &[&str]) {
        for member in &self.members {
            member.set_user(login, rights).await;
        }
    }

    /// Host and port of a member, as text.
    pub fn address(&self, member: usize) -> String {
        self.members[member].address().to_string()
    }

    /// Hosts and ports of the masters that had slots at the start, as in a URL.
    pub fn hosts(&self) -> String {
        (0..self.options.masters).map(|master| self.address(master)).collect::<Vec<_>>().join(",")
    }

    /// The gateway's URL of the cluster: `redis+cluster://` and [`Self::hosts`].
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.hosts())
    }

    /// The URL with user and password.
    pub fn url_of(&self, login: &Login) -> String {
        format!("redis+cluster://{}{}", login.of_url(), self.hosts())
    }

    /// The number of the master that served the slot when the cluster was last settled.
    pub fn owner(&self, slot: u16) -> usize {
        self.number(self.view.owner(slot).expect("all slots are served"))
    }

    /// A slot that a master served when the cluster was last settled. `None` if it had no slots.
    pub fn slot_of(&self, master: usize) -> Option<u16> {
        self.view.0.get(&self.ids[master])?.slots.first().map(|range| *range.start())
    }

    /// The numbers of all masters, including those without slots.
    pub fn masters(&self) -> Vec<usize> {
        self.seen_masters().map(|(id, _)| self.number(id)).collect()
    }

    /// The number of the master that has the fewest slots, possibly zero.
    pub fn smallest(&self) -> usize {
        let (id, _) = self.seen_masters().min_by_key(|(_, seen)| seen.size()).expect("there are masters");
        self.number(id)
    }

    /// The number of a replica of the master. Panics if the master has no replica.
    pub fn replica_of(&self, master: usize) -> usize {
        let id = &self.ids[master];
        self.number(self.view.0.iter().find(|(_, seen)| seen.master.as_ref() == Some(id)).expect("the master has a replica").0)
    }

    fn seen_masters(&self) -> impl Iterator<Item = (&String, &Seen)> {
        self.view.0.iter().filter(|(_, seen)| seen.master.is_none())
    }

    fn number(&self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).expect("it is a member")
    }

    /// The view of the members. `None` if they do not agree, or if a replica is not synchronised.
    async fn settled(&self) -> Option<View> {
        let mut all = None;
        for member in &self.members {
            let view = View::read(&member.try_command(&["CLUSTER", "NODES"]).await.map(Reply::text).ok()?)?;
            if view.0.len() != self.members.len() || all.as_ref().is_some_and(|all| *all != view) {
                return None;
            }
            let info = member.try_command(&["CLUSTER", "INFO"]).await.map(Reply::text).ok()?;
            if !info.contains("cluster_state:ok") {
                return None;
            }
            all = Some(view);
        }
        let view = all?;
        for (id, _) in view.0.iter().filter(|(_, seen)| seen.master.is_some()) {
            if !self.members[self.number(id)].is_linked().await {
                return None;
            }
        }
        Some(view)
    }
}
