//! The settings of the queues of a node. Leases and pauses are short and windows are small, so that a run reaches all limits.

use super::{
    life::Consumers,
    lifecycle::KINDS,
    plan::{Delivery, INGEST_PARTITIONS, SERVICES, TRIES, VISIBILITY, WATCH},
};
use std::fmt::Write as _;

/// The lease of the owner of a partition, in seconds. It is shorter than the time for which faults suspend gateways.
const LEASE: u64 = 1;

/// The tables of the settings. `replicas`: of `queues.replicas`.
pub(crate) fn settings(consumers: &Consumers, replicas: u64) -> String {
    let mut text = format!(
        r#"
        [link]
        heartbeat = "1s"
        [lifecycle]
        linger = "500ms"
        batch_delay = "100ms"
        [namespaces.room]
        subscribe = "anyone"
        lifecycle = true
        [namespaces.fed]
        history_size = 1000000
        history_ttl = "24h"
        subscribe = "anyone"
        publish = "anyone"
        data = "any"
        tags_filter = true
        delta = "fossil"
        [ingest]
        channels = ["fed:*"]
        partitions = {INGEST_PARTITIONS}
        batch = 16
        [queues]
        lease = "{LEASE}s"
        window = 64
        blocked_ids = 200
        replicas = {replicas}
        replica_timeout = "500ms"
        "#
    );
    for service in SERVICES {
        let _ = writeln!(text, "[services.{}]\nevents = \"queue\"\npartitions = {}\norder_queue = 1000", service.name, service.partitions);
        let reach = match service.delivery {
            Delivery::Links(_) => format!("visibility = \"{}ms\"", VISIBILITY.as_millis()),
            Delivery::Webhook(_) => {
                let urls: Vec<_> = consumers.targets.iter().map(|target| format!("\"http://{target}/\"")).collect();
                format!(
                    "reach = \"webhook\"\nurls = [{}]\ncall_timeout = \"{}ms\"\nbreaker_pause = \"1s\"",
                    urls.join(", "),
                    VISIBILITY.as_millis()
                )
            }
            Delivery::Streams => "reach = \"queue\"\ndeliver = \"stream\"\nreply = false".into(),
        };
        let _ = writeln!(text, "{reach}");
        if service.delivery != Delivery::Streams {
            let _ = writeln!(text, "tries = {TRIES}\nretry_min = \"50ms\"\nretry_max = \"500ms\"");
        }
        if *service == WATCH {
            let _ = writeln!(text, "lifecycle_events = {KINDS:?}");
            continue;
        }
        let _ =
            writeln!(text, "order = \"/key\"\n[services.{0}.methods.plain]\nreply = false\n[services.{0}.methods.submit]", service.name);
        let _ = writeln!(text, "reply = false\nidempotency = \"/id\"");
    }
    text
}
