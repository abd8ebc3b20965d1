//! Queues in Redis: the contract with each kind of store, and failures.

mod cluster;
mod lost_answers;
mod planted;
mod replicas;
mod several_servers;
mod standalone;
