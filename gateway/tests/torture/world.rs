//! The state of a run, which all its tasks share: the store, the gateways, the channels, and what was counted.

use crate::{
    client::Ended,
    control::Control,
    delivery_checker::DeliveryCheckers,
    ledger::{Channel, Kind},
    node::Node,
    queues::{
        plan::{FED_CHANNELS, INGEST_PARTITIONS, SECRET},
        settings::settings as settings_of_queues,
        state::Queues,
    },
    scope::Workload,
    store::{Kind as StoreKind, Route, Store},
    subscriber::{activity::Activities, kind::Share},
    tally::Tally,
};
use gateway_core::channel::Unrecoverable;
use reqwest::StatusCode;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio_util::sync::CancellationToken;

/// The lease of every node.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// The size of a run.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) gateways: u8,
    pub(crate) clients: usize,
    /// How frequent each kind of subscribers is.
    pub(crate) shares: Vec<Share>,
    /// Publications per second.
    pub(crate) rate: u32,
    pub(crate) workload: Workload,
}

/// The state of a run.
pub(crate) struct World {
    /// Locked by a fault of the store, so that such faults happen one after the other.
    pub(crate) store: AsyncMutex<Store>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) channels: Vec<Arc<Channel>>,
    pub(crate) checkers: DeliveryCheckers,
    pub(crate) tally: Tally,
    pub(crate) activities: Activities,
    pub(crate) http: reqwest::Client,
    /// Publishers pause. Later publications would reveal earlier losses to the subscribers.
    pub(crate) publishers_paused: watch::Sender<bool>,
    /// Publishers make no new publications.
    pub(crate) stop: CancellationToken,
    /// Publishers do not retry either.
    pub(crate) abort: CancellationToken,
    pub(crate) control: Option<Control>,
    /// How a client of the store finds the server of a key.
    pub(crate) route: Route,
    /// Number of replicas that have an event before it is accepted.
    pub(crate) replicas: u64,
    /// None without queues.
    pub(crate) queues: Option<Queues>,
    /// Number of ended subscriber connections by close code. 0: without a code.
    ends: Mutex<BTreeMap<u16, u64>>,
    /// Number of requests with commands for streams by status. 0: without an answer.
    posts: Mutex<BTreeMap<u16, u64>>,
}

