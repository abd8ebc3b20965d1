//! The gateway from outside: raw bytes over real sockets.

#[allow(unreachable_pub, missing_docs, reason = "shared with an example")]
mod echo;

mod api_keys;
mod cli;
mod client;
mod codes;
mod conformance;
mod corpus;
mod drain;
mod event_source;
mod hostile;
mod hosts;
mod issuers;
mod java;
mod key_changes;
mod lifecycle;
mod limits;
mod listeners;
mod proxies;
mod public;
mod queues;
mod redis;
mod release;
mod revocations;
mod safe_start;
mod same_name;
mod services;
mod simulation;
mod stomp;
mod store_errors;
mod supervisor;
mod tls;
mod upgrade;
mod users;
