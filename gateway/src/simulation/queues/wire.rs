//! Requests of nodes to the simulated store. Each request and each answer is a step of its own.

use super::server::{LEASE, Server};
use crate::{
    broker::BrokerError,
    queues::{Owned, Ownership, QueueStore},
};
use gateway_core::{
    model::lock,
    queue::{
        DeadLetter, DeadLettered, Enqueued, EntryId, NewEntry, OwnerId, PartitionId, PartitionStatus, RawEntry, ReadLimits,
        StoredDeadLetter,
    },
};
use std::{
    any::Any,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

/// How long a node waits for an answer.
pub(super) const RESPONSE: Duration = Duration::from_secs(5);
/// How long a node waits for an arrival.
const ARRIVAL: Duration = Duration::from_secs(5);

type AnyAnswer = Box<dyn Any + Send>;
type Act = Box<dyn FnOnce(&mut Server) -> AnyAnswer + Send>;
type Answer = oneshot::Sender<Result<AnyAnswer, BrokerError>>;

/// A request on its way.
struct Request {
    sent: Instant,
    act: Act,
    answer: Answer,
}

/// What is under way between one node and the store.
#[derive(Default)]
pub(super) struct Wire {
    requests: Vec<Request>,
    answers: Vec<(AnyAnswer, Answer)>,
    /// Requests whose node does not wait any more.
    late: Vec<Act>,
}

impl Wire {
    /// The store carries out a request.
    pub(super) fn execute(&mut self, which: usize, server: &mut Server) -> bool {
        let Some(request) = take(&mut self.requests, which) else { return false };
        self.answers.push(((request.act)(server), request.answer));
        true
    }

    /// The node gets an answer.
    pub(super) fn answer(&mut self, which: usize) -> bool {
        let Some((answer, to)) = take(&mut self.answers, which) else { return false };
        let _ = to.send(Ok(answer));
        true
    }

    pub(super) fn lose_answer(&mut self, which: usize) -> bool {
        let Some((_, to)) = take(&mut self.answers, which) else { return false };
        let _ = to.send(Err(BrokerError::OutcomeUnknown));
        true
    }

    pub(super) fn lose_request(&mut self, which: usize) -> bool {
        let Some(request) = take(&mut self.requests, which) else { return false };
        self.late.push(request.act);
        let _ = request.answer.send(Err(BrokerError::OutcomeUnknown));
        true
    }

    pub(super) fn refuse(&mut self, which: usize) -> bool {
        let Some(request) = take(&mut self.requests, which) else { return false };
        let _ = request.answer.send(Err(BrokerError::Unavailable("refused".into())));
        true
    }

    pub(super) fn execute_late(&mut self, which: usize, server: &mut Server) -> bool {
        let Some(act) = take(&mut self.late, which) else { return false };
        act(server);
        true
    }

    /// Nobody waits for answers any more.
    pub(super) fn cut(&mut self) {
        while self.lose_request(0) {}
        while self.lose_answer(0) {}
    }

    /// Requests that are not answered in time.
    pub(super) fn expire(&mut self) {
        while let Some(at) = self.requests.iter().position(|request| request.sent.elapsed() >= RESPONSE) {
            self.lose_request(at);
        }
    }
}

fn take<T>(from: &mut Vec<T>, which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(which % from.len()))
}

/// The store, as one node sees it.
pub(super) struct SimulatedStore {
    pub(super) wire: Mutex<Wire>,
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) arrival: Arc<Notify>,
    /// Up to where the owner knows what was handed out.
    known: Mutex<Option<(OwnerId, EntryId)>>,
    first: First,
}

/// What the store knows at the first read of an owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// Up to where entries were handed out when it became the owner.
    Known,
    /// Nothing.
    Unknown,
}

impl SimulatedStore {
    pub(super) fn new(server: Arc<Mutex<Server>>, arrival: Arc<Notify>, first: First) -> Self {
        Self { wire: Mutex::default(), server, arrival, known: Mutex::default(), first }
    }

    async fn ask<T: Send + 'static>(&self, act: impl FnOnce(&mut Server) -> T + Send + 'static) -> Result<T, BrokerError> {
        let (answer, answered) = oneshot::channel();
        let act = Box::new(move |server: &mut Server| Box::new(act(server)) as AnyAnswer);
        lock(&self.wire).requests.push(Request { sent: Instant::now(), act, answer });
        match answered.await {
            Ok(Ok(answer)) => Ok(*answer.downcast::<T>().expect("the answer of this request")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BrokerError::OutcomeUnknown),
        }
    }

    async fn owned<T: Send + 'static>(
        &self,
        owner: &OwnerId,
        act: impl FnOnce(&mut Server, &OwnerId) -> Owned<T> + Send + 'static,
    ) -> Owned<T> {
        let owner = owner.clone();
        self.ask(move |server| act(server, &owner)).await?
    }

    fn known(&self, owner: &OwnerId) -> Option<EntryId> {
        lock(&self.known).as_ref().filter(|(other, _)| other == owner).map(|(_, known)| *known)
    }

    fn set_known(&self, owner: &OwnerId, id: EntryId) {
        *lock(&self.known) = Some((owner.clone(), id));
    }
}

