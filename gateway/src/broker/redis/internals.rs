//! What tests with real servers have to know of this broker.

use super::{
    channels::channel_index,
    cluster_state::presence,
    schema::{keys::Keys, scripts::SCRIPTS, slot::Slot},
    servers::{
        connect::probe::Probe,
        topology::{Master, Topology},
    },
    subscriptions::subscription_table,
};
use std::time::Duration;

/// How long a node trusts that another one is alive which it has seen.
pub const LEASE_CHECK_VALIDITY: Duration = presence::LEASE_CHECK_VALIDITY;
/// How long a publication of this node may be under way to it.
pub const DELIVERY_TIMEOUT: Duration = subscription_table::DELIVERY_TIMEOUT;

/// The number of the set in which the index of channels has this name.
pub fn index_shard(channel: &str) -> u16 {
    channel_index::shard(channel)
}

/// The place in `names` of the server that has a channel, of several servers with these names.
pub fn server_of(names: &[&str], channel: &str) -> usize {
    placement(names)(channel)
}

/// Tells the place in `names` of the server to which a key belongs.
pub fn placement(names: &[&str]) -> impl Fn(&str) -> usize {
    let map = Topology::divided((0..).map(Master).zip(names.iter().copied()));
    move |key| map.owner(Slot::of(key.as_bytes())).expect("each slot has a server").0 as usize
}

/// The commands that load all scripts, encoded, and how many they are.
pub fn load_scripts() -> (Vec<u8>, usize) {
    (SCRIPTS.load().get_packed_pipeline(), SCRIPTS.load().len())
}

/// What a node tries on a new connection for commands: the name of each, and the command, encoded.
pub fn trials(prefix: &str, node: &str) -> Vec<(&'static str, Vec<u8>)> {
    let trials = Probe::new(Keys::new(prefix).probe(node)).trials("PUBLISH");
    trials.into_iter().map(|(what, command)| (what, command.get_packed_command())).collect()
}
