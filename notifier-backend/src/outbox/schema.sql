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
-- One row for each target with pending deliveries: its first one, and when that may be tried. Kept by the triggers below.
CREATE TABLE IF NOT EXISTS lanes (
    target TEXT PRIMARY KEY,
    delivery INTEGER NOT NULL,
    ready_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lanes_ready ON lanes (ready_ms, delivery);
CREATE TRIGGER IF NOT EXISTS delivery_added AFTER INSERT ON deliveries BEGIN
    INSERT OR REPLACE INTO lanes
    SELECT target, seq, max(due_ms, retry_ms) FROM deliveries WHERE state = 0 AND target = new.target ORDER BY due_ms, seq LIMIT 1;
END;
CREATE TRIGGER IF NOT EXISTS delivery_changed AFTER UPDATE OF state, retry_ms ON deliveries BEGIN
    DELETE FROM lanes WHERE target = new.target;
    INSERT INTO lanes
    SELECT target, seq, max(due_ms, retry_ms) FROM deliveries WHERE state = 0 AND target = new.target ORDER BY due_ms, seq LIMIT 1;
END;
-- What an earlier version left pending.
INSERT INTO lanes
SELECT target, seq, max(due_ms, retry_ms) FROM (
    SELECT *, row_number() OVER (PARTITION BY target ORDER BY due_ms, seq) AS place FROM deliveries WHERE state = 0
) WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM lanes);
CREATE INDEX IF NOT EXISTS deliveries_made ON deliveries (target) WHERE state = 1;
CREATE INDEX IF NOT EXISTS deliveries_of ON deliveries (notification, state);
CREATE INDEX IF NOT EXISTS deliveries_to ON deliveries (target, notification);
