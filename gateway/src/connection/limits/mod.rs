//! What limits a connection. The settings of its session have what a client may ask for in a time.
//!
//! - [`bounds`]: the bounds of one connection; [`work_budget`]: the memory of a worker for what its clients have begun
//! - [`work_size`]: how much that is
//! - [`charging`]: charges a connection for what its client sends and holds

mod bounds;
mod charging;
mod work_budget;
mod work_size;

pub use bounds::ConnectionLimits;
pub(super) use work_budget::WorkBudget;
pub(super) use work_size::WorkSize;
