//! Bounds of connections that fit the files which the process may open.

use crate::settings::{BrokerKind, Settings};
use shared_proto::http::{BEYOND_PLACES, OpenFiles};

/// Files beside those of connections: listeners, logs, the main runtime, a collector's connections.
const BASE: usize = 64;
/// Of a worker thread: its runtime, and connections that are accepted to be closed at once.
const PER_WORKER: usize = 8 + BEYOND_PLACES;
/// With Redis: for health, sentinels and the slot map, beside the connections for commands and the one that subscribes.
const PER_STORE: usize = 16;
/// Of a large limit this part is kept free, for the masters of a Redis Cluster, whose number is not known here; 4096 at most.
const SPARE: u64 = 16;

/// The settings with bounds of connections that fit. `limit`: files that the process may open. Each listener has places of its own, so that REST and
/// probes are served whatever frontends take.
pub(super) fn fit(settings: &Settings, workers: usize, limit: Option<u64>) -> Settings {
    let mut settings = settings.clone();
    let store = match settings.broker.kind {
        BrokerKind::Memory => 0,
        BrokerKind::Redis => PER_STORE + 2 * (settings.redis.lanes + 1),
    };
    let least = (BASE + PER_WORKER * (workers + 1) + store) as u64;
    let spare = limit.unwrap_or_default() / SPARE;
    let mut files = OpenFiles::new(limit, least.max(spare.min(4096)));
    files.grant("internal.connections", &mut settings.internal.connections, 16);
    files.grant("public.http_connections", &mut settings.public.http_connections, 8);
    files.grant("public.max_connections", &mut settings.public.max_connections, 1);
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listener_has_places_and_all_fit() {
        let defaults = Settings::from_toml("").expect("valid");
        let bounds = |limit| {
            let settings = fit(&defaults, 2, limit);
            [settings.internal.connections, settings.public.http_connections, settings.public.max_connections]
        };
        let wanted = [defaults.internal.connections, defaults.public.http_connections, defaults.public.max_connections];
        assert_eq!(bounds(None), wanted);
        assert_eq!(bounds(Some(1 << 20)), wanted);
        for limit in [128, 256, 1024, 4096, 65_536] {
            let [internal, http, upgraded] = bounds(Some(limit));
            assert!(internal >= 16 && http >= 16 && upgraded >= 16, "{limit}: {internal}, {http}, {upgraded}");
            assert!((internal + http + upgraded + BASE) as u64 <= limit, "{limit}: {internal}, {http}, {upgraded}");
        }
        assert_eq!(bounds(Some(0)), [16, 16, 16]);
    }
}
