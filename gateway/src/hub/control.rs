//! What services and operators ask of this worker's connections, and the drain.

use super::{Hub, Notice, Outbox};
use crate::{
    broker::mailbox::{DrainPlan, Survey},
    model::{CommandTarget, Disconnect, ServerCommand},
};
use rand::seq::SliceRandom;
use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};
use tokio::sync::mpsc::Sender;

impl Hub {
    fn targets(&self, target: &CommandTarget) -> Vec<u32> {
        let state = self.state.borrow();
        match target {
            CommandTarget::Connection(id) => state.ids.get(id).copied().into_iter().collect(),
            CommandTarget::User(user) => state.users.get(user).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn command(&self, target: &CommandTarget, command: &ServerCommand, answer: &Sender<usize>) {
        let targets = self.targets(target);
        for index in &targets {
            let outbox = self.state.borrow().connections.get(*index as usize).map(|entry| entry.outbox.clone());
            if let Some(outbox) = outbox {
                outbox.notify(Notice::Server(command.clone()));
            }
        }
        // Who asked may have stopped waiting.
        let _ = answer.try_send(targets.len());
    }

    pub(super) fn survey(&self, survey: Survey) {
        match survey {
            Survey::Connections(target, answer) => {
                let targets = self.targets(&target);
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let start_ms = now.saturating_sub(self.start.elapsed()).as_millis() as u64;
                let state = self.state.borrow();
                let entries = targets.iter().filter_map(|index| state.connections.get(*index as usize));
                let _ = answer.try_send(entries.map(|entry| entry.summary(&state.slots, start_ms)).collect());
            }
            Survey::Subscribers(channel, answer) => {
                let _ = answer.try_send(self.members(&channel));
            }
        }
    }

    /// Closes all connections in random order, spread over the plan's window.
    pub(super) async fn drain(self: Rc<Self>, plan: DrainPlan) {
        const STEP: Duration = Duration::from_millis(20);
        let mut outboxes: Vec<Rc<Outbox>> = self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect();
        outboxes.shuffle(&mut rand::rng());
        let steps = (plan.window.as_millis() / STEP.as_millis()).max(1) as usize;
        let command = ServerCommand::Disconnect { code: Disconnect::Shutdown.code(), reason: Disconnect::Shutdown.reason().into() };
        let mut interval = tokio::time::interval(STEP);
        for some in outboxes.chunks(outboxes.len().div_ceil(steps).max(1)) {
            interval.tick().await;
            for outbox in some {
                outbox.notify(Notice::Server(command.clone()));
            }
        }
    }
}
