"""The service shout: takes calls as signed HTTP requests, and publishes over REST."""

import base64, hashlib, hmac, http.client, json, os, random, re, signal, sys, threading, time, urllib.parse, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
PORT = int(os.environ.get("PORT", 8080))
URLS = os.environ.get("SWITCHBOARD_URLS", "http://127.0.0.1:8001").split(",")
HEADERS = {"Authorization": f"Bearer {os.environ.get('SWITCHBOARD_API_KEY', 'dev')}", "Content-Type": "application/json"}
BODY_SIZE = 1 << 20
MAX_STREAMS = 64
SECONDS_TO_STOP = 10
MINUTES_OLD = 5

stopping = threading.Event()
streams = set()
preferred = 0  # the node that answered last


class Problem(Exception):
    """The error of a call: a status; a code from 400 to 999, or 104; a text; whether the same call may succeed later."""

    def __init__(self, status, detail, code=None, retryable=False):
        super().__init__(detail)
        self.status = status
        self.document = {"code": code or status, "detail": detail, "retryable": retryable}


def answer(call, until):
    """Answers a call. Nobody waits for the answer after the time `until`."""
    method, data = call["method"], call["data"] if isinstance(call["data"], dict) else {}
    if method not in ("say", "stream"):
        raise Problem(404, "the methods are say and stream", code=104)
    text, id = data.get("text"), data.get("id")
    if not isinstance(text, str) or not 1 <= len(text) <= 1000:
        raise Problem(400, "text must have 1 to 1000 characters")
    if id is None:
        id = call["id"]  # a request that somebody sends again publishes nothing new
    elif not isinstance(id, str) or not re.fullmatch("[A-Za-z0-9-]{1,64}", id):
        raise Problem(400, "id must have 1 to 64 letters, digits and hyphens")
    if method == "stream":
        return start_stream(text.upper())
    publish("news:shouts", {"id": id, "from": call["user"], "text": text.upper()}, f"say-{id}", until)
    return {"text": text.upper()}


def start_stream(text):
    if len(streams) >= MAX_STREAMS:
        raise Problem(429, "too many streams", retryable=True)
    channel = f"stream:{uuid.uuid4()}"
    thread = threading.Thread(target=write, args=(channel, text))
    streams.add(thread)
    thread.start()
    return {"channel": channel}


def write(channel, text):
    words = re.findall("[^ ]* |[^ ]+$", text)
    entries = [{"kind": "part", "seq": seq, "text": word} for seq, word in enumerate(words)]
    try:
        for number, entry in enumerate([*entries, {"kind": "end", "reason": "done"}]):
            publish(channel, entry, f"{channel}-{number}", time.monotonic() + 10)
            stopping.wait(0.05)  # a pause, but none when the service stops
    except Problem as problem:
        print(channel, "is not complete:", problem, file=sys.stderr)
    finally:
        streams.discard(threading.current_thread())


def publish(channel, data, key, until):
    """Publishes through one node after the other until one has stored it; once, because every attempt has the same key."""
    global preferred
    path = f"/v1/channels/{urllib.parse.quote(channel, safe='')}/publications"
    pause = 0.05
    while (left := until - time.monotonic()) > 0:
        node = preferred
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(URLS[node]).netloc, timeout=min(1, left))
        try:
            connection.request("POST", path, json.dumps({"data": data}), {**HEADERS, "Idempotency-Key": key})
            response = connection.getresponse()
            result = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:  # no node, or no answer: the next one
            print(URLS[node], repr(error), file=sys.stderr)
            preferred = (node + 1) % len(URLS)
        else:
            if response.status == 200:
                return
            if result.get("code") == "idempotency_mismatch":
                raise Problem(409, "the id belongs to another text")
            if not result.get("retryable"):
                raise Problem(500, result.get("detail", "not published"))
            preferred = (node + 1) % len(URLS)
        finally:
            connection.close()
        time.sleep(max(0, min(random.uniform(pause / 2, pause), until - time.monotonic())))
        pause = min(2 * pause, 2)
    raise Problem(503, "not published in time", retryable=True)


def is_signed(headers, body):
    """Whether the request comes from the gateway and is recent: https://www.standardwebhooks.com."""
    moment = headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", moment) or abs(time.time() - int(moment)) > 60 * MINUTES_OLD:
        return False
    signed = f"{headers.get('webhook-id', '')}.{moment}.".encode() + body
    ours = b"v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256))
    return any(hmac.compare_digest(ours, theirs.encode()) for theirs in headers.get("webhook-signature", "").split(" "))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    timeout = 60  # longer than webhook.keep_alive of the gateway
    wbufsize = -1  # sends an answer in one piece

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > BODY_SIZE:
            self.close_connection = True
            return self.reply(413)
        body = self.rfile.read(int(length))
        if not is_signed(self.headers, body):
            return self.reply(401)
        try:
            until = time.monotonic() + int(self.headers.get("request-timeout-ms", 10_000)) / 1000
            message = json.loads(body)
            if "call" not in message:  # an event
                return self.reply(204)
            self.reply(200, "application/json", answer(message["call"], until))
        except Problem as problem:
            self.reply(problem.status, "application/problem+json", problem.document)
        except ValueError:  # Python refuses to read integers of thousands of digits
            self.reply(400, "application/problem+json", {"code": 400, "detail": "not readable"})
        except Exception as error:  # a mistake of ours ends one call, and not the service
            print("a call failed:", repr(error), file=sys.stderr)
            self.reply(500, "application/problem+json", {"code": 500, "detail": "the service failed"})

    def reply(self, status, kind=None, data=None):
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        if kind:
            self.send_header("content-type", kind)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        if stopping.is_set() or self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # `server_close` waits for them
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *_: stopping.set())
signal.signal(signal.SIGINT, lambda *_: stopping.set())
server = Server((os.environ.get("HOST", "127.0.0.1"), PORT), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
stopping.wait()
late = threading.Timer(SECONDS_TO_STOP, os._exit, [0])
late.daemon = True
late.start()
server.shutdown()
server.server_close()  # the gateway closes its idle connections after webhook.keep_alive
for stream in list(streams):
    stream.join()
