//! What can break, and how it is broken and mended.
//!
//! - [`kind`]: the faults; [`hand`]: what breaks things, and where
//! - [`gateway`], [`line`], [`clients`], [`store`]: what befalls these; of one kind of store only: [`alone`], [`sentinels`], [`cluster`]

mod alone;
mod clients;
mod cluster;
mod gateway;
mod hand;
pub(crate) mod kind;
mod line;
mod sentinels;
mod store;

use crate::world::World;
use hand::Hand;
use kind::Fault;
use rand::{RngExt as _, rngs::StdRng};
use std::sync::Arc;

/// Breaks something, and mends it. In the short form things stay broken for a shorter time.
pub(crate) async fn strike(fault: Fault, world: &Arc<World>, random: &mut StdRng, short: bool) {
    let at = random.random_range(0..world.nodes.len());
    let mut hand = Hand { world, at, node: &world.nodes[at], random, short };
    match fault {
        Fault::KillGateway | Fault::DrainGateway | Fault::StopGateway => hand.strike_gateway(fault).await,
        Fault::MuteSubscriber | Fault::Isolate | Fault::CutRedis | Fault::SlowRedis | Fault::ThrottleRedis => hand.strike_line(fault).await,
        Fault::Overflow | Fault::DropClients | Fault::SlowClients => hand.strike_clients(fault).await,
        _ => hand.strike_store(fault).await,
    }
}
