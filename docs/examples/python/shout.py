"""The service shout: answers calls over a link to each gateway node, and publishes over the same links."""

import asyncio, contextlib, json, os, random, re, signal, sys, time, uuid
import websockets

URLS = os.environ.get("SWITCHBOARD_URLS", "ws://127.0.0.1:8001").split(",")  # one is enough: it names the other nodes
HEADERS = {"Authorization": f"Bearer {os.environ.get('SWITCHBOARD_API_KEY', 'dev')}"}
PATH = "/v1/services/shout/link"
INSTANCE = f"shout-{uuid.uuid4()}"
CREDIT = 16  # calls in flight, for each node
MAX_STREAMS = 64
SECONDS_TO_STOP = 10
FORGET_AFTER = 300  # seconds


class Failure(Exception):
    """The error of a call: a code from 400 to 999, or 104; a text; whether the same call may succeed later."""

    def __init__(self, code, message, temporary=False):
        super().__init__(message)
        self.fields = {"code": code, "message": message, "temporary": temporary}


def integer(digits):
    """Python refuses to read integers of thousands of digits, which a frontend may send."""
    return int(digits) if len(digits) < 100 else float(digits)


class Shout:
    """What the service does. `publish` waits until a node has stored the publication."""

    def __init__(self, publish):
        self.publish = publish
        self.streams = set()
        self.stopping = asyncio.Event()

    async def call(self, method, data, user):
        if method not in ("say", "stream"):
            raise Failure(104, "the methods are say and stream")
        data = data if isinstance(data, dict) else {}
        text, id = data.get("text"), data.get("id")
        if not isinstance(text, str) or not 1 <= len(text) <= 1000:
            raise Failure(400, "text must have 1 to 1000 characters")
        if id is None:
            id = str(uuid.uuid4())
        if not isinstance(id, str) or not re.fullmatch("[A-Za-z0-9-]{1,64}", id):
            raise Failure(400, "id must have 1 to 64 letters, digits and hyphens")
        return await self.say(text.upper(), id, user) if method == "say" else self.stream(text.upper())

    async def say(self, text, id, user):
        await self.publish("news:shouts", {"id": id, "from": user, "text": text}, f"say-{id}")
        return {"text": text}

    def stream(self, text):
        if len(self.streams) >= MAX_STREAMS:
            raise Failure(429, "too many streams", temporary=True)
        channel = f"stream:{uuid.uuid4()}"
        task = asyncio.create_task(self.write(channel, text))
        self.streams.add(task)
        task.add_done_callback(self.streams.discard)
        return {"channel": channel}

    async def write(self, channel, text):
        words = re.findall("[^ ]* |[^ ]+$", text)
        entries = [{"kind": "part", "seq": seq, "text": word} for seq, word in enumerate(words)]
        try:
            for number, entry in enumerate([*entries, {"kind": "end", "reason": "done"}]):
                async with asyncio.timeout(10):
                    await self.publish(channel, entry, f"{channel}-{number}")
                with contextlib.suppress(TimeoutError):  # a pause, but none when the service stops
                    await asyncio.wait_for(self.stopping.wait(), 0.05)
        except (Failure, TimeoutError) as error:
            print(channel, "is not complete:", repr(error), file=sys.stderr)


