//! Tests of all paths of the interface, with the memory broker.

mod all_or_none;
mod bad_input;
mod broadcasts;
mod document;
mod link;
mod producers;
mod queues;
mod resources;
mod revocations;
mod scopes;

use super::configure;
use crate::{
    auth::{ApiKeys, CurrentKeys, Tokens},
    broker::{
        Broker, Mailbox, MailboxEntry, MemoryBroker, MemoryLimits,
        mailbox::{ConnectionSummary, HubQuery},
    },
    cluster::{Cluster, Holds, NodeDescription, WatchedUsers},
    limits::{Addresses, KeyRates, UserConnections},
    node::{ApiLimits, Health, Node},
    publish::{PublishLimits, Publisher},
    queues::{MemoryLimits as QueueMemoryLimits, MemoryQueues, QueueMonitor, QueueOperations, Queues},
    services::{LinkLimits, ServiceConfig, Services},
    settings::Settings,
    telemetry::Audit,
};
use actix_http::Request;
use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode, header::HeaderMap},
    test::{TestRequest, call_service, init_service, read_body},
};
use gateway_core::{
    channel::{AllowedData, ChannelOptions, Namespaces},
    limits::TrafficRates,
    model::{ClaimDigest, CommandTarget, ConnectionId, Retention, ServerCommand},
    queue::QueueName,
    session::SessionConfig,
};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeMap, future::poll_fn, rc::Rc, sync::Arc, time::Duration};

/// A node with one worker. The test acts as its hub, with one connection of `alice`.
struct Fixture {
    node: Arc<Node>,
    /// The store of queues. The service `bot` has two partitions.
    queues: Arc<Queues>,
    alice: ConnectionId,
    commands: Rc<RefCell<Vec<ServerCommand>>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn memory_queues() -> Arc<Queues> {
    Arc::new(Queues::Memory(MemoryQueues::new(QueueMemoryLimits {
        lease: Duration::from_mins(1),
        max_length: 10,
        max_dead: 10,
        memory_bytes: 1 << 20,
    })))
}

fn node(mailbox: &Arc<Mailbox>, queues: &Arc<Queues>) -> Node {
    let settings =
        Settings::from_toml("[[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[[api_keys]]\nname = \"other\"\nkey = \"other\"").expect("valid");
    let kept = |presence| {
        let retention = Some(Retention { size: 5, ttl: Duration::from_mins(1) });
        Arc::new(ChannelOptions { retention, presence, ..ChannelOptions::default() })
    };
    let any = Arc::new(ChannelOptions { data: AllowedData::Any, ..(*kept(false)).clone() });
    let named = [("news".into(), kept(false)), ("chat".into(), kept(true)), ("open".into(), Arc::default()), ("any".into(), any)];
    let namespaces = Namespaces { personal: kept(false), named: named.into(), ..Namespaces::default() };
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(vec![Arc::clone(mailbox)], MemoryLimits::default())));
    let session_config = SessionConfig {
        namespaces: namespaces.clone(),
        node: "n1".into(),
        connect_timeout: Duration::from_secs(5),
        attach_timeout: Duration::from_secs(4),
        ping_interval: Duration::from_secs(25),
        stream_ping_interval: Duration::from_secs(15),
        pong_timeout: Duration::from_secs(10),
        expiry_grace: Duration::from_secs(10),
        max_subscriptions: 100,
        max_in_flight: 16,
        history_limit: 100,
        rates: TrafficRates::default(),
        user_rates: None,
    };
    Node {
        name: "n1".into(),
        session_config: Arc::new(session_config),
        stomp_config: Arc::default(),
        publisher: Arc::new(Publisher::new(Arc::clone(&broker), namespaces, PublishLimits { data: 1000, ..PublishLimits::default() })),
        ingest: None,
        services: Arc::new(Services::new([("bot".parse().expect("valid"), ServiceConfig::default())], LinkLimits::default())),
        queues: QueueOperations::new(Arc::clone(queues), [(QueueName::Service("bot".parse().expect("valid")), 2)].into()),
        queue_monitor: QueueMonitor::default(),
        cluster: Cluster::single(
            NodeDescription { name: "n1".into(), link: "ws://n1".into(), public: "http://n1".into(), shared: BTreeMap::new() },
            vec![Arc::clone(mailbox)],
            Holds::new(Arc::clone(&broker), Duration::from_secs(2)),
            WatchedUsers::new(64),
        ),
        broker,
        tokens: Tokens::from(&settings.tokens),
        api_keys: CurrentKeys::new(ApiKeys::try_from(&*settings.api_keys).expect("valid")),
        addresses: Addresses::unlimited(),
        user_connections: UserConnections::UNLIMITED,
        key_rates: KeyRates::new(None, []),
        audit: Arc::new(Audit::new(60)),
        presence_limit: 100,
        revocation_ttl: Duration::from_hours(24),
        when_away: gateway_core::channel::WhenAway::Allow,
        revocations: crate::node::RevocationCounters::default(),
        history_bytes: 1 << 20,
        api: ApiLimits { body: 4000, batch: 3, broadcast: 4, broadcast_bytes: 1000, ..ApiLimits::default() },
        health: Health::default(),
        metrics: crate::telemetry::Telemetry::without_logs(&settings).expect("no endpoint").metrics().clone(),
    }
}

