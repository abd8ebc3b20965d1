use super::*;
use crate::model::ErrorCode;
use actix_http::{header, test::TestRequest};

#[test]
fn without_a_list_only_the_same_origin_may_connect() {
    let origins = Origins::default();
    for (origin, host, allowed) in [
        ("http://localhost:8000", "localhost:8000", true),
        ("https://example.org", "example.org", true),
        ("https://example.org", "example.org:443", true),
        ("http://example.org:80", "example.org", true),
        ("https://EXAMPLE.org", "example.ORG", true),
        ("http://[::1]:8000", "[::1]:8000", true),
        ("http://[::1]", "[::1]", true),
        ("http://[::1]", "[::2]", false),
        ("http://localhost:8001", "localhost:8000", false),
        ("http://example.org", "example.org:443", false),
        ("https://evil.example", "example.org", false),
        ("https://example.org.evil.example", "example.org", false),
        ("https://evil.example/example.org", "example.org", false),
        ("file://", "", false),
        ("http://", "", false),
        ("null", "null", false),
        ("*", "example.org", false),
        ("", "", false),
    ] {
        assert_eq!(origins.allow(origin, host), allowed, "{origin} at {host}");
    }
}

#[test]
fn a_list_stands_for_itself() {
    let origins = Origins::new(["https://Example.org/", "http://localhost:3000"]);
    for (origin, allowed) in [
        ("https://example.org", true),
        ("http://localhost:3000", true),
        ("http://localhost", false),
        ("http://example.org", false),
        ("https://sub.example.org", false),
        ("https://gateway.example", false),
        ("null", false),
    ] {
        assert_eq!(origins.allow(origin, "gateway.example"), allowed, "{origin}");
    }
    assert!(!Origins::new(["*"]).allow("https://example.org", "example.org"), "there are no wildcards");
}

#[test]
fn a_client_without_an_origin_is_no_browser() {
    let request = TestRequest::default().finish();
    assert_eq!(Origins::default().check(&UpgradeRequest::new(request.head())), Ok(()));
}

#[test]
fn an_origin_that_is_no_text_is_refused() {
    let value = header::HeaderValue::from_bytes(b"http://\xFF").expect("a header may hold it");
    let request = TestRequest::default().insert_header((header::ORIGIN, value)).finish();
    let denial = Origins::default().check(&UpgradeRequest::new(request.head())).expect_err("refused");
    assert_eq!(denial.refusal.code, ErrorCode::OriginNotAllowed);
}

#[test]
fn ours_is_chosen_in_our_order_from_all_that_is_offered() {
    let request = TestRequest::default()
        .append_header((header::SEC_WEBSOCKET_PROTOCOL, "v10.stomp,, v11.stomp"))
        .append_header((header::SEC_WEBSOCKET_PROTOCOL, "v12.stomp"))
        .finish();
    let offered = UpgradeRequest::new(request.head()).subprotocols();
    assert_eq!(offered.iter().collect::<Vec<_>>(), ["v10.stomp", "v11.stomp", "v12.stomp"]);
    assert_eq!(offered.choose(&["v12.stomp", "v11.stomp"]), Some("v12.stomp"));
    assert_eq!(offered.choose(&["other"]), None);
}
