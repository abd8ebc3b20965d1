//! A node with one service, `bot`, whose events go through a queue in memory.

use crate::{
    broker::{Broker, MemoryBroker},
    cluster::{Cluster, Holds, NodeDescription, WatchedUsers},
    publish::{PublishLimits, Publisher},
    queues::{MemoryLimits, MemoryQueues, OwnerCount, QueueStore as _, Queues},
    services::{
        AnsweredBy, Caller, LinkLimits, QueueConfig, QueueLimits, Route, ServiceConfig, Services,
        link::{Ending, Peer, Received, Sent, serve},
    },
};
use futures_util::stream::poll_fn;
use gateway_core::{
    channel::Namespaces,
    model::{Data, Refusal},
    queue::{DeadReason, PartitionId, PartitionStatus, QueueName, ReadLimits, StoredDeadLetter},
};
use serde_json::{Value, json, value::RawValue};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::PollSender;

pub(super) const ALL: ReadLimits = ReadLimits { entries: 1000, bytes: 1 << 20, entry_bytes: 1 << 20 };

pub(super) struct Gateway {
    pub(super) services: Arc<Services>,
    pub(super) queues: Arc<Queues>,
    publisher: Publisher,
    pub(super) serving: JoinHandle<()>,
}

/// A service with one partition, whose calls get no replies.
pub(super) fn config() -> ServiceConfig {
    let route = Route { answered: AnsweredBy::Queue, ..Route::default() };
    let queue = QueueConfig { partitions: 1, tries: 3, ..QueueConfig::default() };
    ServiceConfig { queue: Some(queue), route, ..ServiceConfig::default() }
}

pub(super) fn queues(max_length: usize) -> Arc<Queues> {
    let limits = MemoryLimits { lease: Duration::from_secs(10), max_length, max_dead: 10, memory_bytes: 1 << 20 };
    Arc::new(Queues::Memory(MemoryQueues::new(limits)))
}

pub(super) fn gateway(config: ServiceConfig) -> Arc<Gateway> {
    gateway_on(queues(100), config)
}

/// A node on a store that exists already.
pub(super) fn gateway_on(queues: Arc<Queues>, config: ServiceConfig) -> Arc<Gateway> {
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), crate::broker::MemoryLimits::default())));
    let limits = QueueLimits {
        node: "n1".into(),
        window: 100,
        window_bytes: 1 << 20,
        blocked_ids: 100,
        entry_bytes: 1 << 16,
        once_ttl: Duration::from_mins(1),
    };
    let services = Services::new([("bot".parse().expect("valid"), config)], LinkLimits::default()).with_queues(queues.clone(), limits);
    let services = Arc::new(services);
    let description = NodeDescription { name: "n1".into(), link: "ws://n1".into(), public: "http://n1".into(), shared: [].into() };
    let cluster = Cluster::single(description, Vec::new(), Holds::new(broker.clone(), Duration::ZERO), WatchedUsers::new(64));
    let serving = tokio::spawn({
        let services = services.clone();
        async move { services.serve_queues(&cluster).await }
    });
    Arc::new(Gateway { services, queues, publisher: Publisher::new(broker, Namespaces::default(), PublishLimits::default()), serving })
}

pub(super) fn partition(number: u16) -> PartitionId {
    PartitionId { queue: QueueName::Service("bot".parse().expect("valid")), partition: number }
}

pub(super) fn data(json: &Value) -> Data {
    Data::parse(&RawValue::from_string(json.to_string()).expect("JSON")).expect("shallow")
}

/// Waits until something is so. With a paused clock this takes no time.
pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_hours(2), "waited too long until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

impl Gateway {
    pub(super) async fn send(&self, caller: &Caller, json: Value) -> Result<(), Refusal> {
        self.services.event("bot", data(&json), caller).await
    }

    /// Calls a method. Returns the id of the event.
    pub(super) async fn call(self: &Arc<Self>, caller: &Caller, method: &str, json: Value) -> Result<String, crate::services::CallError> {
        let reply = self.services.call(&format!("bot.{method}"), data(&json), caller, Duration::MAX).await?;
        let reply: Value = serde_json::from_str(reply.data.get()).expect("JSON");
        assert_eq!(reply.as_object().map(serde_json::Map::len), Some(1), "{reply}");
        Ok(reply["accepted"].as_str().expect("an id").to_owned())
    }

