//! The REST interface for callers. What becomes of an accepted notification is in `outbox` and `delivery`.

mod handlers;
mod problem;
#[cfg(test)]
mod tests;

pub use handlers::Api;
