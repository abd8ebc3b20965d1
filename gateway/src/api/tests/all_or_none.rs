use super::*;
use serde_json::json;

const NEWS: &str = "/v1/channels/news:world/publications";

async fn send(fixture: &Fixture, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let request = request("POST", path, &body.to_string());
    fixture.send(key.into_iter().fold(request, |request, key| request.insert_header(("idempotency-key", key)))).await
}

// NL-2.9, NL-2.19
#[actix_web::test]
async fn publications_of_a_channel_are_stored_together() {
    let fixture = Fixture::new();
    let body = json!({"publications": [{"data": 1, "tags": {"a": "b"}}, {"data": null}, {"data": 3}]});
    let first = send(&fixture, NEWS, Some("k"), &body).await;
    let epoch = first.json()["epoch"].clone();
    assert_eq!((first.status, first.json()), (StatusCode::OK, json!({"epoch": epoch, "first": 1, "last": 3})));
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = send(&fixture, NEWS, Some("k"), &body).await;
    assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), Some("true")));
    for other in [json!({"data": 1, "tags": {"a": "b"}}), json!({"publications": [{"data": 1}, {"data": null}, {"data": 3}]})] {
        assert_eq!(send(&fixture, NEWS, Some("k"), &other).await.json()["code"], "idempotency_mismatch", "{other}");
    }
    assert_eq!(send(&fixture, NEWS, Some("single"), &json!({"data": 4})).await.json()["offset"], 4);
    assert_eq!(
        send(&fixture, NEWS, Some("single"), &json!({"publications": [{"data": 4}, {"data": 4}]})).await.json()["code"],
        "idempotency_mismatch"
    );
    let page = fixture.ask("GET", NEWS, "").await.json();
    let data: Vec<_> = page["publications"].as_array().expect("a list").iter().map(|one| &one["data"]).collect();
    assert_eq!(data, [&json!(1), &Value::Null, &json!(3), &json!(4)]);
    assert_eq!(page["publications"][0]["tags"], json!({"a": "b"}));
    let personal = send(&fixture, "/v1/users/alice/messages", None, &json!({"publications": [{"data": 1}, {"data": 2}]})).await;
    assert_eq!(personal.json()["last"], 2);
}

#[actix_web::test]
async fn a_producer_gives_all_of_them_one_number() {
    let fixture = Fixture::new();
    let body = |seq: u64| json!({"publications": [{"data": 1}, {"data": 2}], "producer": {"id": "p", "epoch": 0, "seq": seq}});
    assert_eq!(send(&fixture, NEWS, None, &body(1)).await.json()["expected"], 0);
    for (seq, first, replayed) in [(0, 1, false), (1, 3, false), (0, 1, true)] {
        let answer = send(&fixture, NEWS, None, &body(seq)).await;
        assert_eq!((&answer.json()["first"], answer.header("idempotent-replayed").is_some()), (&json!(first), replayed));
    }
    for seq in 2..18 {
        assert_eq!(send(&fixture, NEWS, None, &body(seq)).await.json()["last"], 2 * seq + 2);
    }
    assert_eq!(send(&fixture, NEWS, None, &body(0)).await.json(), json!({"epoch": "", "first": 0, "last": 0}), "done, and forgotten");
}

#[actix_web::test]
async fn of_publications_that_do_not_fit_none_is_stored() {
    let fixture = Fixture::new();
    let many = |count: usize| json!({"publications": vec![json!({"data": 1}); count]});
    let with = |item: Value| json!({"publications": [{"data": 1}, item]});
    let beside = |name: &str, value: Value| {
        let mut body = many(2);
        body[name] = value;
        body
    };
    let path = |channel: &str| format!("/v1/channels/{channel}/publications");
    let tags: serde_json::Map<_, _> = (0..17).map(|n| (format!("t{n}"), json!(""))).collect();
    for (path, body, status, code, says) in [
        (NEWS.to_owned(), many(0), 422, "limit_exceeded", "2 to 256 are allowed"),
        (NEWS.into(), many(1), 422, "limit_exceeded", "2 to 256 are allowed"),
        (NEWS.into(), many(257), 422, "limit_exceeded", "2 to 256 are allowed"),
        (NEWS.into(), many(6), 422, "limit_exceeded", "history_size"),
        (path("open:a"), many(2), 409, "not_available", "set history_size"),
        (path("nowhere:a"), many(2), 404, "unknown_channel", "nowhere"),
        (NEWS.into(), with(json!({})), 400, "bad_request", "publications[1]: The member `data` is missing"),
        (NEWS.into(), with(json!({"text": "a"})), 400, "bad_request", "publications[1]: The data is text"),
        (NEWS.into(), with(json!({"data": 1, "text": "a"})), 400, "bad_request", "publications[1]: The members `data` and `text`"),
        (NEWS.into(), with(json!({"data": "x".repeat(999)})), 413, "payload_too_large", "publications[1]: The data has 1001 bytes"),
        (NEWS.into(), with(json!({"data": 1, "tags": tags})), 422, "limit_exceeded", "publications[1]: There are 17 tags"),
        (NEWS.into(), with(json!({"data": 1, "tags": {"encoding": "a"}})), 400, "bad_request", "publications[1]: The tag"),
        (NEWS.into(), with(json!({"data": 1, "ephemeral": true})), 400, "bad_request", "unknown field `ephemeral`"),
        (NEWS.into(), with(json!([1])), 400, "bad_request", "publications[1]: "),
        (NEWS.into(), json!({"publications": {}}), 400, "bad_request", "publications: "),
        (NEWS.into(), beside("data", Value::Null), 400, "bad_request", "`publications` and `data` exclude each other"),
        (NEWS.into(), beside("text", json!("a")), 400, "bad_request", "`publications` and `text` exclude each other"),
        (NEWS.into(), beside("data_base64", json!("")), 400, "bad_request", "`publications` and `data_base64` exclude"),
        (NEWS.into(), beside("tags", json!({"a": "b"})), 400, "bad_request", "`publications` and `tags` exclude each other"),
        (NEWS.into(), beside("ephemeral", json!(true)), 400, "bad_request", "`publications` and `ephemeral` exclude each other"),
    ] {
        let answer = send(&fixture, &path, None, &body).await;
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)), "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{body}: {problem}");
    }
    assert_eq!(fixture.ask("GET", "/v1/channels", "").await.json()["channels"], json!([]), "nothing was stored");
}
