use super::*;
use crate::services::BadReplyCause::{Invalid, TooLarge, WrongSettings};
use bytes::Bytes;
use gateway_core::model::ErrorCode::{Overloaded, ServiceUnavailable, Timeout};
use gateway_core::model::{Meta, MetaChange};
use proptest::prelude::*;

const JSON: &str = "application/json";

/// The start of 2 January 1970.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(24)
}

fn verdict(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Verdict {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().expect("a value"));
    }
    let answer = HttpAnswer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: map,
        body: Body::Whole(Bytes::copy_from_slice(body.as_bytes())),
    };
    Verdict::of("shop", &answer, now())
}

fn with_type(status: u16, media_type: &'static str, body: &str) -> Verdict {
    if media_type.is_empty() { verdict(status, &[], body) } else { verdict(status, &[("content-type", media_type)], body) }
}

#[test]
fn a_success_is_the_reply() {
    for (status, media_type, body, reply) in [
        (200, JSON, "{\"a\": [1, 2]}", "{\"a\":[1,2]}"),
        (201, "application/json; charset=utf-8", "7", "7"),
        (202, "Application/JSON", "\"ä\"", "\"ä\""),
        (200, "application/vnd.shop+json", "true", "true"),
        (204, "", "", "null"),
        (200, "", "", "null"),
        (200, "text/plain", "", "null"),
    ] {
        let verdict = with_type(status, media_type, body);
        assert_eq!(verdict.result.as_ref().map(|reply| reply.data.get()), Ok(reply), "{status} {media_type} {body}");
        assert_eq!((verdict.health, verdict.remark), (Health::Answers, None), "{status} {media_type} {body}");
    }
}

#[test]
fn a_header_replaces_what_is_kept_with_the_connection() {
    let with = |meta| verdict(200, &[("content-type", JSON), (META_HEADER, meta)], "1").result;
    let kept = |meta| with(meta).expect("a reply").meta;
    let Ok(Some(expected)) = Meta::check(Data::parse(&serde_json::value::to_raw_value(&["pro"]).expect("JSON")).expect("flat")) else {
        panic!()
    };
    assert_eq!(kept("[\"pro\"]"), MetaChange::Set(Some(expected)));
    assert_eq!(kept("null"), MetaChange::Set(None));
    assert_eq!(verdict(204, &[(META_HEADER, "null")], "").result.expect("a reply").meta, MetaChange::Set(None));
    let long = format!("\"{}\"", "x".repeat(1023)).leak();
    for (meta, expected) in [("", "not JSON"), ("pro", "not JSON"), ("1 2", "not JSON"), (&*long, "a meta that has 1025 bytes")] {
        let Err(CallError::BadReply(BadReply { detail, cause: Invalid })) = with(meta) else { panic!("{meta} is accepted") };
        assert!(detail.contains(expected), "{detail}");
    }
}

#[test]
fn a_problem_document_is_the_services_own_error() {
    let own = |code, message: &str, temporary| CallError::Service { code, message: message.into(), temporary };
    for (status, body, expected) in [
        (400, "{\"code\": 601, \"detail\": \"sold out\", \"retryable\": true}", own(601, "sold out", true)),
        (422, "{\"title\": \"no\", \"detail\": \"\"}", own(422, "no", false)),
        (500, "{\"code\": \"internal\", \"retryable\": \"yes\"}", own(500, "shop answered with the status 500.", false)),
        (404, "{\"code\": 104}", own(104, "shop answered with the status 404.", false)),
        (409, "{\"code\": 4.5, \"detail\": 7, \"title\": \"t\"}", own(409, "t", false)),
        (200, "{\"code\": 999}", own(999, "shop answered with the status 200.", false)),
    ] {
        let verdict = with_type(status, PROBLEM, body);
        assert_eq!((verdict.result, verdict.health), (Err(expected), Health::Answers), "{status} {body}");
    }
    let long = format!("{{\"detail\": \"{}\"}}", "ä".repeat(2000));
    assert!(matches!(with_type(400, PROBLEM, &long).result, Err(CallError::Service { message, .. }) if message.len() == 1024));
    for (status, body) in [(400, "{\"code\": 200}"), (400, "{\"code\": 1000}"), (200, "{}"), (400, "[]"), (400, "{"), (400, "")] {
        let verdict = with_type(status, PROBLEM, body);
        assert!(matches!(verdict.result, Err(CallError::BadReply(BadReply { cause: Invalid, .. }))), "{status} {body}: {verdict:?}");
    }
}

/// An error of the gateway.
#[derive(Debug, PartialEq)]
enum Error {
    Refused(ErrorCode),
    Bad(BadReplyCause),
}

fn error_of(verdict: &Verdict) -> (Error, &str) {
    match &verdict.result {
        Err(CallError::Refused(refusal)) => (Error::Refused(refusal.code), &refusal.detail),
        Err(CallError::BadReply(bad)) => (Error::Bad(bad.cause), &bad.detail),
        _ => panic!("{verdict:?}"),
    }
}

