# A frontend with stomp.py. support/stomp-clients.mjs describes its commands and events. In the form `binary` all its
# frames are binary messages, without which it cannot send bytes.

import base64
import json
import logging
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

import stomp

form, url = sys.argv[1], urlsplit(sys.argv[2])
RECONNECT_S = 0.1
output = threading.Lock()


def say(line):
    with output:
        print(json.dumps(line), flush=True)


def emit(event, **fields):
    say({"event": event, **fields})


class Subscription:
    def __init__(self, destination, headers=None, resume=False):
        self.id, self.destination, self.headers, self.resume, self.position = str(uuid.uuid4()), destination, headers or {}, resume, ""

    def subscribe(self, connection):
        position = {"x-position": self.position} if self.resume else {}
        connection.subscribe(self.destination, self.id, headers={**self.headers, **position})


class Frontend(stomp.ConnectionListener):
    def __init__(self):
        self.subscriptions, self.receipts, self.is_stopped = {}, {}, False
        # A new connection subscribes to all, while the test may send more.
        self.sending = threading.Lock()

    def connect(self, headers, heartbeat):
        self.options = headers, heartbeat
        self.connection = stomp.WSConnection(
            [(url.hostname, url.port)],
            ws_path=url.path,
            heartbeats=tuple(heartbeat),
            auto_decode=False,
            binary_mode=form == "binary",
            reconnect_attempts_max=-1,
        )
        self.connection.set_listener("frontend", self)
        self.connection.connect(headers=headers)

    def subscribe(self, **options):
        subscription = Subscription(**options)
        with self.sending:
            self.subscriptions[subscription.id] = subscription
            subscription.subscribe(self.connection)

    def send(self, destination, body=None, headers=None, receipt=False, base64=None):
        headers = dict(headers or {})
        content_type = headers.pop("content-type", None)
        content = body if base64 is None else decoded(base64)
        receipt = str(uuid.uuid4()) if receipt else None
        if receipt:
            self.receipts[receipt] = threading.Event()
            headers["receipt"] = receipt
        with self.sending:
            self.connection.send(destination, content, content_type=content_type, headers=headers)
        if receipt:
            self.receipts[receipt].wait()

    # It ends the connection when the receipt arrives.
    def disconnect(self):
        receipt = str(uuid.uuid4())
        self.is_stopped, self.receipts[receipt] = True, threading.Event()
        self.connection.disconnect(receipt=receipt)
        self.receipts[receipt].wait()

    def on_connected(self, frame):
        with self.sending:
            emit("connected", headers=frame.headers)
            for subscription in self.subscriptions.values():
                subscription.subscribe(self.connection)

    def on_message(self, frame):
        subscription = self.subscriptions[frame.headers["subscription"]]
        subscription.position = frame.headers.get("x-position", subscription.position)
        emit("message", headers=frame.headers, text=frame.body.decode(errors="replace"), base64=base64.b64encode(frame.body).decode())

    def on_receipt(self, frame):
        if frame.headers["receipt-id"] in self.receipts:
            self.receipts[frame.headers["receipt-id"]].set()

    def on_error(self, frame):
        emit("refused", headers=frame.headers, text=frame.body.decode(errors="replace"))

    def on_disconnected(self):
        emit("closed")
        if not self.is_stopped:
            threading.Thread(target=self.connect_again, daemon=True).start()

    def connect_again(self):
        time.sleep(RECONNECT_S)
        self.connect(*self.options)


def decoded(text):
    return base64.b64decode(text)


def carry_out(frontend, command):
    id, name = command.pop("id"), command.pop("do")
    try:
        say({"id": id, "result": getattr(frontend, name)(**command)})
    except Exception as error:
        say({"id": id, "error": {"code": 0, "message": repr(error)}})


logging.basicConfig(stream=sys.stderr)
frontend = Frontend()
for line in sys.stdin:
    carry_out(frontend, json.loads(line))
