//! What the settings allow a flood to use.

use super::flood::Flood;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// `connection.outbox_bytes` and `connection.worker_outbox_bytes`.
const OUTBOX: u64 = 256 * KIB;
const WORKER_OUTBOX: u64 = 256 * MIB;
/// `connection.message_size` and `limits.worker.work_bytes`.
const MESSAGE: u64 = 64 * KIB;
const WORK: u64 = 256 * MIB;
/// Largest head of a request, and `public.http_connections`.
const HEAD: u64 = 128 * KIB;
const HTTP_CONNECTIONS: u64 = 8192;
/// `limits.accepts.per_second` and the seconds of `connection.close_timeout`.
const ACCEPTS: u64 = 5000;
const CLOSE_SECONDS: u64 = 2;
/// A connection with its session and subscriptions, without what its limits count: three times an idle one.
const CONNECTION: u64 = 4 * KIB;

/// The settings of the gateway: the defaults, which the generator otherwise raises, and limits of connections that fit into 20,000 files.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("WORKERS", "1"),
    // The probes answer no pings.
    ("CONNECTION__PING_INTERVAL", "1h"),
    ("CONNECTION__PONG_TIMEOUT", "10m"),
    ("CONNECTION__OUTBOX_BYTES", "256KiB"),
    ("CONNECTION__WORKER_OUTBOX_BYTES", "256MiB"),
    ("CONNECTION__MESSAGE_SIZE", "64KiB"),
    ("CONNECTION__CLOSE_TIMEOUT", "2s"),
    ("PUBLIC__MAX_CONNECTIONS", "10000"),
    ("PUBLIC__HTTP_CONNECTIONS", "8192"),
    ("INTERNAL__CONNECTIONS", "512"),
    ("LIMITS__CONNECTION__COMMANDS_PER_SECOND", "200"),
    ("LIMITS__CONNECTION__BYTES_PER_SECOND", "1MiB"),
    ("LIMITS__USER__COMMANDS_PER_SECOND", "1000"),
    ("LIMITS__USER__BYTES_PER_SECOND", "4MiB"),
    ("LIMITS__ACCEPTS__PER_SECOND", "5000"),
    ("LIMITS__WORKER__WORK_BYTES", "256MiB"),
];

/// The most that a flood may add to the gateway's memory.
pub(super) struct Bound {
    pub(super) kib: u64,
    pub(super) formula: &'static str,
}

/// The bound for a flood with so many connections at a time.
pub(super) fn of(flood: Flood, connections: u64) -> Bound {
    let (bytes, formula) = match flood {
        Flood::SlowReaders => (
            (connections * OUTBOX).min(WORKER_OUTBOX) + (connections * MESSAGE).min(WORK) + connections * CONNECTION,
            "connections x outbox_bytes, at most worker_outbox_bytes; their large messages as for half messages",
        ),
        Flood::HalfMessages => (
            (connections * MESSAGE).min(WORK) + connections * CONNECTION,
            "connections x message_size, at most work_bytes; and 4 KiB for each connection",
        ),
        Flood::HalfHeads => (connections.min(HTTP_CONNECTIONS) * (HEAD + CONNECTION), "http_connections x (128 KiB and 4 KiB)"),
        Flood::WrongTokens | Flood::Upgrades => {
            ((ACCEPTS * CLOSE_SECONDS + connections) * CONNECTION, "(accepts per second x close_timeout, and connections) x 4 KiB")
        }
        Flood::Commands | Flood::Presence | Flood::Joins => {
            (connections * (OUTBOX + MESSAGE + CONNECTION), "connections x (outbox_bytes, message_size and 4 KiB)")
        }
    };
    Bound { kib: bytes / KIB, formula }
}
