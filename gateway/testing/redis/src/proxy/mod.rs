//! Proxies between servers and the program under test.

pub(crate) mod address_map;
pub(crate) mod calls;
mod endpoint;
pub(crate) mod impairment;
mod messages;
pub(crate) mod relay;
