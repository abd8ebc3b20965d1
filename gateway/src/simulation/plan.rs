//! The plan of a run: made from a seed, independent of what the steps do.

use crate::broker::simulated::Purpose;
use rand::{RngExt as _, SeedableRng as _, distr::weighted::WeightedIndex, prelude::Distribution as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// Number of nodes, clients and channels, and sizes of buffers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) workers: usize,
    pub(super) channels: usize,
    pub(super) clients: usize,
    /// Clients with server-side subscriptions.
    pub(super) server_side: usize,
    /// Publications that a channel keeps.
    pub(super) kept: u32,
    /// Deliveries of a mailbox.
    pub(super) mailbox: usize,
    pub(super) page: usize,
    pub(super) attach_buffer: usize,
    /// How long a worker keeps publications and channels for clients that return, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) memory_ms: u64,
    pub(super) backfills: usize,
    /// Bytes of publications that wait while a gap before them is read.
    pub(super) gap_buffer: usize,
    pub(super) outbox: usize,
    pub(super) batch_bytes: usize,
    pub(super) slice: usize,
    /// Whether a client goes on live after a loss. Otherwise it first gets what is still held.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) live_after_loss: bool,
    /// What clients negotiate besides encoding and compaction. 0: nothing. Otherwise each channel has clients with deltas, clients with a filter
    /// and others, and this number says who is what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) extras: usize,
    /// Commands sent together.
    pub(super) pipeline: usize,
    /// Channels subscribed to together.
    pub(super) chunk: usize,
}

/// One step: its kind, and what it acts on. A kind ignores the fields that it does not need.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) kind: Kind,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) node: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) worker: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) purpose: Purpose,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) client: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) channel: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) choice: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) amount: usize,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Kinds of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    /// One node does everything that is due, once.
    #[default]
    Round,
    // Connections for commands.
    Connect,
    Send,
    Execute,
    Answer,
    BreakCommands,
    /// The server executes commands that a broken connection left behind.
    ExecuteLeftBehind,
    // The subscriber connection.
    ConnectSubscriber,
    SendSubscribes,
    ExecuteSubscribes,
    Receive,
    ApplyConfirmations,
    BreakSubscriber,
    ForgetSubscriptions,
    /// The server loses one subscription of a working connection.
    ForgetOneSubscription,
    DetectBreak,
    Audit,
    /// A worker runs for some turns.
    Work,
    // Clients and publishers.
    Publish,
    PublishAgain,
    /// A producer publishes a number near its next one: the next, a repeat, or one too far.
    Produce,
    Subscribe,
    Unsubscribe,
    /// A client's connection ends.
    Disconnect,
    /// A client reads frames.
    Read,
    Wait,
    // The server.
    Replicate,
    Failover,
    Restart,
    ForgetScripts,
    Refuse,
    Accept,
    DropAnnouncement,
    Clear,
}

/// The weight of each kind, and whether a run may do without it.
const WEIGHTS: [(Kind, u32, bool); 34] = [
    (Kind::Round, 16, true),
    (Kind::Connect, 6, false),
    (Kind::Send, 16, false),
    (Kind::Execute, 20, false),
    (Kind::Answer, 16, false),
    (Kind::BreakCommands, 2, true),
    (Kind::ExecuteLeftBehind, 2, true),
    (Kind::ConnectSubscriber, 5, false),
    (Kind::SendSubscribes, 8, false),
    (Kind::ExecuteSubscribes, 8, false),
    (Kind::Receive, 16, false),
    (Kind::ApplyConfirmations, 8, false),
    (Kind::BreakSubscriber, 2, true),
    (Kind::ForgetSubscriptions, 1, true),
    (Kind::ForgetOneSubscription, 1, true),
    (Kind::DetectBreak, 4, false),
    (Kind::Audit, 1, true),
    (Kind::Work, 20, false),
    (Kind::Publish, 20, false),
    (Kind::PublishAgain, 4, false),
    (Kind::Subscribe, 14, false),
    (Kind::Unsubscribe, 2, true),
    (Kind::Disconnect, 2, true),
    (Kind::Read, 10, false),
    (Kind::Wait, 4, true),
    (Kind::Replicate, 3, true),
    (Kind::Failover, 2, true),
    (Kind::Restart, 2, true),
    (Kind::ForgetScripts, 1, true),
    (Kind::Refuse, 2, true),
    (Kind::Accept, 4, false),
    (Kind::DropAnnouncement, 1, true),
    (Kind::Clear, 1, true),
    // Takes the place of other publishes, see [`plan`].
    (Kind::Produce, 0, false),
];

/// Limit of steps of a run.
const STEPS: usize = 300;

