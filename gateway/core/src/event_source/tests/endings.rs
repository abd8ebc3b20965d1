//! How streams end.

use super::*;

#[test]
fn a_client_learns_why_it_must_not_come_back() {
    for (code, has_end) in [
        (Disconnect::Shutdown.code(), false),
        (Disconnect::Slow.code(), false),
        (Disconnect::ForceReconnect.code(), false),
        (Disconnect::Expired.code(), true),
        (Disconnect::ForceDisconnect.code(), true),
        (Disconnect::InvalidToken.code(), true),
        (4123, false),
        (4600, true),
    ] {
        let mut page = Page::open(&["a"], &[Some(position(1))]);
        page.deliver(0, position(2));
        assert_eq!(page.translator.only_channel(), Some(&channel("a")));
        page.translator.left(&channel("a"), Some(position(2)));
        let expected = format!(r#"end {{"code":{code},"reason":"go \"away\""}} at 2 end"#);
        assert_eq!(page.closing(code, "go \"away\""), if has_end { vec![expected] } else { vec![] }, "{code}");
        assert_eq!(page.translator.only_channel(), None);
        assert_eq!(page.push(Push::Unsubscribe(channel("a"), Unsubscribe::Server)), NOTHING, "it is over");
    }
}

#[test]
fn the_end_of_a_permission_ends_the_stream() {
    for (why, close) in [(Unsubscribe::Server, "close 3503 force disconnect"), (Unsubscribe::Expired, "close 3005 connection expired")] {
        let mut page = Page::open(&["a", "b"], &[Some(position(1)), Some(position(2))]);
        page.deliver(1, position(3));
        page.translator.left(&channel("b"), None);
        let lines = page.push(Push::Unsubscribe(channel("b"), why));
        assert_eq!(lines, [format!(r#"end {{"code":{},"reason":"{}"}} at 1 3 end"#, why.code(), why.reason()), close.to_owned()]);
        assert_eq!(page.closing(3503, "once more"), NOTHING);
        assert!(LastEventId::parse(&page.last_id(), &page.channels).expect("an id").is_end);
    }
}

#[test]
fn an_end_without_a_position_still_has_an_id() {
    let mut page = Page::open(&["a"], &[None]);
    assert_eq!(page.closing(3503, "x"), [r#"end {"code":3503,"reason":"x"} at other end"#]);
    assert_eq!(page.last_id(), end_id(""));
}
