//! Nodes with ingest, and producers.

use crate::redis::support::{self, QUEUES, eventually};
use gateway::{
    broker::{Broker, RedisConfig},
    cluster::{Cluster, Holds, NodeDescription, WatchedUsers},
    ingest::{Ingest, IngestConfig, IngestCount},
    publish::{PublishLimits, Publisher},
    queues::{QueueStore as _, Queues},
    settings::Settings,
    testing::fixtures::{ALL, channel, json},
};
use gateway_core::{
    channel::Namespaces,
    model::{ReadRange, Retention},
    queue::{PartitionId, PartitionStatus, QueueName, StoredDeadLetter},
};
use redis::aio::MultiplexedConnection;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The settings of all nodes, and what a test adds to `[ingest]`.
fn settings(name: &str, ingest: &str) -> Settings {
    let toml = format!(
        "[node]\nname = \"{name}\"\n[broker]\nkind = \"redis\"\n[connection]\ndata_size = \"1KiB\"\n[publish]\ntag_bytes = 256\n\
         [namespaces.log]\nhistory_size = 100000\ndata = \"any\"\n[namespaces.live]\n[namespaces.closed]\nhistory_size = 10\n\
         [ingest]\nchannels = [\"log:*\", \"live:*\", \"nowhere:*\", \"#*\"]\n{ingest}"
    );
    Settings::from_toml(&toml).expect("valid")
}

/// The configuration of a broker with queues, whose owners change quickly.
pub(super) fn config(url: String) -> RedisConfig {
    let queues = gateway::broker::RedisQueuesConfig { lease: Duration::from_secs(1), max_length: 1_000_000, ..QUEUES };
    RedisConfig { queues: Some(queues), ..support::config(url) }
}

/// A broker, and a publisher into it.
pub(super) struct Base {
    pub(super) broker: Arc<Broker>,
    pub(super) publisher: Arc<Publisher>,
    pub(super) store: Arc<Queues>,
    settings: Settings,
    _guard: DropGuard,
}

impl Base {
    pub(super) fn start(config: RedisConfig, ingest: &str) -> Self {
        let settings = settings(&config.node, ingest);
        let mailboxes = support::mailboxes();
        let (broker, guard) = support::start(config, mailboxes);
        let limits = PublishLimits { data: settings.connection.data_size.bytes(), tags: 4, tag_bytes: settings.publish.tag_bytes.bytes() };
        let publisher = Arc::new(Publisher::new(broker.clone(), Namespaces::from(&settings), limits));
        let store = Arc::new(Queues::Redis(broker.queues().expect("with queues").clone()));
        Self { broker, publisher, store, settings, _guard: guard }
    }

    /// The data of a channel's publications, in order.
    pub(super) async fn published(&self, name: &str) -> Vec<String> {
        let retention = Retention { size: 100_000, ttl: Duration::from_hours(1) };
        let page = self.broker.read(&channel(name), retention, ReadRange::After(0), ALL).await.expect("read");
        page.publications.iter().map(|publication| json(publication).to_owned()).collect()
    }

    pub(super) async fn status(&self, partition: u16) -> PartitionStatus {
        self.store.status(&at(partition)).await.expect("a status")
    }

    pub(super) async fn dead_letters(&self, partition: u16) -> Vec<StoredDeadLetter> {
        let limits = gateway_core::queue::ReadLimits { entries: 100, bytes: 1 << 20, entry_bytes: 1 << 20 };
        self.store.dead_letters(&at(partition), None, limits).await.expect("read")
    }

    /// Waits until these partitions have no entries.
    pub(super) async fn emptied(&self, partitions: u16) {
        let mut left = u64::MAX;
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            while left > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                left = 0;
                for partition in 0..partitions {
                    left += self.store.status(&at(partition)).await.map_or(1, |status| status.depth);
                }
            }
        });
        let is_empty = waited.await.is_ok();
        assert!(is_empty, "{left} entries are left");
    }
}

/// A node with ingest.
pub(super) struct Node {
    pub(super) base: Base,
    pub(super) ingest: Arc<Ingest>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Node {
    pub(super) fn start(config: RedisConfig, ingest: &str) -> Self {
        let base = Base::start(config, ingest);
        let ingest_config = IngestConfig::new(&base.settings).expect("it is on");
        let ingest = Arc::new(Ingest::new(base.store.clone(), base.publisher.clone(), ingest_config));
        let about = NodeDescription {
            name: base.settings.node.name.as_str().into(),
            link: "ws://n".into(),
            public: "http://n".into(),
            shared: [].into(),
        };
        // Each node takes itself for the only one, so all of them want all partitions.
        let cluster = Cluster::single(about, Vec::new(), Holds::new(base.broker.clone(), Duration::from_secs(2)), WatchedUsers::new(64));
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (ingest, stop) = (ingest.clone(), stop.clone());
            async move { ingest.serve(&cluster, stop).await }
        });
        Self { base, ingest, task, stop }
    }

    /// Ends without a farewell: the lease stays.
    pub(super) fn kill(self) {
        self.task.abort();
    }

    /// Stops and gives the partitions up.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
    }

    pub(super) fn counted(&self, what: IngestCount) -> u64 {
        self.ingest.stats().counted(what)
    }

    pub(super) async fn has_counted(&self, what: IngestCount, number: u64) {
        eventually("the counter", || self.counted(what) >= number).await;
    }
}

pub(super) fn at(partition: u16) -> PartitionId {
    PartitionId { queue: QueueName::Ingest, partition }
}

/// The key of a stream.
pub(super) fn stream(partition: u16) -> String {
    format!("test:ingest:{{{partition}}}:stream")
}

pub(super) async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("a good address");
    client.get_multiplexed_async_connection().await.expect("connected")
}

/// Fields of an entry.
pub(super) type Fields<'a> = &'a [(&'a str, &'a [u8])];

/// Adds entries to a stream, in order.
pub(super) async fn add(connection: &mut MultiplexedConnection, partition: u16, entries: &[Fields<'_>]) {
    for some in entries.chunks(500) {
        let mut all = redis::pipe();
        for fields in some {
            let add = all.cmd("XADD").arg(stream(partition)).arg("*");
            fields.iter().for_each(|(name, value)| {
                add.arg(*name).arg(*value);
            });
        }
        all.exec_async(connection).await.expect("added");
    }
}

/// Adds entries with these numbers as data for a channel.
pub(super) async fn add_numbers(connection: &mut MultiplexedConnection, partition: u16, channel: &str, numbers: std::ops::Range<u64>) {
    let texts: Vec<_> = numbers.map(|number| number.to_string()).collect();
    let entries: Vec<_> = texts.iter().map(|text| [("channel", channel.as_bytes()), ("data", text.as_bytes())]).collect();
    add(connection, partition, &entries.iter().map(<[_; 2]>::as_slice).collect::<Vec<_>>()).await;
}

pub(super) fn texts(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}
