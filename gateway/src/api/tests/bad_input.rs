use super::*;

const PUBLISH: &str = "/v1/channels/news:world/publications";
const ANY: &str = "/v1/channels/any:a/publications";

/// Checks all fields of a problem document.
fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let problem: shared_proto::rest::Problem = serde_json::from_slice(&answer.body).expect("a problem document");
    assert_eq!((problem.status, &*problem.code, &*problem.kind), (status, code, "about:blank"), "{what}");
    assert!(problem.detail.len() > 10 && problem.detail.ends_with(['.', ')']), "{what}: {}", problem.detail);
}

async fn assert_untouched(fixture: &Fixture) {
    assert_eq!(fixture.ask("GET", "/v1/channels", "").await.json()["channels"], serde_json::json!([]));
    assert!(fixture.commands.borrow().is_empty());
    assert!(fixture.node.broker.user_subscriptions(&"alice".parse().expect("valid")).await.expect("read").is_empty());
}

#[actix_web::test]
async fn every_guarded_path_requires_a_key() {
    let fixture = Fixture::new();
    for path in super::super::paths::guarded() {
        let uri =
            path.path().pattern.replace("{channel}", "news:a").replace("{user}", "alice").replace("{service}", "bot").replace("{id}", "x");
        for key in [None, Some("Bearer wrong"), Some("Basic dev"), Some("dev")] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let request = TestRequest::with_uri(&uri).method(method.clone());
                let answer = fixture.send(key.into_iter().fold(request, |r, key| r.insert_header(("authorization", key)))).await;
                assert_problem(&answer, 401, "unauthorized", &format!("{method} {uri} {key:?}"));
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            }
        }
    }
    assert_untouched(&fixture).await;
}

