//! The gateway from outside: raw bytes over real sockets.

#[allow(unreachable_pub, missing_docs, reason = "shared with an example")]
mod echo;

mod cli;
mod client;
mod codes;
mod conformance;
mod corpus;
mod drain;
mod event_source;
mod java;
mod lifecycle;
mod listeners;
mod proxies;
mod public;
mod redis;
mod release;
mod same_name;
mod services;
mod simulation;
mod stomp;
mod store_errors;
mod supervisor;
mod upgrade;
mod users;
