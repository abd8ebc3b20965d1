import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.centrifugal.centrifuge.ConnectedEvent;
import io.github.centrifugal.centrifuge.ConnectingEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenGetter;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.ErrorEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.HistoryOptions;
import io.github.centrifugal.centrifuge.JoinEvent;
import io.github.centrifugal.centrifuge.LeaveEvent;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.PublicationEvent;
import io.github.centrifugal.centrifuge.ReplyError;
import io.github.centrifugal.centrifuge.ResultCallback;
import io.github.centrifugal.centrifuge.SubscribedEvent;
import io.github.centrifugal.centrifuge.Subscription;
import io.github.centrifugal.centrifuge.SubscriptionErrorEvent;
import io.github.centrifugal.centrifuge.SubscriptionEventListener;
import io.github.centrifugal.centrifuge.SubscriptionOptions;
import io.github.centrifugal.centrifuge.TokenCallback;
import io.github.centrifugal.centrifuge.UnsubscribedEvent;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A frontend with centrifuge-java, which speaks Protobuf only. clients/README.md describes its arguments, commands and events. */
public class Client {
    private static final Gson GSON = new Gson();
    private static final PrintStream OUTPUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private final BlockingQueue<TokenCallback> awaitingToken = new LinkedBlockingQueue<>();
    private final io.github.centrifugal.centrifuge.Client client;

    private Client(String url) {
        Options options = new Options();
        options.setTokenGetter(new Tokens());
        client = new io.github.centrifugal.centrifuge.Client(url, options, new Connection());
    }

    public static void main(String[] arguments) throws Exception {
        if (!arguments[0].equals("protobuf")) {
            throw new IllegalArgumentException("centrifuge-java speaks Protobuf only, not " + arguments[0]);
        }
        Client it = new Client(arguments[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            it.carryOut(JsonParser.parseString(line).getAsJsonObject());
        }
        System.exit(0);
    }

    private void carryOut(JsonObject command) throws Exception {
        int id = command.get("id").getAsInt();
        switch (command.get("do").getAsString()) {
            case "connect":
                client.setToken(text(command, "token"));
                client.connect();
                answer(id, null);
                break;
            case "subscribe":
                subscribe(text(command, "channel"));
                answer(id, null);
                break;
            case "publish":
                client.publish(text(command, "channel"), write(command.get("data")), answering(id, result -> null));
                break;
            case "presence":
                client.presence(text(command, "channel"), answering(id, result -> result.getClients().values().stream()
                    .map(info -> info.getUser()).collect(Collectors.toList())));
                break;
            case "history":
                client.history(text(command, "channel"), new HistoryOptions.Builder().withLimit(10).build(), answering(id, result ->
                    result.getPublications().stream().map(entry -> publication(entry.getData(), entry.getOffset())).collect(Collectors.toList())));
                break;
            case "rpc":
                client.rpc(text(command, "method"), write(command.get("data")), answering(id, result -> read(result.getData())));
                break;
            case "token":
                awaitingToken.take().Done(null, text(command, "token"));
                answer(id, null);
                break;
            default:
                throw new IllegalArgumentException("unknown command " + command);
        }
    }

    private void subscribe(String channel) throws Exception {
        SubscriptionOptions options = new SubscriptionOptions();
        options.setJoinLeave(true);
        client.newSubscription(channel, options, new Events()).subscribe();
    }

    private static String text(JsonObject command, String name) {
        return command.get(name).getAsString();
    }

    private static byte[] write(JsonElement data) {
        return data.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static JsonElement read(byte[] data) {
        return JsonParser.parseString(new String(data, StandardCharsets.UTF_8));
    }

    private static Map<String, Object> publication(byte[] data, long offset) {
        return Map.of("data", read(data), "offset", offset);
    }

    private static void say(Object line) {
        OUTPUT.println(GSON.toJson(line));
    }

    private static void emit(String event, Map<String, Object> fields) {
        JsonObject line = GSON.toJsonTree(fields).getAsJsonObject();
        line.addProperty("event", event);
        say(line);
    }

    private static void answer(int id, Object result) {
        say(result == null ? Map.of("id", id) : Map.of("id", id, "result", result));
    }

    private static <T> ResultCallback<T> answering(int id, Function<T, Object> convert) {
        return (failure, result) -> {
            if (failure instanceof ReplyError) {
                ReplyError error = (ReplyError) failure;
                say(Map.of("id", id, "error", Map.of("code", error.getCode(), "message", error.getMessage())));
            } else if (failure != null) {
                say(Map.of("id", id, "error", Map.of("code", 0, "message", failure.toString())));
            } else {
                answer(id, convert.apply(result));
            }
        };
    }

    private class Tokens extends ConnectionTokenGetter {
        @Override
        public void getConnectionToken(ConnectionTokenEvent event, TokenCallback callback) {
            awaitingToken.add(callback);
            emit("token", Map.of());
        }
    }

    private static class Connection extends EventListener {
        @Override
        public void onConnecting(io.github.centrifugal.centrifuge.Client client, ConnectingEvent event) {
            emit("connecting", Map.of("code", event.getCode()));
        }

        @Override
        public void onConnected(io.github.centrifugal.centrifuge.Client client, ConnectedEvent event) {
            emit("connected", Map.of("client", event.getClient()));
        }

        @Override
        public void onDisconnected(io.github.centrifugal.centrifuge.Client client, DisconnectedEvent event) {
            emit("disconnected", Map.of("code", event.getCode()));
        }

        @Override
        public void onError(io.github.centrifugal.centrifuge.Client client, ErrorEvent event) {
            event.getError().printStackTrace();
        }
    }

    private static class Events extends SubscriptionEventListener {
        @Override
        public void onSubscribed(Subscription subscription, SubscribedEvent event) {
            emit("subscribed", Map.of("wasRecovering", event.wasRecovering(), "recovered", event.getRecovered()));
        }

        @Override
        public void onUnsubscribed(Subscription subscription, UnsubscribedEvent event) {
            emit("unsubscribed", Map.of("code", event.getCode()));
        }

        @Override
        public void onPublication(Subscription subscription, PublicationEvent event) {
            emit("publication", publication(event.getData(), event.getOffset()));
        }

        @Override
        public void onJoin(Subscription subscription, JoinEvent event) {
            emit("join", Map.of("user", event.getInfo().getUser()));
        }

        @Override
        public void onLeave(Subscription subscription, LeaveEvent event) {
            emit("leave", Map.of("user", event.getInfo().getUser()));
        }

        @Override
        public void onError(Subscription subscription, SubscriptionErrorEvent event) {
            event.getError().printStackTrace();
        }
    }
}
