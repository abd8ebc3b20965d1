//! What a measurement costs the gateway, the generator and Redis.

use crate::{
    redis::Redis,
    result::Result,
    server::{Server, generator_cpu_seconds},
};
use std::time::Duration;
use tokio::time::Instant;

/// The head of the columns that [`Costs::columns`] prints.
pub(super) const COLUMNS: &str = "us CPU of gateway, generator, Redis  instructions";

/// The beginning of a measurement.
pub(super) struct Begin<'a> {
    server: &'a Server,
    redis: &'a Redis,
    cpu: [f64; 3],
    at: Instant,
}

impl<'a> Begin<'a> {
    pub(super) fn now(server: &'a Server, redis: &'a Redis) -> Result<Self> {
        server.instructions()?;
        Ok(Self { server, redis, cpu: cpu(server, redis)?, at: Instant::now() })
    }

    /// Ends the measurement of this many operations.
    pub(super) fn end(self, count: usize) -> Result<Costs> {
        let (wall, after) = (self.at.elapsed(), cpu(self.server, self.redis)?);
        let cpu_us = std::array::from_fn(|process| (after[process] - self.cpu[process]) * 1e6 / count as f64);
        let instructions = self.server.instructions()?.map(|instructions| instructions as f64 / count as f64);
        Ok(Costs { count, wall, cpu_us, instructions })
    }
}

/// What each operation of a measurement cost.
pub(super) struct Costs {
    count: usize,
    wall: Duration,
    /// CPU time of gateway, generator and Redis, in microseconds.
    pub(super) cpu_us: [f64; 3],
    /// Instructions of the gateway in user space, if they are counted.
    pub(super) instructions: Option<f64>,
}

impl Costs {
    /// Operations per second.
    pub(super) fn rate(&self) -> f64 {
        self.count as f64 / self.wall.as_secs_f64()
    }

    /// The columns of [`COLUMNS`].
    pub(super) fn columns(&self) -> String {
        let [server, generator, redis] = self.cpu_us;
        let instructions = self.instructions.map_or_else(|| "-".to_owned(), |count| format!("{count:.0}"));
        format!("{server:>17.1} {generator:>10.1} {redis:>6.1} {instructions:>13}")
    }
}

fn cpu(server: &Server, redis: &Redis) -> Result<[f64; 3]> {
    Ok([server.cpu_seconds()?, generator_cpu_seconds()?, redis.cpu_seconds()?])
}