#[test]
fn every_other_answer_has_an_error_with_service_cause_and_cure() {
    use Error::{Bad, Refused};
    for (status, headers, body, error, health, detail) in [
        (429, vec![], "", Refused(Overloaded), Health::Busy, "shop is busy (status 429). Try again with a growing pause."),
        (503, vec![("retry-after", "7")], "", Refused(Overloaded), Health::Busy, "Try again in 7 s."),
        (503, vec![("retry-after", "Fri, 02 Jan 1970 00:01:30 GMT")], "", Refused(Overloaded), Health::Busy, "Try again in 90 s."),
        (429, vec![("retry-after", "Thu, 01 Jan 1970 23:00:00 GMT")], "", Refused(Overloaded), Health::Busy, "Try again in 1 s."),
        (429, vec![("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "", Refused(Overloaded), Health::Busy, "Try again in 86400 s."),
        (429, vec![("retry-after", "4000000000")], "", Refused(Overloaded), Health::Busy, "Try again in 86400 s."),
        (429, vec![("retry-after", "soon")], "", Refused(Overloaded), Health::Busy, "with a growing pause."),
        (503, vec![("content-type", PROBLEM)], "{\"code\": 601}", Refused(Overloaded), Health::Busy, "busy (status 503)"),
        (503, vec![], "upstream connect error", Refused(Timeout), Health::Fails, "503. It may have carried the call out."),
        (502, vec![], "", Refused(Timeout), Health::Fails, "shop answered with the status 502. It may have carried the call out."),
        (504, vec![("content-type", PROBLEM)], "{}", Refused(Timeout), Health::Fails, "504. It may have carried the call out."),
        (
            302,
            vec![("location", "http://169.254.169.254/")],
            "",
            Bad(WrongSettings),
            Health::Answers,
            "the redirection 302, which is not followed.",
        ),
        (401, vec![], "", Bad(WrongSettings), Health::Answers, "refused the gateway with the status 401. Correct its secrets or headers."),
        (403, vec![], "", Bad(WrongSettings), Health::Answers, "status 403. Correct its secrets or headers."),
        (
            404,
            vec![("content-type", JSON)],
            "{}",
            Bad(WrongSettings),
            Health::Answers,
            "does not know the URL: status 404. Correct its URL.",
        ),
        (405, vec![], "", Bad(WrongSettings), Health::Answers, "status 405. Correct its URL."),
        (400, vec![], "no", Bad(Invalid), Health::Answers, "the status 400 without application/problem+json. Tell its developers."),
        (500, vec![("content-type", JSON)], "{}", Bad(Invalid), Health::Answers, "the status 500 without application/problem+json."),
        (
            200,
            vec![("content-type", "text/html")],
            "<p>",
            Bad(Invalid),
            Health::Answers,
            "a reply of the type \"text/html\", not application/json.",
        ),
        (200, vec![], "{}", Bad(Invalid), Health::Answers, "a reply of the type \"\", not application/json."),
        (200, vec![("content-type", JSON)], "{", Bad(Invalid), Health::Answers, "a reply that is not JSON."),
        (200, vec![("content-type", JSON)], "1 2", Bad(Invalid), Health::Answers, "a reply that is not JSON."),
        (200, vec![("content-type", JSON), ("content-encoding", "gzip")], "x", Bad(Invalid), Health::Answers, "a compressed reply."),
    ] {
        let verdict = verdict(status, &headers, body);
        let (found, text) = error_of(&verdict);
        assert_eq!((found, verdict.health), (error, health), "{status} {headers:?}");
        assert!(text.starts_with("shop ") && text.contains(detail), "{status}: {text}");
    }
    let deep = with_type(200, JSON, &format!("{}{}", "[".repeat(65), "]".repeat(65)));
    assert!(matches!(deep.result, Err(CallError::BadReply(bad)) if bad.detail.contains("nested deeper than 64")));
}

#[test]
fn a_body_that_is_too_large_matters_only_where_it_is_read() {
    use Error::{Bad, Refused};
    for (status, media_type, error, detail) in [
        (200, JSON, Bad(TooLarge), "shop sent a reply of more than 7 bytes, the limit. Tell its developers."),
        (200, "text/html", Bad(TooLarge), "a reply of more than 7 bytes"),
        (400, PROBLEM, Bad(Invalid), "shop sent a problem document of more than 7 bytes, the limit. Tell its developers."),
        (404, "text/html", Bad(WrongSettings), "does not know the URL"),
        (429, "text/html", Refused(Overloaded), "busy"),
        (502, "text/html", Refused(Timeout), "may have carried the call out"),
        (500, "text/html", Bad(Invalid), "the status 500 without"),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, media_type.parse().expect("a value"))]);
        let answer = HttpAnswer { status: StatusCode::from_u16(status).expect("a status"), headers, body: Body::TooLarge { limit: 7 } };
        let verdict = Verdict::of("shop", &answer, now());
        let (found, text) = error_of(&verdict);
        assert_eq!(found, error, "{status}");
        assert!(text.contains(detail), "{status}: {text}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_the_gateway_panic(
        status in 100u16..1000,
        media_type in "[ -~]{0,100}|application/(problem\\+)?json",
        retry_after in "[ -~]{0,12}",
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().expect("visible"));
        headers.insert(RETRY_AFTER, retry_after.parse().expect("visible"));
        let answer = HttpAnswer { status: StatusCode::from_u16(status).expect("in range"), headers, body: Body::Whole(body.into()) };
        let is_success = (200..300).contains(&status);
        let verdict = Verdict::of("shop", &answer, now());
        prop_assert!(verdict.result.is_err() || is_success, "{:?}", verdict);
    }
}

#[test]
fn a_request_without_an_answer_tells_whether_it_may_have_been_taken() {
    let (lost, not_sent) = (Verdict::lost("shop", "reset".into()), Verdict::not_sent("shop", "refused".into()));
    assert!(matches!(&lost.result, Err(CallError::Refused(refusal)) if refusal.code == Timeout && refusal.detail.contains("may have")));
    assert!(matches!(&not_sent.result, Err(CallError::Refused(refusal)) if refusal.code == ServiceUnavailable));
    assert_eq!((lost.health, not_sent.health), (Health::Fails, Health::Unreached));
}
