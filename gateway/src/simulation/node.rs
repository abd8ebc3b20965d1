//! One node of a simulated cluster, and its workers.

use super::{plan::Shape, wake_flag::WakeFlag};
use crate::{
    broker::{
        Broker, Mailbox, Reads, RedisAddress, RedisConfig,
        simulated::{self, Purpose, Server, SimulatedConnections},
    },
    connection::{self, WorkerContext},
    hub::{Hub, HubLimits, HubParts, RecoveryMemoryLimits},
    node::Node,
    settings::Settings,
};
use gateway_core::{
    channel::{ChannelOptions, DeltaOption, GapBufferBudget, Grant, Namespaces, Unrecoverable},
    limits::TrafficRates,
    model::{PageLimit, Retention, WorkerId},
    session::SessionConfig,
};
use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, LazyLock},
    task::{Context, Waker},
    time::Duration,
};

pub(super) const PREFIX: &str = "sim";
/// How long a channel without subscribers stays subscribed.
pub(super) const UNSUBSCRIBE_DELAY: Duration = Duration::from_millis(500);
/// Time for a command.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// A node.
pub(super) struct SimulatedNode {
    pub(super) broker: Arc<Broker>,
    pub(super) wires: SimulatedConnections,
    pub(super) workers: Vec<SimulatedWorker>,
    pub(super) mailboxes: Vec<Arc<Mailbox>>,
    pub(super) reads: Arc<Reads>,
    pub(super) gap_buffers: Arc<GapBufferBudget>,
    pub(super) chunk: usize,
}

/// A worker that runs on request.
pub(super) struct SimulatedWorker {
    pub(super) worker: Rc<WorkerContext>,
    run: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<WakeFlag>,
    waker: Waker,
}

impl SimulatedWorker {
    /// Lets the hub take its mailbox and deliver, up to `turns` times.
    pub(super) fn work(&mut self, turns: usize) {
        for _ in 0..turns {
            if self.flag.take() {
                let _ = self.run.as_mut().poll(&mut Context::from_waker(&self.waker));
            }
        }
    }
}

impl SimulatedNode {
    /// A node that is connected.
    pub(super) fn new(name: &str, shape: &Shape, server: &mut Server) -> Self {
        let mailboxes: Vec<_> = (0..shape.workers).map(|_| Arc::new(Mailbox::new(shape.mailbox, 1 << 20))).collect();
        let (broker, mut wires) = simulated::broker(mailboxes.clone(), config(name, shape));
        let broker = Arc::new(Broker::Redis(broker));
        let _ = wires.connect(Purpose::Write, server) | wires.connect(Purpose::Read, server) | wires.subscriber.connect(server);
        let session_config = session_config(name, shape);
        let namespaces = Arc::new(session_config.namespaces.clone());
        let (reads, gap_buffers) =
            (Reads::new(broker.clone(), shape.backfills, crate::broker::PresenceLimits::default()), GapBufferBudget::new(shape.gap_buffer));
        let node = Arc::new(Node::alone(broker.clone(), mailboxes.clone(), session_config));
        let worker = |(index, mailbox): (usize, Arc<Mailbox>)| {
            let hub = Hub::new(HubParts {
                start: tokio::time::Instant::now(),
                worker: WorkerId::new(index).expect("few"),
                broker: broker.clone(),
                reads: reads.clone(),
                gap_buffers: gap_buffers.clone(),
                mailbox,
                holds: node.cluster.holds().clone(),
                namespaces: namespaces.clone(),
                limits: hub_limits(shape),
                metrics: Arc::default(),
            });
            let run = Box::pin(hub.clone().run());
            let (worker, flag) = (Rc::new(WorkerContext::new(hub, node.clone(), connection::limits())), WakeFlag::new());
            SimulatedWorker { worker, run, waker: Waker::from(flag.clone()), flag }
        };
        let workers = mailboxes.iter().cloned().enumerate().map(worker).collect();
        Self { broker, wires, workers, mailboxes, reads, gap_buffers, chunk: shape.chunk }
    }

