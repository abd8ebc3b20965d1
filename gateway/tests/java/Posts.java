import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

/** Publishes `count` times, one publication after the other. Uses the default client, which offers HTTP/2 in each request. Stops at the first failure. */
public class Posts {
    public static void main(String[] arguments) throws Exception {
        URI publications = URI.create(arguments[0]);
        int count = Integer.parseInt(arguments[1]);
        HttpClient client = HttpClient.newHttpClient();
        for (int number = 0; number < count; number++) {
            HttpRequest request = HttpRequest.newBuilder(publications)
                .header("Authorization", "Bearer dev")
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString("{\"data\":" + number + "}"))
                .build();
            HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new IllegalStateException("publication " + number + " was answered " + response.statusCode() + ": " + response.body());
            }
        }
        System.out.println("published " + count);
    }
}