class Link:
    """The WebSocket to one node."""

    def __init__(self, socket, links):
        self.socket, self.links = socket, links
        self.open = False  # takes publications
        self.calls = {}
        self.publishes = {}
        self.last_id = 0

    async def send(self, kind, body):
        await self.socket.send(json.dumps({kind: body}))

    async def run(self):
        try:
            await self.send("hello", {"service": "shout", "instance": INSTANCE, "credit": CREDIT})
            async for text in self.socket:
                for kind, body in json.loads(text, parse_int=integer).items():
                    await self.receive(kind, body)
        finally:
            self.open = False
            for task in self.calls.values():
                task.cancel()
            for waiting in self.publishes.values():
                waiting.cancel()

    async def receive(self, kind, body):
        if kind == "welcome":  # comes again when nodes come or go
            self.open = True
            self.links.welcomed.set()
            self.links.add(body["peers"])
        elif kind == "call":
            self.calls[body["id"]] = asyncio.create_task(self.answer(body))
            await asyncio.sleep(0)  # lets it begin, or a cancel would end it before it can return the credit
        elif kind == "cancel" and body["id"] in self.calls:
            self.calls[body["id"]].cancel()
        elif kind == "event":
            await self.send("credit", {"n": 1})
        elif kind in ("ack", "nack"):
            if waiting := self.publishes.get(body["id"]):
                waiting.set_result(body)
        elif kind == "drain":  # the node stops: it takes no more publications
            self.open = False
        elif kind == "error":
            print("the node closes the link:", body, file=sys.stderr)

    async def answer(self, call):
        """Answers a call and returns the credit. Nobody waits for the answer after `cancel` or the deadline."""
        frame = None
        try:
            async with asyncio.timeout(call["deadline_ms"] / 1000):
                frame = "reply", {"data": await self.links.shout.call(call["method"], call["data"], call["user"])}
        except Failure as failure:
            frame = "error", failure.fields
        except (asyncio.CancelledError, TimeoutError):
            pass
        except Exception as error:  # a mistake of ours ends one call, and not the service
            print("a call failed:", repr(error), file=sys.stderr)
            frame = "error", {"code": 500, "message": "the service failed"}
        try:
            if frame:
                await self.send(frame[0], {"id": call["id"], **frame[1]})
            await self.send("credit", {"n": 1})
        except websockets.ConnectionClosed:
            pass
        finally:
            del self.calls[call["id"]]

    async def publish(self, body):
        """Returns the answer of the node, or None if the link was lost before."""
        self.last_id += 1
        id, waiting = self.last_id, asyncio.get_running_loop().create_future()
        self.publishes[id] = waiting
        try:
            await self.send("publish", {"id": id, **body})
            await asyncio.wait([waiting])
            return None if waiting.cancelled() else waiting.result()
        except websockets.ConnectionClosed:
            return None
        finally:
            del self.publishes[id]

    async def drain(self):
        """Asks for no more calls. The answer to the ping comes after all calls that the node sent before."""
        with contextlib.suppress(websockets.ConnectionClosed):
            await self.send("drain", {})
            await (await self.socket.ping())


class Links:
    """A link to each node."""

    def __init__(self):
        self.shout = Shout(self.publish)
        self.by_node = {}
        self.addresses = {}
        self.welcomed = asyncio.Event()

    def add(self, urls, named=True):
        for url in set(urls) - set(self.addresses):
            self.addresses[url] = asyncio.create_task(self.keep(url, named))

    async def keep(self, url, named):
        """Keeps a link to this address. One that a node named is forgotten when its node does not come back."""
        pause, last_linked = 0.1, time.monotonic()
        while not self.shout.stopping.is_set() and not (named and time.monotonic() - last_linked > FORGET_AFTER):
            began = time.monotonic()
            try:
                async with websockets.connect(url, additional_headers=HEADERS, proxy=None, open_timeout=5) as socket:
                    last_linked = time.monotonic()
                    node = socket.response.headers["Switchboard-Node"]
                    if node in self.by_node:  # through another address; a second link would replace it
                        pause = 30
                    else:
                        link = self.by_node[node] = Link(socket, self)
                        try:
                            await link.run()
                        finally:
                            del self.by_node[node]
                            last_linked = time.monotonic()
            except (OSError, TimeoutError, websockets.WebSocketException) as error:  # also a refused upgrade: 401, 404, 503
                print(url, repr(error), file=sys.stderr)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                print(url, "sent an invalid frame:", repr(error), file=sys.stderr)
            await asyncio.sleep(random.uniform(pause / 2, pause))  # at random, so that not all come back at once
            pause = 0.1 if time.monotonic() - began > 5 else min(2 * pause, 5)
        del self.addresses[url]

    async def publish(self, channel, data, key):
        """Publishes over any link until a node has stored it; once, because every attempt has the same key."""
        pause = 0.05
        while True:
            while not (links := [link for link in self.by_node.values() if link.open]):
                self.welcomed.clear()
                await self.welcomed.wait()
            answer = await random.choice(links).publish({"channel": channel, "data": data, "idempotency_key": key})
            if answer and "error" not in answer:
                return
            if answer and not answer["error"]["retryable"]:
                used = answer["error"]["code"] == "idempotency_mismatch"
                raise Failure(409, "the id belongs to another text") if used else Failure(500, answer["error"]["message"])
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, 2)

    async def stop(self):
        """Takes no more calls, finishes those that run and the streams, and closes the links."""
        self.shout.stopping.set()
        links = list(self.by_node.values())
        await asyncio.gather(*(link.drain() for link in links))
        while running := [*self.shout.streams, *(task for link in links for task in link.calls.values())]:
            await asyncio.wait(running)
        await asyncio.gather(*(link.socket.close() for link in links))


async def main():
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    links = Links()
    links.add([url + PATH for url in URLS], named=False)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(links.stop(), SECONDS_TO_STOP)


asyncio.run(main())
