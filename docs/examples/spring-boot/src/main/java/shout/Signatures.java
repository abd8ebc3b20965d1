package shout;

import jakarta.servlet.http.HttpServletRequest;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** Checks that a request comes from the gateway and is recent: https://www.standardwebhooks.com. */
@Component
class Signatures {
    private static final long SECONDS_OLD = 300;

    private final SecretKeySpec key;

    Signatures(@Value("${shout.secret}") String secret) {
        key = new SecretKeySpec(Base64.getDecoder().decode(secret.replaceFirst("^whsec_", "")), "HmacSHA256");
    }

    boolean accept(HttpServletRequest request, byte[] body) {
        String moment = header(request, "webhook-timestamp");
        if (!moment.matches("[0-9]{1,12}") || Math.abs(Instant.now().getEpochSecond() - Long.parseLong(moment)) > SECONDS_OLD) return false;
        byte[] ours = ("v1," + sign(header(request, "webhook-id") + "." + moment + ".", body)).getBytes(StandardCharsets.UTF_8);
        boolean isEqual = false;
        for (String theirs : header(request, "webhook-signature").split(" ")) isEqual |= MessageDigest.isEqual(ours, theirs.getBytes(StandardCharsets.UTF_8));
        return isEqual;
    }

    private static String header(HttpServletRequest request, String name) {
        String value = request.getHeader(name);
        return value == null ? "" : value;
    }

    private String sign(String head, byte[] body) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(key);
            mac.update(head.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(mac.doFinal(body));
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible); // every Java has HmacSHA256
        }
    }
}
