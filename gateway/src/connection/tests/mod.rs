//! A connection between a scripted socket and a real hub, on one thread with paused time.

mod abrupt_end;
mod asleep;
mod bounds;
mod catch_up;
mod close;
mod commands;
mod dead_node;
mod event_source;
mod guards;
mod lifecycle;
mod revocations;
mod socket;
mod stomp;
mod streams;
mod tokens;
mod turns;
mod user_limit;

use super::*;
use crate::transport::Wire;
use crate::{
    auth::{ConnectionClaims, SubscriptionClaims, Tokens},
    broker::{Broker, Mailbox, MailboxEntry, MemoryBroker, MemoryLimits, Reads},
    hub::{Hub, HubLimits, HubParts, RecoveryMemoryLimits},
    limits::UserConnections,
    node::Node,
    publish::Draft,
    services::{GuardConfig, KeptRequest, LinkLimits, ServiceConfig, Services, link},
    settings::Settings,
    telemetry::{Closed, Count, DropCause, Level, OverflowPolicy, TransportEnd},
};
use gateway_core::{
    channel::{ChannelOptions, GapBufferBudget, Grant, Guard, Namespaces, WhenAway},
    limits::{TrafficRates, UserRates},
    model::{
        ChannelName, CommandTarget, ConnectionId, Disconnect, PageLimit, Retention, Revocation, RevocationTarget, ServerCommand, Tags,
        Unsubscribe, UserId, WorkerId,
    },
    protocol::{
        centrifuge::{Codec, Encoding},
        websocket::{self, Decoder, Opcode},
    },
    session::{PingForm, SessionConfig},
};
use serde_json::{Value, json, value::to_raw_value};
use shared_proto::content::ContentBody;
use socket::{Incoming, Socket};
use std::{pin::Pin, rc::Rc, sync::Arc, task::Context, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::PollSender;

/// Largest message of a frontend, in bytes.
const MESSAGE_SIZE: u32 = 4096;

/// A worker of a node, and the service `bot`.
struct World {
    worker: Rc<WorkerContext>,
    mailbox: Arc<Mailbox>,
}

/// Settings that tests change.
struct Bounds {
    connection: ConnectionLimits,
    outbox: usize,
    in_flight: usize,
    ping_interval: Duration,
    rates: TrafficRates,
    user_rates: Option<Arc<UserRates>>,
    user_connections: UserConnections,
    guards: GuardConfig,
    /// The service `bot`.
    bot: ServiceConfig,
    /// `tokens.anonymous`.
    anonymous: bool,
}

fn default_bounds() -> Bounds {
    let connection = limits();
    // The phase of the first ping is random. This long interval keeps pings out of tests of other behaviour.
    Bounds {
        connection,
        outbox: 4000,
        in_flight: 2,
        ping_interval: Duration::from_hours(1000),
        rates: TrafficRates::default(),
        user_rates: None,
        user_connections: UserConnections::UNLIMITED,
        guards: GuardConfig::default(),
        bot: ServiceConfig::default(),
        anonymous: true,
    }
}

fn node(mailbox: &Arc<Mailbox>, bounds: &Bounds) -> Node {
    let open = ChannelOptions {
        subscribe: Grant::Anyone,
        publish: Grant::Anyone,
        see_presence: Grant::Anyone,
        see_history: Grant::Anyone,
        ..ChannelOptions::default()
    };
    let kept = ChannelOptions {
        retention: Some(Retention { size: 1000, ttl: Duration::from_hours(1) }),
        presence: true,
        join_leave: true,
        ..open.clone()
    };
    let guard = |when_away| Some(Guard { service: "bot".parse().expect("valid"), when_away });
    let via = |when_away| ChannelOptions { subscribe_via: guard(when_away), publish_via: guard(when_away), ..kept.clone() };
    let (guarded, lenient) = (via(WhenAway::Refuse), via(WhenAway::Allow));
    let watched = ChannelOptions { lifecycle: true, ..open.clone() };
    let named = [("watched", watched), ("open", open), ("kept", kept), ("guarded", guarded), ("lenient", lenient)];
    let named = named.into_iter().map(|(name, options)| (name.into(), Arc::new(options))).collect();
    let namespaces = Namespaces { named, ..Namespaces::default() };
    let broker = Arc::new(Broker::Memory(MemoryBroker::new(vec![mailbox.clone()], MemoryLimits::default())));
    let session_config = SessionConfig {
        namespaces,
        node: "n1".into(),
        connect_timeout: Duration::from_secs(10),
        ping_interval: bounds.ping_interval,
        stream_ping_interval: Duration::from_secs(15),
        pong_timeout: Duration::from_secs(8),
        expiry_grace: Duration::from_secs(20),
        max_subscriptions: 10,
        max_in_flight: bounds.in_flight,
        history_limit: 100,
        rates: bounds.rates,
        user_rates: bounds.user_rates.clone(),
        attach_timeout: Duration::from_secs(4),
    };
    // The instance of the tests answers no pings.
    let links = LinkLimits { heartbeat: Duration::from_hours(1), ..LinkLimits::default() };
    let services = Services::new([("bot".parse().expect("valid"), bounds.bot.clone())], links);
    let services = services.with_guards(bounds.guards.clone());
    let tokens = format!("[tokens]\nanonymous = {}\nhmac_secret = \"secret\"\nunbounded = true", bounds.anonymous);
    let tokens = Tokens::from(&Settings::from_toml(&tokens).expect("valid").tokens);
    Node {
        services: services.into(),
        tokens,
        user_connections: bounds.user_connections,
        ..Node::alone(broker, vec![mailbox.clone()], session_config)
    }
}

fn run<F: Future<Output = ()>>(bounds: Bounds, test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let mailbox = Arc::new(Mailbox::new(1000, 1 << 20));
        let node = Arc::new(node(&mailbox, &bounds));
        let hub = Hub::new(HubParts {
            start: tokio::time::Instant::now(),
            worker: WorkerId::FIRST,
            broker: node.broker.clone(),
            reads: Reads::new(node.broker.clone(), 2, crate::broker::PresenceLimits::default()),
            gap_buffers: GapBufferBudget::new(1 << 20),
            mailbox: mailbox.clone(),
            holds: node.cluster.holds().clone(),
            namespaces: Arc::new(node.session_config.namespaces.clone()),
            limits: HubLimits {
                posted_bytes: 1000,
                outbox_bytes: bounds.outbox,
                worker_outbox_bytes: 1 << 20,
                batch_bytes: 500,
                slice: 16,
                attach_buffer: 8,
                memory: RecoveryMemoryLimits { time: Duration::ZERO, bytes: 10_000, channels: 100 },
                page: PageLimit { entries: 4, bytes: 10_000 },
                resubscribes_per_second: 1000,
                join_leave_max: 10,
                retry: Duration::from_millis(10),
            },
            metrics: Arc::default(),
        });
        tokio::task::spawn_local(hub.clone().run());
        let worker = Rc::new(WorkerContext::new(hub, node, bounds.connection));
        test(World { worker, mailbox }).await;
    });
}

