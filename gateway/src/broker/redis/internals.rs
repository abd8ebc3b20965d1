//! Internals of this broker that tests with real servers need.

use super::{
    channels::channel_index,
    cluster_state::presence,
    schema::{keys::Keys, scripts::SCRIPTS, slot::Slot},
    servers::{
        connect::rights::probe::Probe,
        topology::{Master, Topology},
    },
    subscriptions::subscription_table,
};
use std::time::Duration;

/// How long a node takes another node for alive after it found the other's lease.
pub const LEASE_CHECK_VALIDITY: Duration = presence::LEASE_CHECK_VALIDITY;
/// How long the delivery of a publication to its own node may take after Redis acknowledged the publication.
pub const DELIVERY_TIMEOUT: Duration = subscription_table::DELIVERY_TIMEOUT;

/// The number of the set in the channel index that contains a channel's name.
pub fn index_shard(channel: &str) -> u16 {
    channel_index::shard(channel)
}

/// With servers of these names: the index in `names` of the server that has a channel.
pub fn server_of(names: &[&str], channel: &str) -> usize {
    placement(names)(channel)
}

/// With servers of these names: returns a function from a key to the index in `names` of the server that has the key.
pub fn placement(names: &[&str]) -> impl Fn(&str) -> usize {
    let map = Topology::divided((0..).map(Master).zip(names.iter().copied()));
    move |key| map.owner(Slot::of(key.as_bytes())).expect("each slot has a server").0 as usize
}

/// The commands that load all scripts, encoded, and their number.
pub fn load_scripts() -> (Vec<u8>, usize) {
    (SCRIPTS.load().get_packed_pipeline(), SCRIPTS.load().len())
}

/// The commands with which a node checks its rights on a new connection for commands: the name of each, and the command, encoded.
pub fn trials(prefix: &str, node: &str) -> Vec<(&'static str, Vec<u8>)> {
    let trials = Probe::new(Keys::new(prefix).probe(node)).waiting_if(true).trials("PUBLISH");
    trials.into_iter().map(|(what, command)| (what, command.get_packed_command())).collect()
}
