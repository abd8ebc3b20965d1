//! The plan of a run: made from a seed, independent of what the steps do.

use rand::{RngExt as _, SeedableRng as _, distr::weighted::WeightedIndex, prelude::Distribution as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// Number of nodes and keys, and limits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    /// Keys of events, besides none.
    pub(super) keys: usize,
    pub(super) tries: u32,
    pub(super) window: usize,
    pub(super) window_bytes: usize,
    pub(super) blocked_ids: usize,
    pub(super) max_length: usize,
    pub(super) max_dead: usize,
}

/// One step: its kind, and what it acts on. A kind ignores the fields that it does not need.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) kind: Kind,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) node: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) key: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) which: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) amount: usize,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $weight:literal $need:ident,)*) => {
        /// Kinds of steps.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub(super) enum Kind { $($(#[$doc])* $name,)* }

        /// The weight of each kind, and whether a run may do without it.
        const WEIGHTS: &[(Kind, u32, Need)] = &[$((Kind::$name, $weight, Need::$need)),*];
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    Sometimes,
}

kinds! {
    /// Time passes second by second, and the store answers everything.
    #[default]
    Operate 10 Sometimes,
    /// The store carries out and answers everything that a node wants.
    Exchange 20 Always,
    /// An event is stored.
    Enqueue 24 Always,
    /// The producer sends its last event again.
    EnqueueAgain 3 Sometimes,
    /// The store carries out a request.
    Execute 12 Always,
    /// A node gets an answer.
    Answer 12 Always,
    /// A request does not arrive, or only later: its node gets no answer.
    LoseRequest 3 Sometimes,
    /// An answer does not arrive.
    LoseAnswer 3 Sometimes,
    /// The store refuses a request.
    Refuse 2 Sometimes,
    /// The store carries out a request whose node does not wait any more.
    ExecuteLate 4 Sometimes,
    /// A consumer takes deliveries.
    Consume 24 Always,
    /// A consumer reports about a delivery.
    Report 24 Always,
    /// A consumer dies with all that it has.
    KillConsumer 2 Sometimes,
    /// The service goes away at a node, or comes back.
    Absence 3 Sometimes,
    /// A node does not run, or runs again.
    Freeze 4 Sometimes,
    /// A node dies, and another one takes its place.
    Kill 2 Sometimes,
    /// A node stops orderly, and another one takes its place.
    Stop 1 Sometimes,
    /// Another node is preferred.
    Prefer 2 Sometimes,
    /// Time passes at once.
    Wait 8 Always,
    /// The store restarts with its data.
    Restart 1 Sometimes,
    /// An operator pauses the partition, or lets it go on.
    Pause 1 Sometimes,
    /// An operator drops a dead letter.
    DropDead 2 Sometimes,
    /// Whoever consumes can process everything from now on, or not any more.
    Heal 1 Sometimes,
}

/// Limit of steps of a run.
const STEPS: usize = 250;

impl Kind {
    /// All kinds.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        WEIGHTS.iter().map(|(kind, ..)| *kind)
    }
}

/// The plan of a seed: its shape and its steps.
pub(super) fn plan(seed: u64) -> (Shape, Vec<Step>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let shape = Shape::any(&mut rng);
    // Runs differ: some kinds of steps never happen in a run, others often.
    let weights = WEIGHTS.iter().map(|(_, weight, need)| match need {
        Need::Sometimes if rng.random() => 0,
        Need::Sometimes | Need::Always => weight * rng.random_range(1..=4),
    });
    let kinds = WeightedIndex::new(weights.collect::<Vec<_>>()).expect("some weights are above zero");
    let mut step = Step::default();
    let number = rng.random_range(STEPS / 5..=STEPS);
    let next = |_| {
        // The same step is often repeated.
        if rng.random_range(0..3) > 0 {
            step = Step::any(WEIGHTS[kinds.sample(&mut rng)].0, rng.random(), &shape);
        }
        step
    };
    (shape, (0..number).map(next).collect())
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
        Self { kind, node: next(shape.nodes), key: next(shape.keys + 1), which: next(4), amount: next(24) }
    }

    /// The same step in a cluster of another shape.
    pub(super) fn fitted_to(self, shape: &Shape) -> Self {
        Self { node: self.node % shape.nodes, key: self.key % (shape.keys + 1), ..self }
    }
}

impl Shape {
    /// One node, and limits that hold everything.
    pub(super) const PLAIN: Self =
        Self { nodes: 1, keys: 1, tries: 10, window: 100, window_bytes: 100_000, blocked_ids: 1000, max_length: 1000, max_dead: 1000 };

    fn any(rng: &mut StdRng) -> Self {
        let mut one_of = |choices: &[usize]| choices[rng.random_range(0..choices.len())];
        Self {
            nodes: one_of(&[1, 2, 2, 3]),
            keys: one_of(&[1, 2, 4]),
            tries: one_of(&[1, 2, 3, 10]) as u32,
            window: one_of(&[1, 2, 8, 100]),
            window_bytes: one_of(&[100, 300, 100_000]),
            blocked_ids: one_of(&[1, 10, 1000]),
            max_length: one_of(&[5, 1000, 1000]),
            max_dead: one_of(&[1, 3, 1000]),
        }
    }
}
