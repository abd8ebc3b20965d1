package shout;

import org.springframework.http.HttpStatusCode;
import org.springframework.http.ProblemDetail;

/** The error of a call: a status; a code from 400 to 999, or 104; a text. 429 and 503 mean that the same call may succeed later. */
final class Problem extends RuntimeException {
    final int status;
    private final int code;

    Problem(int status, int code, String detail) {
        super(detail);
        this.status = status;
        this.code = code;
    }

    Problem(int status, String detail) {
        this(status, status, detail);
    }

    ProblemDetail document() {
        ProblemDetail document = ProblemDetail.forStatusAndDetail(HttpStatusCode.valueOf(status), getMessage());
        document.setProperty("code", code);
        document.setProperty("retryable", status == 429 || status == 503);
        return document;
    }
}