impl QueueStore for SimulatedStore {
    async fn hand_over(
        &self,
        _: &PartitionId,
        _: NewEntry,
    ) -> Result<impl Future<Output = Result<Enqueued, BrokerError>> + Send + 'static, BrokerError> {
        Err::<std::future::Ready<_>, _>(BrokerError::LimitExceeded("the simulation stores events by itself"))
    }

    async fn acquire(&self, _: &PartitionId, owner: &OwnerId) -> Result<Option<Ownership>, BrokerError> {
        let it = owner.clone();
        let acquired = self.ask(move |server| server.acquire(&it)).await?;
        Ok(acquired.map(|(ownership, known)| {
            if self.first == First::Known {
                self.set_known(owner, known);
            }
            ownership
        }))
    }

    async fn renew(&self, _: &PartitionId, owner: &OwnerId) -> Owned<Ownership> {
        self.owned(owner, Server::renew).await
    }

    async fn release(&self, _: &PartitionId, owner: &OwnerId) -> Owned<()> {
        self.owned(owner, Server::release).await
    }

    async fn pending(&self, _: &PartitionId, owner: &OwnerId, after: Option<EntryId>, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.owned(owner, move |server, owner| server.pending(owner, after.unwrap_or_default(), limits)).await
    }

    async fn read_new(&self, _: &PartitionId, owner: &OwnerId, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        let known = self.known(owner);
        let read = move |server: &mut Server, owner: &OwnerId| {
            let known = known.unwrap_or_else(|| server.handed_out());
            server.read_new(owner, known, limits)
        };
        let (entries, last) = self.owned(owner, read).await?;
        self.set_known(owner, last);
        Ok(entries)
    }

    async fn load(&self, _: &PartitionId, owner: &OwnerId, ids: &[EntryId], limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        let ids = ids.to_vec();
        self.owned(owner, move |server, owner| server.load(owner, &ids, limits)).await
    }

    async fn arrival(&self, _: &PartitionId, after: EntryId) {
        let arrival = self.arrival.notified();
        if !lock(&self.server).has_behind(after) {
            let _ = timeout(ARRIVAL, arrival).await;
        }
    }

    async fn acknowledge(&self, _: &PartitionId, owner: &OwnerId, ids: &[EntryId]) -> Owned<()> {
        let ids = ids.to_vec();
        self.owned(owner, move |server, owner| server.acknowledge(owner, &ids)).await
    }

    async fn record_tries(&self, _: &PartitionId, owner: &OwnerId, tries: &[(EntryId, u32)]) -> Owned<()> {
        let tries = tries.to_vec();
        self.owned(owner, move |server, owner| server.record_tries(owner, &tries)).await
    }

    async fn move_to_dead_letters(&self, _: &PartitionId, owner: &OwnerId, letter: &DeadLetter) -> Owned<DeadLettered> {
        let letter = letter.clone();
        self.owned(owner, move |server, owner| server.move_to_dead_letters(owner, &letter)).await
    }

    async fn status(&self, _: &PartitionId) -> Result<PartitionStatus, BrokerError> {
        self.ask(|server| server.status()).await
    }

    async fn dead_letters(&self, _: &PartitionId, _: Option<EntryId>, _: ReadLimits) -> Result<Vec<StoredDeadLetter>, BrokerError> {
        Ok(Vec::new())
    }

    async fn dead_letter(&self, _: &PartitionId, _: EntryId) -> Result<Option<StoredDeadLetter>, BrokerError> {
        Ok(None)
    }

    async fn replay(&self, _: &PartitionId, _: EntryId) -> Result<bool, BrokerError> {
        Ok(false)
    }

    async fn drop_dead(&self, _: &PartitionId, _: EntryId) -> Result<bool, BrokerError> {
        self.ask(Server::drop_dead).await
    }

    async fn set_paused(&self, _: &PartitionId, paused: bool) -> Result<(), BrokerError> {
        self.ask(move |server| server.is_paused = paused).await
    }

    async fn purge(&self, _: &PartitionId, _: u64) -> Result<u64, BrokerError> {
        Err(BrokerError::LimitExceeded("the simulation does not purge"))
    }

    fn lease(&self) -> Duration {
        LEASE
    }
}
