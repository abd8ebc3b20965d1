//! A cluster in one thread, and the steps that move it.

use super::{
    client::Client,
    engine::Engine,
    node::{PREFIX, SimulatedNode},
    plan::{Kind, Shape, Step},
    publisher::Publisher,
};
use crate::broker::simulated::{Flaw, Purpose, Server};
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

pub(super) fn channel(index: usize) -> String {
    format!("c{index}")
}

impl<'a> World<'a> {
    pub(super) fn new(engine: &'a mut Engine<'a>, shape: Shape, flaw: Option<Flaw>) -> Self {
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
    pub(super) fn step(&mut self, step: Step) -> bool {
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
            Kind::Listen => return wires.subscriber.connect(server),
            Kind::Ask => return wires.subscriber.ask(server, node.chunk),
            Kind::Obey => return wires.subscriber.obey(server),
            Kind::Hear => return wires.subscriber.hear(server),
            Kind::Act => return wires.subscriber.act(server),
            Kind::CutEar => return wires.subscriber.cut(server),
            Kind::Deafen => return wires.subscriber.deafen(server),
            Kind::Mislay => {
                self.needs_audit = true;
                return wires.subscriber.mislay(server, &channel(place.channel));
            }
            Kind::Notice => return wires.subscriber.notice(server, place.coin),
            Kind::Audit => wires.subscriber.audit(),
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
            node.wires.cut(Purpose::Write, &mut self.server);
            node.wires.cut(Purpose::Read, &mut self.server);
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

    pub(super) fn describe(&self, step: Step) -> String {
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
    duty: Purpose,
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
            duty: if next(2) == 0 { Purpose::Write } else { Purpose::Read },
            client: next(shape.clients),
            channel: next(shape.channels),
            coin: next(2) == 0,
            amount: next(64),
        }
    }
}
