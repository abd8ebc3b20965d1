//! A simulated cluster around one partition, in one thread, and its steps.

use super::{
    flaw::QueueFlaw,
    ledger::Nature,
    node::Node,
    plan::{Kind, Shape, Step},
    server::{NewEvent, Server},
    situations::Situation,
    wire::Wire,
};
use crate::simulation::engine::Engine;
use gateway_core::model::lock;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a step may wait, in milliseconds.
const WAITS_MS: [u64; 6] = [10, 300, 1100, 4000, 12_000, 40_000];
/// Seconds of an operation.
const SECONDS: [u32; 4] = [1, 3, 12, 45];
/// Polls of one node without a pause that no task needs.
const POLLS: usize = 20_000;

/// See the module.
pub(super) struct World<'a> {
    engine: &'a mut Engine<'a>,
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) nodes: Vec<Node>,
    arrival: Arc<Notify>,
    last: Option<NewEvent>,
    /// Whether consumers can process everything.
    pub(super) is_healthy: bool,
    reached: BTreeSet<Situation>,
}

impl<'a> World<'a> {
    pub(super) fn new(engine: &'a mut Engine<'a>, shape: Shape, flaw: Option<QueueFlaw>) -> Self {
        let server = Arc::new(Mutex::new(Server::new(shape, flaw)));
        let arrival = Arc::new(Notify::new());
        let nodes = (0..shape.nodes).map(|index| Node::new(&format!("n{index}"), shape, flaw, server.clone(), arrival.clone()));
        let nodes: Vec<_> = nodes.collect();
        nodes[0].prefer(true);
        Self { engine, server, nodes, arrival, last: None, is_healthy: false, reached: BTreeSet::new() }
    }

    /// Takes a step. Returns whether it did anything.
    pub(super) fn step(&mut self, step: Step) -> Result<bool, String> {
        let done = self.act(step)?;
        if done {
            self.reached.insert(Situation::Step(step.kind));
            self.settle()?;
        }
        Ok(done)
    }

    fn act(&mut self, step: Step) -> Result<bool, String> {
        let Step { which, amount, .. } = step;
        let node = &mut self.nodes[step.node];
        let store = node.store.clone();
        let wire = || lock(&store.wire);
        Ok(match step.kind {
            Kind::Operate => self.operate(SECONDS[amount % SECONDS.len()])?,
            Kind::Exchange => exchange(&mut wire(), &self.server),
            Kind::Enqueue => self.enqueue(step.key, amount),
            Kind::EnqueueAgain => self.enqueue_again(),
            Kind::Execute => wire().execute(which, &mut lock(&self.server)),
            Kind::Answer => wire().answer(which),
            Kind::LoseRequest => wire().lose_request(which),
            Kind::LoseAnswer => wire().lose_answer(which),
            Kind::Refuse => wire().refuse(which),
            Kind::ExecuteLate => wire().execute_late(which, &mut lock(&self.server)),
            Kind::Consume => (0..=which).any(|_| node.consume()),
            Kind::Report => {
                let end = node.end(which, amount, self.is_healthy);
                node.finish(which, end)
            }
            Kind::KillConsumer => node.kill_consumer(),
            Kind::Absence => {
                node.is_absent ^= true;
                true
            }
            Kind::Freeze => {
                node.is_frozen ^= true;
                true
            }
            Kind::Kill => {
                node.restart();
                true
            }
            Kind::Stop => {
                node.stop();
                true
            }
            Kind::Prefer => {
                self.nodes.iter().enumerate().for_each(|(index, node)| node.prefer(index == step.node));
                true
            }
            Kind::Wait => {
                self.wait(waits(amount));
                true
            }
            Kind::Restart => {
                self.nodes.iter().for_each(|node| lock(&node.store.wire).cut());
                lock(&self.server).restart();
                true
            }
            Kind::Pause => {
                lock(&self.server).is_paused ^= true;
                true
            }
            Kind::DropDead => lock(&self.server).drop_dead(),
            Kind::Heal => {
                self.is_healthy ^= true;
                true
            }
        })
    }

    fn enqueue(&mut self, key: usize, amount: usize) -> bool {
        let (nature, expires) = match amount {
            0..3 => (Nature::Poison, None),
            3 => (Nature::Malformed, None),
            4 => (Nature::Plain, Some(Duration::from_secs(1))),
            5 => (Nature::Plain, Some(Duration::from_secs(60))),
            _ => (Nature::Plain, None),
        };
        let new = NewEvent { key, nature, expires };
        let stored = lock(&self.server).enqueue(new, None);
        if stored {
            self.last = Some(new);
            self.arrival.notify_waiters();
        }
        stored
    }

    fn enqueue_again(&mut self) -> bool {
        let Some(last) = self.last else { return false };
        let mut server = lock(&self.server);
        let event = server.ledger.events.len() - 1;
        server.enqueue(last, Some(event))
    }

    /// Time passes second by second, and the store answers everything.
    fn operate(&mut self, seconds: u32) -> Result<bool, String> {
        for _ in 0..seconds {
            while self.exchange()? {}
            self.nodes.iter_mut().filter(|node| node.is_absent).for_each(|node| while node.consume() {});
            self.settle()?;
            self.wait(Duration::from_secs(1));
            self.settle()?;
        }
        Ok(true)
    }

    /// The store carries out and answers everything that is under way. Returns whether there was anything.
    pub(super) fn exchange(&mut self) -> Result<bool, String> {
        let mut any = false;
        for node in &self.nodes {
            any |= exchange(&mut lock(&node.store.wire), &self.server);
        }
        self.settle()?;
        Ok(any)
    }

    /// Advances time.
    pub(super) fn wait(&mut self, time: Duration) {
        self.engine.pass(time);
        self.nodes.iter().for_each(|node| lock(&node.store.wire).expire());
    }

    /// Runs the nodes. The error is the violated guarantee.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            let mut polls = 0;
            while node.poll() {
                polls += 1;
                if polls > POLLS {
                    return Err("a node never pauses".to_owned());
                }
            }
            if node.has_stopped() {
                node.restart();
                while node.poll() {}
            }
        }
        lock(&self.server).ledger.wrong.take().map_or(Ok(()), Err)
    }

    /// The situations that were reached so far.
    pub(super) fn reached(&self) -> BTreeSet<Situation> {
        let server = lock(&self.server);
        let mut reached: BTreeSet<_> = self.reached.union(&server.reached).copied().collect();
        reached.extend(self.nodes.iter().flat_map(|node| &node.reached));
        if server.ledger.redelivered() {
            reached.insert(Situation::Redelivered);
        }
        reached
    }

    /// What a step does, for people.
    pub(super) fn describe(step: Step) -> String {
        let Step { kind, node, key, which, amount } = step;
        match kind {
            Kind::Operate => format!("{kind:?} {} s", SECONDS[amount % SECONDS.len()]),
            Kind::Wait => format!("{kind:?} {:?}", waits(amount)),
            Kind::Enqueue => format!("{kind:?} key {key}, amount {amount}"),
            Kind::Report => format!("{kind:?} node {node}, delivery {which}, amount {amount}"),
            _ => format!("{kind:?} node {node}, {which}"),
        }
    }
}

/// The store carries out and answers everything that is under way.
fn exchange(wire: &mut Wire, server: &Mutex<Server>) -> bool {
    let mut any = false;
    while wire.execute(0, &mut lock(server)) || wire.answer(0) {
        any = true;
    }
    any
}

fn waits(amount: usize) -> Duration {
    Duration::from_millis(WAITS_MS[amount % WAITS_MS.len()])
}
