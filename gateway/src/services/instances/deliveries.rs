//! Deliveries of a queue, in the hands of the instances of one service.

use super::{
    super::queued::delivery::in_hand::InHand,
    instance::{LinkId, MANY, Outgoing},
    pool::Pool,
};
use gateway_core::model::Tick;
use shared_proto::link::Event;
use std::time::Duration;

impl Pool {
    /// Sends an event to an instance that leaves credit for calls, and takes one of its credit. Without such an instance it gives the event back.
    /// `forget_after`: its owner does not wait longer for a delivery, so one of that age is forgotten if there are many.
    pub(crate) fn deliver(&mut self, event: Event, in_hand: InHand, forget_after: Duration, now: Tick) -> Option<(Event, InHand)> {
        let Some(instance) = self.choose_for_delivery(now) else { return Some((event, in_hand)) };
        let Ok(place) = instance.queue.try_reserve() else { return Some((event, in_hand)) };
        instance.credit -= 1;
        let id = event.id.as_deref().unwrap_or_default().into();
        place.send(Outgoing::Queued(event.into()));
        if let Some(earlier) = instance.in_hand.insert(id, in_hand) {
            // It was not acknowledged in time.
            earlier.forget();
        }
        if instance.in_hand.len() >= instance.look_for_old {
            let old = instance.in_hand.extract_if(.., |_, in_hand| in_hand.age() > forget_after);
            old.for_each(|(_, in_hand)| in_hand.forget());
            instance.look_for_old = MANY.max(2 * instance.in_hand.len());
        }
        None
    }

    /// Whether the event may be written now; then it counts as written. Otherwise its delivery ends, and the instance keeps its credit.
    pub(crate) fn begin_writing(&mut self, link: LinkId, id: &str) -> bool {
        let Some(instance) = self.instance(link) else { return false };
        let Some(in_hand) = instance.in_hand.get_mut(id) else {
            // The instance ended it with the acknowledgement of an earlier try, and never sees this one.
            instance.credit += 1;
            return false;
        };
        let may = in_hand.may_be_written();
        if may {
            in_hand.begin_writing();
        } else {
            instance.in_hand.remove(id);
            instance.credit += 1;
        }
        may
    }

    /// The event is written.
    pub(crate) fn written(&mut self, link: LinkId, id: &str) {
        // The instance may have acknowledged it meanwhile.
        if let Some(in_hand) = self.instance(link).and_then(|instance| instance.in_hand.get(id)) {
            in_hand.written();
        }
    }

    /// Takes a delivery from the instance that acknowledged the event. None: it has no such event.
    pub(crate) fn take_done(&mut self, link: LinkId, id: &str) -> Option<InHand> {
        self.instance(link)?.in_hand.remove(id)
    }

    /// Takes a delivery from the instance that failed. None: it has no such event, or failed an earlier try and has not seen this one.
    pub(crate) fn take_failed(&mut self, link: LinkId, id: &str) -> Option<InHand> {
        let in_hand = &mut self.instance(link)?.in_hand;
        if in_hand.get(id)?.is_written() { in_hand.remove(id) } else { None }
    }
}