impl Kind {
    /// All kinds.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        WEIGHTS.iter().map(|(kind, ..)| *kind)
    }

    /// Whether tasks may have to be polled afterwards. Other steps change only messages on their way.
    pub(super) fn wakes(self) -> bool {
        use Kind::{
            Accept, BreakSubscriber, Clear, Connect, ConnectSubscriber, DropAnnouncement, Execute, ExecuteLeftBehind, ExecuteSubscribes,
            ForgetOneSubscription, ForgetScripts, ForgetSubscriptions, Receive, Refuse, Replicate, Send,
        };
        let passive = [
            Accept,
            Clear,
            Connect,
            BreakSubscriber,
            ForgetSubscriptions,
            Execute,
            ForgetScripts,
            Receive,
            ExecuteLeftBehind,
            ConnectSubscriber,
            ForgetOneSubscription,
            DropAnnouncement,
            ExecuteSubscribes,
            Refuse,
            Replicate,
            Send,
        ];
        !passive.contains(&self)
    }
}

/// The plan of a seed: its shape and its steps.
pub(super) fn plan(seed: u64) -> (Shape, Vec<Step>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let shape = Shape::any(&mut rng);
    // Runs differ: some kinds of steps never happen in a run, others often.
    let weights = WEIGHTS.map(|(_, weight, may_lack)| match weight {
        0 => 0,
        _ if may_lack && rng.random() => 0,
        _ => weight * rng.random_range(1..=4),
    });
    let kinds = WeightedIndex::new(weights).expect("some weights are above zero");
    let steps = rng.random_range(STEPS / 4..=STEPS);
    let mut step = Step::default();
    let next = |_| {
        // The same step is often repeated: so buffers overflow.
        if rng.random_range(0..4) > 0 {
            step = Step::any(WEIGHTS[kinds.sample(&mut rng)].0, rng.random(), &shape);
        }
        step
    };
    let mut steps: Vec<_> = (0..steps).map(next).collect();
    // The last choices: so the seeds of earlier findings keep their steps.
    let shape = Shape {
        live_after_loss: rng.random(),
        extras: rng.random_range(0..=3),
        memory_ms: [0, 500, 15_000][rng.random_range(0..3)],
        ..shape
    };
    if rng.random_ratio(1, 4) {
        for step in steps.iter_mut().filter(|step| step.kind == Kind::Publish) {
            step.kind = if rng.random() { Kind::Produce } else { Kind::Publish };
        }
    }
    (shape, steps)
}
impl Step {
    /// A step of this kind. A random number selects what it acts on.
    fn any(kind: Kind, random: u32, shape: &Shape) -> Self {
        let mut rest = random as usize;
        let mut next = |choices: usize| {
            let choice = rest % choices;
            rest /= choices;
            choice
        };
        Self {
            kind,
            node: next(shape.nodes),
            worker: next(shape.workers),
            purpose: if next(2) == 0 { Purpose::Write } else { Purpose::Read },
            client: next(shape.clients),
            channel: next(shape.channels),
            choice: next(2) == 0,
            // The amounts are used modulo 3 or 4.
            amount: next(12),
        }
    }

    /// The same step in a cluster of another shape.
    pub(super) fn fitted_to(self, shape: &Shape) -> Self {
        Self {
            node: self.node % shape.nodes,
            worker: self.worker % shape.workers,
            client: self.client % shape.clients,
            channel: self.channel % shape.channels,
            ..self
        }
    }
}

impl Shape {
    /// One node, and limits that hold everything.
    pub(super) const PLAIN: Self = Self {
        nodes: 1,
        workers: 1,
        channels: 1,
        clients: 1,
        server_side: 0,
        kept: 1000,
        mailbox: 100,
        page: 10,
        attach_buffer: 100,
        memory_ms: 0,
        backfills: 2,
        gap_buffer: 1 << 20,
        outbox: 10_000,
        batch_bytes: 1000,
        slice: 16,
        live_after_loss: false,
        extras: 0,
        pipeline: 8,
        chunk: 2,
    };

    fn any(rng: &mut StdRng) -> Self {
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        Self {
            nodes: one_of(&[1, 1, 2, 3]),
            workers: one_of(&[1, 2]),
            channels: one_of(&[1, 1, 2]),
            clients: one_of(&[2, 3, 3, 5]),
            server_side: one_of(&[0, 1, 2]),
            kept: one_of(&[2, 5, 30, 1000]) as u32,
            mailbox: one_of(&[1, 4, 8, 16, 100]),
            page: one_of(&[1, 2, 3, 10]),
            attach_buffer: one_of(&[1, 2, 4, 100]),
            memory_ms: 0,
            backfills: one_of(&[1, 2]),
            gap_buffer: one_of(&[0, 300, 1 << 20]),
            outbox: one_of(&[600, 1500, 10_000]),
            batch_bytes: one_of(&[1, 100, 1000]),
            slice: one_of(&[1, 2, 16]),
            live_after_loss: false,
            extras: 0,
            pipeline: one_of(&[1, 2, 8]),
            chunk: one_of(&[1, 2]),
        }
    }
}
