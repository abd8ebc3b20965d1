//! A Redis Cluster as a whole.

use super::{
    options::ClusterOptions,
    view::{Seen, View},
};
use crate::{login::Login, resp::reply::Reply, servers::server::Server, wait::until};
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// Servers that know each other. Methods that take numbers mean those of [`Self::members`].
pub struct Cluster {
    pub(super) options: ClusterOptions,
    /// All members, in the order in which they came.
    pub members: Vec<Server>,
    /// Of the members.
    pub(super) ids: Vec<String>,
    /// As it was when it was settled last.
    pub(super) view: View,
}

/// The cluster of those who break nothing. It lives as long as any of them uses it.
static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

impl Cluster {
    /// The cluster that all users of this process share who break nothing.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Arc::new(Self::start(ClusterOptions::default()).await);
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// Waits until all agree and replicas have everything.
    pub async fn settle(&mut self) {
        until("the cluster settles", async || self.settled().await.is_some()).await;
        if let Some(view) = self.settled().await {
            self.view = view;
        }
    }

    /// Whether all have the parts that they had when it was settled last.
    pub async fn is_as_it_was(&mut self) -> bool {
        let before = self.view.clone();
        self.settle().await;
        self.view == before
    }

    /// Gives a user these rights at all members, and no others.
    pub async fn set_user(&self, login: &Login, rights: &[&str]) {
        for member in &self.members {
            member.set_user(login, rights).await;
        }
    }

    /// Host and port of a member, as a gateway shows it.
    pub fn address(&self, member: usize) -> String {
        self.members[member].address().to_string()
    }

    /// Hosts and ports of the masters that had slots from the start, as URLs have them.
    pub fn hosts(&self) -> String {
        (0..self.options.masters).map(|master| self.address(master)).collect::<Vec<_>>().join(",")
    }

    /// `redis+cluster://hosts`
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.hosts())
    }

    /// The same for a user.
    pub fn url_of(&self, login: &Login) -> String {
        format!("redis+cluster://{}{}", login.of_url(), self.hosts())
    }

    /// The master that served a slot when it was settled last.
    pub fn owner(&self, slot: u16) -> usize {
        self.number(self.view.owner(slot).expect("all slots are served"))
    }

    /// Some slot that a master served when it was settled last.
    pub fn slot_of(&self, master: usize) -> Option<u16> {
        self.view.0.get(&self.ids[master])?.slots.first().map(|range| *range.start())
    }

    /// All masters, also those without slots.
    pub fn masters(&self) -> Vec<usize> {
        self.seen_masters().map(|(id, _)| self.number(id)).collect()
    }

    /// The master that has the fewest slots, which may be none.
    pub fn smallest(&self) -> usize {
        let (id, _) = self.seen_masters().min_by_key(|(_, seen)| seen.size()).expect("there are masters");
        self.number(id)
    }

    /// A master's replica, which it has to have.
    pub fn replica_of(&self, master: usize) -> usize {
        let id = &self.ids[master];
        self.number(self.view.0.iter().find(|(_, seen)| seen.master.as_ref() == Some(id)).expect("each has one").0)
    }

    fn seen_masters(&self) -> impl Iterator<Item = (&String, &Seen)> {
        self.view.0.iter().filter(|(_, seen)| seen.master.is_none())
    }

    fn number(&self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).expect("it is a member")
    }

    /// What all say, if all say the same.
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
