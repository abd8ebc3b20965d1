//! The cluster as the rest of the node uses it.

use super::{
    local::Local,
    members::Member,
    message::{self, Answer, Question},
    remote::Remote,
    types::{About, Bereft, NodeSummary, Times},
};
use crate::broker::{Broker, Mailbox, mailbox::ConnectionSummary};
use gateway_core::{
    channel::Namespaces,
    model::{ChannelName, CommandTarget, Refusal, ServerCommand, WorkerId, lock},
};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The nodes that serve together.
pub struct Cluster {
    kind: Kind,
}

enum Kind {
    Single(Member, Local),
    Shared(Arc<Remote>),
}

impl Cluster {
    /// A cluster of this node alone.
    pub fn single(about: About, workers: Vec<Arc<Mailbox>>) -> Self {
        let me = member(&about, workers.len());
        Self { kind: Kind::Single(me, Local::new(about.name, workers)) }
    }

    /// A cluster of all nodes that share the broker. `inbox` is a mailbox of the broker that no worker has, with its index.
    pub fn shared(
        about: About,
        workers: Vec<Arc<Mailbox>>,
        broker: Arc<Broker>,
        inbox: (Arc<Mailbox>, WorkerId),
        namespaces: Namespaces,
        times: Times,
    ) -> Self {
        let me = member(&about, workers.len());
        Self { kind: Kind::Shared(Arc::new(Remote::new(broker, Local::new(about.name, workers), inbox, namespaces, me, times))) }
    }

    fn local(&self) -> &Local {
        match &self.kind {
            Kind::Single(_, local) => local,
            Kind::Shared(remote) => &remote.local,
        }
    }

    /// The nodes that are registered and alive now, by name.
    pub async fn nodes(&self) -> Result<Vec<NodeSummary>, Refusal> {
        let members = match &self.kind {
            Kind::Single(me, _) => vec![me.clone()],
            Kind::Shared(remote) => remote.members().await?,
        };
        let summary = |node: &Member| NodeSummary {
            name: (*node.name).into(),
            since_ms: node.since_ms,
            workers: node.workers,
            public: node.public.clone(),
        };
        Ok(members.iter().map(summary).collect())
    }

    /// Where services reach the live nodes, as `ws://host:port`; changes with them.
    pub fn links(&self) -> watch::Receiver<Arc<[String]>> {
        match &self.kind {
            // Nobody is there to change it.
            Kind::Single(me, _) => watch::channel([me.link.to_string()].into()).1,
            Kind::Shared(remote) => remote.links(),
        }
    }

    /// Why this node does not belong to the cluster; none: it does.
    pub fn trouble(&self) -> Option<Box<str>> {
        match &self.kind {
            Kind::Single(..) => None,
            Kind::Shared(remote) => remote.trouble(),
        }
    }

    /// Carries out a command on every connection concerned; answers how many there were.
    pub async fn command(&self, target: CommandTarget, command: ServerCommand) -> Result<usize, Refusal> {
        let question = Question::Command((&target).into(), (&command).into());
        let here = self.local().command(target, command).await?;
        Ok(here + self.count(&question).await?)
    }

    /// The connections concerned.
    pub async fn connections(&self, target: CommandTarget) -> Result<Vec<ConnectionSummary>, Refusal> {
        let question = Question::Connections((&target).into());
        let mut found = self.local().connections(target).await?;
        for answer in self.elsewhere(&question).await? {
            if let Answer::Connections(connections) = answer {
                found.extend(connections.into_iter().filter_map(message::Connection::into_model));
            }
        }
        Ok(found)
    }

    /// Subscribers of a channel.
    pub async fn subscribers(&self, channel: &ChannelName) -> Result<usize, Refusal> {
        let here = self.local().subscribers(channel).await?;
        Ok(here + self.count(&Question::Subscribers(channel.to_string())).await?)
    }

    async fn count(&self, question: &Question) -> Result<usize, Refusal> {
        let numbers =
            self.elsewhere(question).await?.into_iter().map(|answer| if let Answer::Number(number) = answer { number } else { 0 });
        Ok(numbers.sum())
    }

    /// From now on every connection here is known elsewhere, so that others tell its end should this node die.
    pub fn register_connections(&self) {
        match &self.kind {
            // Nobody outlives it.
            Kind::Single(..) => {}
            Kind::Shared(remote) => remote.register_connections.notify_one(),
        }
    }

    /// Connections that ended with their node, for the one who tells services; none for a second one who asks, and where there is but one node.
    pub fn bereft(&self) -> Option<mpsc::Receiver<Bereft>> {
        match &self.kind {
            Kind::Single(..) => None,
            Kind::Shared(remote) => lock(&remote.teller).take(),
        }
    }

    async fn elsewhere(&self, question: &Question) -> Result<Vec<Answer>, Refusal> {
        match &self.kind {
            Kind::Single(..) => Ok(Vec::new()),
            Kind::Shared(remote) => remote.ask(question).await,
        }
    }

    /// Belongs to the cluster until cancelled, then leaves it.
    pub async fn run(&self, stop: CancellationToken) {
        if let Kind::Shared(remote) = &self.kind {
            let listening = tokio::spawn(remote.clone().listen());
            let work = futures_util::future::join4(remote.belong(), remote.remind(), remote.bury_all(), remote.sweep_all());
            let _ = stop.run_until_cancelled(work).await;
            remote.leave().await;
            listening.abort();
        }
    }
}

fn member(about: &About, workers: usize) -> Member {
    let since_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let About { name, link, public, shared } = about.clone();
    Member { name: (*name).into(), since_ms, workers, link, public, shared }
}
