//! The end of a run: all faults end, and everything is worked off.

use super::{ledger::End, world::World};
use gateway_core::model::lock;
use std::time::Duration;

/// Limit of rounds until everything is worked off.
const ROUNDS: usize = 3000;
/// Pauses between rounds. One is longer than a lease, since frozen nodes left requests behind.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn finish(world: &mut World<'_>) -> Result<(), String> {
    world.is_healthy = true;
    lock(&world.server).is_paused = false;
    for (index, node) in world.nodes.iter_mut().enumerate() {
        (node.is_frozen, node.is_absent) = (false, false);
        node.prefer(index == 0);
        while lock(&node.store.wire).execute_late(0, &mut lock(&world.server)) {}
    }
    for _ in 0..ROUNDS {
        let mut moved = world.exchange()?;
        for node in &mut world.nodes {
            while node.consume() {
                moved = true;
            }
            while node.finish(0, End::Done) {
                moved = true;
            }
        }
        world.settle()?;
        while lock(&world.server).drop_dead() {}
        if !moved {
            if lock(&world.server).length() == 0 && !world.nodes.iter().any(super::node::Node::holds) {
                break;
            }
            world.wait(PAUSE);
            world.settle()?;
        }
    }
    let server = lock(&world.server);
    match (server.length(), server.ledger.lost()) {
        (0, None) => Ok(()),
        (0, Some(event)) => Err(format!("event {event} is lost")),
        (left, event) => Err(format!("{left} entries are never worked off, first event {event:?}")),
    }
}
