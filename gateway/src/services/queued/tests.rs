//! Services with a queue in memory: events go in, and come out over links in this process and as requests.

mod fixture;
mod late_ends;
mod lifecycle;
mod links;
mod stop;
mod store;
mod webhooks;
