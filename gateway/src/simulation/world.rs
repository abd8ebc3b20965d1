//! A cluster in one thread, and the steps that move it.

use super::{
    calm,
    client::Client,
    engine::{self, Engine},
    node::{PREFIX, SimulatedNode},
    plan::{Kind, Plan, Shape, Step},
    publisher::Publisher,
};
use crate::broker::simulated::{Duty, Flaw, Server};
use gateway_core::model::SubscriptionSide;
use std::time::Duration;

/// See the module.
pub(super) struct World<'a> {
    engine: &'a mut Engine<'a>,
    pub(super) shape: Shape,
    pub(super) server: Server,
    pub(super) nodes: Vec<SimulatedNode>,
    pub(super) clients: Vec<Client>,
    pub(super) publisher: Publisher,
    /// Something happened that only audits find.
    pub(super) needs_audit: bool,
}

/// Runs a plan. `log` gets the steps that did something. The error says what is wrong.
pub(super) fn run(plan: &Plan, flaw: Option<Flaw>, mut log: Option<&mut Vec<String>>) -> Result<(), String> {
    let runtime = engine::runtime();
    let mut engine = Engine::new(&runtime);
    let _inside = engine.enter();
    let mut world = World::new(&mut engine, plan.shape, flaw);
    for step in &plan.steps {
        if world.step(*step) {
            if let Some(log) = &mut log {
                log.push(world.describe(*step));
            }
            if step.kind.wakes() {
                world.settle()?;
            }
        }
    }
    calm::calm(&mut world)
}

pub(super) fn channel(index: usize) -> String {
    format!("c{index}")
}

impl<'a> World<'a> {
    fn new(engine: &'a mut Engine<'a>, shape: Shape, flaw: Option<Flaw>) -> Self {
        let mut server = Server::new(PREFIX, flaw);
        let nodes = (0..shape.nodes).map(|index| SimulatedNode::new(&format!("n{index}"), &shape, &mut server)).collect();
        let client = |index| {
            let side = if index < shape.served { SubscriptionSide::Server } else { SubscriptionSide::Client };
            Client::new(format!("client {index}"), channel(index % shape.channels), side)
        };
        let clients = (0..shape.clients).map(client).collect();
        Self { engine, shape, server, nodes, clients, publisher: Publisher::new(), needs_audit: false }
    }

    /// Takes a step. Answers whether it did anything.
    fn step(&mut self, step: Step) -> bool {
        let Step { kind, which } = step;
        let place = Place::of(which, &self.shape);
        let (server, node) = (&mut self.server, &mut self.nodes[place.node]);
        let (wires, duty) = (&mut node.wires, place.duty);
        let client = &mut self.clients[place.client];
        match kind {
            Kind::Round => {
                node.round(server);
            }
            Kind::Connect => return wires.connect(duty, server),
            Kind::Send => return wires.send(duty),
            Kind::Execute => return wires.execute(duty, server),
            Kind::Answer => return wires.answer(duty, server),
            Kind::CutPipe => return wires.cut(duty, server),
            Kind::LeftBehind => return server.execute_left_behind(),
            Kind::Listen => return wires.ear.connect(server),
            Kind::Ask => return wires.ear.ask(server, node.chunk),
            Kind::Obey => return wires.ear.obey(server),
            Kind::Hear => return wires.ear.hear(server),
            Kind::Act => return wires.ear.act(server),
            Kind::CutEar => return wires.ear.cut(server),
            Kind::Deafen => return wires.ear.deafen(server),
            Kind::Mislay => {
                self.needs_audit = true;
                return wires.ear.mislay(server, &channel(place.channel));
            }
            Kind::Notice => return wires.ear.notice(server, place.coin),
            Kind::Audit => wires.ear.audit(),
            Kind::Work => node.workers[place.worker].work(1 + place.amount % 4),
            Kind::Publish => {
                let draft = self.publisher.draft(&channel(place.channel), place.coin);
                self.publisher.publish(draft, place.node, &node.broker, self.shape.kept);
            }
            Kind::PublishAgain => {
                let Some(draft) = self.publisher.again() else { return false };
                self.publisher.publish(draft, place.node, &node.broker, self.shape.kept);
            }
            Kind::Subscribe => return client.subscribe(&node.workers[place.worker], place.coin),
            Kind::Unsubscribe => return client.unsubscribe(),
            Kind::Drop => return client.drop_connection(),
            Kind::Read => return self.read(place.client, 1 + place.amount % 4),
            Kind::Wait => self.wait(Duration::from_millis([10, 100, 1100, 6000][place.amount % 4])),
            Kind::Replicate => server.replicate(),
            Kind::Failover => self.replace(true),
            Kind::Restart => self.replace(false),
            Kind::ForgetScripts => server.forget_scripts(),
            Kind::Refuse => server.refuse(["LOADING", "READONLY", "CLUSTERDOWN"][place.amount % 3], place.coin),
            Kind::Accept => return server.accept(),
            Kind::Mute => (server.mute, self.needs_audit) = (1, true),
            Kind::Clear => server.clear(&channel(place.channel)),
        }
        true
    }

