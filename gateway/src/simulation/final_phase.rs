//! The end of a run: all faults end, every client must get everything, and nothing may be left after the clients disconnect.

use super::{
    node::{DEADLINE, UNSUBSCRIBE_DELAY},
    world::{World, channel},
};
use crate::telemetry::Level;
use std::time::Duration;

/// Limit of rounds until every client has everything.
const ROUNDS: usize = 2000;
/// Limit of rounds without progress; with their pauses, longer than any deadline.
const IDLE_ROUNDS: usize = 100;
/// Rounds of an audit; with their pauses, longer than an audit takes to report a loss.
const AUDIT_ROUNDS: usize = 10;
const AUDIT_PAUSE: Duration = Duration::from_millis(500);
/// Limit of rounds until everything ends after the clients disconnected.
const DISCONNECT_ROUNDS: usize = 8;
/// Simulated time that passes at every eighth round, if that round made progress. Rounds themselves take no time.
const ROUND_TRIPS: Duration = Duration::from_millis(40);
/// Longer than a channel is kept for clients that have to subscribe again.
const KEPT_FOR_RETURN: Duration = Duration::from_secs(6);
/// A worker forgets up to this time later than it may.
const MEMORY_PRECISION: Duration = Duration::from_secs(2);
/// Pause after a round without progress.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn finish(world: &mut World<'_>) -> Result<(), String> {
    world.server.accept();
    world.server.unannounced = 0;
    if world.server.has_left_behind() {
        world.wait(DEADLINE);
        while world.server.execute_left_behind() {}
        world.settle()?;
    }
    for node in &mut world.nodes {
        // Canaries would find broken connections.
        node.wires.subscriber.detect_break(&mut world.server, false);
    }
    run_audits(world)?;
    run_until_idle(world, missing)?;
    for index in 0..world.shape.channels {
        let draft = world.publisher.draft(&channel(index), false);
        world.publisher.publish(draft, 0, &world.nodes[0].broker, world.shape.kept);
    }
    run_audits(world)?;
    run_until_idle(world, missing)?;
    world.publisher.check(&mut world.server)?;
    disconnect_all(world)
}

/// Runs audits, if losses happened that only audits find.
fn run_audits(world: &mut World<'_>) -> Result<(), String> {
    if !world.needs_audit {
        return Ok(());
    }
    run_until_idle(world, |world| world.publisher.waits())?;
    world.nodes.iter_mut().for_each(|node| node.wires.subscriber.audit());
    for _ in 0..AUDIT_ROUNDS {
        world.settle()?;
        round(world)?;
        world.wait(AUDIT_PAUSE);
    }
    Ok(())
}

fn missing(world: &mut World<'_>) -> Option<String> {
    let World { publisher, clients, server, .. } = world;
    publisher.waits().or_else(|| clients.iter().find_map(|client| client.missing(server)))
}

/// Runs rounds until nothing is missing.
fn run_until_idle(world: &mut World<'_>, missing: impl Fn(&mut World<'_>) -> Option<String>) -> Result<(), String> {
    let mut idle = 0;
    for index in 0..ROUNDS {
        match (round(world)?, missing(world)) {
            (false, None) => return Ok(()),
            (true, _) if index % 8 == 7 => world.wait(ROUND_TRIPS),
            (true, _) => {}
            (false, Some(_)) if idle == IDLE_ROUNDS => break,
            (false, Some(_)) => {
                idle += 1;
                world.wait(PAUSE);
            }
        }
    }
    missing(world).map_or_else(|| Err("it never becomes idle".into()), |what| Err(format!("when idle, {what}")))
}

/// One round: everything that is due happens. Clients without a subscription subscribe.
fn round(world: &mut World<'_>) -> Result<bool, String> {
    let mut moved = false;
    for node in &mut world.nodes {
        moved |= node.round(&mut world.server);
    }
    world.settle()?;
    for client in 0..world.clients.len() {
        moved |= world.read(client, usize::MAX);
        let node = &world.nodes[client % world.shape.nodes];
        moved |= world.clients[client].subscribe(&node.workers[client % world.shape.workers], true, &world.server);
    }
    world.settle()?;
    Ok(moved)
}

/// Disconnects all clients, and checks that nothing is left of them.
fn disconnect_all(world: &mut World<'_>) -> Result<(), String> {
    for client in &mut world.clients {
        client.drop_connection();
    }
    // Some unsubscribes are sent only now.
    let memory = Duration::from_millis(world.shape.memory_ms) + MEMORY_PRECISION;
    for time in [KEPT_FOR_RETURN, KEPT_FOR_RETURN, memory, UNSUBSCRIBE_DELAY] {
        world.wait(time);
        for _ in 0..DISCONNECT_ROUNDS {
            let mut moved = false;
            for node in &mut world.nodes {
                moved |= node.round(&mut world.server);
            }
            world.settle()?;
            if !moved {
                break;
            }
        }
    }
    for (index, node) in world.nodes.iter().enumerate() {
        if node.broker.stats().channels > 0 {
            return Err(format!("node {index} is still subscribed to a channel without subscribers"));
        }
        for worker in &node.workers {
            let metrics = worker.worker.hub.metrics();
            for level in [Level::ConnectionsOpen, Level::SubscriptionsOpen, Level::ChannelsOpen, Level::TasksOpen] {
                if metrics.level(level) > 0 {
                    return Err(format!("node {index} has {} {level:?} left", metrics.level(level)));
                }
            }
            if worker.worker.hub.budget().used() > 0 {
                return Err(format!("node {index} has {} bytes left in outboxes", worker.worker.hub.budget().used()));
            }
        }
    }
    Ok(())
}
