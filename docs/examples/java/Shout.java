import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** The service shout: answers calls over a link to each gateway node, and publishes over the same links (Links.java). */
public final class Shout {
    private static final int MAX_STREAMS = 64;
    private static final long SECONDS_TO_STOP = 10;

    /** The error of a call: a code from 400 to 999, or 104; a text; whether the same call may succeed later. */
    static final class Failure extends Exception {
        final int code;
        final boolean temporary;

        Failure(int code, String message, boolean temporary) {
            super(message);
            this.code = code;
            this.temporary = temporary;
        }

        Failure(int code, String message) {
            this(code, message, false);
        }
    }

    /** Waits until a node has stored the publication. If `over` completes before, throws a CancellationException. */
    interface Publisher {
        void publish(String channel, JsonObject data, String key, CompletableFuture<Void> over) throws Failure;
    }

    private final Publisher publisher;
    final CompletableFuture<Void> stopping = new CompletableFuture<>();
    private final Semaphore streams = new Semaphore(MAX_STREAMS);

    Shout(Publisher publisher) {
        this.publisher = publisher;
    }

    /** Answers a call. `over` completes when nobody waits for the answer any more. */
    JsonObject call(String method, JsonElement data, String user, CompletableFuture<Void> over) throws Failure {
        if (!method.equals("say") && !method.equals("stream")) throw new Failure(104, "the methods are say and stream");
        String text = string(data, "text");
        if (text == null || text.isEmpty() || text.length() > 1000) throw new Failure(400, "text must have 1 to 1000 characters");
        String id = string(data, "id");
        if (id == null) id = UUID.randomUUID().toString();
        if (!id.matches("[A-Za-z0-9-]{1,64}")) throw new Failure(400, "id must have 1 to 64 letters, digits and hyphens");
        String shouted = text.toUpperCase(Locale.ROOT);
        return method.equals("say") ? say(shouted, id, user, over) : stream(shouted);
    }

    /** A string of the data; null if there is none. */
    private static String string(JsonElement data, String name) throws Failure {
        if (!data.isJsonObject()) throw new Failure(400, "send an object");
        JsonElement value = data.getAsJsonObject().get(name);
        if (value == null || value.isJsonNull()) return null;
        if (!value.isJsonPrimitive() || !value.getAsJsonPrimitive().isString()) throw new Failure(400, name + " must be a string");
        // A WebSocket cannot carry half a character.
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(value.getAsString())) throw new Failure(400, name + " must be valid Unicode");
        return value.getAsString();
    }

    private JsonObject say(String text, String id, String user, CompletableFuture<Void> over) throws Failure {
        JsonObject shout = new JsonObject();
        shout.addProperty("id", id);
        shout.addProperty("from", user);
        shout.addProperty("text", text);
        publisher.publish("news:shouts", shout, "say-" + id, over);
        JsonObject answer = new JsonObject();
        answer.addProperty("text", text);
        return answer;
    }

    private JsonObject stream(String text) throws Failure {
        if (!streams.tryAcquire()) throw new Failure(429, "too many streams", true);
        String channel = "stream:" + UUID.randomUUID();
        Links.THREADS.execute(() -> {
            try {
                write(channel, text);
            } catch (Failure | RuntimeException failure) {
                System.err.println(channel + " is not complete: " + failure);
            } finally {
                streams.release();
            }
        });
        JsonObject answer = new JsonObject();
        answer.addProperty("channel", channel);
        return answer;
    }

    private void write(String channel, String text) throws Failure {
        List<JsonObject> entries = new ArrayList<>();
        for (String word : text.split("(?<= )")) {
            JsonObject part = new JsonObject();
            part.addProperty("kind", "part");
            part.addProperty("seq", entries.size());
            part.addProperty("text", word);
            entries.add(part);
        }
        JsonObject end = new JsonObject();
        end.addProperty("kind", "end");
        end.addProperty("reason", "done");
        entries.add(end);
        for (int number = 0; number < entries.size(); number++) {
            CompletableFuture<Void> over = new CompletableFuture<Void>().completeOnTimeout(null, 10, TimeUnit.SECONDS);
            publisher.publish(channel, entries.get(number), channel + "-" + number, over);
            Links.pause(stopping, 50); // no pause when the service stops
        }
    }

    /** Waits until all streams are complete. */
    void awaitStreams() {
        streams.acquireUninterruptibly(MAX_STREAMS);
    }

    public static void main(String[] arguments) {
        Links links = new Links();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            CompletableFuture.runAsync(links::stop).completeOnTimeout(null, SECONDS_TO_STOP, TimeUnit.SECONDS).join();
            Runtime.getRuntime().halt(0); // the end of a drain is no failure
        }));
        links.start();
    }
}
