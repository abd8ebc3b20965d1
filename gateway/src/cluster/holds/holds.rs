//! Tells the broker which channels have subscribers on this node, and announces begins and ends of occupations.

use super::table::{Held, Occupation, Step, Table, Task};
use crate::{
    broker::{Broker, BrokerError, NodeTask, Nodes, Release, Vacate},
    telemetry::FailureLog,
};
use futures_util::{StreamExt as _, future::try_join_all, stream::FuturesUnordered};
use gateway_core::model::{ChannelName, lock};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};

/// Largest number of channels for which the node talks to the broker at a time.
const CONCURRENT: usize = 64;
/// Pause before a task that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Number of events that may wait for services. Then tasks wait.
const QUEUE: usize = 256;

/// The begin or the end of an occupation, for services.
#[derive(Debug)]
pub enum OccupationEvent {
    /// The channel got its first subscriber. The generation grows with each occupation of a channel.
    Occupied(ChannelName, u64),
    /// The channel lost its last subscriber. The receipt is dropped once services have the event.
    Vacated(ChannelName, u64, VacatedReceipt),
}

/// Remembers the end of an occupation, so that this node or another one announces it again. Dropping it forgets the end.
#[derive(Debug)]
pub struct VacatedReceipt {
    occupation: Occupation,
    announced: mpsc::UnboundedSender<Occupation>,
}

impl Drop for VacatedReceipt {
    fn drop(&mut self) {
        // The receiver is gone if the node stops. Another node then announces the end again.
        let _ = self.announced.send(self.occupation.clone());
    }
}

/// See the module. Workers count subscribers in it.
pub struct Holds {
    broker: Arc<Broker>,
    linger: Duration,
    table: Mutex<Table>,
    changed: Notify,
    events: mpsc::Sender<OccupationEvent>,
    receiver: Mutex<Option<mpsc::Receiver<OccupationEvent>>>,
    /// Occupations whose end was announced.
    announced: mpsc::UnboundedSender<Occupation>,
    announced_receiver: Mutex<Option<mpsc::UnboundedReceiver<Occupation>>>,
}

