//! Publications that are lost while a stream is open.

use super::*;

fn lost(name: &str) -> Push {
    Push::Unsubscribe(channel(name), Unsubscribe::InsufficientState)
}

#[test]
fn a_lost_channel_is_subscribed_again_and_the_client_gets_a_reset() {
    let mut page = Page::open(&["a"], &[Some(position(1))]);
    page.deliver(0, position(2));
    page.translator.left(&channel("a"), None);
    assert_eq!(page.push(lost("a")), ["3: subscribe a from none-0"]);
    assert_eq!(page.push(lost("a")), NOTHING, "it is under way");
    let lines = page.answer(3, subscribed(Some(position(40)), Recovery::Lost, &[]));
    assert_eq!(lines, [r#"reset {"channel":"a"} at 40"#]);
    page.deliver(0, position(41));
    assert_eq!(page.last_id(), position_id(position(41)));
    page.translator.left(&channel("a"), Some(position(41)));
    assert_eq!(page.push(lost("a")), ["4: subscribe a from abcd1234-41"]);
    assert_eq!(page.answer(4, subscribed(Some(position(41)), Recovery::Recovered, &[42])), ["{} at 42"], "nothing was lost after all");
}

#[test]
fn the_other_channels_go_on_with_the_position_of_the_lost_one_as_it_was() {
    let mut page = Page::open(&["a", "b"], &[Some(position(1)), Some(position(1))]);
    page.deliver(0, position(2));
    assert_eq!(page.push(lost("a")), ["4: subscribe a from abcd1234-2"]);
    page.deliver(1, position(2));
    assert_eq!(page.offsets(&page.last_id()), "2 2");
    let lines = page.answer(4, subscribed(Some(position(9)), Recovery::Lost, &[]));
    assert_eq!(lines, [r#"reset {"channel":"a"} at 9 2"#]);
}

#[test]
fn a_loss_of_a_channel_without_history_is_a_reset() {
    let mut page = Page::open(&["a"], &[None]);
    assert_eq!(page.push(lost("a")), ["3: subscribe a from none-0"]);
    assert_eq!(page.answer(3, subscribed(None, Recovery::NotRequested, &[])), [r#"reset {"channel":"a"}"#]);
    let mut page = Page::open(&["a", "b"], &[None, Some(position(1))]);
    page.push(lost("a"));
    assert_eq!(page.answer(4, subscribed(None, Recovery::NotRequested, &[])), [r#"reset {"channel":"a"}"#]);
}

#[test]
fn a_stream_stays_at_a_fork() {
    let mut page = Page::open(&["a"], &[Some(position(1))]);
    let next = Position { epoch: Epoch::parse("efgh5678").expect("valid"), offset: 2 };
    page.deliver(0, next);
    assert_eq!(page.last_id(), "efgh5678-2");
}

#[test]
fn a_refused_subscribe_after_a_loss_ends_the_stream() {
    let refused = |code, detail: &str| {
        let mut page = Page::open(&["a"], &[Some(position(1))]);
        page.push(lost("a"));
        page.answer(3, Reply::Error(Refusal::new(code, detail)))
    };
    let insufficient = format!("close {} {}", Disconnect::InsufficientState.code(), Disconnect::InsufficientState.reason());
    for code in [ErrorCode::ServiceUnavailable, ErrorCode::Timeout] {
        assert_eq!(refused(code, "busy"), [&*insufficient], "the browser comes back");
    }
    let lines = refused(ErrorCode::PermissionDenied, "no");
    assert_eq!(lines, [r#"end {"code":103,"reason":"no"} at 1 end"#, "close 3503 force disconnect"]);
}

#[test]
fn unknown_channels_and_messages_change_nothing() {
    let mut page = Page::open(&["a"], &[Some(position(1))]);
    let data = Data::parse(serde_json::from_str("1").expect("JSON")).expect("shallow");
    assert_eq!(page.push(Push::Message { data, queue: None }), ["undelivered"]);
    assert_eq!(page.push(lost("z")), NOTHING);
    assert_eq!(page.push(Push::Unsubscribe(channel("z"), Unsubscribe::Server)), NOTHING);
    assert_eq!(page.push(Push::Ping), NOTHING);
    assert_eq!(page.push(Push::Publication(channel("a"), Arc::new(publication(Some(position(2)))))), ["{} at 2"]);
    assert_eq!(page.answer(77, subscribed(None, Recovery::Lost, &[])), NOTHING);
}
