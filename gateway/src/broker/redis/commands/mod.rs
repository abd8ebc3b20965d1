//! Lanes: connections that carry commands to Redis and keep their order through every interruption. What the commands mean is the matter of
//! other folders.
//!
//! A lane sends all commands that wait for a master together, one batch after the other. So Redis executes commands in the order in which
//! they arrive. After a broken connection, the lane sends commands without an answer again, ahead of all newer ones. Idempotency keys make
//! this repeat harmless. While a slot moves, a command for the new master waits until the old master has answered the earlier commands of
//! its order.
//!
//! A lane may ask for replicas. Then the master waits for them behind each batch. Commands that too few replicas have are sent again like those without
//! an answer.
//!
//! - [`lane`]: the interface for callers; [`driver`]: the task of a lane; [`master_lane`]: its connection to one master
//! - [`job`]: a command and its state; [`queue`]: the commands of one master; [`limits`]: limits of a lane

pub(crate) mod driver;
pub(crate) mod job;
pub(crate) mod lane;
pub(crate) mod limits;
mod master_lane;
mod queue;