impl Holds {
    /// Holds with this broker. A channel has to be vacant for the time `linger` before its end is announced.
    #[expect(
        clippy::disallowed_methods,
        reason = "a message is an occupation whose end is an event, and the queues of services bound these"
    )]
    pub fn new(broker: Arc<Broker>, linger: Duration) -> Arc<Self> {
        let (events, receiver) = mpsc::channel(QUEUE);
        let (announced, announced_receiver) = mpsc::unbounded_channel();
        Arc::new(Self {
            broker,
            linger,
            table: Mutex::default(),
            changed: Notify::new(),
            events,
            receiver: Mutex::new(Some(receiver)),
            announced,
            announced_receiver: Mutex::new(Some(announced_receiver)),
        })
    }

    /// Counts a subscriber of a channel.
    pub fn enter(&self, channel: &ChannelName) {
        if self.table().enter(channel) {
            self.changed.notify_one();
        }
    }

    /// Counts the end of a subscription.
    pub fn leave(&self, channel: &ChannelName) {
        if self.table().leave(channel) {
            self.changed.notify_one();
        }
    }

    /// Tells the broker from now on, because a service wants the events.
    pub(crate) fn activate(&self) {
        self.table().activate();
        self.changed.notify_one();
    }

    /// Tells the broker again, because this node has a new generation.
    pub(crate) fn hold_again(&self) {
        self.table().settle_all();
        self.changed.notify_one();
    }

    /// Tells the broker again what it may have lost.
    pub(in crate::cluster) fn write_again(&self) {
        self.table().doubt_all();
        self.changed.notify_one();
    }

    /// Announces the end of an occupation that this node took over from a dead one, if the channel stays vacant.
    pub(in crate::cluster) fn take_over(&self, channel: ChannelName, generation: u64) {
        self.vacate(Occupation { channel, generation }, self.linger);
    }

    /// The events. None for a second caller.
    pub(crate) fn events(&self) -> Option<mpsc::Receiver<OccupationEvent>> {
        lock(&self.receiver).take()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    fn vacate(&self, occupation: Occupation, linger: Duration) {
        self.table().vacate(occupation, Instant::now(), linger);
        self.changed.notify_one();
    }

    /// Carries out what is to do. Never returns.
    pub(in crate::cluster) async fn run(&self) {
        futures_util::future::join(self.carry_out(), self.forget_announced()).await;
    }

    async fn carry_out(&self) {
        let (mut running, mut failures) = (FuturesUnordered::new(), FailureLog::default());
        loop {
            while running.len() < CONCURRENT
                && let Some(task) = { self.table().next(Instant::now()) }
            {
                running.push(self.attempt(task));
            }
            let due = self.table().due().filter(|_| running.len() < CONCURRENT);
            tokio::select! {
                Some((task, result)) = running.next(), if !running.is_empty() => match result {
                    Ok(again) => {
                        failures.succeeded();
                        match again {
                            Some(pause) => self.table().retry(task, Instant::now() + pause),
                            None => self.table().finish(&task),
                        }
                    }
                    Err(error) => {
                        failures.failed(|| tracing::warn!(%error, "cannot write which channels have subscribers; the node retries until it succeeds"));
                        self.table().retry(task, Instant::now() + RETRY_PAUSE);
                    }
                },
                () = self.changed.notified() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    /// Returns when the task has to run again, if it does.
    async fn attempt(&self, task: Task) -> (Task, Result<Option<Duration>, BrokerError>) {
        let result = match &task {
            Task::Settle(channel) => self.settle(channel).await.map(|()| None),
            Task::Vacate(occupation) => self.end(occupation).await,
        };
        (task, result)
    }

    async fn settle(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        loop {
            let holder: Arc<str> = self.broker.nodes().map(Nodes::holder).unwrap_or_default().into();
            let step = self.table().step(channel, &holder);
            match step {
                Step::Nothing => return Ok(()),
                Step::Hold => {
                    let hold = self.broker.hold(channel).await?;
                    let outcome = self.table().held(channel, hold.generation, holder);
                    let Held::New { over } = outcome else { continue };
                    if let Some(over) = over {
                        self.vacate(over, Duration::ZERO);
                    }
                    if hold.began {
                        self.send(OccupationEvent::Occupied(channel.clone(), hold.generation)).await;
                    }
                }
                Step::Release => {
                    let release = self.broker.release(channel).await?;
                    let known = self.table().released(channel);
                    match (release, known) {
                        (Release::Vacant(generation), _) => self.vacate(Occupation { channel: channel.clone(), generation }, self.linger),
                        (Release::Unoccupied, Some(known)) => self.vacate(known, Duration::ZERO),
                        (Release::Unoccupied, None) | (Release::Occupied, _) => {}
                    }
                }
            }
        }
    }

    /// Ends an occupation, unless a node has subscribers again. Returns when to try again if the channel became vacant too late.
    async fn end(&self, occupation: &Occupation) -> Result<Option<Duration>, BrokerError> {
        let Occupation { channel, generation } = occupation;
        // The list comes before the end, so that another node announces it if this one dies. The store may have lost the entry, or an earlier attempt
        // removed it while the channel became vacant again.
        if let Some(nodes) = self.broker.nodes() {
            nodes.add_task(&NodeTask::Vacate(channel.clone(), *generation)).await?;
        }
        match self.broker.vacate(channel, *generation, self.linger).await? {
            Vacate::Over => {
                let receipt = VacatedReceipt { occupation: occupation.clone(), announced: self.announced.clone() };
                self.send(OccupationEvent::Vacated(channel.clone(), *generation, receipt)).await;
            }
            Vacate::Occupied => self.forget(occupation).await?,
            Vacate::Lingers(left) => return Ok(Some(left)),
        }
        Ok(None)
    }

    async fn send(&self, event: OccupationEvent) {
        // The receiver is gone only if this node is shutting down.
        let _ = self.events.send(event).await;
    }

    /// Removes the ends from the list of this node that services know.
    async fn forget_announced(&self) {
        let Some(mut announced) = lock(&self.announced_receiver).take() else { return };
        let (mut some, mut failures) = (Vec::new(), FailureLog::default());
        while announced.recv_many(&mut some, CONCURRENT).await > 0 {
            while let Err(error) = try_join_all(some.iter().map(|occupation| self.forget(occupation))).await {
                failures.failed(|| tracing::warn!(%error, "cannot remove announced ends of channels; the node retries until it succeeds"));
                sleep(RETRY_PAUSE).await;
            }
            some.clear();
        }
    }

    async fn forget(&self, Occupation { channel, generation }: &Occupation) -> Result<(), BrokerError> {
        match self.broker.nodes() {
            Some(nodes) => nodes.finish_task(&NodeTask::Vacate(channel.clone(), *generation)).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
