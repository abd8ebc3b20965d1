use super::{super::openapi, *};
use actix_web::http::StatusCode;
use shared_proto::process::health::Health;
use shared_proto::rest::ReadyBody;
use utoipa::openapi::{PathItem, RefOr};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

fn describes(item: &PathItem, method: &str) -> bool {
    let all = [&item.get, &item.put, &item.post, &item.delete, &item.patch];
    METHODS.iter().zip(all).any(|(name, operation)| *name == method && operation.is_some())
}

/// The answer of the whole application, with the health paths.
async fn status_of(api: &Api, method: &str, path: &str, body: &str) -> (StatusCode, Option<String>) {
    let health = Health::new(prometheus::Registry::new(), ReadyBody::ready);
    let app = test::init_service(App::new().configure(|app| health.configure(app)).configure(|app| api.configure(app))).await;
    let request = test::TestRequest::with_uri(path).method(method.parse().expect("a method"));
    let request = request.insert_header(("content-type", "application/json")).set_payload(body.to_owned());
    let response = test::call_service(&app, request.to_request()).await;
    let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    (response.status(), location)
}

#[actix_web::test]
async fn each_path_supports_its_described_methods_and_answers_405_to_others() {
    let (api, _directory) = api("", 100);
    for (path, item) in &openapi::api().paths.paths {
        for method in METHODS {
            let (status, _) = status_of(&api, method, path, ALICE).await;
            assert_eq!(status != StatusCode::METHOD_NOT_ALLOWED, describes(item, method), "{method} {path}: {status}");
        }
    }
}

#[actix_web::test]
async fn a_refused_method_is_answered_with_those_of_the_path() {
    let (api, _directory) = api("", 100);
    let app = test::init_service(App::new().configure(|app| api.configure(app))).await;
    for (path, allowed) in [("/v1/notifications", "GET, POST"), ("/v1/notifications/x", "GET"), ("/openapi.json", "GET")] {
        let request = test::TestRequest::with_uri(path).method("TRACE".parse().expect("a method"));
        let response = test::call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers().get("allow").and_then(|value| value.to_str().ok()), Some(allowed), "{path}");
    }
}

#[actix_web::test]
async fn document_and_page_need_no_key() {
    let (api, _directory) = api("first", 100);
    assert_eq!(status_of(&api, "GET", "/docs", "").await, (StatusCode::TEMPORARY_REDIRECT, Some("/docs/".to_owned())));
    for path in ["/docs/", "/docs/swagger-ui.css", "/openapi.json"] {
        assert_eq!(status_of(&api, "GET", path, "").await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(status_of(&api, "GET", PATH, "").await.0, StatusCode::UNAUTHORIZED);
}

#[core::prelude::v1::test]
fn people_find_first_how_to_send_a_notification() {
    let document = openapi::api();
    let paths: Vec<_> = document.paths.paths.keys().map(String::as_str).collect();
    assert_eq!(paths, [PATH, "/v1/notifications/{id}", "/readyz", "/livez", "/metrics", "/openapi.json"]);
}

#[core::prelude::v1::test]
fn every_operation_has_a_description_and_every_error_is_a_problem() {
    for (path, item) in openapi::api().paths.paths {
        for operation in [item.get, item.post].into_iter().flatten() {
            assert!(operation.description.is_some() || operation.summary.is_some(), "{path}");
            for (status, response) in operation.responses.responses {
                let RefOr::T(response) = response else { panic!("{path} {status}") };
                let is_problem = response.content.contains_key("application/problem+json");
                assert_eq!(is_problem, status.starts_with(['4', '5']) && path != "/readyz", "{path} {status}");
            }
        }
    }
}

#[actix_web::test]
async fn the_example_is_accepted_and_the_answers_have_the_described_members() {
    let (api, _directory) = api("", 100);
    let document = serde_json::to_value(openapi::api()).expect("JSON");
    let example = &document["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["example"];
    let (status, accepted, _) = ask(&api, Method::POST, PATH, &[], example.to_string()).await;
    assert_eq!(status, 202);
    let id = accepted["id"].as_str().expect("an id");
    let (_, view, _) = ask(&api, Method::GET, &format!("{PATH}/{id}"), &[], "").await;
    let (_, page, _) = ask(&api, Method::GET, PATH, &[], "").await;
    for (schema, answer) in [
        ("Accepted", &accepted),
        ("Page", &page),
        ("NotificationView", &view),
        ("Envelope", &view["notification"]),
        ("DeliveryView", &view["targets"][0]),
    ] {
        let described = document["components"]["schemas"][schema]["properties"].as_object().unwrap_or_else(|| panic!("no {schema}"));
        for member in answer.as_object().expect("an object").keys() {
            assert!(described.contains_key(member), "{schema}: {member}");
        }
        for required in document["components"]["schemas"][schema]["required"].as_array().expect("required members") {
            assert!(answer.get(required.as_str().expect("a name")).is_some(), "{schema}: {required}");
        }
    }
}
