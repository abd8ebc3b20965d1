//! How many connections a process can have.

/// Raises the number of files that this process may open to its hard limit. Returns what it is now; none where it has no limit.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum }) {
        tracing::warn!(%error, current = before.current, maximum = before.maximum, "the limit of open files cannot be raised");
    }
    getrlimit(Resource::Nofile).current
}

/// Elsewhere there is no such limit to raise.
#[cfg(not(unix))]
pub fn raise_open_files() -> Option<u64> {
    None
}

/// Connections that are granted in any case.
const LEAST: usize = 16;

/// The files that a process may open, as they are given out.
#[derive(Debug, Clone, Copy)]
pub struct OpenFiles {
    limit: Option<u64>,
    left: u64,
}

impl OpenFiles {
    /// `limit`: the answer of [`raise_open_files`]. `own`: files that are no connections of listeners.
    pub fn new(limit: Option<u64>, own: u64) -> Self {
        Self { limit, left: limit.map_or(u64::MAX, |limit| limit.saturating_sub(own)) }
    }

    /// Lowers a bound of connections, the setting `key`, to a `share`th of what is left, and says so; to no less than 16.
    pub fn grant(&mut self, key: &str, bound: &mut usize, share: u64) {
        let room = usize::try_from(self.left / share).unwrap_or(usize::MAX).max(LEAST);
        if *bound > room {
            let open_files = self.limit.unwrap_or_default();
            tracing::warn!(
                setting = key,
                set = *bound,
                used = room,
                open_files,
                "lowered: this process may open too few files. Raise its limit (LimitNOFILE of systemd, ulimit -n), or lower the setting"
            );
            *bound = room;
        }
        self.left = self.left.saturating_sub(*bound as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn open_files_are_raised_to_the_hard_limit() {
        use rustix::process::{Resource, getrlimit};
        assert_eq!(raise_open_files(), getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn bounds_are_lowered_to_what_may_be_opened() {
        for (limit, wanted, granted) in [
            (None, [10, 1_000_000], [10, 1_000_000]),
            (Some(1000), [10, 800], [10, 800]),
            (Some(1000), [10, 10_000], [10, 890]),
            (Some(1000), [10_000, 10_000], [225, 675]),
            (Some(50), [20, 10], [16, 10]),
        ] {
            let (mut files, mut bounds) = (OpenFiles::new(limit, 100), wanted);
            files.grant("a", &mut bounds[0], 4);
            files.grant("b", &mut bounds[1], 1);
            assert_eq!(bounds, granted, "{limit:?}");
        }
    }
}