impl Fixture {
    fn new() -> Self {
        Self::with_node(|node| node)
    }

    /// A node whose keys have these scopes, each a list in TOML. The names are the keys.
    fn with_scopes(keys: &[(&str, &str)]) -> Self {
        let entry = |(key, scopes): &(&str, &str)| format!("[[api_keys]]\nname = \"{key}\"\nkey = \"{key}\"\nscopes = [{scopes}]\n");
        let settings = Settings::from_toml(&keys.iter().map(entry).collect::<String>()).expect("valid");
        Self::with_node(|node| Node { api_keys: CurrentKeys::new(ApiKeys::try_from(&*settings.api_keys).expect("valid")), ..node })
    }

    fn with_node(change: impl FnOnce(Node) -> Node) -> Self {
        let mailbox = Arc::new(Mailbox::new(1000, 1 << 20));
        let queues = memory_queues();
        let node = Arc::new(change(node(&mailbox, &queues)));
        let (alice, commands) = (ConnectionId::random(), Rc::default());
        actix_web::rt::spawn(hub(mailbox, alice, Rc::clone(&commands)));
        Self { node, queues, alice, commands }
    }

    async fn app(&self) -> impl Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + use<> {
        let node = Arc::clone(&self.node);
        init_service(App::new().configure(move |config| configure(config, &node))).await
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let response = call_service(&self.app().await, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: read_body(response).await.to_vec() }
    }

    /// Sends a request with an API key. Adds the body if it is not empty.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(request(method, path, body)).await
    }

    async fn ask_as(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.send(request_as(key, method, path, body)).await
    }
}

fn request(method: &str, path: &str, body: &str) -> TestRequest {
    request_as("dev", method, path, body)
}

fn request_as(key: &str, method: &str, path: &str, body: &str) -> TestRequest {
    let request = TestRequest::with_uri(path).method(Method::from_bytes(method.as_bytes()).expect("a method"));
    let request = request.insert_header(("authorization", format!("Bearer {key}")));
    if body.is_empty() { request } else { request.insert_header(("content-type", "application/json")).set_payload(body.to_owned()) }
}

async fn hub(mailbox: Arc<Mailbox>, alice: ConnectionId, commands: Rc<RefCell<Vec<ServerCommand>>>) {
    let concerns = |target: &CommandTarget| match target {
        CommandTarget::Connection(id) => *id == alice,
        CommandTarget::User(user) => user.as_str() == "alice",
        CommandTarget::Claim(claim, digest) => *digest == ClaimDigest::new("https://login", *claim, "of-alice"),
    };
    let mut entries = Vec::new();
    loop {
        poll_fn(|cx| mailbox.poll_take(cx, &mut entries)).await;
        for entry in entries.drain(..) {
            match entry {
                MailboxEntry::Command(target, command, answer) => {
                    let concerned = concerns(&target);
                    if concerned {
                        commands.borrow_mut().push(command);
                    }
                    let _ = answer.try_send(usize::from(concerned));
                }
                MailboxEntry::Query(HubQuery::Connections(target, answer)) => {
                    let (user, address) = ("alice".parse().expect("valid"), "2001:db8::9".parse().ok());
                    let summary = ConnectionSummary { id: alice, user, channels: Vec::new(), since_us: 7_000, address };
                    let _ = answer.try_send(concerns(&target).then_some(summary).into_iter().collect());
                }
                MailboxEntry::Query(HubQuery::Subscribers(_, answer)) => drop(answer.try_send(3)),
                _ => {}
            }
        }
    }
}
