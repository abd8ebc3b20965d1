use super::*;
use crate::broker::{MemoryBroker, MemoryLimits};
use std::pin::pin;

const LINGER: Duration = Duration::from_secs(2);

fn channel() -> ChannelName {
    "c:a".parse().expect("valid")
}

/// Holds that a service listens to, and their events.
fn active() -> (Arc<Holds>, mpsc::Receiver<OccupationEvent>) {
    let holds = Holds::new(Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default()))), LINGER);
    holds.activate();
    let events = holds.events().expect("the first caller");
    (holds, events)
}

/// Runs the holds for this time, and returns the kinds of events meanwhile.
async fn pass(holds: &Holds, events: &mut mpsc::Receiver<OccupationEvent>, time: Duration) -> Vec<&'static str> {
    let _ = tokio::time::timeout(time, pin!(holds.carry_out())).await;
    let mut kinds = Vec::new();
    while let Ok(event) = events.try_recv() {
        kinds.push(match event {
            OccupationEvent::Occupied(..) => "occupied",
            OccupationEvent::Vacated(..) => "vacated",
        });
    }
    kinds
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_written_again_announces_nothing() {
    let (holds, mut events) = active();
    holds.enter(&channel());
    assert_eq!(pass(&holds, &mut events, LINGER).await, ["occupied"]);
    for _ in 0..3 {
        holds.write_again();
        assert_eq!(pass(&holds, &mut events, LINGER).await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_lingers_from_the_last_time_that_it_became_vacant() {
    let (holds, mut events) = active();
    let part = LINGER / 10;
    holds.enter(&channel());
    assert_eq!(pass(&holds, &mut events, part).await, ["occupied"]);
    holds.leave(&channel());
    assert_eq!(pass(&holds, &mut events, part * 9).await, [""; 0]);
    holds.enter(&channel());
    assert_eq!(pass(&holds, &mut events, part / 2).await, [""; 0]);
    holds.leave(&channel());
    assert_eq!(pass(&holds, &mut events, part * 9).await, [""; 0], "the time of the first leave has passed");
    assert_eq!(pass(&holds, &mut events, part * 2).await, ["vacated"]);
}
