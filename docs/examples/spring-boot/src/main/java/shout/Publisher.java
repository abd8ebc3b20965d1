package shout;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Publishes over REST, through one of several nodes. */
@Component
class Publisher {
    private static final Logger LOG = LoggerFactory.getLogger(Publisher.class);
    private static final Duration TIME_FOR_A_NODE = Duration.ofSeconds(1);

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(HttpClient.Builder.NO_PROXY).connectTimeout(TIME_FOR_A_NODE).build();
    private final JsonMapper json;
    private final List<String> urls;
    private final String apiKey;
    /** The node that answered last. */
    private volatile int preferred;

    Publisher(JsonMapper json, @Value("${shout.urls}") List<String> urls, @Value("${shout.api-key}") String apiKey) {
        this.json = json;
        this.urls = urls;
        this.apiKey = apiKey;
    }

    /** Publishes through one node after the other until one has stored it; once, because every attempt has the same key. */
    void publish(String channel, Map<String, ?> data, String key, Duration within) throws InterruptedException {
        String path = "/v1/channels/" + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/publications";
        String body = json.writeValueAsString(Map.of("data", data));
        long until = System.nanoTime() + within.toNanos();
        for (long longest = 50; until > System.nanoTime(); longest = Math.min(2 * longest, 2000)) {
            int node = preferred;
            try {
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(urls.get(node) + path)).POST(BodyPublishers.ofString(body));
                request.header("Authorization", "Bearer " + apiKey).header("Content-Type", "application/json").header("Idempotency-Key", key);
                request.timeout(least(TIME_FOR_A_NODE, Duration.ofNanos(Math.max(1, until - System.nanoTime()))));
                HttpResponse<byte[]> response = http.send(request.build(), BodyHandlers.ofByteArray());
                if (response.statusCode() == 200) return;
                JsonNode problem = json.readTree(response.body());
                if (problem.path("code").asString("").equals("idempotency_mismatch")) throw new Problem(409, "the id belongs to another text");
                if (!problem.path("retryable").asBoolean(false)) throw new Problem(500, problem.path("detail").asString("not published"));
            } catch (IOException | JacksonException error) { // no node, or no answer: the next one
                LOG.warn("{}: {}", urls.get(node), error.toString());
            }
            preferred = (node + 1) % urls.size();
            Thread.sleep(ThreadLocalRandom.current().nextLong(longest / 2, longest));
        }
        throw new Problem(503, "not published in time");
    }

    private static Duration least(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }
}
