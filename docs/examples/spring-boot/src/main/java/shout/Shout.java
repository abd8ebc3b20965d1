package shout;

import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.HttpStatus;
import org.springframework.http.ProblemDetail;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The service shout: takes calls as signed HTTP requests, and publishes over REST. */
@SpringBootApplication(proxyBeanMethods = false)
@RestController
public class Shout implements DisposableBean {
    private static final Logger LOG = LoggerFactory.getLogger(Shout.class);
    private static final int BODY_SIZE = 1 << 20;
    private static final int MAX_STREAMS = 64;
    private static final Duration TIME_TO_PUBLISH = Duration.ofSeconds(10);

    private final Signatures signatures;
    private final Publisher publisher;
    private final JsonMapper json;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final ThreadPoolExecutor streams = new ThreadPoolExecutor(0, MAX_STREAMS, 10, TimeUnit.SECONDS, new SynchronousQueue<>());

    Shout(Signatures signatures, Publisher publisher, JsonMapper json) {
        this.signatures = signatures;
        this.publisher = publisher;
        this.json = json;
    }

    @PostMapping("/")
    ResponseEntity<?> webhook(HttpServletRequest request) throws IOException, InterruptedException {
        byte[] body = request.getInputStream().readNBytes(BODY_SIZE + 1);
        if (body.length > BODY_SIZE) return ResponseEntity.status(HttpStatus.CONTENT_TOO_LARGE).build();
        if (!signatures.accept(request, body)) return ResponseEntity.status(HttpStatus.UNAUTHORIZED).build();
        JsonNode call = json.readTree(body).path("call");
        if (call.isMissingNode()) return ResponseEntity.noContent().build(); // an event
        int timeout = request.getIntHeader("request-timeout-ms");
        return ResponseEntity.ok(answer(call, timeout < 0 ? TIME_TO_PUBLISH : Duration.ofMillis(timeout)));
    }

    /** Answers a call. Nobody waits longer for the answer than `within`. */
    private Map<String, ?> answer(JsonNode call, Duration within) throws InterruptedException {
        String method = call.path("method").asString();
        if (!method.equals("say") && !method.equals("stream")) throw new Problem(404, 104, "the methods are say and stream");
        String text = string(call.path("data"), "text");
        if (text == null || text.isEmpty() || text.length() > 1000) throw new Problem(400, "text must have 1 to 1000 characters");
        String id = string(call.path("data"), "id");
        if (id == null) id = call.path("id").asString(); // a request that somebody sends again publishes nothing new
        else if (!id.matches("[A-Za-z0-9-]{1,64}")) throw new Problem(400, "id must have 1 to 64 letters, digits and hyphens");
        String shouted = text.toUpperCase(Locale.ROOT);
        if (method.equals("stream")) return stream(shouted);
        publisher.publish("news:shouts", Map.of("id", id, "from", call.path("user").asString(), "text", shouted), "say-" + id, within);
        return Map.of("text", shouted);
    }

    /** A string of the data; null if there is none. */
    private static String string(JsonNode data, String name) {
        JsonNode value = data.path(name);
        if (value.isMissingNode() || value.isNull()) return null;
        if (!value.isString() || !StandardCharsets.UTF_8.newEncoder().canEncode(value.asString())) throw new Problem(400, name + " must be a string");
        return value.asString();
    }

    private Map<String, ?> stream(String text) {
        String channel = "stream:" + UUID.randomUUID();
        try {
            streams.execute(() -> write(channel, text));
        } catch (RejectedExecutionException full) {
            throw new Problem(429, "too many streams");
        }
        return Map.of("channel", channel);
    }

    private void write(String channel, String text) {
        try {
            int seq = 0;
            for (String word : text.split("(?<= )")) {
                publisher.publish(channel, Map.of("kind", "part", "seq", seq, "text", word), channel + "-" + seq, TIME_TO_PUBLISH);
                stopping.await(50, TimeUnit.MILLISECONDS); // a pause, but none when the service stops
                seq++;
            }
            publisher.publish(channel, Map.of("kind", "end", "reason", "done"), channel + "-" + seq, TIME_TO_PUBLISH);
        } catch (Problem | InterruptedException failure) {
            LOG.warn("{} is not complete", channel, failure);
        }
    }

    @ExceptionHandler
    ResponseEntity<ProblemDetail> refused(Problem problem) {
        return ResponseEntity.status(problem.status).body(problem.document());
    }

    @ExceptionHandler
    ResponseEntity<ProblemDetail> unreadable(JacksonException error) {
        return refused(new Problem(400, "not readable: " + error.getOriginalMessage()));
    }

    /** A mistake of ours ends one call, and not the service. */
    @ExceptionHandler
    ResponseEntity<ProblemDetail> failed(RuntimeException error) {
        LOG.warn("a call failed", error);
        return refused(new Problem(500, "the service failed"));
    }

    @Override
    public void destroy() throws InterruptedException {
        streams.shutdown();
        if (!streams.awaitTermination(10, TimeUnit.SECONDS)) LOG.warn("some streams are not complete");
    }

    public static void main(String[] arguments) {
        SpringApplication application = new SpringApplication(Shout.class);
        application.setRegisterShutdownHook(false);
        var context = application.run(arguments);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            context.getBean(Shout.class).stopping.countDown();
            context.close(); // finishes requests and streams
            Runtime.getRuntime().halt(0); // the end of a drain is no failure
        }));
    }
}