impl World {
    /// Starts all processes.
    pub(crate) async fn start(scale: &Scale, store: StoreKind, control: Option<Control>, directory: &Path) -> Arc<Self> {
        let store = Store::start(store, directory).await;
        let (route, replicas, queues) = (store.route(), store.replicas(), scale.workload.has_queues().then(Queues::new));
        let of_queues = queues.as_ref().map(|queues| settings_of_queues(&queues.consumers, replicas)).unwrap_or_default();
        let mut nodes = Vec::new();
        for number in 1..=scale.gateways {
            let name = format!("node-{number}");
            let of = |proxies: &[SocketAddr]| settings(&name, &store.url(proxies), control) + &of_queues;
            nodes.push(Node::new(name.clone(), &store.servers(), directory.into(), of).await);
        }
        futures_util::future::join_all(nodes.iter().map(Node::start)).await;
        Arc::new(Self {
            store: AsyncMutex::new(store),
            nodes,
            channels: channels(scale.workload),
            checkers: DeliveryCheckers::default(),
            tally: Tally::new(),
            activities: Activities::default(),
            http: reqwest::Client::new(),
            publishers_paused: watch::Sender::default(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            control,
            route,
            replicas,
            queues,
            ends: Mutex::default(),
            posts: Mutex::default(),
        })
    }

    pub(crate) fn any_node(&self) -> &Node {
        &self.nodes[rand::random_range(0..self.nodes.len())]
    }

    /// The queues. Only what belongs to them may call this.
    pub(crate) fn queues(&self) -> &Queues {
        self.queues.as_ref().expect("the workload has queues")
    }

    /// Whether to drop this delivery, for [`Control::Drop`].
    pub(crate) fn drops_this_delivery(&self) -> bool {
        self.control == Some(Control::Drop) && rand::random_ratio(1, 1000)
    }

    pub(crate) fn count_end(&self, ended: &Ended) {
        let code = if let Ended::Closed(code, _) = ended { *code } else { 0 };
        *self.ends.lock().expect("no panic").entry(code).or_default() += 1;
    }

    pub(crate) fn count_post(&self, status: Option<StatusCode>) {
        *self.posts.lock().expect("no panic").entry(status.map_or(0, |status| status.as_u16())).or_default() += 1;
    }

    /// Number of requests with commands for streams by status. 0: without an answer.
    pub(crate) fn posts(&self) -> BTreeMap<u16, u64> {
        self.posts.lock().expect("no panic").clone()
    }

    /// Number of ended subscriber connections by close code.
    pub(crate) fn ends(&self) -> BTreeMap<u16, u64> {
        self.ends.lock().expect("no panic").clone()
    }
}

fn channels(workload: Workload) -> Vec<Arc<Channel>> {
    let named = |namespace: &'static str, kind, unrecoverable, count| {
        (0..count).map(move |at| Arc::new(Channel::new(format!("{namespace}:{at}"), kind, unrecoverable)))
    };
    let of_publications = named("long", Kind::LongHistory, Unrecoverable::Live, 12)
        .chain(named("sparse", Kind::Sparse, Unrecoverable::Replay, 6))
        .chain(named("short", Kind::ShortHistory, Unrecoverable::Replay, 2))
        .chain(named("brief", Kind::ShortHistory, Unrecoverable::Live, 2));
    // The last one is fed by all partitions.
    let of_ingest = (0..FED_CHANNELS).map(|at| {
        let partitions = if at + 1 == FED_CHANNELS { (0..INGEST_PARTITIONS).collect() } else { vec![at as u16 % INGEST_PARTITIONS] };
        Arc::new(Channel::new(format!("fed:{at}"), Kind::LongHistory, Unrecoverable::Live).fed_by(partitions))
    });
    let has_publications = workload.has_publications();
    of_publications.filter(|_| has_publications).chain(of_ingest.filter(|_| workload.has_queues())).collect()
}

/// The settings of a node. Times are short and queues are small, so that runs reach the limits.
fn settings(name: &str, url: &str, control: Option<Control>) -> String {
    let broker = if control == Some(Control::Memory) { "memory" } else { "redis" };
    let namespace = |name: &str, size: u32, unrecoverable: &str| {
        format!(
            "[namespaces.{name}]\nhistory_size = {size}\nhistory_ttl = \"24h\"\nsubscribe = \"anyone\"\npublish = \"anyone\"\n\
             delta = \"fossil\"\ntags_filter = true\ndata = \"any\"\nunrecoverable = \"{unrecoverable}\"\n"
        )
    };
    format!(
        r#"
        workers = 2
        [[api_keys]]
        name = "torture"
        key = "{key}"
        [node]
        name = "{name}"
        [public]
        address = "127.0.0.1:0"
        [internal]
        address = "127.0.0.1:0"
        [tokens]
        anonymous = true
        hmac_secret = "{secret}"
        unbounded = true
        [broker]
        kind = "{broker}"
        [redis]
        url = {url}
        canary_interval = "500ms"
        audit_duration = "5s"
        unsubscribe_delay = "500ms"
        [cluster]
        lease = "{lease}s"
        [connection]
        ping_interval = "3s"
        pong_timeout = "2s"
        outbox_bytes = "64KiB"
        data_size = "8KiB"
        [streams]
        heart_beat = "1s"
        queue_bytes = "1KiB"
        retry = "100ms"
        [fan_out]
        mailbox_entries = 64
        batch_bytes = "4KiB"
        subscribers_per_turn = 8
        [recovery]
        page_entries = 32
        page_bytes = "8KiB"
        attach_buffer = 16
        [drain]
        window = "1s"
        deadline = "5s"
        [telemetry]
        log_format = "json"
        {long}{sparse}{short}{brief}"#,
        key = crate::node::KEY,
        secret = SECRET,
        lease = LEASE.as_secs(),
        long = namespace("long", 1_000_000, "live"),
        sparse = namespace("sparse", 1_000_000, "replay"),
        short = namespace("short", 50, "replay"),
        brief = namespace("brief", 50, "live"),
    )
}
