"""Moves messages from an outbox, a table in SQLite, to ingest. Run one at a time."""

import binascii
import itertools
import os
import sqlite3
import time

import redis

TABLE = """CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so it tells a repeat
    channel TEXT NOT NULL,
    data TEXT NOT NULL -- JSON
)"""
NAME = os.environ.get("OUTBOX_NAME", "orders")  # another one for each outbox
PARTITIONS = int(os.environ.get("INGEST_PARTITIONS", "1"))  # ingest.partitions of the gateways


def stream_of(row):
    """The stream of a channel, so that the messages of a channel keep their order."""
    return "switchboard:ingest:{%d}:stream" % (binascii.crc_hqx(row[1].encode(), 0) % PARTITIONS)


def move(database, store):
    """Moves the oldest messages. Returns how many it moved."""
    rows = database.execute("SELECT id, channel, data FROM outbox ORDER BY id LIMIT 100").fetchall()
    for stream, group in itertools.groupby(sorted(rows, key=stream_of), stream_of):
        with store.pipeline(transaction=True) as entries:  # all of them or none, so that none overtakes another one
            for number, channel, data in group:
                entries.xadd(stream, {"channel": channel, "data": data, "idempotency_key": f"{NAME}-{number}"})
            entries.execute()
    # If the program ends here, it moves these messages again, and ingest knows them by their keys.
    with database:
        database.executemany("DELETE FROM outbox WHERE id = ?", [row[:1] for row in rows])
    return len(rows)


if __name__ == "__main__":
    database = sqlite3.connect(os.environ.get("OUTBOX", "outbox.db"), timeout=30)
    database.execute(TABLE)
    store = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6390"))
    while True:
        try:
            if move(database, store) == 0:
                time.sleep(0.1)
        except redis.RedisError as error:
            print(f"cannot write into Redis, trying again: {error}", flush=True)
            time.sleep(1)
