//! The plan of a run: made from a seed, independent of what the steps do.

use rand::{RngExt as _, SeedableRng as _, distr::weighted::WeightedIndex, prelude::Distribution as _, rngs::StdRng};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    pub(super) steps: Vec<Step>,
}

/// Number of nodes, clients and channels, and sizes of buffers.
#[derive(Clone, Copy, Debug)]
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
    pub(super) backfills: usize,
    /// Bytes of publications that wait while a gap before them is read.
    pub(super) gap_buffer: usize,
    pub(super) outbox: usize,
    pub(super) batch_bytes: usize,
    pub(super) slice: usize,
    /// Commands sent together.
    pub(super) pipeline: usize,
    /// Channels subscribed to together.
    pub(super) chunk: usize,
}

/// One step: its kind, and a number that selects its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) which: u32,
}

/// Kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that is due at one node happens once.
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
const WEIGHTS: [(Kind, u32, bool); 33] = [
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
];

/// Limit of steps of a run.
const STEPS: usize = 300;

impl Kind {
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

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = Shape::any(&mut rng);
        // Runs differ: some kinds of steps never happen in a run, others often.
        let weights = WEIGHTS.map(|(_, weight, may_lack)| if may_lack && rng.random() { 0 } else { weight * rng.random_range(1..=4) });
        let kinds = WeightedIndex::new(weights).expect("some weights are above zero");
        let steps = rng.random_range(STEPS / 4..=STEPS);
        let mut step = Step { kind: Kind::Round, which: 0 };
        let next = |_| {
            // The same step is often repeated: so buffers overflow.
            if rng.random_range(0..4) > 0 {
                step = Step { kind: WEIGHTS[kinds.sample(&mut rng)].0, which: rng.random() };
            }
            step
        };
        Self { shape, steps: (0..steps).map(next).collect() }
    }
}

impl Shape {
    fn any(rng: &mut StdRng) -> Self {
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        Self {
            nodes: one_of(&[1, 1, 2, 3]),
            workers: one_of(&[1, 2]),
            channels: one_of(&[1, 1, 2]),
            clients: one_of(&[2, 3, 3, 5]),
            server_side: one_of(&[0, 1, 2]),
            kept: one_of(&[2, 5, 30, 1000]) as u32,
            mailbox: one_of(&[4, 8, 16, 100]),
            page: one_of(&[1, 2, 3, 10]),
            attach_buffer: one_of(&[1, 2, 4, 100]),
            backfills: one_of(&[1, 2]),
            gap_buffer: one_of(&[0, 300, 1 << 20]),
            outbox: one_of(&[600, 1500, 10_000]),
            batch_bytes: one_of(&[1, 100, 1000]),
            slice: one_of(&[1, 2, 16]),
            pipeline: one_of(&[1, 2, 8]),
            chunk: one_of(&[1, 2]),
        }
    }
}
