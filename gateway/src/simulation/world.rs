//! A simulated cluster in one thread, and its steps.

use super::{
    client::{Client, ClientKind, Wanted},
    engine::Engine,
    node::{PREFIX, SimulatedNode},
    plan::{Kind, Shape, Step},
    publisher::Publisher,
    situations::{self, Situation},
};
use crate::broker::simulated::{Flaw, Purpose, Server};
use gateway_core::{model::SubscriptionSide, protocol::centrifuge::Codec};
use std::{collections::BTreeSet, time::Duration};

/// How long a step may wait.
const WAITS: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_millis(1100), Duration::from_millis(6000)];

/// See the module.
pub(super) struct World<'a> {
    engine: &'a mut Engine<'a>,
    pub(super) shape: Shape,
    pub(super) server: Server,
    pub(super) nodes: Vec<SimulatedNode>,
    pub(super) clients: Vec<Client>,
    pub(super) publisher: Publisher,
    /// Whether a loss happened that only audits find.
    pub(super) needs_audit: bool,
    reached: BTreeSet<Situation>,
}

pub(super) fn channel(index: usize) -> String {
    format!("c{index}")
}

impl<'a> World<'a> {
    pub(super) fn new(engine: &'a mut Engine<'a>, shape: Shape, flaw: Option<Flaw>) -> Self {
        let mut server = Server::new(PREFIX, flaw);
        let nodes = (0..shape.nodes).map(|index| SimulatedNode::new(&format!("n{index}"), &shape, &mut server)).collect();
        let client = |index| {
            let side = if index < shape.server_side { SubscriptionSide::Server } else { SubscriptionSide::Client };
            // Neighbours differ, and each channel has all kinds.
            let codec = if index % 2 == 0 { Codec::Json } else { Codec::Protobuf };
            let wanted = match (side, shape.extras) {
                (SubscriptionSide::Server, _) | (_, 0) => Wanted::All,
                (SubscriptionSide::Client, extras) => [Wanted::All, Wanted::Deltas, Wanted::Selected][(index + extras) % 3],
            };
            let kind = ClientKind { side, codec, is_compact: matches!(index % 4, 1 | 2), wanted, live_after_loss: shape.live_after_loss };
            Client::new(format!("client {index}"), channel(index % shape.channels), kind)
        };
        let clients = (0..shape.clients).map(client).collect();
        Self { engine, shape, server, nodes, clients, publisher: Publisher::new(), needs_audit: false, reached: BTreeSet::new() }
    }

    /// Takes a step. Returns whether it did anything.
    pub(super) fn step(&mut self, step: Step) -> bool {
        let done = self.act(step);
        if done {
            self.reached.insert(Situation::Step(step.kind));
        }
        done
    }

