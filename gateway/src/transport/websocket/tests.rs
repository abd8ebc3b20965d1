use super::*;
use actix_http::{header, test::TestRequest};
use gateway_core::model::ErrorCode;

#[test]
fn a_repeated_or_non_ascii_origin_is_refused() {
    let origin = |request: &mut TestRequest| {
        let request = request.finish();
        UpgradeRequest::new(request.head()).origin().map(|origin| origin.map(str::to_owned)).map_err(|refusal| refusal.code)
    };
    assert_eq!(origin(&mut TestRequest::default()), Ok(None));
    let mut one = TestRequest::default();
    one.insert_header((header::ORIGIN, "http://a"));
    assert_eq!(origin(&mut one), Ok(Some("http://a".into())));
    let value = header::HeaderValue::from_bytes(b"http://\xFF").expect("valid in a header");
    let mut no_text = TestRequest::default();
    no_text.insert_header((header::ORIGIN, value));
    assert_eq!(origin(&mut no_text), Err(ErrorCode::OriginNotAllowed));
    let mut two = TestRequest::default();
    two.append_header((header::ORIGIN, "http://a")).append_header((header::ORIGIN, "http://b"));
    assert_eq!(origin(&mut two), Err(ErrorCode::OriginNotAllowed));
}

#[test]
fn the_subprotocol_is_chosen_in_the_order_of_the_server() {
    let request = TestRequest::default()
        .append_header((header::SEC_WEBSOCKET_PROTOCOL, "v10.stomp,, v11.stomp"))
        .append_header((header::SEC_WEBSOCKET_PROTOCOL, "v12.stomp"))
        .finish();
    let offered = UpgradeRequest::new(request.head()).subprotocols();
    assert_eq!(offered.iter().collect::<Vec<_>>(), ["v10.stomp", "v11.stomp", "v12.stomp"]);
    assert_eq!(offered.choose(&["v12.stomp", "v11.stomp"]), Some("v12.stomp"));
    assert_eq!(offered.choose(&["other"]), None);
}
