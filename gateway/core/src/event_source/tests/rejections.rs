//! Requests that get no stream.

use super::*;

fn refused(code: ErrorCode) -> Reply {
    Reply::Error(Refusal::new(code, "why"))
}

/// What a first request and a return are answered.
fn rejections(input: impl Fn(&mut Page) -> Vec<String>) -> [String; 2] {
    [false, true].map(|is_return| {
        let (mut page, _) = Page::begin(EventSourceStart { is_return, ..start(&["a", "b"]) });
        let lines = input(&mut page);
        assert!(page.sent.is_empty(), "no byte of a stream");
        assert_eq!(page.answer(3, subscribed(None, Recovery::NotRequested, &[])), NOTHING);
        assert_eq!(page.closing(3500, "late"), NOTHING);
        lines[0]
            .replace("Rejected(", "")
            .replace(", detail: \"why\", expected: None, retry_after: None }))", "")
            .replace("(Refusal { code:", "")
    })
}

#[test]
fn refusals_of_the_session_become_answers() {
    for (code, expected) in [
        (ErrorCode::Unauthorized, ["Problem Unauthorized", "NoReturn Unauthorized"]),
        (ErrorCode::TokenExpired, ["Problem TokenExpired", "NoReturn TokenExpired"]),
        (ErrorCode::PermissionDenied, ["Problem PermissionDenied", "NoReturn PermissionDenied"]),
        (ErrorCode::UnknownChannel, ["Problem UnknownChannel"; 2]),
        (ErrorCode::BadRequest, ["Problem BadRequest"; 2]),
        (ErrorCode::LimitExceeded, ["Problem LimitExceeded"; 2]),
        (ErrorCode::Internal, ["Later Internal"; 2]),
        (ErrorCode::ServiceUnavailable, ["Later ServiceUnavailable"; 2]),
        (ErrorCode::TooManyRequests, ["Later TooManyRequests"; 2]),
        (ErrorCode::Timeout, ["Later Timeout"; 2]),
        (ErrorCode::BadReply, ["Later BadReply"; 2]),
    ] {
        assert_eq!(rejections(|page| page.answer(1, refused(code))), expected, "of the connect");
        assert_eq!(
            rejections(|page| {
                page.answer(1, connected());
                page.answer(2, subscribed(None, Recovery::NotRequested, &[]));
                page.answer(3, refused(code))
            }),
            expected,
            "of a channel"
        );
    }
}

#[test]
fn errors_of_services_become_answers() {
    for (temporary, expected) in
        [(true, ["Later ServiceUnavailable"; 2]), (false, ["Problem PermissionDenied", "NoReturn PermissionDenied"])]
    {
        let reply = || Reply::CallFailed { code: 4711, message: "why".into(), temporary };
        assert_eq!(rejections(|page| page.answer(1, reply())), expected);
        let of_channel = |page: &mut Page| {
            page.answer(1, connected());
            page.answer(2, reply())
        };
        assert_eq!(rejections(of_channel), expected);
    }
}

#[test]
fn a_close_before_the_stream_becomes_an_answer() {
    for (code, expected) in [
        (Disconnect::InvalidToken.code(), ["Problem Unauthorized", "NoReturn Unauthorized"]),
        (Disconnect::Expired.code(), ["Problem TokenExpired", "NoReturn TokenExpired"]),
        (Disconnect::ChannelLimit.code(), ["Problem LimitExceeded"; 2]),
        (Disconnect::ConnectionLimit.code(), ["Problem LimitExceeded"; 2]),
        (Disconnect::Shutdown.code(), ["Later Draining"; 2]),
        (Disconnect::ForceReconnect.code(), ["Later ServiceUnavailable"; 2]),
        (Disconnect::ForceDisconnect.code(), ["Problem PermissionDenied", "NoReturn PermissionDenied"]),
        (4123, ["Later ServiceUnavailable"; 2]),
        (4600, ["Problem PermissionDenied", "NoReturn PermissionDenied"]),
    ] {
        assert_eq!(rejections(|page| page.closing(code, "why")), expected, "{code}");
    }
}

#[test]
fn a_channel_that_a_service_ends_before_the_stream_is_refused() {
    let push = |why| {
        rejections(|page| {
            page.answer(1, connected());
            page.answer(2, subscribed(None, Recovery::NotRequested, &[]));
            page.push(Push::Unsubscribe(channel("a"), why))
        })
        .map(|line| line.split_inclusive(char::is_whitespace).take(2).collect::<String>().trim_end_matches([',', ' ']).to_owned())
    };
    assert_eq!(push(Unsubscribe::Server), ["Problem PermissionDenied", "NoReturn PermissionDenied"]);
    assert_eq!(push(Unsubscribe::InsufficientState), ["Later ServiceUnavailable"; 2]);
}

#[test]
fn a_rejected_connection_is_closed() {
    let (mut page, _) = Page::begin(start(&["a"]));
    assert_eq!(page.answer(1, refused(ErrorCode::Unauthorized)).last().expect("a step"), "close 1008 unauthorized");
}

#[test]
fn a_stream_whose_ids_could_become_too_long_is_refused() {
    let names = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let (mut page, lines) = Page::connected(start(&names));
    assert_eq!(lines.len(), 8);
    for id in 2..9 {
        assert_eq!(page.answer(id, subscribed(Some(position(1)), Recovery::NotRequested, &[])), NOTHING);
    }
    let lines = page.answer(9, subscribed(Some(position(1 << 40)), Recovery::NotRequested, &[]));
    assert!(
        lines[0]
            .starts_with("Rejected(Problem(Refusal { code: LimitExceeded, detail: \"The ids of this stream could have more than 128 bytes")
    );
    assert!(page.sent.is_empty());
}
