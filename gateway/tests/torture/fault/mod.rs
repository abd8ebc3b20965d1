//! Fault injection.
//!
//! - [`kind`]: the list of faults; [`injector`]: what all injections share
//! - [`gateway`], [`network`], [`clients`], [`consumers`], [`store`]: faults of these parts
//! - [`standalone`], [`sentinels`], [`cluster`], [`servers`]: faults of one kind of store

mod clients;
mod cluster;
mod consumers;
mod gateway;
mod injector;
pub(crate) mod kind;
mod network;
mod sentinels;
mod servers;
mod standalone;
mod store;

use crate::world::World;
use injector::FaultInjector;
use kind::Fault;
use rand::{RngExt as _, rngs::StdRng};
use std::sync::Arc;

/// Injects a fault and ends it. In the short form, faults are shorter.
pub(crate) async fn inject(fault: Fault, world: &Arc<World>, random: &mut StdRng, short: bool) {
    let at = random.random_range(0..world.nodes.len());
    let mut injector = FaultInjector { world, at, node: &world.nodes[at], random, short };
    match fault {
        Fault::KillGateway | Fault::DrainGateway | Fault::StopGateway => injector.inject_gateway(fault).await,
        Fault::MuteSubscriber | Fault::Isolate | Fault::CutRedis | Fault::SlowRedis | Fault::ThrottleRedis => {
            injector.inject_network(fault).await;
        }
        Fault::Overflow | Fault::DropClients | Fault::SlowClients => injector.inject_clients(fault).await,
        Fault::KillConsumer | Fault::FreezeConsumer => injector.inject_consumers(fault).await,
        _ => injector.inject_store(fault).await,
    }
}