    /// Does everything that is due once. Returns whether there was anything.
    pub(super) fn round(&mut self, server: &mut Server) -> bool {
        let Self { wires, workers, chunk, .. } = self;
        let mut any = false;
        for duty in [Purpose::Write, Purpose::Read] {
            any |= wires.connect(duty, server) | wires.send(duty);
            while wires.execute(duty, server) {}
            any |= wires.answer(duty, server);
        }
        any |= wires.subscriber.detect_break(server, false) | wires.subscriber.connect(server);
        any |= wires.subscriber.request(server, *chunk) | wires.subscriber.execute_request(server);
        while wires.subscriber.receive(server) {
            any = true;
        }
        any |= wires.subscriber.handle_confirmation(server);
        for worker in workers {
            worker.work(4);
        }
        any
    }
}

/// An address; no connection is made to it.
static ADDRESS: LazyLock<RedisAddress> = LazyLock::new(|| {
    let settings = Settings::from_toml("[redis]\nurl = \"redis://localhost\"").expect("valid");
    RedisAddress::try_from(&settings.redis).expect("a good address")
});

fn config(name: &str, shape: &Shape) -> RedisConfig {
    RedisConfig {
        address: ADDRESS.clone(),
        prefix: PREFIX.into(),
        node: name.into(),
        lanes: 1,
        queue_commands: 64,
        batch_commands: shape.pipeline,
        deadline: DEADLINE,
        connect_timeout: Duration::from_secs(1),
        response_timeout: Duration::from_secs(1),
        lease: Duration::from_secs(10),
        unsubscribe_delay: UNSUBSCRIBE_DELAY,
        canary_interval: Duration::from_secs(1),
        audit_duration: Duration::from_secs(30),
        idempotency_ttl: Duration::from_hours(1),
        position_ttl: Duration::from_hours(1),
        subscriptions_per_user: 8,
        queues: None,
    }
}

fn session_config(name: &str, shape: &Shape) -> SessionConfig {
    let retention = Some(Retention { size: shape.kept, ttl: Duration::from_hours(1) });
    let unrecoverable = if shape.live_after_loss { Unrecoverable::Live } else { Unrecoverable::Replay };
    let kept = ChannelOptions {
        retention,
        subscribe: Grant::Anyone,
        unrecoverable,
        delta: DeltaOption::Fossil,
        tags_filter: true,
        ..ChannelOptions::default()
    };
    SessionConfig {
        namespaces: Namespaces { defaults: Arc::new(kept), ..Namespaces::default() },
        node: name.into(),
        connect_timeout: Duration::from_secs(10),
        // Pings have a random phase, and are not part of this simulation.
        ping_interval: Duration::from_hours(1000),
        stream_ping_interval: Duration::from_secs(15),
        pong_timeout: Duration::from_secs(8),
        expiry_grace: Duration::from_secs(20),
        max_subscriptions: 10,
        max_in_flight: 4,
        history_limit: 100,
        rates: TrafficRates::default(),
        user_rates: None,
        attach_timeout: Duration::from_secs(4),
    }
}

fn hub_limits(shape: &Shape) -> HubLimits {
    HubLimits {
        posted_bytes: 1000,
        outbox_bytes: shape.outbox,
        worker_outbox_bytes: 1 << 20,
        batch_bytes: shape.batch_bytes,
        slice: shape.slice,
        attach_buffer: shape.attach_buffer,
        memory: RecoveryMemoryLimits { time: Duration::from_millis(shape.memory_ms), bytes: 2_000, channels: 2 },
        page: PageLimit { entries: shape.page, bytes: 10_000 },
        resubscribes_per_second: 1000,
        join_leave_max: 10,
        // Without a pause, because it would be random.
        retry: Duration::ZERO,
    }
}