    pub(super) async fn status(&self) -> PartitionStatus {
        self.queues.status(&partition(0)).await.expect("memory answers")
    }

    pub(super) async fn emptied(&self) {
        until("the queue is empty", async || self.status().await.depth == 0).await;
    }

    pub(super) async fn dead(&self) -> Vec<StoredDeadLetter> {
        self.queues.dead_letters(&partition(0), None, ALL).await.expect("memory answers")
    }

    /// Waits for one dead letter, and checks its reason and its number of tries.
    pub(super) async fn dead_lettered(&self, reason: DeadReason, tries: u32) {
        until("there is a dead letter", async || !self.dead().await.is_empty()).await;
        let dead = self.dead().await;
        assert_eq!((dead.len(), dead[0].reason, dead[0].tries), (1, Some(reason), tries), "{dead:?}");
    }

    pub(super) fn counted(&self, count: OwnerCount) -> u64 {
        self.services.queue_counters().flat_map(|(_, _, owners)| owners).map(|owner| owner.counted(count)).sum()
    }
}

/// The instance's end of a link. A task runs the gateway's end.
pub(super) struct Instance {
    to: mpsc::Sender<Received>,
    from: mpsc::Receiver<Sent>,
    pub(super) ending: JoinHandle<Ending>,
}

impl Instance {
    pub(super) async fn open(gateway: &Arc<Gateway>, name: &str, credit: u32) -> Self {
        Self::open_for(gateway, name, credit, &[]).await
    }

    pub(super) async fn open_for(gateway: &Arc<Gateway>, name: &str, credit: u32, events: &[&str]) -> Self {
        let (to, mut reader) = mpsc::channel(64);
        let (writer, from) = mpsc::channel(64);
        let gateway = Arc::clone(gateway);
        let nodes = watch::channel(["ws://n1".to_owned()].into()).1;
        let peer = Peer {
            service: "bot".parse().expect("valid"),
            key: crate::auth::HeldKey::unlimited("dev"),
            audit: Arc::new(crate::telemetry::Audit::new(1)),
            node: "n1".into(),
            nodes,
        };
        let ending = tokio::task::spawn_local(async move {
            serve(&gateway.services, &gateway.publisher, peer, poll_fn(|cx| reader.poll_recv(cx)), PollSender::new(writer)).await
        });
        let mut instance = Self { to, from, ending };
        instance.send(&json!({"hello": {"service": "bot", "instance": name, "credit": credit, "events": events}}));
        assert!(instance.frame().await["welcome"].is_object());
        instance
    }

    pub(super) fn send(&mut self, frame: &Value) {
        self.to.try_send(Received::Text(frame.to_string().into())).expect("room");
    }

    pub(super) fn credit(&mut self, n: u32) {
        self.send(&json!({"credit": {"n": n}}));
    }

    pub(super) async fn frame(&mut self) -> Value {
        loop {
            match self.from.recv().await.expect("the link is open") {
                Sent::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Sent::Ping => self.to.try_send(Received::Pong).expect("room"),
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> Value {
        let mut frame = self.frame().await;
        assert!(frame["event"].is_object(), "{frame}");
        frame["event"].take()
    }

    /// Acknowledges an event, and returns its credit.
    pub(super) fn done(&mut self, event: &Value) {
        self.send(&json!({"done": {"id": event["id"]}}));
        self.credit(1);
    }

    pub(super) fn failed(&mut self, event: &Value, how: &Value) {
        let mut failed = how.clone();
        failed["id"] = event["id"].clone();
        self.send(&json!({ "failed": failed }));
        self.credit(1);
    }

    /// Whether nothing comes for this time.
    pub(super) async fn is_idle(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            match tokio::time::timeout_at(end, self.from.recv()).await {
                Err(_) => return true,
                Ok(Some(Sent::Ping)) => self.to.try_send(Received::Pong).expect("room"),
                Ok(_) => return false,
            }
        }
    }

    /// Breaks the link.
    pub(super) async fn breaks(self) {
        let Self { to, from, ending } = self;
        drop((to, from));
        ending.await.expect("no panic");
    }
}

/// Runs a test with paused time and with tasks that need not be `Send`.
pub(super) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
