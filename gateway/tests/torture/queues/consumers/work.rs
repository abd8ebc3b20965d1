//! What the consumers of all services do with an event.

use crate::{
    control::Control,
    queues::{
        events::{Delivered, EventName, Poison},
        plan::{Service, TRIES, VISIBILITY, WATCH},
    },
    tally::Count,
    world::World,
};
use serde_json::Value;
use std::time::Duration;

/// Events in a thousand that are not acknowledged at all.
const UNANSWERED: u32 = 4;
/// Events in a thousand that are acknowledged too late.
const LATE: u32 = 2;
/// Events in a thousand of which the try fails.
const FAILED: u32 = 20;
/// Events in a thousand that take long.
const SLOW: u32 = 20;

/// What a consumer does with a delivery.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) takes: Duration,
    pub(crate) end: End,
    event: Option<EventName>,
    attempt: u64,
    /// Whether the event is a [`Poison::Failing`].
    is_failing: bool,
}

/// How the work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The event is processed.
    Done,
    /// The try failed.
    Failed,
    /// The service refuses the event for good.
    Refused,
    /// Nothing is ever answered.
    Unanswered,
}

/// Records a delivery, and decides what the consumer does with it.
pub(crate) fn receive(world: &World, service: &'static Service, event: &Value) -> Plan {
    let queues = world.queues();
    if *service == WATCH {
        queues.lifecycle.received(event, &world.tally);
        let end = if rand::random_ratio(FAILED, 1000) { End::Failed } else { End::Done };
        return Plan::without_event(Duration::from_millis(rand::random_range(0..5)), end);
    }
    let Some((name, poison)) = read(event) else {
        world.tally.violation(Count::Other, 1, || format!("{}: no event of this test: {event}", service.name));
        return Plan::without_event(Duration::ZERO, End::Done);
    };
    let delivered = Delivered {
        service,
        name: &name,
        id: event["id"].as_str().unwrap_or_default(),
        partition: event["partition"].as_u64(),
        attempt: event["attempt"].as_u64(),
    };
    if event.get("key").is_some_and(|key| *key != name.key) {
        world.tally.violation(Count::Other, 1, || format!("{name:?} has the key {}", event["key"]));
    }
    queues.events.delivered(&delivered, &world.tally);
    let (takes, end) = decide(poison);
    if world.control == Some(Control::Forget) && rand::random_ratio(1, 100) {
        return Plan::without_event(takes, End::Done);
    }
    Plan { takes, end, attempt: delivered.attempt.unwrap_or(1), event: Some(name), is_failing: poison == Some(Poison::Failing) }
}

/// The name of an event of this test, and its poison.
pub(crate) fn read(event: &Value) -> Option<(EventName, Option<Poison>)> {
    let data = &event["data"];
    let name = EventName { key: data["key"].as_str()?.to_owned(), number: data["number"].as_u64()?.try_into().ok()? };
    Some((name, data["poison"].as_str().and_then(Poison::by_name)))
}

fn decide(poison: Option<Poison>) -> (Duration, End) {
    let short = Duration::from_millis(rand::random_range(0..20));
    match poison {
        Some(Poison::Refused) => return (short, End::Refused),
        Some(Poison::Failing) => return (short, End::Failed),
        None => {}
    }
    let die = rand::random_range(0..1000);
    if die < UNANSWERED {
        (short, End::Unanswered)
    } else if die < UNANSWERED + LATE {
        (VISIBILITY + Duration::from_millis(rand::random_range(0..500)), End::Done)
    } else if die < UNANSWERED + LATE + FAILED {
        (short, End::Failed)
    } else if die < UNANSWERED + LATE + FAILED + SLOW {
        (Duration::from_millis(rand::random_range(0..400)), End::Done)
    } else {
        (short, End::Done)
    }
}

impl Plan {
    fn without_event(takes: Duration, end: End) -> Self {
        Self { takes, end, event: None, attempt: 0, is_failing: false }
    }

    /// The work is over. Call it before the answer is sent.
    pub(crate) fn finish(&self, world: &World) {
        let is_over = match self.end {
            End::Done | End::Refused => true,
            // It becomes a dead letter after its last try. Some tries never arrive, because their link breaks.
            End::Failed => self.is_failing && self.attempt >= u64::from(TRIES) / 2,
            End::Unanswered => false,
        };
        if let Some(event) = self.event.as_ref().filter(|_| is_over) {
            world.queues().events.processed(event);
        }
    }
}