#[actix_web::test]
async fn bad_requests_are_refused_and_change_nothing() {
    let fixture = Fixture::new();
    let id = fixture.alice;
    let deep = format!("{{\"data\":{}{}}}", "[".repeat(65), "]".repeat(65));
    let very_deep = format!("{{\"data\":{}", "[".repeat(3000));
    let (large, huge) = (format!("{{\"data\":\"{}\"}}", "x".repeat(1001)), format!("{{\"data\":\"{}\"}}", "x".repeat(4000)));
    let large_text = format!("{{\"text\":\"{}\"}}", r"\n".repeat(500));
    let large_bytes = format!("{{\"data_base64\":\"{}\"}}", "AAAA".repeat(250));
    let subscription = |channel: &str| format!("/v1/users/alice/subscriptions/{channel}");
    let tags: Vec<_> = (0..17).map(|n| format!("\"t{n}\":\"\"")).collect();
    let tags = format!("{{\"data\":1,\"tags\":{{{}}}}}", tags.join(","));
    let item = r#"{"channel":"news:a","data":1}"#;
    let batch = format!("{{\"publications\":[{}]}}", [item; 4].join(","));
    let long = format!("/v1/channels/{}/publications", "x".repeat(256));
    let reason = format!("/v1/users/alice/connections?reason={}", "x".repeat(124));
    for (method, path, body, status, code) in [
        ("POST", PUBLISH, "{", 400, "bad_request"),
        ("POST", PUBLISH, "[]", 400, "bad_request"),
        ("POST", PUBLISH, "[5]", 400, "bad_request"),
        ("POST", PUBLISH, "[1]", 400, "bad_request"),
        ("POST", PUBLISH, " [{\"a\":1},{},false]", 400, "bad_request"),
        ("POST", PUBLISH, "null", 400, "bad_request"),
        ("POST", PUBLISH, "{}", 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"dat":2}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"data":2}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1} 2"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"tags":{"a":1}}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"tags":{"":"a"}}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"ephemeral":"yes"}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"tags":{"encoding":"base64"}}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data":1,"tags":{"content-type":"a/b"}}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"text":"hi"}"#, 400, "bad_request"),
        ("POST", PUBLISH, r#"{"data_base64":"/w=="}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"text":"hi","tags":{"content-type":"a\u0000"}}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"data":null,"text":"hi"}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"data":1,"data_base64":"/w=="}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"text":"hi","data_base64":"/w=="}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"text":null}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"text":7}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"data_base64":"/w"}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"data_base64":"_w=="}"#, 400, "bad_request"),
        ("POST", ANY, r#"{"data_base64":[255]}"#, 400, "bad_request"),
        ("POST", ANY, &large_text, 413, "payload_too_large"),
        ("POST", ANY, &large_bytes, 413, "payload_too_large"),
        (
            "POST",
            "/v1/publications",
            r#"{"publications":[{"channel":"any:a","text":"a"},{"channel":"any:a","text":"a","data":1}]}"#,
            400,
            "bad_request",
        ),
        (
            "POST",
            "/v1/publications",
            r#"{"publications":[{"channel":"any:a","text":"a"},{"channel":"any:a","data_base64":"?"}]}"#,
            400,
            "bad_request",
        ),
        ("POST", "/v1/users/alice/messages", r#"{"text":"hi"}"#, 400, "bad_request"),
        ("POST", PUBLISH, &tags, 422, "limit_exceeded"),
        ("POST", PUBLISH, &deep, 400, "bad_request"),
        ("POST", PUBLISH, &very_deep, 400, "bad_request"),
        ("POST", PUBLISH, &large, 413, "payload_too_large"),
        ("POST", PUBLISH, &huge, 413, "payload_too_large"),
        ("POST", "/v1/channels/nowhere:a/publications", r#"{"data":1}"#, 404, "unknown_channel"),
        ("POST", "/v1/channels/a%20b/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/%FF/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/%FF/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/a%C3/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/%ED%A0%80/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/%%32%35/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/a%20/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/%E2%80%AEa/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/%23%FF/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/a%2/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/../publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/%2E%2e/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/channels/%23../publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/./messages", r#"{"data":1}"#, 400, "bad_request"),
        ("DELETE", "/v1/users/%2e%2e/connections", "", 400, "bad_request"),
        ("GET", "/v1/channels/..", "", 400, "bad_request"),
        ("POST", "/v1/channels/%23%20a/publications", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", &long, r#"{"data":1}"#, 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?since=1", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?since=AAAAAAAA:-1", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?since=AAAAAAAA:99999999999999999999", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?limit=-1", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?limit=1001", "", 422, "limit_exceeded"),
        ("GET", "/v1/channels/news:a/publications?order=up", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?from=1", "", 400, "bad_request"),
        ("GET", "/v1/channels/news:a/publications?limit=1&limit=2", "", 400, "bad_request"),
        ("GET", "/v1/channels/open:a/publications", "", 409, "not_available"),
        ("DELETE", "/v1/channels/open:a/publications", "", 409, "not_available"),
        ("GET", "/v1/channels/nowhere:a", "", 404, "unknown_channel"),
        ("GET", "/v1/channels/news:a/presence", "", 409, "not_available"),
        ("GET", "/v1/channels/chat:a/presence?stats=maybe", "", 400, "bad_request"),
        ("GET", "/v1/channels?limit=0", "", 422, "limit_exceeded"),
        ("GET", "/v1/channels?limit=1001", "", 422, "limit_exceeded"),
        ("GET", "/v1/channels?after=a%20b", "", 400, "bad_request"),
        ("GET", "/v1/channels?page=2", "", 400, "bad_request"),
        ("POST", "/v1/publications", &batch, 422, "limit_exceeded"),
        ("POST", "/v1/publications", r#"{"publications":[{"channel":"news:a"}]}"#, 400, "bad_request"),
        ("POST", "/v1/publications", r#"{"publications":[["news:a",7]]}"#, 400, "bad_request"),
        ("POST", "/v1/publications", r#"[[["news:a",7]]]"#, 400, "bad_request"),
        ("POST", "/v1/users/alice/messages", "[5]", 400, "bad_request"),
        ("POST", "/v1/users/a%0Ab/messages", r#"{"data":1}"#, 400, "bad_request"),
        ("POST", "/v1/users/alice/messages", "1", 400, "bad_request"),
        ("DELETE", "/v1/users/alice/connections?code=2999", "", 400, "bad_request"),
        ("DELETE", "/v1/users/alice/connections?code=5000", "", 400, "bad_request"),
        ("DELETE", "/v1/users/alice/connections?code=x", "", 400, "bad_request"),
        ("DELETE", &reason, "", 400, "bad_request"),
        ("PUT", &subscription("nowhere:a"), "{}", 404, "unknown_channel"),
        ("PUT", &subscription("chat:a"), r#"{"expires_at":1}"#, 400, "bad_request"),
        ("PUT", &subscription("chat:a"), r#"{"expires":1}"#, 400, "bad_request"),
        ("PUT", &subscription("%23bob"), "{}", 403, "permission_denied"),
        ("PUT", &subscription("chat:a"), "[]", 400, "bad_request"),
        ("PUT", &subscription("chat:a"), r#"{"expires_at":-1}"#, 400, "bad_request"),
        ("PUT", &subscription("chat:a"), r#"{"expires_at":"tomorrow"}"#, 400, "bad_request"),
        ("PUT", &subscription("chat:a"), "[null]", 400, "bad_request"),
        ("PUT", "/v1/users//subscriptions/chat:a", "{}", 404, "not_found"),
        ("DELETE", &subscription("nowhere:a"), "", 404, "unknown_channel"),
        ("GET", "/v1/connections/xyz", "", 400, "bad_request"),
        ("DELETE", &format!("/v1/connections/{id}?code=1000"), "", 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), "{}", 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), r#"{"data":1,"queue":""}"#, 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), r#"{"data":1,"queue":"a\nb"}"#, 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), r#"{"data":1,"queue":7}"#, 400, "bad_request"),
        ("POST", "/v1/users/alice/messages", r#"{"data":1,"queue":""}"#, 400, "bad_request"),
        ("POST", "/v1/users/alice/messages", r#"{"data":1,"queue":"a","tags":{"queue":"b"}}"#, 400, "bad_request"),
        ("POST", "/v1/users/alice/messages", r#"{"publications":[{"data":1},{"data":2}],"queue":"a"}"#, 400, "bad_request"),
        ("POST", "/v1/channels/news:a/publications", r#"{"data":1,"queue":"a"}"#, 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), "[1]", 400, "bad_request"),
        ("POST", &format!("/v1/connections/{id}/messages"), &large, 413, "payload_too_large"),
        ("GET", "/v1/services/bot/link", "", 426, "upgrade_required"),
        ("GET", "/v1/services/nobody/link", "", 404, "no_service"),
        ("GET", "/v1/services/No/link", "", 400, "bad_request"),
        ("GET", "/v1/nothing", "", 404, "not_found"),
        ("GET", "/nothing", "", 404, "not_found"),
        ("GET", "/v1/channels/", "", 404, "not_found"),
    ] {
        let answer = fixture.ask(method, path, body).await;
        assert_problem(&answer, status, code, &format!("{method} {path} {}", &body[..body.len().min(80)]));
    }
    assert_untouched(&fixture).await;
}

#[actix_web::test]
async fn a_body_requires_the_content_type_of_json() {
    let fixture = Fixture::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let request = TestRequest::post().uri(PUBLISH).insert_header(("authorization", "Bearer dev")).insert_header(("content-type", kind));
        assert_problem(&fixture.send(request.set_payload(r#"{"data":1}"#)).await, 415, "unsupported_media_type", kind);
    }
    assert_untouched(&fixture).await;
    let request = TestRequest::post().uri(PUBLISH).insert_header(("authorization", "Bearer dev"));
    let request = request.insert_header(("content-type", "application/json; charset=utf-8")).set_payload(r#"{"data":1}"#);
    assert_eq!(fixture.send(request).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn keys_of_publishes_are_checked() {
    let fixture = Fixture::new();
    for key in [String::new(), "a b".into(), "ä".into(), "x".repeat(256)] {
        let answer = fixture.send(request("POST", PUBLISH, r#"{"data":1}"#).insert_header(("idempotency-key", key.as_bytes()))).await;
        assert_problem(&answer, 400, "bad_request", &key);
    }
    let twice = request("POST", PUBLISH, r#"{"data":1}"#).append_header(("idempotency-key", "a")).append_header(("idempotency-key", "b"));
    assert_problem(&fixture.send(twice).await, 400, "bad_request", "two keys");
    let batch = request("POST", "/v1/publications", r#"{"publications":[]}"#).insert_header(("idempotency-key", "a"));
    assert_problem(&fixture.send(batch).await, 400, "bad_request", "a batch's key");
    assert_untouched(&fixture).await;
}

#[actix_web::test]
async fn a_compressed_body_is_refused_at_every_path() {
    let fixture = Fixture::new();
    let message = format!("/v1/connections/{}/messages", fixture.alice);
    let paths = [
        ("POST", PUBLISH, r#"{"data":1}"#),
        ("POST", "/v1/publications", r#"{"publications":[]}"#),
        ("POST", "/v1/broadcasts", r#"{"data":1,"users":[]}"#),
        ("POST", "/v1/users/alice/messages", r#"{"data":1}"#),
        ("POST", &message, r#"{"data":1}"#),
        ("PUT", "/v1/users/alice/subscriptions/chat:a", "{}"),
    ];
    for (method, path, body) in paths {
        for encoding in ["gzip", "br", "identity, deflate", "x-unheard-of"] {
            let answer = fixture.send(request(method, path, body).insert_header(("content-encoding", encoding))).await;
            assert_problem(&answer, 415, "unsupported_encoding", &format!("{method} {path} {encoding}"));
            assert_eq!(answer.header("accept-encoding"), Some("identity"));
        }
    }
    let compressed = request("POST", PUBLISH, "\x1f\u{8b}\x08").insert_header(("content-encoding", "gzip"));
    assert_problem(&fixture.send(compressed).await, 415, "unsupported_encoding", "a compressed body");
    assert_untouched(&fixture).await;
    for (method, path, body) in paths {
        let answer = fixture.send(request(method, path, body).insert_header(("content-encoding", "Identity"))).await;
        assert_eq!(answer.status, 200, "{method} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_refusal_names_a_worker_that_does_not_answer() {
    let mailbox = Arc::new(Mailbox::new(1000, 1 << 20));
    let queues = memory_queues();
    let fixture = Fixture { node: Arc::new(node(&mailbox, &queues)), queues, alice: ConnectionId::random(), commands: Rc::default() };
    let answer = fixture.ask("GET", "/v1/users/alice/connections", "").await;
    assert_problem(&answer, 503, "unavailable", "a stuck worker");
    assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("Worker 0 of node n1")));
}

#[actix_web::test]
async fn an_invalid_query_names_the_parameter_and_its_values() {
    let fixture = Fixture::new();
    for (method, path, detail) in [
        ("GET", "/v1/channels?limit=abc", "`limit` must be a whole number, 0 or more"),
        ("GET", "/v1/channels?page=2", "`page` is not a parameter of this request; its parameters are `pattern`, `after` and `limit`"),
        ("GET", "/v1/channels/news:a/publications?limit=-1", "`limit` must be a whole number, 0 or more"),
        ("GET", "/v1/channels/news:a/publications?order=up", "`order` must be `asc` or `desc`"),
        ("GET", "/v1/channels/news:a/publications?limit=1&limit=2", "`limit` occurs more than once"),
        ("GET", "/v1/channels/chat:a/presence?stats=maybe", "`stats` must be `true` or `false`"),
        ("DELETE", "/v1/users/alice/connections?code=x", "`code` must be a whole number from 0 to 65535"),
    ] {
        let answer = fixture.ask(method, path, "").await;
        assert_problem(&answer, 400, "bad_request", path);
        assert_eq!(answer.json()["detail"], format!("The query is invalid: {detail}."), "{path}");
    }
    assert_untouched(&fixture).await;
}
