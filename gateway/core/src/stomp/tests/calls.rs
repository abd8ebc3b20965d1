use super::*;

#[test]
fn the_reply_of_a_call_goes_to_the_queue_of_the_caller() {
    let mut page = Page::alice().subscribed("1", "/user/queue/chat/say", 2);
    let frame = "SEND\ndestination:/app/chat/say\ncorrelation-id:7\nreceipt:r\n\n{\"text\": \"hi\"}";
    assert_eq!(page.send(frame), ["3: call chat.say {\"text\":\"hi\"}"]);
    let message = "MESSAGE subscription:1 destination:/user/queue/chat/say message-id:c-1 correlation-id:7";
    let expected = [format!("{message} content-type:application/json | {{\"id\":1}}"), "RECEIPT receipt-id:r".into()];
    assert_eq!(page.answer(3, Reply::Rpc(data("{\"id\":1}"))), expected);
    assert_eq!(page.send("SEND\ndestination:/app/chat/rooms/1\n\n"), ["4: call chat.rooms/1 null"]);
    assert_eq!(page.answer(4, Reply::Rpc(data("1"))), ["undelivered"], "nobody subscribed to /user/queue/chat/rooms/1");
    assert_eq!(page.send("SEND\ndestination:/app/chat/say\ncontent-type:text/plain\n\nhi"), ["5: call chat.say \"hi\""]);
    assert_eq!(page.answer(5, Reply::Rpc(Data::null())), NOTHING, "a service without an answer");
}

fn page_with(prefix: &str, call: CallTarget) -> Page {
    let rules = vec![
        DestinationRule::new(prefix, Target::Call(call)),
        DestinationRule::new("/topic/", Target::Channel { namespace: Some("chat".into()) }),
        DestinationRule::new("/audit/", Target::Event { service: None }),
    ];
    let change = |config: &mut StompConfig| config.destinations = DestinationTable::new(rules).expect("valid");
    Page::with(change).sign_in("alice", CONNECT).0
}

#[test]
fn the_reply_of_a_call_may_be_a_publication() {
    let call = CallTarget { service: Some("greetings".parse().expect("valid")), method: None, reply: Some("/topic/{method}".into()) };
    let mut page = page_with("/app/", call);
    assert_eq!(page.send("SEND\ndestination:/app/hello\ncorrelation-id:7\nreceipt:r\n\n{}"), ["2: call greetings.hello {}"]);
    assert_eq!(page.answer(2, Reply::Rpc(data("{\"a\":1}"))), ["3: reply chat:hello JSON {\"a\":1} correlation-id=7"]);
    assert_eq!(page.answer(3, Reply::Publish), ["RECEIPT receipt-id:r"]);
}

#[test]
fn a_service_that_fails_costs_nobody_the_connection() {
    let failed = || Reply::CallFailed { code: 404, message: "No such room.".into(), temporary: false };
    let mut page = Page::alice();
    page.send("SEND\ndestination:/app/chat/say\nreceipt:r\n\n{}");
    assert_eq!(page.answer(2, failed()), ["undelivered"], "no subscription to /user/queue/errors");
    let mut page = page.subscribed("e", "/user/queue/errors", 3);
    page.send("SEND\ndestination:/app/chat/say\ncorrelation-id:7\nreceipt:r\n\n{}");
    let lines = page.answer(4, failed());
    let message = "MESSAGE subscription:e destination:/user/queue/errors message-id:c-2 message:No such room. receipt-id:r code:404";
    assert_eq!(lines, [format!("{message} retryable:false correlation-id:7 content-type:text/plain | No such room.")]);
    let lines = page.send_raw(b"SEND\ndestination:/app/chat/say\ncontent-type:application/octet-stream\n\nx\0");
    assert!(lines.len() == 1 && lines[0].starts_with("MESSAGE subscription:e ") && lines[0].contains("The body is bytes"), "{lines:?}");

    let call = CallTarget { service: None, method: None, reply: None };
    let rule = DestinationRule { after_refusal: AfterRefusal::Stay, ..DestinationRule::new("/app/", Target::Call(call)) };
    let table = DestinationTable::new(vec![rule]).expect("valid");
    let mut page = Page::with(|config| config.destinations = table).sign_in("alice", CONNECT).0;
    page.send("SEND\ndestination:/app/chat/say\ncorrelation-id:7\nreceipt:r\n\n{}");
    let lines = page.answer(2, failed());
    assert_eq!(lines.len(), 1);
    for part in ["message:No such room.", "receipt-id:r", "code:404", "retryable:false", "correlation-id:7", "ERROR", "| No such room."] {
        assert!(lines[0].contains(part), "{part}: {lines:?}");
    }
    let bytes = b"SEND\ndestination:/app/chat/say\ncontent-type:application/octet-stream\n\nx\0";
    let lines = page.send_raw(bytes);
    assert!(lines.len() == 1 && lines[0].contains("The body is bytes"), "{lines:?}");
    assert_eq!(page.send("SEND\ndestination:/app/chat/say\n\n{}"), ["3: call chat.say {}"]);
}

#[test]
fn a_subscribe_to_a_call_gets_one_message_and_does_not_block() {
    let mut page = Page::alice();
    assert_eq!(page.send("SUBSCRIBE\nid:1\ndestination:/app/chat/state\nreceipt:r\n\n"), ["2: call chat.state null"]);
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nhi"), ["3: publish a text hi"]);
    let message = "MESSAGE subscription:1 destination:/app/chat/state message-id:c-1 content-type:application/json | [1]";
    assert_eq!(page.answer(2, Reply::Rpc(data("[1]"))), [message, "RECEIPT receipt-id:r"]);
    assert_eq!(page.send("UNSUBSCRIBE\nid:1\n\n"), NOTHING);
    page.send("SUBSCRIBE\nid:1\ndestination:/app/chat/state\nreceipt:r\n\n\0UNSUBSCRIBE\nid:1\n\n");
    assert_eq!(page.answer(4, Reply::Rpc(data("[1]"))), ["RECEIPT receipt-id:r"], "nobody waits for the reply");
    let lines = page.send("SEND\ndestination:/app/chat/say\ncontent-type:\n\n{\"a\": 1}");
    assert_eq!(lines, ["5: call chat.say {\"a\":1}"], "an empty type says nothing");
}

#[test]
fn an_event_is_confirmed_when_the_service_has_it() {
    let call = CallTarget { service: Some("s".parse().expect("valid")), method: Some("m".into()), reply: None };
    let mut page = page_with("/app/one", call);
    let lines = page.send("SEND\ndestination:/audit/log\nreceipt:r\n\n[1]");
    assert_eq!(lines, ["2: event {\"service\":\"log\",\"data\":[1]}"]);
    assert_eq!(page.answer(2, Reply::Sent), ["RECEIPT receipt-id:r"]);
    assert_eq!(page.send("SEND\ndestination:/app/one\n\n1"), ["3: call s.m \"1\""]);
    assert_eq!(page.answer(3, Reply::Rpc(data("1"))), NOTHING, "the row says that nobody wants the reply");
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    let lines = page.send(&format!("SEND\ndestination:/audit/log\n\n{deep}"));
    assert!(lines[0].contains("nested deeper"), "{lines:?}");
}