impl World {
    /// Opens a connection that has sent no command.
    fn open(&self) -> Peer {
        self.open_as(Codec::Json)
    }

    fn open_as(&self, codec: Codec) -> Peer {
        let socket = Socket::default();
        let task = tokio::task::spawn_local(self.connection(&socket, codec));
        Peer { socket, task }
    }

    /// Creates a connection without a task.
    fn connection(&self, socket: &Socket, codec: Codec) -> Connection<Socket> {
        self.connection_of(socket, ChosenProtocol::Centrifuge { encoding: Encoding::in_messages(codec), ping_form: PingForm::Message })
    }

    fn connection_of(&self, socket: &Socket, protocol: ChosenProtocol) -> Connection<Socket> {
        let handshake =
            Handshake { id: ConnectionId::random(), protocol, address: None, traceparent: None, request: KeptRequest::default() };
        Connection::new(self.worker.clone(), Wire::new(socket.clone(), b"", Decoder::new(self.worker.limits.connect_size)), handshake)
    }

    /// Opens a connection without a user and sends the connect command.
    async fn anonymous(&self) -> Peer {
        self.connected(r#"{"id":1,"connect":{}}"#).await
    }

    /// Opens a connection of this user and sends the connect command.
    async fn user(&self, name: &str) -> Peer {
        self.connected(&self.connect_command(name)).await
    }

    /// The connect command of this user.
    fn connect_command(&self, user: &str) -> String {
        let token = self.worker.node.tokens.sign_connection(&ConnectionClaims::of(user.parse().expect("valid")), 0).expect("a key");
        json!({"id": 1, "connect": {"token": token}}).to_string()
    }

    async fn connected(&self, connect: &str) -> Peer {
        let peer = self.open();
        peer.send(connect);
        let received = peer.receive().await;
        assert!(received.first().is_some_and(|line| line.starts_with(r#"{"id":1,"connect":{"#)), "{received:?}");
        peer
    }

    async fn publish(&self, channel: &str, text: &str) {
        let data = to_raw_value(text).expect("a string");
        let draft = Draft::parse(channel, ContentBody::Json(data), Tags::new(), false).expect("valid");
        self.worker.node.publisher.publish(draft).await.expect("in memory");
    }

    /// Sends a service's command to the connections of a user. Returns their number.
    async fn command(&self, user: &str, command: ServerCommand) -> usize {
        self.worker.node.cluster.command(CommandTarget::User(user.parse().expect("valid")), command).await.expect("one worker")
    }

    /// The number of connections that have ended in this way.
    fn closed(&self, how: Closed) -> u64 {
        self.worker.hub.metrics().closings(how)
    }

    /// Asserts that the worker has no connections, subscriptions or tasks, and that the outboxes are empty.
    async fn assert_empty(&self) {
        settle().await;
        let metrics = self.worker.hub.metrics();
        let channel: ChannelName = "kept:a".parse().expect("valid");
        assert_eq!(self.worker.hub.connections(), 0, "connections");
        assert_eq!(self.worker.hub.budget().used(), 0, "bytes in outboxes");
        for level in [Level::ConnectionsOpen, Level::SubscriptionsOpen, Level::ChannelsOpen, Level::TasksOpen] {
            assert_eq!(metrics.level(level), 0, "{level:?}");
        }
        assert_eq!(self.worker.node.broker.presence_stats(&channel).await.expect("in memory").clients, 0, "presence");
    }
}

/// The frontend's end of a connection.
struct Peer {
    socket: Socket,
    task: JoinHandle<()>,
}

impl Peer {
    /// Sends one message.
    fn send(&self, text: &str) {
        self.send_bytes(frame(0x81, text.as_bytes()));
    }

    fn send_bytes(&self, bytes: impl Into<Vec<u8>>) {
        self.socket.feed(Incoming::Bytes(bytes.into()));
    }

    /// Accepts `bytes` further bytes, and then none.
    fn accept_bytes(&self, bytes: usize) {
        self.socket.set_room(Some(bytes));
    }

    fn accept_all(&self) {
        self.socket.set_room(None);
    }

    /// Runs all ready tasks, then returns the received lines. A control frame is one line of text.
    async fn receive(&self) -> Vec<String> {
        settle().await;
        std::iter::from_fn(|| self.socket.take(next_frame)).flatten().collect()
    }

    /// Sends one message and returns the lines that it causes.
    async fn request(&self, text: &str) -> Vec<String> {
        self.send(text);
        self.receive().await
    }

    /// Runs all ready tasks, then returns whether the connection's task has ended.
    async fn is_finished(&self) -> bool {
        settle().await;
        self.task.is_finished()
    }
}

/// Replaces each received publication by its text. Keeps other lines.
fn texts(received: &[String]) -> Vec<String> {
    let text = |line: &String| {
        let push: Value = serde_json::from_str(line).unwrap_or_default();
        push["push"]["pub"]["data"].as_str().map_or_else(|| line.clone(), str::to_owned)
    };
    received.iter().map(text).collect()
}

/// Encodes a masked frame of a client. The length has to fit into 16 bits.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    websocket::encode::header(Opcode::Text, payload.len(), &mut frame);
    (frame[0], frame[1]) = (first, frame[1] | 0x80);
    let key = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn close_frame(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

/// Decodes the first frame of the gateway. Returns its size and its lines.
fn next_frame(bytes: &[u8]) -> Option<(usize, Vec<String>)> {
    let [first, second, ..] = *bytes else { return None };
    let (length, at) = match second {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => panic!("a frame with a 64-bit length"),
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(at..at + length)?;
    let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).expect("UTF-8");
    let said = match first {
        0x81 => text(payload).lines().map(str::to_owned).collect(),
        0x8A => vec![format!("pong {}", text(payload))],
        0x88 => vec![match payload.split_first_chunk() {
            Some((code, reason)) => format!("close {} {}", u16::from_be_bytes(*code), text(reason)),
            None => "close".to_owned(),
        }],
        other => panic!("an unexpected frame: {other:#x}"),
    };
    Some((at + length, said))
}

/// An instance of the service `bot` that the test controls.
struct Bot {
    to: mpsc::Sender<link::Received>,
    from: mpsc::Receiver<link::Sent>,
}

impl Bot {
    async fn open(world: &World) -> Self {
        Self::with_events(world, &[]).await
    }

    /// Opens an instance that subscribes to these kinds of lifecycle events.
    async fn with_events(world: &World, events: &[&str]) -> Self {
        let (to, mut reader) = mpsc::channel(64);
        let (writer, from) = mpsc::channel(64);
        let node = world.worker.node.clone();
        let peer = link::Peer {
            service: "bot".parse().expect("valid"),
            key: crate::auth::HeldKey::unlimited("dev"),
            audit: Arc::new(crate::telemetry::Audit::new(1)),
            node: "n1".into(),
            nodes: tokio::sync::watch::channel([].into()).1,
        };
        tokio::task::spawn_local(async move {
            let reader = futures_util::stream::poll_fn(move |cx| reader.poll_recv(cx));
            link::serve(&node.services, &node.publisher, peer, reader, PollSender::new(writer)).await
        });
        let mut bot = Self { to, from };
        bot.send(&json!({"hello": {"service": "bot", "instance": "i1", "credit": 8, "events": events}}));
        assert!(bot.receive().await["welcome"].is_object());
        bot
    }

    fn send(&self, frame: &Value) {
        self.to.try_send(link::Received::Text(frame.to_string().into())).expect("room");
    }

    async fn receive(&mut self) -> Value {
        match self.from.recv().await {
            Some(link::Sent::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("expected a frame, received {other:?}"),
        }
    }

    /// Removes and returns the received lifecycle events in alphabetical order, each as kind, user and channel.
    async fn events(&mut self) -> Vec<String> {
        settle().await;
        let mut events = Vec::new();
        while let Ok(link::Sent::Text(text)) = self.from.try_recv() {
            let event = &serde_json::from_str::<Value>(&text).expect("JSON")["event"];
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            events.push([word(&event["kind"]), word(&event["user"]), word(&event["data"]["channel"])].join(" ").trim_end().to_owned());
        }
        events.sort();
        events
    }
}

/// Runs all ready tasks. The clock does not advance.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Advances the clock, and runs all tasks that become ready.
async fn elapse(seconds: f32) {
    tokio::time::sleep(Duration::from_secs_f32(seconds)).await;
    settle().await;
}
