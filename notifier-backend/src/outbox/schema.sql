CREATE TABLE IF NOT EXISTS notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    -- The caller's idempotency key and what it was used for.
    idempotency_key TEXT UNIQUE,
    request TEXT
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    notification INTEGER NOT NULL REFERENCES notifications (seq) ON DELETE CASCADE,
    target TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    -- 0 pending, 1 delivered, 2 failed
    state INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_ms INTEGER NOT NULL DEFAULT 0,
    cause TEXT,
    changed_ms INTEGER NOT NULL,
    -- Of the channel, where it was delivered; empty where that keeps no history.
    epoch TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (target, due_ms, seq) WHERE state = 0;
CREATE INDEX IF NOT EXISTS deliveries_made ON deliveries (target) WHERE state = 1;
CREATE INDEX IF NOT EXISTS deliveries_of ON deliveries (notification, state);
CREATE INDEX IF NOT EXISTS deliveries_to ON deliveries (target, notification);
