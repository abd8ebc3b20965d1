//! What the gateway bounds, as an attacker meets it, and an honest client next to the attacker.

mod accepts;
mod addresses;
mod connections;
mod keys;
mod presence;
mod support;
mod user_connections;
mod users;
mod work;
