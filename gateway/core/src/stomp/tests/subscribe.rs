use super::*;

#[test]
fn frames_after_a_subscribe_wait_until_it_has_effect() {
    let mut page = Page::alice();
    let frames = "SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:r\n\n\0SEND\ndestination:/topic/a\n\nhi";
    assert_eq!(page.send(frames), ["2: subscribe a for 1"]);
    assert!(!page.translator.wants_input());
    assert_eq!(page.answer(2, subscribed()), ["RECEIPT receipt-id:r", "3: publish a text hi"]);
    assert!(page.translator.wants_input());
}

#[test]
fn subscriptions_to_one_channel_share_the_sessions() {
    let mut page = Page::alice().subscribed("1", "/topic/a", 2);
    assert_eq!(page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\nreceipt:r\n\n"), ["form a: 1 2", "RECEIPT receipt-id:r"]);
    assert_eq!(page.send("SUBSCRIBE\nid:3\ndestination:/queue/a\n\n"), ["form a: 1 2 3"], "both kinds are broadcast");
    assert_eq!(page.send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n"), ["form a: 2 3", "RECEIPT receipt-id:u"]);
    assert_eq!(page.send("UNSUBSCRIBE\nid:3\n\n"), ["form a: 2"]);
    assert_eq!(page.send("UNSUBSCRIBE\nid:2\nreceipt:u\n\n"), ["form a: none", "3: unsubscribe a"]);
    assert_eq!(page.answer(3, Reply::Unsubscribe), ["RECEIPT receipt-id:u"]);
    assert_eq!(page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\n\n"), ["4: subscribe a for 2"], "the id is free again");
}

#[test]
fn an_unknown_subscription_can_be_ended() {
    assert_eq!(Page::alice().send("UNSUBSCRIBE\nid:9\nreceipt:u\n\n"), ["RECEIPT receipt-id:u"]);
}

#[test]
fn stomp_1_0_names_subscriptions_by_their_destination() {
    let mut page = Page::connected(Version::V1_0);
    assert_eq!(page.send("SUBSCRIBE\ndestination:/topic/a\n\n"), ["2: subscribe a for /topic/a"]);
    page.answer(2, subscribed());
    assert_eq!(page.send("UNSUBSCRIBE\ndestination:/topic/a\n\n"), ["form a: none", "3: unsubscribe a"]);
    let mut page = Page::connected(Version::V1_0).subscribed("7", "/topic/a", 2);
    assert_eq!(page.send("UNSUBSCRIBE\ndestination:/topic/a\n\n"), ["form a: none", "3: unsubscribe a"]);
}

#[test]
fn a_client_resumes_where_it_stopped() {
    let mut page = Page::alice();
    let frame = "SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:abcd1234-5\nreceipt:r\n\n";
    assert_eq!(page.send(frame), ["2: subscribe a from abcd1234-5 for 1"]);
    let message = |offset: u64| {
        let id = format!("message-id:abcd1234-{offset} x-position:abcd1234-{offset}");
        format!("MESSAGE subscription:1 destination:/topic/a {id} content-type:application/json | {{}}")
    };
    assert_eq!(
        page.answer(2, recovered_from(5, Recovery::Recovered, &[6, 7])),
        ["RECEIPT receipt-id:r x-position:abcd1234-5".into(), message(6), message(7)]
    );
}

#[test]
fn a_client_that_asked_for_more_than_is_kept_is_notified() {
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:abcd1234-5\n\n");
    let gap = "MESSAGE subscription:1 destination:/topic/a message-id:c-1 x-gap:true x-position:abcd1234-7";
    assert_eq!(page.answer(2, recovered(Recovery::Lost, &[])), [gap]);
    let mut page = Page::alice();
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:\n\n"), ["2: subscribe a for 1"], "from now");
    assert_eq!(page.answer(2, recovered(Recovery::NotRequested, &[])), NOTHING);
}

/// Subscribes twice: `1` with this form of SUBSCRIBE, and `2` from offset 5. Returns the page with the second SUBSCRIBE under way.
fn going_back(left_at: Option<Position>) -> Page {
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-position:\n\n");
    page.answer(2, recovered(Recovery::NotRequested, &[]));
    let lines = page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\nx-position:abcd1234-5\nreceipt:r\n\n");
    assert_eq!(lines, ["3: unsubscribe a"], "the connection joins the channel again");
    assert!(!page.translator.wants_input(), "frames wait");
    page.translator.left(&channel("a"), left_at);
    page
}

#[test]
fn a_further_subscription_may_begin_earlier_and_nobody_gets_anything_twice() {
    let mut page = going_back(Some(position(7)));
    assert_eq!(page.answer(3, Reply::Unsubscribe), ["4: subscribe a from abcd1234-5 for 1 after 7 2"]);
    let lines = page.answer(4, recovered_from(5, Recovery::Recovered, &[6, 7, 8]));
    let begins: Vec<_> = lines.iter().map(|line| line.split(" content-type").next().unwrap_or_default()).collect();
    let message = |id: u64, offset: u64| {
        format!("MESSAGE subscription:{id} destination:/topic/a message-id:abcd1234-{offset} x-position:abcd1234-{offset}")
    };
    let expected = ["RECEIPT receipt-id:r x-position:abcd1234-5".to_owned(), message(2, 6), message(2, 7), message(1, 8), message(2, 8)];
    assert_eq!(begins, expected);
    assert!(page.translator.wants_input());
}

#[test]
fn a_further_subscription_that_begins_later_waits_for_its_position() {
    let mut page = going_back(Some(position(3)));
    assert_eq!(page.answer(3, Reply::Unsubscribe), ["4: subscribe a from abcd1234-3 for 1 2 after 5"]);
    let lines = page.answer(4, recovered_from(3, Recovery::Recovered, &[4, 5]));
    assert_eq!(lines[0], "RECEIPT receipt-id:r x-position:abcd1234-5");
    assert!(lines.len() == 3 && lines[1..].iter().all(|line| line.starts_with("MESSAGE subscription:1 ")), "{lines:?}");
}

fn gap(subscription: u64, message: u64, offset: u64) -> String {
    format!("MESSAGE subscription:{subscription} destination:/topic/a message-id:c-{message} x-gap:true x-position:abcd1234-{offset}")
}

#[test]
fn a_further_subscription_whose_past_is_gone_is_notified_and_the_others_go_on() {
    let mut page = going_back(Some(position(7)));
    page.answer(3, Reply::Unsubscribe);
    let lines = page.answer(4, recovered(Recovery::Lost, &[]));
    assert_eq!(lines, ["RECEIPT receipt-id:r x-position:abcd1234-7".to_owned(), gap(2, 1, 7)], "nothing came meanwhile");

    let mut page = going_back(Some(position(7)));
    page.answer(3, Reply::Unsubscribe);
    let lines = page.answer(4, recovered_from(6, Recovery::Lost, &[]));
    assert_eq!(
        lines,
        ["RECEIPT receipt-id:r x-position:abcd1234-6".to_owned(), gap(2, 1, 6)],
        "replay: 2 gets what is left, 1 what it lacks"
    );
}

#[test]
fn when_the_past_of_a_further_subscription_is_gone_the_others_miss_nothing_that_came_meanwhile() {
    for (recovery, untold) in [(Recovery::Recovered, false), (Recovery::Lost, true)] {
        let mut page = going_back(Some(position(6)));
        page.answer(3, Reply::Unsubscribe);
        assert_eq!(page.answer(4, recovered(Recovery::Lost, &[])), ["form a: none", "5: unsubscribe a"]);
        page.translator.left(&channel("a"), Some(position(7)));
        assert_eq!(page.answer(5, Reply::Unsubscribe), ["6: subscribe a from abcd1234-6 for 1 2"], "from where 1 was");
        let begin = if untold { 7 } else { 6 };
        let lines = page.answer(6, recovered_from(begin, recovery, if untold { &[] } else { &[7] }));
        assert_eq!(lines[0], format!("RECEIPT receipt-id:r x-position:abcd1234-{begin}"));
        if untold {
            assert_eq!(lines[1..], [gap(1, 1, 7), gap(2, 2, 7)]);
        } else {
            assert_eq!(lines[1], gap(2, 1, 6));
            assert!(lines[2].starts_with("MESSAGE subscription:1 ") && lines[3].starts_with("MESSAGE subscription:2 "), "{lines:?}");
        }
        assert_eq!(page.send("SUBSCRIBE\nid:3\ndestination:/topic/a\n\n"), ["form a: 1 2 3"]);
    }
}

#[test]
fn a_position_that_the_channel_has_not_come_to_is_lost() {
    for from in ["abcd1234-99999999", "otherone-8"] {
        let mut page = Page::alice();
        page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
        page.answer(2, recovered(Recovery::NotRequested, &[]));
        assert_eq!(page.send(&format!("SUBSCRIBE\nid:2\ndestination:/topic/a\nx-position:{from}\n\n")), ["3: unsubscribe a"]);
        page.translator.left(&channel("a"), Some(position(7)));
        assert!(page.answer(3, Reply::Unsubscribe)[0].starts_with("4: subscribe a from abcd1234-7 for 1 2 after "), "{from}");
        assert_eq!(page.answer(4, recovered(Recovery::Recovered, &[8])), ["form a: none", "5: unsubscribe a"]);
        assert_eq!(page.answer(5, Reply::Unsubscribe), ["6: subscribe a from abcd1234-7 for 1 2"]);
        let lines = page.answer(6, recovered(Recovery::Recovered, &[8]));
        assert_eq!(lines[0], gap(2, 1, 7));
        assert_eq!(lines.len(), 3, "both get what follows: {lines:?}");
    }
}

#[test]
fn if_nobody_knows_what_the_others_have_all_go_on_from_now() {
    let mut page = going_back(None);
    assert_eq!(page.answer(3, Reply::Unsubscribe), ["4: subscribe a for 1 2"]);
    assert_eq!(page.answer(4, recovered(Recovery::NotRequested, &[]))[1..], [gap(1, 1, 7), gap(2, 2, 7)]);
}

#[test]
fn a_further_subscription_that_is_refused_leaves_no_trace() {
    let mut page = going_back(Some(position(7)));
    page.answer(3, Reply::Unsubscribe);
    let lines = page.answer(4, refused(ErrorCode::PermissionDenied, "No."));
    assert!(lines[0].starts_with("ERROR") && lines[0].contains("receipt-id:r") && lines[1].starts_with("close 1002"), "{lines:?}");
}

#[test]
fn a_channel_without_history_has_no_positions_to_go_back_to() {
    let mut page = Page::alice();
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/b\nx-position:abcd1234-5\n\n");
    assert_eq!(page.answer(2, subscribed()), ["MESSAGE subscription:1 destination:/topic/b message-id:c-1 x-gap:true"]);
    let mut page = Page::alice().subscribed("1", "/topic/a", 2);
    let lines = page.send("SUBSCRIBE\nid:2\ndestination:/topic/a\nx-position:abcd1234-5\n\n");
    assert_eq!(lines, ["form a: 1 2", "MESSAGE subscription:2 destination:/topic/a message-id:c-1 x-gap:true"]);
}

#[test]
fn queues_of_a_user_share_the_personal_channel() {
    let mut page = Page::alice();
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/user/queue/a\n\n"), ["2: subscribe #alice for 1"]);
    let missed = Subscribed {
        recovery: Recovery::Recovered,
        publications: vec![publication(1, &[("queue", "b")]), publication(2, &[("queue", "a"), ("k", "v")]), publication(3, &[])],
        ..Subscribed::default()
    };
    let message = "MESSAGE subscription:1 destination:/user/queue/a message-id:abcd1234-2 x-position:abcd1234-2 k:v";
    assert_eq!(page.answer(2, Reply::Subscribe(Box::new(missed))), [format!("{message} content-type:application/json | {{}}")]);
    assert_eq!(page.send("SUBSCRIBE\nid:2\ndestination:/user/queue/b%2Fc\n\n"), ["form #alice: 1 2"]);
    let hint = |queue: Option<&str>| Push::Message { data: data("[1]"), queue: queue.map(Into::into) };
    let message = "MESSAGE subscription:2 destination:/user/queue/b%2Fc message-id:c-1 content-type:application/json | [1]";
    assert_eq!(page.push(hint(Some("b/c"))), [message]);
    assert_eq!(page.push(hint(Some("z"))), ["undelivered"]);
    assert_eq!(page.push(hint(None)), ["undelivered"]);
}

#[test]
fn an_anonymous_client_gets_only_direct_messages_from_its_queues() {
    let mut page = Page::connected(Version::V1_2);
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/user/queue/a\nack:client\nreceipt:r\n\n"), ["RECEIPT receipt-id:r"]);
    let message = "MESSAGE subscription:1 destination:/user/queue/a ack:c-1 message-id:c-1 content-type:application/json | 1";
    assert_eq!(page.push(Push::Message { data: data("1"), queue: Some("a".into()) }), [message]);
    let gap = "MESSAGE subscription:2 destination:/user/queue/b message-id:c-2 x-gap:true";
    assert_eq!(page.send("SUBSCRIBE\nid:2\ndestination:/user/queue/b\nx-position:abcd1234-5\n\n"), [gap]);
    assert_eq!(page.send("UNSUBSCRIBE\nid:1\nreceipt:u\n\n"), ["RECEIPT receipt-id:u"]);
    assert_eq!(page.push(Push::Message { data: data("1"), queue: Some("a".into()) }), ["undelivered"]);
}

#[test]
fn a_refused_subscribe_leaves_nothing() {
    let mut page = Page::with(|config| {
        let mut rule = DestinationRule::new("/try/", Target::Channel { namespace: Some("chat".into()) });
        rule.after_refusal = AfterRefusal::Stay;
        config.destinations = DestinationTable::new(vec![rule]).expect("valid");
    })
    .sign_in("alice", CONNECT)
    .0;
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/try/a\nreceipt:r\n\n"), ["2: subscribe chat:a for 1"]);
    let error = "ERROR receipt-id:r message:No. content-type:text/plain code:103 retryable:false | No.";
    let lines = page.answer(2, refused(ErrorCode::PermissionDenied, "No."));
    assert!(lines.len() == 1 && lines[0].contains("code:103") && lines[0].contains("receipt-id:r"), "{lines:?} {error}");
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/try/a\n\n"), ["3: subscribe chat:a for 1"]);
}

#[test]
fn destinations_that_no_row_has_are_refused_or_ignored_by_policy() {
    let frames = ["SUBSCRIBE\nid:1\ndestination:/other/a\nreceipt:r\n\n", "SEND\ndestination:/other/a\nreceipt:r\n\n"];
    for frame in frames {
        let lines = Page::alice().send(frame);
        assert!(lines[0].contains("code:104") && lines[1].starts_with("close 1002"), "{lines:?}");
        let mut page = Page::with(|config| config.unknown_destination = UnknownDestination::Ignore).sign_in("alice", CONNECT).0;
        assert_eq!(page.send(frame), ["RECEIPT receipt-id:r"]);
    }
    let mut page = Page::with(|config| config.unknown_destination = UnknownDestination::Ignore).sign_in("alice", CONNECT).0;
    for destination in ["/other/*", "/temp-queue/a", "/user/bob/queue/a"] {
        assert_eq!(page.send(&format!("SUBSCRIBE\nid:1\ndestination:{destination}\nreceipt:r\n\n")), ["RECEIPT receipt-id:r"]);
    }
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/app/s/find?x=*\n\n"), ["2: call s.find?x=* null"], "a call is no pattern");
}

#[test]
fn what_is_not_offered_follows_the_row() {
    let mut rule = DestinationRule::new("/topic/", Target::Channel { namespace: None });
    rule.after_refusal = AfterRefusal::Stay;
    let table = DestinationTable::new(vec![rule]).expect("valid");
    let mut page = Page::with(|config| config.destinations = table).sign_in("alice", CONNECT).0;
    for frame in ["SUBSCRIBE\nid:1\ndestination:/topic/*\n\n", "SUBSCRIBE\nid:1\ndestination:/topic/a\nselector:x\n\n"] {
        let lines = page.send(frame);
        assert!(lines.len() == 1 && lines[0].starts_with("ERROR"), "{lines:?}");
    }
}
