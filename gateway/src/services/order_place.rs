//! The place of a call among the calls of its order key.

use super::{
    call_types::Choice,
    order_queues::{Admission, PreferredInstance},
    routes::route::OrderKey,
    service::Service,
};
use gateway_core::model::{ErrorCode, Refusal};
use std::sync::Arc;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

enum PlaceState {
    Queued(oneshot::Receiver<PreferredInstance>),
    Active,
}

/// The place of a call among the calls of its key. Dropping it gives the turn to the next call.
pub(super) struct OrderPlace {
    service: Arc<Service>,
    /// None: the call keeps no order.
    key: Option<OrderKey>,
    state: PlaceState,
    /// Whether an earlier call of its key was in flight.
    pub(super) has_waited: bool,
    /// The instance for the call, and later the one that got it.
    pub(super) instance: Option<Arc<str>>,
}

impl OrderPlace {
    /// Takes the last place. Fails if too many calls of this key wait.
    pub(super) fn enter(service: &Arc<Service>, key: Option<OrderKey>) -> Result<Self, Refusal> {
        let admission = key.as_ref().map_or(Admission::Now, |key| service.order_queues().enter(key));
        let (state, has_waited) = match admission {
            Admission::Now => (PlaceState::Active, false),
            Admission::Wait(turn) => (PlaceState::Queued(turn), true),
            Admission::Full => {
                let detail = format!("Too many calls to {} wait for an earlier call. Wait for answers first.", service.name);
                return Err(Refusal::new(ErrorCode::Overloaded, detail));
            }
        };
        Ok(Self { service: Arc::clone(service), key, state, has_waited, instance: None })
    }

    /// The instance or target for the call.
    pub(super) fn choice(&self) -> Choice<'_> {
        match (&self.key, &self.instance) {
            (Some(OrderKey::Member(key)), _) => Choice::OfKey(key),
            (_, Some(instance)) => Choice::Same(instance),
            (_, None) => Choice::LessBusy,
        }
    }

    /// Waits until the earlier calls of its key have ended.
    pub(super) async fn wait_for_turn(&mut self, deadline: Instant) -> Result<(), Refusal> {
        let PlaceState::Queued(turn) = &mut self.state else { return Ok(()) };
        let Ok(turn) = timeout_at(deadline, turn).await else {
            let detail = format!("Earlier calls to {} took too long, so this call was not sent.", self.service.name);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        };
        self.state = PlaceState::Active;
        self.instance = turn.unwrap_or_default();
        Ok(())
    }
}

impl Drop for OrderPlace {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let has_turn = match &mut self.state {
            PlaceState::Active => true,
            PlaceState::Queued(turn) => {
                turn.close();
                turn.try_recv().is_ok()
            }
        };
        if has_turn {
            self.service.order_queues().leave(key, self.instance.as_ref());
        }
    }
}
