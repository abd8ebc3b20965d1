import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/** A link to each gateway node. */
final class Links {
    /** Threads for calls, streams and addresses. Credit and places for streams limit their number. */
    static final ExecutorService THREADS = Executors.newCachedThreadPool();
    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor();
    private static final String PATH = "/v1/services/shout/link";
    /** The beginning of the name of each link's instance. */
    private static final String INSTANCE = "shout-" + UUID.randomUUID() + "-";
    private static final int CREDIT = 16; // calls in flight, for each node
    private static final int MESSAGE_SIZE = 1 << 20;
    private static final int HEARTBEAT_SECONDS = 15;
    private static final long FORGET_AFTER = TimeUnit.MINUTES.toNanos(5);

    private final HttpClient http = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).connectTimeout(Duration.ofSeconds(5)).build();
    private final Shout shout = new Shout(this::publish);
    private final Map<String, Link> byNode = new ConcurrentHashMap<>();
    private final AtomicLong lastLink = new AtomicLong();
    private final Set<String> addresses = ConcurrentHashMap.newKeySet();
    /** Completes when a link opens. */
    private volatile CompletableFuture<Void> opened = new CompletableFuture<>();

    /** Links the nodes of the environment. One is enough: it names the others. */
    void start() {
        for (String url : environment("SWITCHBOARD_URLS", "ws://127.0.0.1:8001").split(",")) add(url + PATH, false);
    }

    private static String environment(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    /** Waits, but not longer than until `over` completes. */
    static void pause(CompletableFuture<Void> over, long milliseconds) {
        try {
            over.get(milliseconds, TimeUnit.MILLISECONDS);
        } catch (TimeoutException | InterruptedException | ExecutionException expected) {
            // The pause has ended.
        }
    }

    private void add(String url, boolean isNamed) {
        if (addresses.add(url)) THREADS.execute(() -> keep(url, isNamed));
    }

    /** Keeps a link to this address. One that a node named is forgotten when its node does not come back. */
    private void keep(String url, boolean isNamed) {
        long longest = 100;
        long lastLinked = System.nanoTime();
        String other = null; // the node of this address, if it has a link through another address
        while (!shout.stopping.isDone() && !(isNamed && System.nanoTime() - lastLinked > FORGET_AFTER)) {
            long began = System.nanoTime();
            if (other != null && byNode.containsKey(other)) {
                longest = 30_000;
                lastLinked = began;
            } else {
                Link link = new Link();
                link.runUntilLost(url);
                other = link.isSecond ? link.node : null;
                if (link.node != null) lastLinked = System.nanoTime();
            }
            pause(shout.stopping, ThreadLocalRandom.current().nextLong(longest / 2, longest)); // at random, so that not all come back at once
            longest = System.nanoTime() - began > TimeUnit.SECONDS.toNanos(5) ? 100 : Math.min(2 * longest, 5000);
        }
        addresses.remove(url);
    }

    /** Publishes over any link until a node has stored it; once, because every attempt has the same key. */
    private void publish(String channel, JsonObject data, String key, CompletableFuture<Void> over) throws Shout.Failure {
        for (long longest = 50; !over.isDone(); longest = Math.min(2 * longest, 2000)) {
            CompletableFuture<Void> next = opened;
            List<Link> links = byNode.values().stream().filter(link -> link.isOpen).toList();
            if (links.isEmpty()) {
                CompletableFuture.anyOf(next, over).join();
                continue;
            }
            JsonObject error = links.get(ThreadLocalRandom.current().nextInt(links.size())).publish(channel, data, key, over);
            if (error == null) return;
            String code = error.get("code").getAsString();
            if (code.equals("idempotency_mismatch")) throw new Shout.Failure(409, "the id belongs to another text");
            if (!error.get("retryable").getAsBoolean()) throw new Shout.Failure(500, error.get("message").getAsString());
            pause(over, ThreadLocalRandom.current().nextLong(longest / 2, longest));
        }
        throw new CancellationException();
    }

    /** Takes no more calls, finishes those that run and the streams, and closes the links. */
    void stop() {
        shout.stopping.complete(null);
        List<Link> links = List.copyOf(byNode.values());
        all(links, Link::drain);
        shout.awaitStreams();
        all(links, Link::close);
    }

    private static void all(List<Link> links, Function<Link, CompletableFuture<Void>> work) {
        CompletableFuture.allOf(links.stream().map(work).toArray(CompletableFuture[]::new)).join();
    }

    /** The WebSocket to one node. */
    private final class Link implements WebSocket.Listener {
        private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
        /** The outcome of a publication whose link was lost: publish it again. */
        private static final JsonObject LOST = JsonParser.parseString("{\"code\": \"lost\", \"retryable\": true}").getAsJsonObject();

        volatile String node;
        /** Whether the node has another link, through another address. */
        volatile boolean isSecond;
        /** Whether it takes publications. */
        volatile boolean isOpen;
        private final StringBuilder text = new StringBuilder();
        private final CompletableFuture<Void> lost = new CompletableFuture<>();
        private final CompletableFuture<Void> drained = new CompletableFuture<>();
        private final Map<Long, CompletableFuture<Void>> calls = new ConcurrentHashMap<>();
        private final Set<CompletableFuture<Void>> answers = ConcurrentHashMap.newKeySet();
        private final Map<Long, CompletableFuture<JsonObject>> publishes = new ConcurrentHashMap<>();
        private final AtomicLong lastId = new AtomicLong();
        private CompletableFuture<WebSocket> sent;
        private volatile boolean isAlive = true;

        void runUntilLost(String url) {
            try {
                var builder = http.newWebSocketBuilder().connectTimeout(Duration.ofSeconds(5));
                WebSocket socket = builder.header("Authorization", "Bearer " + environment("SWITCHBOARD_API_KEY", "dev")).buildAsync(URI.create(url), this).join();
                var heartbeat = TIMER.scheduleAtFixedRate(this::beat, HEARTBEAT_SECONDS, HEARTBEAT_SECONDS, TimeUnit.SECONDS);
                lost.join();
                heartbeat.cancel(false);
                socket.abort();
            } catch (RuntimeException error) { // also a refused upgrade: 401, 404, 503
                System.err.println(url + " " + error);
            }
            isOpen = false;
            if (node != null) byNode.remove(node, this);
            calls.values().forEach(over -> over.complete(null));
            publishes.values().forEach(answered -> answered.complete(LOST));
        }

        @Override
        public void onOpen(WebSocket socket) {
            sent = CompletableFuture.completedFuture(socket);
            JsonObject hello = new JsonObject();
            hello.addProperty("service", "shout");
            // A second link of the same instance would replace the first. Java does not show the header Switchboard-Node, which names the node.
            hello.addProperty("instance", INSTANCE + lastLink.incrementAndGet());
            hello.addProperty("credit", 0);
            send("hello", hello);
            socket.request(1);
        }

        /** Sends a frame after those before it; Java sends only one at a time. */
        private void send(String kind, JsonObject body) {
            JsonObject frame = new JsonObject();
            frame.add(kind, body);
            enqueue(socket -> socket.sendText(frame.toString(), true));
        }

        private synchronized void enqueue(Function<WebSocket, CompletionStage<WebSocket>> send) {
            sent = sent.thenCompose(send);
            sent.exceptionally(error -> {
                lost.complete(null);
                return null;
            });
        }

        private void beat() {
            if (!isAlive) lost.complete(null);
            isAlive = false;
            enqueue(socket -> socket.sendPing(NOTHING));
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
            isAlive = true;
            text.append(part);
            if (text.length() > MESSAGE_SIZE) lost.complete(null);
            if (isLast) {
                try {
                    JsonObject frame = JsonParser.parseString(text.toString()).getAsJsonObject();
                    for (String kind : frame.keySet()) receive(kind, frame.getAsJsonObject(kind));
                } catch (RuntimeException error) {
                    System.err.println("a node sent an invalid frame: " + error);
                    lost.complete(null);
                }
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPing(WebSocket socket, ByteBuffer data) {
            isAlive = true;
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket socket, ByteBuffer data) {
            isAlive = true;
            if (data.hasRemaining()) drained.complete(null);
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            lost.complete(null);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            lost.complete(null);
        }

        private void receive(String kind, JsonObject body) {
            switch (kind) {
                case "welcome" -> { // comes again when nodes come or go
                    if (node == null) welcomed(body.get("node").getAsString());
                    for (JsonElement url : body.getAsJsonArray("peers")) add(url.getAsString(), true);
                }
                case "call" -> {
                    long id = body.get("id").getAsLong();
                    // Completes when nobody waits for the answer any more: after a cancel, at the deadline, or without the link.
                    var over = new CompletableFuture<Void>().completeOnTimeout(null, body.get("deadline_ms").getAsLong(), TimeUnit.MILLISECONDS);
                    calls.put(id, over);
                    CompletableFuture<Void> answer = CompletableFuture.runAsync(() -> answer(id, body, over), THREADS);
                    answers.add(answer);
                    answer.whenComplete((nothing, error) -> answers.remove(answer));
                }
                case "cancel" -> {
                    CompletableFuture<Void> over = calls.get(body.get("id").getAsLong());
                    if (over != null) over.complete(null);
                }
                case "event" -> giveCredit(1);
                case "ack" -> acknowledge(body, null);
                case "nack" -> acknowledge(body, body.getAsJsonObject("error"));
                case "drain" -> isOpen = false; // the node stops: it takes no more publications
                case "error" -> System.err.println("the node closes the link: " + body.get("message"));
                default -> { } // of a later version
            }
        }

        private void welcomed(String by) {
            isSecond = byNode.putIfAbsent(by, this) != null;
            node = by;
            if (isSecond) {
                close();
                return;
            }
            giveCredit(CREDIT);
            isOpen = true;
            CompletableFuture<Void> waiting = opened;
            opened = new CompletableFuture<>();
            waiting.complete(null);
        }

        private void giveCredit(int calls) {
            JsonObject credit = new JsonObject();
            credit.addProperty("n", calls);
            send("credit", credit);
        }

        private void acknowledge(JsonObject body, JsonObject error) {
            CompletableFuture<JsonObject> answered = publishes.get(body.get("id").getAsLong());
            if (answered != null) answered.complete(error);
        }

        /** Answers a call and returns the credit. */
        private void answer(long id, JsonObject call, CompletableFuture<Void> over) {
            String kind = "error";
            JsonObject body = new JsonObject();
            body.addProperty("id", id);
            try {
                body.add("data", shout.call(call.get("method").getAsString(), call.get("data"), call.get("user").getAsString(), over));
                kind = "reply";
            } catch (Shout.Failure failure) {
                body.addProperty("code", failure.code);
                body.addProperty("message", failure.getMessage());
                body.addProperty("temporary", failure.temporary);
            } catch (CancellationException nobodyWaits) {
                over.complete(null);
            } catch (RuntimeException error) { // a mistake of ours ends one call, and not the service
                System.err.println("a call failed: " + error);
                body.addProperty("code", 500);
                body.addProperty("message", "the service failed");
            }
            if (!over.isDone()) send(kind, body);
            calls.remove(id);
            over.complete(null);
            giveCredit(1);
        }

        /** Waits for the answer of the node. Returns null if it has stored the publication, and otherwise the error. */
        JsonObject publish(String channel, JsonObject data, String key, CompletableFuture<Void> over) {
            long id = lastId.incrementAndGet();
            CompletableFuture<JsonObject> answered = new CompletableFuture<>();
            publishes.put(id, answered);
            try {
                if (lost.isDone()) return LOST;
                JsonObject publish = new JsonObject();
                publish.addProperty("id", id);
                publish.addProperty("channel", channel);
                publish.add("data", data);
                publish.addProperty("idempotency_key", key);
                send("publish", publish);
                CompletableFuture.anyOf(answered, over).join();
                if (!answered.isDone()) throw new CancellationException();
                return answered.join();
            } finally {
                publishes.remove(id);
            }
        }

        /** Takes no more calls and finishes those that run. The pong comes after all calls that the node sent before. */
        CompletableFuture<Void> drain() {
            send("drain", new JsonObject());
            enqueue(socket -> socket.sendPing(ByteBuffer.wrap("drain".getBytes(StandardCharsets.UTF_8))));
            var isDrained = CompletableFuture.anyOf(drained, lost);
            return isDrained.thenCompose(nothing -> CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new)));
        }

        CompletableFuture<Void> close() {
            enqueue(socket -> socket.sendClose(WebSocket.NORMAL_CLOSURE, ""));
            return lost;
        }
    }
}
