use super::*;

fn lost() -> Push {
    Push::Unsubscribe(channel("a"), Unsubscribe::InsufficientState)
}

#[test]
fn after_a_loss_the_subscription_begins_again_and_those_that_asked_are_notified() {
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:\n\n");
    page.answer(2, subscribed());
    page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\n\n");
    page.send("SUBSCRIBE\nid:3\ndestination:/queue/a\nx-position:\nack:client\n\n");
    assert_eq!(page.push(lost()), ["3: subscribe a for 1 2 3"]);
    assert_eq!(page.push(lost()), NOTHING, "it is under way");
    assert_eq!(page.send("UNSUBSCRIBE\nid:2\n\n"), NOTHING, "frames wait");
    let lines = page.answer(3, recovered(Recovery::NotRequested, &[]));
    assert_eq!(
        lines,
        [
            "MESSAGE subscription:1 destination:/topic/a message-id:c-1 x-gap:true x-position:abcd1234-7",
            "MESSAGE subscription:3 destination:/queue/a ack:c-2 message-id:c-2 x-gap:true x-position:abcd1234-7",
            "untold 1",
            "form a: 1 3",
        ]
    );
}

#[test]
fn a_subscription_that_was_lost_for_good_is_notified() {
    let mut page = Page::alice().subscribed("1", "/topic/a", 2);
    assert_eq!(page.push(lost()), ["3: subscribe a for 1"]);
    let lines = page.answer(3, refused(ErrorCode::PermissionDenied, "No."));
    assert!(lines[0].contains("code:103") && lines[1].starts_with("close 1002"), "{lines:?}");
}

#[test]
fn a_subscription_that_cannot_begin_again_yet_is_tried_again() {
    let down = || refused(ErrorCode::Overloaded, "Redis is away. Wait.");
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:\n\n");
    page.answer(2, subscribed());
    assert_eq!(page.push(lost()), ["3: subscribe a for 1"]);
    assert_eq!(page.answer(3, down()), NOTHING);
    assert_eq!(page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\n\n"), ["form a: 1 2"], "frames do not wait");
    let mut command = 4;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(page.wait(pause * 1000 - 1), NOTHING);
        assert_eq!(page.wait(1), [format!("{command}: subscribe a for 1 2")]);
        assert_eq!(page.wait(100_000), NOTHING, "one at a time");
        assert_eq!(page.answer(command, down()), NOTHING);
        command += 1;
    }
    page.wait(30_000);
    let lines = page.answer(command, recovered(Recovery::NotRequested, &[]));
    assert_eq!(lines, ["MESSAGE subscription:1 destination:/topic/a message-id:c-1 x-gap:true x-position:abcd1234-7", "untold 1"]);
    assert_eq!(page.wait(100_000), NOTHING);
    assert_eq!(page.translator.spare_memory(), 0);

    for frames in ["UNSUBSCRIBE\nid:1\n\n", "SUBSCRIBE\nid:2\ndestination:/topic/a\nx-position:abcd1234-3\n\n"] {
        let mut page = Page::alice();
        page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
        page.answer(2, recovered(Recovery::NotRequested, &[]));
        page.push(lost());
        assert_eq!(page.answer(3, down()), NOTHING);
        assert_eq!(page.send(frames).last().map(String::as_str), Some("4: unsubscribe a"));
        assert_eq!(page.wait(100_000), NOTHING, "the client has decided otherwise");
    }
}

#[test]
fn the_end_of_a_subscription_by_a_service_is_an_error_and_a_close() {
    for why in [Unsubscribe::Server, Unsubscribe::Expired] {
        let mut page = Page::alice().subscribed("1", "/topic/a", 2);
        assert_eq!(page.push(Push::Unsubscribe(channel("b"), why)), NOTHING, "no subscription of the client");
        let lines = page.push(Push::Unsubscribe(channel("a"), why));
        assert!(
            lines[0].starts_with("ERROR message:The subscription to /topic/a was ended.") && lines[0].contains(why.reason()),
            "{lines:?}"
        );
        assert!(lines[1].starts_with("close 1002"), "{lines:?}");
    }
}

#[test]
fn what_the_session_sends_by_itself_is_written_for_each_subscription() {
    let mut page = Page::alice().subscribed("1", "/topic/a", 2);
    page.send("SUBSCRIBE\nid:2\ndestination:/queue/a\n\n");
    let lines = page.push(Push::Publication(channel("a"), publication(3, &[("k", "v")])));
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("MESSAGE subscription:2 destination:/queue/a message-id:abcd1234-3"), "{lines:?}");
    assert_eq!(page.push(Push::Publication(channel("b"), publication(3, &[]))), NOTHING);
    assert_eq!(page.push(Push::Ping), NOTHING);
}

#[test]
fn a_new_epoch_is_notified_only_if_something_is_missing() {
    let begun = |recovery| {
        let subscribed = Subscribed { position: Some(position(0)), recovery, ..Subscribed::default() };
        Push::Subscribe(channel("a"), subscribed)
    };
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:\n\n");
    page.answer(2, subscribed());
    assert_eq!(page.push(begun(Recovery::Recovered)), NOTHING);
    let gap = "MESSAGE subscription:1 destination:/topic/a message-id:c-1 x-gap:true x-position:abcd1234-0";
    assert_eq!(page.push(begun(Recovery::Lost)), [gap]);
    let mut page = Page::alice().subscribed("1", "/topic/a", 2);
    assert_eq!(page.push(begun(Recovery::Lost)), ["untold 1"]);
}
