//! Wake-ups by the clock.

use super::*;
use crate::hub::hub::WAKES_AT_ONCE;
use tokio::task::yield_now;

#[test]
fn a_tick_wakes_its_connections_in_slices() {
    run(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..3 * WAKES_AT_ONCE).map(|_| world.connect()).collect();
        for connection in &connections {
            world.hub.wake_at(world.hub.now().after(Duration::from_millis(100)), connection.key());
        }
        tokio::time::sleep(Duration::from_millis(999)).await;
        let mut woken = Vec::new();
        tokio::time::advance(Duration::from_millis(2)).await;
        for _ in 0..100 {
            woken.push(connections.iter().filter(|connection| !connection.outbox().take_notices().is_empty()).count());
            yield_now().await;
        }
        assert!(woken.iter().all(|woken| *woken <= WAKES_AT_ONCE), "{woken:?}");
        assert_eq!(woken.iter().sum::<usize>(), connections.len());
    });
}
