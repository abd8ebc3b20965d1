use super::*;

const SEND: &str = "SEND\ntransaction:t\ndestination:/topic/a\n\n";

#[test]
fn frames_of_a_transaction_are_applied_in_order_at_the_commit() {
    let mut page = Page::alice();
    assert_eq!(page.send("BEGIN\ntransaction:t\nreceipt:b\n\n"), ["RECEIPT receipt-id:b"]);
    assert_eq!(page.send("SEND\ntransaction:t\ndestination:/topic/a\nreceipt:s\nk:v\n\n1"), ["RECEIPT receipt-id:s"]);
    assert_eq!(page.send(&format!("{SEND}2")), NOTHING);
    assert_eq!(page.send("ACK\ntransaction:t\nid:x\n\n"), NOTHING);
    let commit = "COMMIT\ntransaction:t\nreceipt:c\n\n\0SEND\ndestination:/topic/a\n\n3";
    assert_eq!(page.send(commit), ["2: publish a text 1 k=v", "3: publish a text 2"]);
    assert_eq!(page.answer(3, Reply::Publish), NOTHING);
    assert_eq!(page.answer(2, Reply::Publish), ["RECEIPT receipt-id:c", "4: publish a text 3"]);
    assert_eq!(page.send("BEGIN\ntransaction:t\n\n"), NOTHING, "the name is free again");
}

#[test]
fn an_aborted_transaction_leaves_nothing() {
    let mut page = Page::alice();
    page.send("BEGIN\ntransaction:t\n\n");
    page.send(&format!("{SEND}1"));
    assert_eq!(page.send("ABORT\ntransaction:t\nreceipt:a\n\n"), ["RECEIPT receipt-id:a"]);
    page.send("BEGIN\ntransaction:t\n\n");
    assert_eq!(page.send("COMMIT\ntransaction:t\nreceipt:c\n\n"), ["RECEIPT receipt-id:c"]);
    page.send("BEGIN\ntransaction:t\n\n");
    page.send(&format!("{SEND}1"));
    assert_eq!(page.send("DISCONNECT\nreceipt:d\n\n"), ["RECEIPT receipt-id:d", "close 1000 "]);
}

#[test]
fn a_commit_sends_no_more_than_may_be_in_flight() {
    let mut page = Page::alice();
    page.send("BEGIN\ntransaction:t\n\n");
    (1..=6).for_each(|number| assert_eq!(page.send(&format!("{SEND}{number}")), NOTHING));
    assert_eq!(page.send("COMMIT\ntransaction:t\nreceipt:c\n\n").len(), 4);
    assert_eq!(page.answer(2, Reply::Publish), ["6: publish a text 5"]);
    assert_eq!(page.answer(3, Reply::Publish), ["7: publish a text 6"]);
    for id in [4, 5, 6] {
        assert_eq!(page.answer(id, Reply::Publish), NOTHING);
    }
    assert!(!page.translator.wants_input());
    assert_eq!(page.answer(7, Reply::Publish), ["RECEIPT receipt-id:c"]);
}

#[test]
fn a_commit_ends_at_the_first_refused_frame_and_says_so_once() {
    let mut page = Page::alice().subscribed("e", "/user/queue/errors", 2);
    page.send("BEGIN\ntransaction:t\n\n");
    for _ in 0..6 {
        page.send("SEND\ntransaction:t\ndestination:/app/chat/say\n\n{}");
    }
    assert_eq!(page.send("COMMIT\ntransaction:t\nreceipt:c\n\n").len(), 4);
    let lines = page.answer(3, refused(ErrorCode::Overloaded, "Full."));
    assert!(lines.len() == 1 && lines[0].contains("receipt-id:c") && lines[0].contains("Other frames of the transaction may"), "{lines:?}");
    for id in [4, 5] {
        assert_eq!(page.answer(id, Reply::Rpc(data("1"))), ["undelivered"]);
    }
    assert!(!page.translator.wants_input());
    let lines = page.answer(6, refused(ErrorCode::Overloaded, "Full."));
    assert!(lines.len() == 1 && !lines[0].contains("receipt-id"), "{lines:?}");
    assert!(page.translator.wants_input());
}