    fn act(&mut self, step: Step) -> bool {
        let (server, node) = (&mut self.server, &mut self.nodes[step.node]);
        let (wires, purpose) = (&mut node.wires, step.purpose);
        let client = &mut self.clients[step.client];
        match step.kind {
            Kind::Round => {
                node.round(server);
            }
            Kind::Connect => return wires.connect(purpose, server),
            Kind::Send => return wires.send(purpose),
            Kind::Execute => return wires.execute(purpose, server),
            Kind::Answer => return wires.answer(purpose, server),
            Kind::BreakCommands => return wires.cut(purpose, server),
            Kind::ExecuteLeftBehind => return server.execute_left_behind(),
            Kind::ConnectSubscriber => return wires.subscriber.connect(server),
            Kind::SendSubscribes => return wires.subscriber.request(server, node.chunk),
            Kind::ExecuteSubscribes => return wires.subscriber.execute_request(server),
            Kind::Receive => return wires.subscriber.receive(server),
            Kind::ApplyConfirmations => return wires.subscriber.handle_confirmation(server),
            Kind::BreakSubscriber => return wires.subscriber.cut(server),
            Kind::ForgetSubscriptions => return wires.subscriber.stop_delivering(server),
            Kind::ForgetOneSubscription => {
                self.needs_audit = true;
                return wires.subscriber.forget_channel(server, &channel(step.channel));
            }
            Kind::DetectBreak => return wires.subscriber.detect_break(server, step.choice),
            Kind::Audit => wires.subscriber.audit(),
            Kind::Work => node.workers[step.worker].work(1 + step.amount % 4),
            Kind::Publish => {
                let draft = self.publisher.draft(&channel(step.channel), step.choice);
                self.publisher.publish(draft, step.node, &node.broker, self.shape.kept);
            }
            Kind::PublishAgain => {
                let Some(draft) = self.publisher.again() else { return false };
                self.publisher.publish(draft, step.node, &node.broker, self.shape.kept);
            }
            Kind::Produce => {
                let draft = self.publisher.produce(&channel(step.channel), step.amount as u64 % 4);
                self.publisher.publish(draft, step.node, &node.broker, self.shape.kept);
            }
            Kind::Subscribe => return client.subscribe(&node.workers[step.worker], step.choice, server),
            Kind::Unsubscribe => return client.unsubscribe(),
            Kind::Disconnect => return client.drop_connection(),
            Kind::Read => return self.read(step.client, 1 + step.amount % 4),
            Kind::Wait => self.wait(WAITS[step.amount % WAITS.len()]),
            Kind::Replicate => server.replicate(),
            Kind::Failover => self.replace(true),
            Kind::Restart => self.replace(false),
            Kind::ForgetScripts => server.forget_scripts(),
            Kind::Refuse => server.refuse(["LOADING", "READONLY", "CLUSTERDOWN"][step.amount % 3], step.choice),
            Kind::Accept => return server.accept(),
            Kind::DropAnnouncement => (server.unannounced, self.needs_audit) = (1, true),
            Kind::Clear => server.clear(&channel(step.channel)),
        }
        true
    }

    /// A client reads frames.
    pub(super) fn read(&mut self, client: usize, most: usize) -> bool {
        match self.clients[client].read(most, &mut self.server) {
            Ok(frames) => frames > 0,
            Err(wrong) => {
                self.server.wrong.get_or_insert(wrong);
                true
            }
        }
    }

    /// Replaces the server by its replica, or by one with all data.
    fn replace(&mut self, by_replica: bool) {
        for node in &mut self.nodes {
            node.wires.cut(Purpose::Write, &mut self.server);
            node.wires.cut(Purpose::Read, &mut self.server);
        }
        self.server.replaced(by_replica);
    }

    /// Advances time.
    pub(super) fn wait(&mut self, time: Duration) {
        self.engine.pass(time);
        self.nodes.iter_mut().for_each(|node| node.wires.expire());
    }

    /// Runs everything that needs no step: connections, publishers, reads of gaps, audits. The error is the violated guarantee.
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

    /// The situations that were reached so far.
    pub(super) fn reached(&self) -> BTreeSet<Situation> {
        let mut reached = self.reached.clone();
        reached.extend(self.clients.iter().flat_map(|client| &client.reached));
        reached.extend(&self.publisher.reached);
        reached.extend(situations::counted(&self.nodes, &self.server));
        reached
    }

    /// What a step does, for people.
    pub(super) fn describe(step: Step) -> String {
        let Step { kind, node, worker, purpose, client, channel, choice, amount } = step;
        match kind {
            Kind::Connect | Kind::Send | Kind::Execute | Kind::Answer | Kind::BreakCommands => format!("{kind:?} node {node} {purpose:?}"),
            Kind::Work => format!("{kind:?} node {node} worker {worker} x{}", 1 + amount % 4),
            Kind::Publish => format!("{kind:?} node {node} channel {channel} keyed {choice}"),
            Kind::Produce => format!("{kind:?} node {node} channel {channel}, its next number - 1 + {}", amount % 4),
            Kind::Subscribe => format!("{kind:?} client {client} at node {node} worker {worker}, from the first stored: {choice}"),
            Kind::Unsubscribe | Kind::Disconnect => format!("{kind:?} client {client}"),
            Kind::Read => format!("{kind:?} client {client} x{}", 1 + amount % 4),
            Kind::DetectBreak => format!("{kind:?} node {node}, messages that arrived are handled late: {choice}"),
            Kind::Refuse => format!("{kind:?} once: {choice}"),
            Kind::Clear => format!("{kind:?} channel {channel}"),
            Kind::Wait => format!("{kind:?} {:?}", WAITS[amount % WAITS.len()]),
            _ => format!("{kind:?} node {node}"),
        }
    }
}
