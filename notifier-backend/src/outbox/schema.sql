CREATE TABLE IF NOT EXISTS notifications (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    data TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    -- The caller's idempotency key, and the request that it belongs to.
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
    -- The epoch of the channel at the delivery; empty if the channel has no history.
    epoch TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (target, due_ms, seq) WHERE state = 0;
-- One row for each target with pending deliveries: its next delivery, and when that is due. The triggers below keep it up to date.
CREATE TABLE IF NOT EXISTS next_deliveries (
    target TEXT PRIMARY KEY,
    delivery INTEGER NOT NULL,
    ready_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS next_deliveries_ready ON next_deliveries (ready_ms, delivery);
CREATE TRIGGER IF NOT EXISTS next_delivery_on_insert AFTER INSERT ON deliveries BEGIN
    INSERT OR REPLACE INTO next_deliveries
    SELECT target, seq, max(due_ms, retry_ms) FROM deliveries WHERE state = 0 AND target = new.target ORDER BY due_ms, seq LIMIT 1;
END;
CREATE TRIGGER IF NOT EXISTS next_delivery_on_update AFTER UPDATE OF state, retry_ms ON deliveries BEGIN
    DELETE FROM next_deliveries WHERE target = new.target;
    INSERT INTO next_deliveries
    SELECT target, seq, max(due_ms, retry_ms) FROM deliveries WHERE state = 0 AND target = new.target ORDER BY due_ms, seq LIMIT 1;
END;
-- Fills the table for a file that has pending deliveries but was written without it.
INSERT INTO next_deliveries
SELECT target, seq, max(due_ms, retry_ms) FROM (
    SELECT *, row_number() OVER (PARTITION BY target ORDER BY due_ms, seq) AS place FROM deliveries WHERE state = 0
) WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM next_deliveries);
CREATE INDEX IF NOT EXISTS deliveries_made ON deliveries (target) WHERE state = 1;
CREATE INDEX IF NOT EXISTS deliveries_of ON deliveries (notification, state);
CREATE INDEX IF NOT EXISTS deliveries_to ON deliveries (target, notification);