#[test]
fn a_reply_that_is_published_belongs_to_the_commit() {
    let mut page = Page::with(|config| {
        let call = CallTarget { service: None, method: None, reply: Some("/topic/{method}".into()) };
        let rules =
            vec![DestinationRule::new("/app/", Target::Call(call)), DestinationRule::new("/topic/", Target::Channel { namespace: None })];
        config.destinations = DestinationTable::new(rules).expect("valid");
    })
    .sign_in("alice", CONNECT)
    .0;
    page.send("BEGIN\ntransaction:t\n\n");
    page.send("SEND\ntransaction:t\ndestination:/app/chat/say\n\n{}");
    assert_eq!(page.send("COMMIT\ntransaction:t\nreceipt:c\n\n"), ["2: call chat.say {}"]);
    assert_eq!(page.answer(2, Reply::Rpc(data("1"))), ["3: reply say JSON 1"]);
    assert_eq!(page.answer(3, Reply::Publish), ["RECEIPT receipt-id:c"]);
}

#[test]
fn transactions_are_bounded() {
    let mut page = Page::alice();
    page.send("BEGIN\ntransaction:t\n\n");
    page.send("BEGIN\ntransaction:u\n\n");
    let lines = page.send("BEGIN\ntransaction:v\n\n");
    assert!(lines[0].contains("code:106") && lines[0].contains("(stomp.transactions)"), "{lines:?}");

    let mut page = Page::alice();
    page.send("BEGIN\ntransaction:t\n\n");
    (0..6).for_each(|_| assert_eq!(page.send("ACK\ntransaction:t\nid:x\n\n"), NOTHING));
    let lines = page.send(&format!("{SEND}7"));
    assert!(lines[0].contains("(stomp.transaction_frames)"), "{lines:?}");

    let mut page = Page::alice();
    page.send("BEGIN\ntransaction:t\n\n");
    page.send("BEGIN\ntransaction:u\n\n");
    assert_eq!(page.send(&format!("{SEND}{}", "x".repeat(1800))), NOTHING);
    let lines = page.send(&format!("SEND\ntransaction:u\ndestination:/topic/a\n\n{}", "x".repeat(1800)));
    assert!(lines[0].contains("(stomp.transaction_bytes)"), "{lines:?}");
}

#[test]
fn a_commit_goes_on_after_whatever_was_in_flight() {
    let mut page = Page::with(|config| config.max_in_flight = 1).sign_in("alice", CONNECT).0;
    for (id, command) in [("a", 2), ("b", 3)] {
        page = page.subscribed(id, &format!("/topic/{id}"), command);
    }
    page.send("BEGIN\ntransaction:t\n\n");
    (1..=2).for_each(|number| assert_eq!(page.send(&format!("{SEND}{number}")), NOTHING));
    assert_eq!(page.send("COMMIT\ntransaction:t\nreceipt:c\n\n"), ["4: publish a text 1"]);
    for (name, command) in [("a", 5), ("b", 6)] {
        let lost = Push::Unsubscribe(channel(name), Unsubscribe::InsufficientState);
        assert_eq!(page.push(lost), [format!("{command}: subscribe {name} for {name}")]);
    }
    assert_eq!(page.answer(4, Reply::Publish), NOTHING, "no room");
    assert_eq!(page.answer(5, subscribed()), ["untold 1"]);
    assert_eq!(page.answer(6, subscribed()), ["untold 1", "7: publish a text 2"]);
    assert_eq!(page.answer(7, Reply::Publish), ["RECEIPT receipt-id:c"]);
    assert!(page.translator.wants_input());
}
