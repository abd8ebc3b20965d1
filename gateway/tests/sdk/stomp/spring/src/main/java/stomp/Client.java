package stomp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.springframework.messaging.simp.stomp.StompCommand;
import org.springframework.messaging.simp.stomp.StompFrameHandler;
import org.springframework.messaging.simp.stomp.StompHeaders;
import org.springframework.messaging.simp.stomp.StompSession;
import org.springframework.messaging.simp.stomp.StompSessionHandlerAdapter;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;
import org.springframework.web.socket.WebSocketHttpHeaders;
import org.springframework.web.socket.client.standard.StandardWebSocketClient;
import org.springframework.web.socket.messaging.WebSocketStompClient;

/** A frontend with Spring's WebSocketStompClient. support/stomp-clients.mjs describes its commands and events. */
public class Client extends StompSessionHandlerAdapter {
    private static final JsonMapper JSON = new JsonMapper();
    private static final long RECONNECT_MS = 100;

    private final String url;
    private final ThreadPoolTaskScheduler scheduler = new ThreadPoolTaskScheduler();
    private final WebSocketStompClient client = new WebSocketStompClient(new StandardWebSocketClient());
    private final List<Subscription> subscriptions = new ArrayList<>();
    private StompHeaders connectHeaders;
    private StompSession session;
    private boolean isStopped;

    private Client(String url) {
        this.url = url;
        scheduler.initialize();
        client.setTaskScheduler(scheduler);
    }

    public static void main(String[] arguments) throws Exception {
        Client it = new Client(arguments[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) it.carryOut(JSON.readTree(line));
        System.exit(0);
    }

    private void carryOut(JsonNode command) throws Exception {
        switch (command.get("do").asText()) {
            case "connect" -> connect(headers(command), command.get("heartbeat"));
            case "subscribe" -> subscribe(new Subscription(headers(command), command.path("resume").asBoolean()));
            case "send" -> send(headers(command), command);
            case "disconnect" -> disconnect();
            default -> throw new IllegalArgumentException(command.toString());
        }
        say(Map.of("id", command.get("id").asInt()));
    }

    private static StompHeaders headers(JsonNode command) {
        StompHeaders headers = new StompHeaders();
        command.path("headers").fields().forEachRemaining(each -> headers.set(each.getKey(), each.getValue().asText()));
        if (command.has("destination")) headers.setDestination(command.get("destination").asText());
        return headers;
    }

    private void connect(StompHeaders headers, JsonNode heartbeat) {
        connectHeaders = headers;
        client.setDefaultHeartbeat(new long[] {heartbeat.get(0).asLong(), heartbeat.get(1).asLong()});
        open();
    }

    private void open() {
        client.connectAsync(url, new WebSocketHttpHeaders(), connectHeaders, this);
    }

    private synchronized void subscribe(Subscription subscription) {
        subscriptions.add(subscription);
        subscription.attach(session);
    }

    private void send(StompHeaders headers, JsonNode command) throws InterruptedException {
        byte[] body = command.has("base64") ? Base64.getDecoder().decode(command.get("base64").asText()) : command.path("body").asText().getBytes(StandardCharsets.UTF_8);
        StompSession.Receiptable sent = send(headers, body, command.path("receipt").asBoolean());
        if (sent.getReceiptId() == null) return;
        CountDownLatch received = new CountDownLatch(1);
        sent.addReceiptTask(received::countDown);
        sent.addReceiptLostTask(() -> System.err.println("the receipt is lost"));
        received.await();
    }

    private synchronized StompSession.Receiptable send(StompHeaders headers, byte[] body, boolean receipt) {
        session.setAutoReceipt(receipt);
        return session.send(headers, body);
    }

    private synchronized void disconnect() {
        isStopped = true;
        session.disconnect();
    }

    @Override
    public synchronized void afterConnected(StompSession opened, StompHeaders headers) {
        session = opened;
        emit("connected", Map.of("headers", headers.toSingleValueMap()));
        for (Subscription subscription : subscriptions) subscription.attach(session);
    }

    @Override
    public Type getPayloadType(StompHeaders headers) {
        return byte[].class;
    }

    /** An ERROR. */
    @Override
    public void handleFrame(StompHeaders headers, Object payload) {
        String text = payload == null ? "" : new String((byte[]) payload, StandardCharsets.UTF_8);
        emit("refused", Map.of("headers", headers.toSingleValueMap(), "text", text));
    }

    @Override
    public void handleException(StompSession session, StompCommand command, StompHeaders headers, byte[] payload, Throwable exception) {
        exception.printStackTrace();
    }

    /** The end of a connection, or a failed attempt to connect. */
    @Override
    public synchronized void handleTransportError(StompSession session, Throwable exception) {
        System.err.println(exception);
        emit("closed", Map.of());
        if (!isStopped) scheduler.schedule(this::open, Instant.now().plusMillis(RECONNECT_MS));
    }

    private final class Subscription implements StompFrameHandler {
        private final StompHeaders headers;
        private final boolean resume;
        private String position = "";

        private Subscription(StompHeaders headers, boolean resume) {
            this.headers = headers;
            this.resume = resume;
        }

        private void attach(StompSession session) {
            StompHeaders sent = new StompHeaders();
            headers.forEach((name, values) -> sent.set(name, values.get(0)));
            if (resume) sent.set("x-position", position);
            session.setAutoReceipt(false);
            session.subscribe(sent, this);
        }

        @Override
        public Type getPayloadType(StompHeaders headers) {
            return byte[].class;
        }

        @Override
        public void handleFrame(StompHeaders headers, Object payload) {
            byte[] body = payload == null ? new byte[0] : (byte[]) payload;
            if (headers.containsKey("x-position")) position = headers.getFirst("x-position");
            emit("message", Map.of("headers", headers.toSingleValueMap(), "text", new String(body, StandardCharsets.UTF_8), "base64", Base64.getEncoder().encodeToString(body)));
        }
    }

    private static void emit(String event, Map<String, ?> fields) {
        Map<String, Object> line = new HashMap<>(fields);
        line.put("event", event);
        say(line);
    }

    private static synchronized void say(Map<String, ?> line) {
        try {
            System.out.println(JSON.writeValueAsString(line));
        } catch (Exception impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
