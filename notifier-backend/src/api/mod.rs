//! The REST interface for callers. Storage and delivery of accepted notifications are in `outbox` and `delivery`.

mod handlers;
mod problem;
#[cfg(test)]
mod tests;

pub use handlers::Api;
