//! Commands and queries of services and operators about this worker's connections, and the order in which a drain closes them.

use super::{
    hub::Hub,
    output::outbox::{Drain, Notice, Outbox},
};
use crate::broker::mailbox::{DrainPlan, HubQuery};
use gateway_core::model::{CommandTarget, ServerCommand};
use rand::seq::SliceRandom;
use std::rc::Rc;
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep_until},
};

impl Hub {
    fn targets(&self, target: &CommandTarget) -> Vec<u32> {
        let state = self.state.borrow();
        match target {
            CommandTarget::Connection(id) => state.ids.get(id).copied().into_iter().collect(),
            CommandTarget::User(user) => state.users.get(user).cloned().unwrap_or_default(),
            CommandTarget::Claim(claim, digest) => state.tokens.find(*claim, *digest),
        }
    }

    pub(super) fn command(&self, target: &CommandTarget, command: &ServerCommand, answer: &Sender<usize>) {
        // The caller may have stopped waiting.
        let _ = answer.try_send(self.notify_all(target, command));
    }

    /// Passes a command to all connections of its target. Returns their number.
    pub(super) fn notify_all(&self, target: &CommandTarget, command: &ServerCommand) -> usize {
        let targets = self.targets(target);
        for index in &targets {
            let outbox = self.state.borrow().connections.get(*index as usize).map(|entry| entry.outbox.clone());
            if let Some(outbox) = outbox {
                outbox.notify(Notice::Server(command.clone()));
            }
        }
        targets.len()
    }

    pub(super) fn answer_query(&self, query: HubQuery) {
        match query {
            HubQuery::Connections(target, answer) => {
                let targets = self.targets(&target);
                let state = self.state.borrow();
                let entries = targets.iter().filter_map(|index| state.connections.get(*index as usize));
                let _ = answer.try_send(entries.map(|entry| entry.summary(&state.local_channels)).collect());
            }
            HubQuery::Subscribers(channel, answer) => {
                let _ = answer.try_send(self.members(&channel));
            }
        }
    }

    /// Closes all connections, in random order and evenly over the plan's window. Each closes once it is idle, and at the end of the window at the
    /// latest.
    pub(super) async fn drain(self: Rc<Self>, plan: DrainPlan) {
        let start = Instant::now();
        let mut outboxes = self.outboxes();
        outboxes.shuffle(&mut rand::rng());
        let count = outboxes.len() as f64;
        for (index, outbox) in outboxes.into_iter().enumerate() {
            sleep_until(start + plan.window.mul_f64(index as f64 / count)).await;
            outbox.notify(Notice::Drain(Drain::WhenIdle));
        }
        sleep_until(start + plan.window).await;
        for outbox in self.outboxes() {
            outbox.notify(Notice::Drain(Drain::Now));
        }
    }

    fn outboxes(&self) -> Vec<Rc<Outbox>> {
        self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect()
    }
}
