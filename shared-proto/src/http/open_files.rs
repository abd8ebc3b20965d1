//! Fits the number of connections to the number of files that the process may open.

/// Raises the limit of open files to the hard limit. Returns the new limit, or `None` if there is no limit.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, maximum: before.maximum }) {
        tracing::warn!(%error, current = before.current, maximum = before.maximum, "cannot raise the limit of open files");
    }
    getrlimit(Resource::Nofile).current
}

/// Systems other than Unix have no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() -> Option<u64> {
    None
}

/// No limit of connections is lowered below this number.
const MIN_CONNECTIONS: usize = 16;

/// The open files that are not yet assigned to a listener.
#[derive(Debug, Clone, Copy)]
pub struct OpenFiles {
    limit: Option<u64>,
    left: u64,
}

impl OpenFiles {
    /// `limit` is the result of [`raise_open_files`]. `reserved` is the number of files for other purposes than a listener's connections.
    pub fn new(limit: Option<u64>, reserved: u64) -> Self {
        Self { limit, left: limit.map_or(u64::MAX, |limit| limit.saturating_sub(reserved)) }
    }

    /// Assigns files to a listener. If its limit of connections (`bound`, the value of the setting `key`) is above 1/`divisor` of the files that
    /// are left, it is lowered to that number, but not below 16, and a warning is logged.
    pub fn assign(&mut self, key: &str, bound: &mut usize, divisor: u64) {
        let room = usize::try_from(self.left / divisor).unwrap_or(usize::MAX).max(MIN_CONNECTIONS);
        if *bound > room {
            let open_files = self.limit.unwrap_or_default();
            tracing::warn!(
                setting = key,
                set = *bound,
                used = room,
                open_files,
                "a limit of connections was lowered, because this process may open too few files. Raise the limit of open files \
                 (LimitNOFILE of systemd, ulimit -n), or lower the setting"
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
    fn the_limit_of_open_files_is_raised_to_the_hard_limit() {
        use rustix::process::{Resource, getrlimit};
        assert_eq!(raise_open_files(), getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn connection_limits_are_lowered_to_the_files_that_are_left() {
        for (limit, configured, assigned) in [
            (None, [10, 1_000_000], [10, 1_000_000]),
            (Some(1000), [10, 800], [10, 800]),
            (Some(1000), [10, 10_000], [10, 890]),
            (Some(1000), [10_000, 10_000], [225, 675]),
            (Some(50), [20, 10], [16, 10]),
        ] {
            let (mut files, mut bounds) = (OpenFiles::new(limit, 100), configured);
            files.assign("a", &mut bounds[0], 4);
            files.assign("b", &mut bounds[1], 1);
            assert_eq!(bounds, assigned, "{limit:?}");
        }
    }
}
