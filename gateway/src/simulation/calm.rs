//! The end of a run: what is broken is mended, and everything has to come to rest.

use super::{
    node::{DEADLINE, LINGER},
    world::{World, channel},
};
use crate::telemetry::Level;
use std::time::Duration;

/// Rounds until everybody has everything.
const ROUNDS: usize = 2000;
/// Those among them in which nothing moves: with their pauses, longer than any deadline.
const IDLE: usize = 100;
/// Rounds of an audit: with their pauses, longer than what it takes to be sure.
const AUDIT: usize = 10;
const AUDIT_PAUSE: Duration = Duration::from_millis(500);
/// Rounds at most until all that is left when clients go has ended.
const LAST: usize = 8;
/// What eight rounds take in which something moves.
const TRIPS: Duration = Duration::from_millis(40);
/// Longer than a channel is kept for those who were told to come back.
const EXPECTED: Duration = Duration::from_secs(6);
/// After a round in which nothing moves.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn calm(world: &mut World<'_>) -> Result<(), String> {
    world.server.accept();
    world.server.mute = 0;
    if world.server.has_left_behind() {
        world.wait(DEADLINE);
        while world.server.execute_left_behind() {}
        world.settle()?;
    }
    for node in &mut world.nodes {
        // Canaries find those.
        node.wires.subscriber.notice(&mut world.server, false);
    }
    find(world)?;
    rest(world, lacking)?;
    for index in 0..world.shape.channels {
        let draft = world.publisher.draft(&channel(index), false);
        world.publisher.publish(draft, 0, &world.nodes[0].broker, world.shape.kept);
    }
    find(world)?;
    rest(world, lacking)?;
    world.publisher.check(&mut world.server)?;
    leave(world)
}

/// Audits find what only they can.
fn find(world: &mut World<'_>) -> Result<(), String> {
    if !world.needs_audit {
        return Ok(());
    }
    rest(world, |world| world.publisher.waits())?;
    world.nodes.iter_mut().for_each(|node| node.wires.subscriber.audit());
    for _ in 0..AUDIT {
        world.settle()?;
        round(world)?;
        world.wait(AUDIT_PAUSE);
    }
    Ok(())
}

fn lacking(world: &World<'_>) -> Option<String> {
    world.publisher.waits().or_else(|| world.clients.iter().find_map(|client| client.lacks(&world.server)))
}

/// Rounds until nothing is lacking any more.
fn rest(world: &mut World<'_>, lacking: impl Fn(&World<'_>) -> Option<String>) -> Result<(), String> {
    let mut idle = 0;
    for index in 0..ROUNDS {
        match (round(world)?, lacking(world)) {
            (false, None) => return Ok(()),
            (true, _) if index % 8 == 7 => world.wait(TRIPS),
            (true, _) => {}
            (false, Some(_)) if idle == IDLE => break,
            (false, Some(_)) => {
                idle += 1;
                world.wait(PAUSE);
            }
        }
    }
    lacking(world).map_or_else(|| Err("it does not come to rest".into()), |what| Err(format!("at rest, {what}")))
}

/// Everybody does what is due. Clients that have no subscription ask for it.
fn round(world: &mut World<'_>) -> Result<bool, String> {
    let mut moved = false;
    for node in &mut world.nodes {
        moved |= node.round(&mut world.server);
    }
    world.settle()?;
    for client in 0..world.clients.len() {
        moved |= world.read(client, usize::MAX);
        let node = &world.nodes[client % world.shape.nodes];
        moved |= world.clients[client].subscribe(&node.workers[client % world.shape.workers], true);
    }
    world.settle()?;
    Ok(moved)
}

/// All go, and nothing is left of them.
fn leave(world: &mut World<'_>) -> Result<(), String> {
    for client in &mut world.clients {
        client.drop_connection();
    }
    // Some are told only now.
    for time in [EXPECTED, EXPECTED, LINGER] {
        world.wait(time);
        for _ in 0..LAST {
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
            return Err(format!("node {index} is still subscribed to something that nobody needs"));
        }
        for worker in &node.workers {
            let metrics = worker.worker.hub.metrics();
            for level in [Level::ConnectionsOpen, Level::SubscriptionsOpen, Level::ChannelsOpen, Level::TasksOpen] {
                if metrics.level(level) > 0 {
                    return Err(format!("node {index} is left with {} {level:?}", metrics.level(level)));
                }
            }
            if worker.worker.hub.budget().used() > 0 {
                return Err(format!("node {index} is left with {} bytes in outboxes", worker.worker.hub.budget().used()));
            }
        }
    }
    Ok(())
}
