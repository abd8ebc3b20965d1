//! Revocation of users, sessions and tokens: at whole gateways, over every protocol, and while Redis is away.

mod bed;
mod frontend;
mod logout;
mod memory;
mod redis;