    /// A client takes what is there.
    pub(super) fn read(&mut self, client: usize, most: usize) -> bool {
        match self.clients[client].read(most, &mut self.server) {
            Ok(frames) => frames > 0,
            Err(wrong) => {
                self.server.wrong.get_or_insert(wrong);
                true
            }
        }
    }

    /// Another server takes over, with what a replica has or with everything.
    fn replace(&mut self, by_replica: bool) {
        for node in &mut self.nodes {
            node.wires.cut(Duty::Write, &mut self.server);
            node.wires.cut(Duty::Read, &mut self.server);
        }
        self.server.replaced(by_replica);
    }

    /// Time passes.
    pub(super) fn wait(&mut self, time: Duration) {
        self.engine.pass(time);
        self.nodes.iter_mut().for_each(|node| node.wires.expire());
    }

    /// What can go on by itself does: connections, publishers, reads that close gaps, audits. The error says what is wrong.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let mut any = true;
        while any {
            any = self.publisher.poll(&mut self.server)?;
            for client in &mut self.clients {
                any |= client.poll();
            }
            any |= self.engine.turn();
        }
        self.server.wrong.take().map_or(Ok(()), Err)
    }

    fn describe(&self, step: Step) -> String {
        let Place { node, worker, duty, client, channel, coin, amount } = Place::of(step.which, &self.shape);
        let kind = step.kind;
        match kind {
            Kind::Connect | Kind::Send | Kind::Execute | Kind::Answer | Kind::CutPipe => format!("{kind:?} node {node} {duty:?}"),
            Kind::Work => format!("{kind:?} node {node} worker {worker} x{}", 1 + amount % 4),
            Kind::Publish => format!("{kind:?} node {node} channel {channel} keyed {coin}"),
            Kind::Subscribe => format!("{kind:?} client {client} at node {node} worker {worker}, from the first held: {coin}"),
            Kind::Unsubscribe | Kind::Drop => format!("{kind:?} client {client}"),
            Kind::Read => format!("{kind:?} client {client} x{}", 1 + amount % 4),
            Kind::Notice => format!("{kind:?} node {node}, what arrived is heard late: {coin}"),
            Kind::Refuse => format!("{kind:?} once: {coin}"),
            Kind::Wait | Kind::Clear => format!("{kind:?} {}", step.which),
            _ => format!("{kind:?} node {node}"),
        }
    }
}

/// Where a step happens.
struct Place {
    node: usize,
    worker: usize,
    duty: Duty,
    client: usize,
    channel: usize,
    coin: bool,
    amount: usize,
}

impl Place {
    fn of(which: u32, shape: &Shape) -> Self {
        let mut rest = which as usize;
        let mut next = |choices: usize| {
            let choice = rest % choices;
            rest /= choices;
            choice
        };
        Self {
            node: next(shape.nodes),
            worker: next(shape.workers),
            duty: if next(2) == 0 { Duty::Write } else { Duty::Read },
            client: next(shape.clients),
            channel: next(shape.channels),
            coin: next(2) == 0,
            amount: next(64),
        }
    }
}
