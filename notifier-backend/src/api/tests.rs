mod document;

use super::*;
use crate::settings;
use crate::{outbox::Outbox, settings::Http};
use actix_web::web::Bytes;
use actix_web::{App, http::Method, test};
use serde_json::{Value, json};

async fn ask(api: &Api, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> (u16, Value, bool) {
    let app = test::init_service(App::new().configure(|app| api.configure(app))).await;
    let mut request = test::TestRequest::with_uri(path).method(method).set_payload(body);
    for header in [("content-type", "application/json")].iter().chain(headers) {
        request = request.insert_header(*header);
    }
    let response = test::call_service(&app, request.to_request()).await;
    let (status, replayed) = (response.status().as_u16(), response.headers().contains_key("idempotent-replayed"));
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = test::read_body_json(response).await;
    assert_eq!(kind, if status < 400 { "application/json" } else { "application/problem+json" }, "{body}");
    (status, body, replayed)
}

fn api(keys: &str, pending_limit: u64) -> (Api, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("outbox.db");
    let outbox = Outbox::open(&settings::Outbox { path, pending_limit, queue: 16, keep_hours: 1, keep_count: 10 }).expect("opened");
    let http = Http {
        address: ([127, 0, 0, 1], 0).into(),
        connections: 16,
        request_timeout_ms: 5000,
        keep_alive_s: 75,
        api_keys: keys.into(),
        body_limit: 1024,
        users_limit: 3,
    };
    (Api::new(outbox, &http), directory)
}

const ALICE: &str = r#"{"user":"alice","title":"T"}"#;
const PATH: &str = "/v1/notifications";

#[actix_web::test]
async fn accepted_notifications_are_listed_with_their_targets() {
    let (api, _directory) = api("", 100);
    let (status, accepted, _) = ask(&api, Method::POST, PATH, &[], r#"{"users":["alice","bob"],"title":"T","level":"error"}"#).await;
    assert_eq!(status, 202);
    let id = accepted["id"].as_str().expect("an id");
    let (status, view, _) = ask(&api, Method::GET, &format!("{PATH}/{id}"), &[], "").await;
    assert_eq!((status, &view["notification"]["level"]), (200, &json!("error")));
    assert_eq!(view["targets"][1]["user"], "bob");
    assert_eq!((&view["targets"][1]["state"], &view["targets"][1]["attempts"]), (&json!("pending"), &json!(0)));
    for (query, count) in [("", 1), ("?user=bob&state=pending", 1), ("?user=eve", 0), ("?state=failed", 0), ("?limit=1&after=1", 0)] {
        let (status, page, _) = ask(&api, Method::GET, &format!("{PATH}{query}"), &[], "").await;
        assert_eq!((status, page["notifications"].as_array().map(Vec::len)), (200, Some(count)), "{query}");
    }
}

#[actix_web::test]
async fn a_repeat_with_the_same_key_is_the_same_notification() {
    let (api, _directory) = api("", 100);
    let key = [("Idempotency-Key", "k")];
    let (_, first, replayed) = ask(&api, Method::POST, PATH, &key, ALICE).await;
    assert!(!replayed);
    let (status, again, replayed) = ask(&api, Method::POST, PATH, &key, r#"{ "title": "T", "user": "alice" }"#).await;
    assert_eq!((status, again, replayed), (202, first, true));
    let (status, problem, _) = ask(&api, Method::POST, PATH, &key, r#"{"user":"bob","title":"T"}"#).await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_mismatch")));
}

#[actix_web::test]
async fn two_forms_of_the_same_time_are_the_same_notification() {
    let (api, _directory) = api("", 100);
    let key = [("Idempotency-Key", "k")];
    let at = |at: &str| format!(r#"{{"user":"alice","title":"T","at":"{at}"}}"#);
    let (status, first, _) = ask(&api, Method::POST, PATH, &key, at("2020-01-31T12:00:00Z")).await;
    assert_eq!(status, 202);
    for same in ["2020-01-31T12:00:00+00:00", "2020-01-31T12:00:00.000Z", "2020-01-31t12:00:00z", "2020-01-31T13:30:00+01:30"] {
        let (status, again, replayed) = ask(&api, Method::POST, PATH, &key, at(same)).await;
        assert_eq!((status, &again, replayed), (202, &first, true), "{same}");
    }
    for other in ["2020-01-31T12:00:00.001Z", "2020-01-31T12:00:00+01:00"] {
        let (status, problem, _) = ask(&api, Method::POST, PATH, &key, at(other)).await;
        assert_eq!((status, &problem["code"]), (422, &json!("idempotency_mismatch")), "{other}");
    }
    let (status, problem, _) = ask(&api, Method::POST, PATH, &key, at("yesterday")).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")));
}

#[actix_web::test]
async fn bad_requests_change_nothing() {
    let (api, _directory) = api("", 2);
    let large = format!(r#"{{"user":"alice","title":"T","body":"{}"}}"#, "x".repeat(2000));
    let long_key = "k".repeat(256);
    let plain: &[(&str, &str)] = &[];
    for (method, path, headers, body, status) in [
        (Method::POST, PATH, plain, "", 400),
        (Method::POST, PATH, &[("Content-Type", "text/plain")], ALICE, 415),
        (Method::POST, PATH, &[("Content-Type", "")], ALICE, 415),
        (Method::POST, PATH, &[("Content-Encoding", "gzip")], "\x1f\u{8b}\x08", 415),
        (Method::POST, PATH, &[("Content-Encoding", "identity, br")], ALICE, 415),
        (Method::POST, PATH, plain, "{", 400),
        (Method::POST, PATH, plain, r#"["alice",null,null,"T"]"#, 400),
        (Method::POST, PATH, plain, r#"{"title":"T"}"#, 400),
        (Method::POST, PATH, plain, large.as_str(), 413),
        (Method::POST, PATH, &[("Idempotency-Key", "")], ALICE, 400),
        (Method::POST, PATH, &[("Idempotency-Key", long_key.as_str())], ALICE, 400),
        (Method::POST, PATH, plain, r#"{"users":["a","b","c"],"title":"T"}"#, 503),
        (Method::PUT, PATH, plain, ALICE, 405),
        (Method::GET, "/v1/notifications/none", plain, "", 404),
        (Method::GET, "/v1/nothing", plain, "", 404),
        (Method::GET, "/v1/notifications?limit=0", plain, "", 400),
        (Method::GET, "/v1/notifications?limit=201", plain, "", 400),
        (Method::GET, "/v1/notifications?limit=-1", plain, "", 400),
        (Method::GET, "/v1/notifications?state=lost", plain, "", 400),
        (Method::GET, "/v1/notifications?after=x", plain, "", 400),
        (Method::GET, "/v1/notifications?colour=red", plain, "", 400),
    ] {
        let (answered, problem, _) = ask(&api, method.clone(), path, headers, body.to_owned()).await;
        assert_eq!(answered, status, "{method} {path} {body:.60}: {problem}");
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    let (_, page, _) = ask(&api, Method::GET, PATH, plain, "").await;
    assert_eq!(page["notifications"], json!([]));
}

#[actix_web::test]
async fn configured_api_keys_are_required() {
    let (api, _directory) = api("first, second", 100);
    for (header, status) in [("Bearer first", 202), ("Bearer second", 202), ("Bearer third", 401), ("first", 401), ("Bearer ", 401)] {
        assert_eq!(ask(&api, Method::POST, PATH, &[("Authorization", header)], ALICE).await.0, status, "{header}");
    }
    assert_eq!(ask(&api, Method::POST, PATH, &[], ALICE).await.0, 401);
    assert_eq!(ask(&api, Method::GET, PATH, &[], "").await.0, 401);
}

#[actix_web::test]
async fn an_invalid_query_names_the_parameter_and_its_values() {
    let (api, _directory) = api("", 100);
    let unknown = "`colour` is not a parameter of this request; its parameters are `state`, `user`, `after` and `limit`";
    for (query, detail) in [
        ("limit=abc", "`limit` must be a whole number, 0 or more"),
        ("limit=201", "`limit` must be 1 to 200"),
        ("state=lost", "`state` must be `pending`, `delivered` or `failed`"),
        ("after=x", "`after` must be a whole number"),
        ("colour=red", unknown),
    ] {
        let (status, problem, _) = ask(&api, Method::GET, &format!("{PATH}?{query}"), &[], "").await;
        assert_eq!((status, &problem["detail"]), (400, &json!(detail)), "{query}");
    }
}
