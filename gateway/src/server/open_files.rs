//! Fits the connection limits to the number of files that the process may open.

use super::wiring::queue_partitions;
use crate::{
    broker::WAITING_CONNECTIONS,
    settings::{BrokerKind, NodeRole, Reach, Settings},
};
use shared_proto::http::{OpenFiles, SURPLUS_CONNECTIONS};

/// Files of the process itself: listeners, logs, the main runtime, connections to the telemetry collector.
const PROCESS_FILES: usize = 64;
/// Files of one worker thread: its runtime, and connections above the limit, which wait for a place.
const FILES_PER_WORKER: usize = 8 + SURPLUS_CONNECTIONS;
/// Files for health checks, sentinels and the slot map of Redis. Command connections and the subscriber connection are counted separately.
const REDIS_FILES: usize = 16;
/// One file in this many stays free for the masters of a Redis Cluster, because their number is not known at the start.
const RESERVE_DIVISOR: u64 = 16;
/// The largest such reserve.
const RESERVE_MAX: u64 = 4096;

/// Lowers the connection limits of `settings` so that all connections fit into `limit` open files. Each listener has its own limit, so
/// frontends cannot take the connections of REST and probes.
pub(super) fn fit_connection_limits(settings: &Settings, workers: usize, limit: Option<u64>) -> Settings {
    let mut settings = settings.clone();
    let store = match settings.broker.kind {
        BrokerKind::Memory => 0,
        BrokerKind::Redis => REDIS_FILES + 2 * (settings.redis.lanes + 1) + queues(&settings),
    };
    let webhooks = settings.services.values().filter(|it| it.service.reach == Reach::Webhook);
    // As many connections as requests in flight, and as many idle ones.
    let requests: usize = webhooks.map(|it| 2 * it.route.max_in_flight).sum();
    let required = (PROCESS_FILES + FILES_PER_WORKER * (workers + 1) + store + requests) as u64;
    let reserve = (limit.unwrap_or_default() / RESERVE_DIVISOR).min(RESERVE_MAX);
    let mut files = OpenFiles::new(limit, required.max(reserve));
    files.assign("internal.connections", &mut settings.internal.connections, 16);
    if settings.node.role == NodeRole::Full {
        files.assign("public.http_connections", &mut settings.public.http_connections, 8);
        files.assign("public.max_connections", &mut settings.public.max_connections, 1);
    }
    settings
}

/// Connections for queues: for commands, and one for each partition that waits for entries.
fn queues(settings: &Settings) -> usize {
    match queue_partitions(settings).values().copied().map(usize::from).sum::<usize>() {
        0 => 0,
        partitions => 2 * settings.redis.lanes + partitions.min(WAITING_CONNECTIONS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listener_keeps_connections_and_all_fit() {
        let defaults = Settings::from_toml("").expect("valid");
        let bounds = |limit| {
            let settings = fit_connection_limits(&defaults, 2, limit);
            [settings.internal.connections, settings.public.http_connections, settings.public.max_connections]
        };
        let wanted = [defaults.internal.connections, defaults.public.http_connections, defaults.public.max_connections];
        assert_eq!(bounds(None), wanted);
        assert_eq!(bounds(Some(1 << 20)), wanted);
        for limit in [128, 256, 1024, 4096, 65_536] {
            let [internal, http, upgraded] = bounds(Some(limit));
            assert!(internal >= 16 && http >= 16 && upgraded >= 16, "{limit}: {internal}, {http}, {upgraded}");
            assert!((internal + http + upgraded + PROCESS_FILES) as u64 <= limit, "{limit}: {internal}, {http}, {upgraded}");
        }
        assert_eq!(bounds(Some(0)), [16, 16, 16]);
    }

    #[test]
    fn queues_keep_files_for_their_connections() {
        let of = |toml: &str| queues(&Settings::from_toml(toml).expect("valid"));
        assert_eq!(of("[services.shop]"), 0);
        assert_eq!(of("redis.lanes = 3\n[services.shop]\nevents = \"queue\"\npartitions = 5"), 11);
        assert_eq!(of("redis.lanes = 3\n[services.shop]\nevents = \"queue\"\npartitions = 200"), 70);
    }

    #[test]
    fn webhooks_keep_files_for_their_requests() {
        let frontends =
            |toml: &str| fit_connection_limits(&Settings::from_toml(toml).expect("valid"), 2, Some(16_384)).public.max_connections;
        let webhook = "[services.shop]\nreach = \"webhook\"\nurls = [\"http://h\"]\nmax_in_flight = 4000";
        // The reserve of a sixteenth of all files covers a part of them.
        assert!(frontends("[services.shop]") >= frontends(webhook) + 5000, "{}, {}", frontends("[services.shop]"), frontends(webhook));
    }
}
