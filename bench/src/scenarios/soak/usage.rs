//! What the gateway uses.

use crate::{result::Result, server::Server, statistics::median};
use std::fmt;

/// What the gateway uses at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) resident_kib: u64,
    pub(super) kept: Kept,
}

/// What has to return to the same count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) connections: u64,
    pub(super) tasks: u64,
    pub(super) threads: u64,
    pub(super) descriptors: u64,
}

impl Usage {
    pub(super) async fn of(server: &Server) -> Result<Self> {
        let connections = server.count("switchboard_connections_open").await?;
        let tasks = server.count("switchboard_tasks_open").await?;
        let kept = Kept { connections, tasks, threads: server.threads()?, descriptors: server.descriptors()? };
        Ok(Self { resident_kib: server.resident_kib()?, kept })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { connections, tasks, threads, descriptors } = self.kept;
        write!(f, "{} KiB resident, {descriptors} files, {threads} threads, {tasks} tasks, {connections} connections", self.resident_kib)
    }
}

/// Resident memory after the first third, and at the end: medians of a twelfth of the cycles, at least three. `None` with too few cycles to tell.
pub(super) fn growth(resident_kib: &[u64]) -> Option<(f64, f64)> {
    let window = (resident_kib.len() / 12).max(3);
    let first = resident_kib.len() / 3;
    let (early, late) =
        (resident_kib.get(first..first + window)?, resident_kib.len().checked_sub(window).filter(|at| *at >= first + window)?);
    let of = |cycles: &[u64]| median(cycles.iter().map(|kib| *kib as f64));
    Some((of(early), of(&resident_kib[late..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_third_and_single_cycles_do_not_count() {
        let mut cycles = vec![100; 90];
        cycles[..30].fill(10);
        cycles[84] = 900;
        assert_eq!(growth(&cycles), Some((100.0, 100.0)));
        cycles[80..].fill(102);
        assert_eq!(growth(&cycles), Some((100.0, 102.0)));
        assert_eq!(growth(&cycles[..5]), None);
    }
}
