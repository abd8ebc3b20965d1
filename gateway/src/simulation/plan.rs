//! What happens in a run: made from a seed, without a look at what comes of it.

use rand::{RngExt as _, SeedableRng as _, distr::weighted::WeightedIndex, prelude::Distribution as _, rngs::StdRng};

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    pub(super) steps: Vec<Step>,
}

/// How large the world is, and how small its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) workers: usize,
    pub(super) channels: usize,
    pub(super) clients: usize,
    /// How many of them have server-side subscriptions.
    pub(super) served: usize,
    /// Publications that a channel keeps.
    pub(super) kept: u32,
    /// Deliveries of a mailbox.
    pub(super) mailbox: usize,
    pub(super) page: usize,
    pub(super) attach_buffer: usize,
    pub(super) backfills: usize,
    /// Bytes of publications that a node holds back.
    pub(super) hold: usize,
    pub(super) outbox: usize,
    pub(super) batch_bytes: usize,
    pub(super) slice: usize,
    /// Commands that are sent together.
    pub(super) pipeline: usize,
    /// Channels that are subscribed to together.
    pub(super) chunk: usize,
}

/// One step: what, and a number that says where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) which: u32,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that is due at one node happens once.
    Round,
    // Connections for commands.
    Connect,
    Send,
    Execute,
    Answer,
    CutPipe,
    /// The server carries out what came over a connection that is gone.
    LeftBehind,
    // The connection that subscribes.
    Listen,
    Ask,
    Obey,
    Hear,
    Act,
    CutEar,
    Deafen,
    /// The server forgets a subscription of a connection that is well.
    Mislay,
    Notice,
    Audit,
    /// A worker runs for a while.
    Work,
    // Those outside.
    Publish,
    PublishAgain,
    Subscribe,
    Unsubscribe,
    /// A client's connection ends.
    Drop,
    /// A client takes what is there.
    Read,
    Wait,
    // The server.
    Replicate,
    Failover,
    Restart,
    ForgetScripts,
    Refuse,
    Accept,
    Mute,
    Clear,
}

/// How often each comes, and whether a run may do without.
const WEIGHTS: [(Kind, u32, bool); 33] = [
    (Kind::Round, 16, true),
    (Kind::Connect, 6, false),
    (Kind::Send, 16, false),
    (Kind::Execute, 20, false),
    (Kind::Answer, 16, false),
    (Kind::CutPipe, 2, true),
    (Kind::LeftBehind, 2, true),
    (Kind::Listen, 5, false),
    (Kind::Ask, 8, false),
    (Kind::Obey, 8, false),
    (Kind::Hear, 16, false),
    (Kind::Act, 8, false),
    (Kind::CutEar, 2, true),
    (Kind::Deafen, 1, true),
    (Kind::Mislay, 1, true),
    (Kind::Notice, 4, false),
    (Kind::Audit, 1, true),
    (Kind::Work, 20, false),
    (Kind::Publish, 20, false),
    (Kind::PublishAgain, 4, false),
    (Kind::Subscribe, 14, false),
    (Kind::Unsubscribe, 2, true),
    (Kind::Drop, 2, true),
    (Kind::Read, 10, false),
    (Kind::Wait, 4, true),
    (Kind::Replicate, 3, true),
    (Kind::Failover, 2, true),
    (Kind::Restart, 2, true),
    (Kind::ForgetScripts, 1, true),
    (Kind::Refuse, 2, true),
    (Kind::Accept, 4, false),
    (Kind::Mute, 1, true),
    (Kind::Clear, 1, true),
];

/// Steps of a run at most.
const STEPS: usize = 300;

impl Kind {
    /// Whether others may go on by themselves then. All else changes only what is on its way.
    pub(super) fn wakes(self) -> bool {
        use Kind::{
            Accept, Clear, Connect, CutEar, Deafen, Execute, ForgetScripts, Hear, LeftBehind, Listen, Mislay, Mute, Obey, Refuse,
            Replicate, Send,
        };
        let silent = [
            Accept,
            Clear,
            Connect,
            CutEar,
            Deafen,
            Execute,
            ForgetScripts,
            Hear,
            LeftBehind,
            Listen,
            Mislay,
            Mute,
            Obey,
            Refuse,
            Replicate,
            Send,
        ];
        !silent.contains(&self)
    }
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = Shape::any(&mut rng);
        // Each run has its own mood: some things never happen in it, others often.
        let weights = WEIGHTS.map(|(_, weight, may_lack)| if may_lack && rng.random() { 0 } else { weight * rng.random_range(1..=4) });
        let kinds = WeightedIndex::new(weights).expect("some are above zero");
        let steps = rng.random_range(STEPS / 4..=STEPS);
        let mut step = Step { kind: Kind::Round, which: 0 };
        let next = |_| {
            // Often the same again: that is how buffers overflow.
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
            served: one_of(&[0, 1, 2]),
            kept: one_of(&[2, 5, 30, 1000]) as u32,
            mailbox: one_of(&[4, 8, 16, 100]),
            page: one_of(&[1, 2, 3, 10]),
            attach_buffer: one_of(&[1, 2, 4, 100]),
            backfills: one_of(&[1, 2]),
            hold: one_of(&[0, 300, 1 << 20]),
            outbox: one_of(&[600, 1500, 10_000]),
            batch_bytes: one_of(&[1, 100, 1000]),
            slice: one_of(&[1, 2, 16]),
            pipeline: one_of(&[1, 2, 8]),
            chunk: one_of(&[1, 2]),
        }
    }
}
