"""Consumes one partition of the queue of a service with deliver = "stream". Run one for each partition."""

import os
import time

import redis

STREAM = "switchboard:queue:{%s/%s}:entries" % (os.environ.get("SERVICE", "log"), os.environ.get("PARTITION", "0"))
GROUP = "consumers"


def process(entry):
    """Does the work. A repeat has the same id, so remember ids, or let a repeat do no harm."""
    print(entry["id"], entry["event"], flush=True)


store = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6390"), protocol=2, decode_responses=True)
begin = "0"  # first what this program had when it ended, then ">": what nobody had
while True:
    try:
        answer = store.xreadgroup(GROUP, "one", {STREAM: begin}, count=100, block=2000)
        entries = answer[0][1] if answer else []
        for number, entry in entries:
            if entry:  # else somebody deleted it
                process(entry)
            store.pipeline(transaction=True).xack(STREAM, GROUP, number).xdel(STREAM, number).execute()
        begin = begin if entries else ">"
    except redis.ResponseError as error:
        if "NOGROUP" not in str(error):
            raise
        store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except redis.RedisError as error:
        print(f"cannot read, trying again: {error}", flush=True)
        begin = "0"
        time.sleep(1)
