use super::*;
use serde_json::json;

const PATH: &str = "/v1/broadcasts";

async fn send(fixture: &Fixture, key: Option<&str>, body: &Value) -> Answer {
    let request = request("POST", PATH, &body.to_string());
    fixture.send(key.into_iter().fold(request, |request, key| request.insert_header(("idempotency-key", key)))).await
}

/// Offset, whether replayed, and error code of each result.
fn shown(answer: &Answer) -> Vec<(u64, bool, String)> {
    let results = answer.json()["results"].take();
    let each = |it: &Value| {
        let code = it["error"]["code"].as_str().unwrap_or_default().to_owned();
        (it["position"]["offset"].as_u64().unwrap_or_default(), it["replayed"] == true, code)
    };
    results.as_array().expect("a list").iter().map(each).collect()
}

// NL-2.9
#[actix_web::test]
async fn every_channel_and_every_user_gets_a_broadcast_and_has_an_answer() {
    let fixture = Fixture::new();
    let ok = |offset| (offset, false, String::new());
    let refused = |code: &str| (0, false, code.to_owned());
    let channels =
        send(&fixture, None, &json!({"data": {"a": 1}, "tags": {"t": "u"}, "channels": ["news:a", "chat:b", "news:a", "open:c"]})).await;
    assert_eq!(shown(&channels), [ok(1), ok(1), ok(2), ok(0)], "each is published into by itself");
    let some = send(&fixture, None, &json!({"data": 1, "channels": ["nowhere:a", "a b", "news:a"]})).await;
    assert_eq!(shown(&some), [refused("unknown_channel"), refused("bad_request"), ok(3)], "a refused one does not stop the others");
    let users = send(&fixture, None, &json!({"data": 1, "users": ["alice", "", "a\u{0}", "auth0|bob"]})).await;
    assert_eq!(shown(&users), [ok(1), refused("bad_request"), refused("bad_request"), ok(1)]);
    let text = send(&fixture, None, &json!({"text": "hi", "channels": ["any:a", "news:a"]})).await;
    assert_eq!(shown(&text), [ok(1), refused("bad_request")]);
    assert_eq!(shown(&send(&fixture, None, &json!({"data": 1, "ephemeral": true, "users": ["alice"]})).await), [ok(0)]);
    assert!(shown(&send(&fixture, None, &json!({"data": 1, "users": []})).await).is_empty());
    let read = async |path: &str| fixture.ask("GET", path, "").await.json()["publications"].take();
    let first = read("/v1/channels/news:a/publications").await[0].take();
    assert_eq!((&first["data"], &first["tags"]), (&json!({"a": 1}), &json!({"t": "u"})));
    assert_eq!(read("/v1/channels/any:a/publications").await[0]["tags"], json!({"content-type": "text/plain"}));
    assert_eq!(read("/v1/channels/%23auth0%7Cbob/publications").await[0]["data"], 1);
}

#[actix_web::test]
async fn a_broadcast_goes_out_in_parts_of_limited_size_and_has_one_answer() {
    let fixture = Fixture::new();
    let ok = |offset| (offset, false, String::new());
    for (size, round) in [(1, 1), (300, 2), (400, 3), (600, 4), (900, 5)] {
        let body = json!({"data": "x".repeat(size), "channels": ["news:a", "news:b", "news:c", "news:d"]});
        assert_eq!(shown(&send(&fixture, None, &body).await), vec![ok(round); 4], "{size}");
    }
}

// NL-2.9
#[actix_web::test]
async fn a_key_of_a_broadcast_counts_for_each_channel() {
    let fixture = Fixture::new();
    let body = |data: u64, channels: &[&str]| json!({"data": data, "channels": channels});
    let ok = |offset, replayed| (offset, replayed, String::new());
    assert_eq!(shown(&send(&fixture, Some("k"), &body(1, &["news:a", "news:b"])).await), [ok(1, false), ok(1, false)]);
    let again = send(&fixture, Some("k"), &body(1, &["news:b", "news:c", "news:c"])).await;
    assert_eq!(shown(&again), [ok(1, true), ok(1, false), ok(1, true)]);
    let other = send(&fixture, Some("k"), &body(2, &["news:a", "news:d"])).await;
    assert_eq!(shown(&other), [(0, false, "idempotency_mismatch".into()), ok(1, false)]);
    let single = request("POST", "/v1/channels/news:a/publications", r#"{"data":1}"#).insert_header(("idempotency-key", "k"));
    assert_eq!(fixture.send(single).await.json()["offset"], 1, "as if it were published into the channel alone");
}

#[actix_web::test]
async fn a_bad_broadcast_is_refused_as_a_whole() {
    let fixture = Fixture::new();
    let names: Vec<_> = (0..5).map(|number| format!("u{number}")).collect();
    let producer = json!({"id": "p", "epoch": 0, "seq": 0});
    let tags: serde_json::Map<_, _> = (0..17).map(|n| (format!("t{n}"), json!(""))).collect();
    let long: Vec<_> = (0..4).map(|_| "x".repeat(1000)).collect();
    for (body, status, code, says) in [
        (json!({"data": 1}), 400, "bad_request", "`channels` and `users` are missing"),
        (json!({"data": 1, "channels": null, "users": null}), 400, "bad_request", "`channels` and `users` are missing"),
        (json!({"data": 1, "channels": ["news:a"], "users": ["alice"]}), 400, "bad_request", "exclude each other"),
        (json!({"channels": ["news:a"]}), 400, "bad_request", "`data` is missing"),
        (json!({"data": 1, "text": "a", "channels": ["news:a"]}), 400, "bad_request", "`data` and `text` exclude"),
        (json!({"data": 1, "channels": "news:a"}), 400, "bad_request", "channels: "),
        (json!({"data": 1, "channels": [7]}), 400, "bad_request", "channels[0]: "),
        (json!({"data": 1, "channel": "news:a"}), 400, "bad_request", "unknown field `channel`"),
        (json!({"data": 1, "tags": tags, "users": ["alice"]}), 422, "limit_exceeded", "17 tags"),
        (json!({"data": 1, "producer": producer, "users": ["alice"]}), 422, "invalid_producer", "Leave it out"),
        (json!({"data": "x".repeat(1000), "users": ["alice"]}), 413, "payload_too_large", "1002 bytes"),
        (json!({"data": 1, "users": names}), 413, "payload_too_large", "raise internal.broadcast"),
        (json!({"data": 1, "users": long}), 413, "payload_too_large", "raise internal.body_size"),
    ] {
        let answer = send(&fixture, None, &body).await;
        let problem = answer.json();
        let shown = &body.to_string()[..body.to_string().len().min(100)];
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)), "{shown}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{shown}: {problem}");
    }
    assert_eq!(fixture.ask("GET", "/v1/channels", "").await.json()["channels"], json!([]), "nothing was published");
}
