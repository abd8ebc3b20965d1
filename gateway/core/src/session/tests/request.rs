use super::*;

#[test]
fn publish_needs_the_grant() {
    let publish = |channel: &str| format!(r#"{{"id":5,"publish":{{"channel":"{channel}","data":{{"a": 1}}}}}}"#);
    let mut it = TestSession::anonymous();
    for (channel, code) in [("chat:a", 103), ("vip:a", 103), ("closed:a", 103), ("#alice", 103), ("nowhere:a", 102), ("a b", 107)] {
        assert_eq!(errors(&it.send(&publish(channel))), [(5, code)], "{channel}");
    }
    assert_eq!(it.send(&publish("open:a")), [r#"start 2: publish open:a {"a":1}"#]);
    assert_eq!(it.complete(2, Outcome::Published), [r#"{"id":5,"publish":{}}"#]);
    let mut it = it.subscribed("chat:a", 3);
    assert_eq!(it.send(&publish("chat:a")), [r#"start 4: publish chat:a {"a":1}"#]);
    assert_eq!(it.complete(4, failed(ErrorCode::OutcomeUnknown)), [error(5, ErrorCode::OutcomeUnknown)]);
    let mut it = TestSession::anonymous().subscribed_by_token("vip:a", 2, 60);
    assert_eq!(it.send(&publish("vip:a")), [r#"start 4: publish vip:a {"a":1}"#]);
}

#[test]
fn presence_needs_the_grant_and_the_feature() {
    for (command, op) in [("presence", "presence"), ("presence_stats", "presence stats")] {
        let ask = |channel: &str| format!(r#"{{"id":5,"{command}":{{"channel":"{channel}"}}}}"#);
        let mut it = TestSession::anonymous();
        for (channel, code) in [("chat:a", 103), ("open:a", 108), ("nowhere:a", 102), ("a b", 107)] {
            assert_eq!(errors(&it.send(&ask(channel))), [(5, code)], "{command} {channel}");
        }
        let mut it = it.subscribed("chat:a", 2);
        assert_eq!(it.send(&ask("chat:a")), [format!("start 3: {op} chat:a")]);
    }
    let mut it = TestSession::anonymous().subscribed("chat:a", 2);
    it.send("{\"id\":5,\"presence\":{\"channel\":\"chat:a\"}}\n{\"id\":6,\"presence_stats\":{\"channel\":\"chat:a\"}}");
    let who = it.complete(3, Outcome::Presence(Vec::new()));
    assert_eq!(who, [r#"{"id":5,"presence":{"presence":{}}}"#, "start 4: presence stats chat:a"]);
    let stats = crate::model::PresenceStats { clients: 2, users: 1 };
    assert_eq!(it.complete(4, Outcome::PresenceStats(stats)), [r#"{"id":6,"presence_stats":{"num_clients":2,"num_users":1}}"#]);
}

#[test]
fn history_needs_the_grant_and_the_feature_and_is_limited() {
    let ask = |fields: &str| format!(r#"{{"id":5,"history":{{{fields}}}}}"#);
    let mut it = TestSession::alice();
    for (channel, code) in [("closed:a", 103), ("open:a", 108), ("nowhere:a", 102), ("a b", 107), ("#bob", 103)] {
        assert_eq!(errors(&it.send(&ask(&format!(r#""channel":"{channel}""#)))), [(5, code)], "{channel}");
    }
    for (fields, started) in [
        (r#""channel":"chat:a""#, "history chat:a None 0 false"),
        (r#""channel":"chat:a","limit":7,"reverse":true"#, "history chat:a None 7 true"),
        (r#""channel":"chat:a","limit":1000"#, "history chat:a None 100 false"),
        (r#""channel":"chat:a","limit":-1"#, "history chat:a None 100 false"),
        (r##""channel":"#alice","limit":1"##, "history #alice None 1 false"),
    ] {
        assert_eq!(TestSession::alice().send(&ask(fields)), [format!("start 4: {started}")]);
    }
    let since = it.send(&ask(r#""channel":"chat:a","limit":1,"since":{"offset":4,"epoch":"e"}"#));
    assert_eq!(since, [r#"start 4: history chat:a Some(RecoverFrom { epoch: "e", offset: 4 }) 1 false"#]);
    let page = it.complete(4, Outcome::History { position: position(9), publications: vec![publication(5)] });
    assert_eq!(page, [r#"{"id":5,"history":{"publications":[{"data":1,"offset":5}],"epoch":"abcd1234","offset":9}}"#]);
}

#[test]
fn a_call_is_answered_with_the_reply_or_error_of_the_service() {
    let mut it = TestSession::anonymous();
    let calls = it.send("{\"id\":5,\"rpc\":{\"method\":\"bot.say\",\"data\":[1]}}\n{\"id\":6,\"rpc\":{\"method\":\"bot:x\"}}");
    assert_eq!(calls, ["start 2: call bot.say [1]", "start 3: call bot:x null"]);
    assert_eq!(it.complete(3, called("{}")), [r#"{"id":6,"rpc":{"data":{}}}"#], "replies may be out of order");
    let own = Outcome::CallFailed { code: 404, message: "no room".into(), temporary: true };
    assert_eq!(it.complete(2, own), [r#"{"id":5,"error":{"code":404,"message":"no room","temporary":true}}"#]);
    assert_eq!(it.complete(2, Outcome::Sent), Vec::<String>::new(), "the call already has a reply");
    it.send(r#"{"id":7,"rpc":{"method":"bot.say"}}"#);
    assert_eq!(it.complete(4, failed(ErrorCode::Overloaded)), [error(7, ErrorCode::Overloaded)]);
    it.send(r#"{"id":8,"rpc":{"method":"bot.say"}}"#);
    assert_eq!(it.complete(5, attached(0)), [error(8, ErrorCode::Internal)], "the outcome does not belong to this kind of operation");
}

#[test]
fn an_event_has_no_reply() {
    let mut it = TestSession::anonymous();
    assert_eq!(it.send(r#"{"send":{"data":{"service":"bot","data":{"x": 1}}}}"#), [r#"start 2: event bot {"x":1}"#]);
    assert_eq!(it.complete(2, Outcome::Sent), Vec::<String>::new());
    assert_eq!(it.send(r#"{"send":{"data":{"service":"bot"}}}"#), ["start 3: event bot null"]);
    assert_eq!(it.complete(3, failed(ErrorCode::Overloaded)), Vec::<String>::new());
}

#[test]
fn a_malformed_send_closes_the_connection() {
    for (body, why) in [
        ("null", "invalid type: null, expected an object"),
        ("5", "invalid type: integer `5`, expected an object"),
        ("{}", "missing field `service`"),
        (r#"["bot",1]"#, "invalid type: sequence, expected an object"),
        (r#"{"service":7}"#, "service: invalid type: integer `7`, expected a string"),
        (r#"{"data":1}"#, "missing field `service`"),
    ] {
        let closed = TestSession::anonymous().send(&format!(r#"{{"send":{{"data":{body}}}}}"#));
        assert_eq!(closed, [format!("close 3501 send takes {{\"service\": …, \"data\": …}}: {why}")]);
    }
    let deep = "[".repeat(65) + &"]".repeat(65);
    let closed = TestSession::anonymous().send(&format!(r#"{{"send":{{"data":{deep}}}}}"#));
    assert_eq!(closed, ["close 3501 data is nested deeper than 64 levels"]);
}

#[test]
fn a_command_that_the_decoder_refuses_is_answered() {
    let deep = "[".repeat(65) + &"]".repeat(65);
    let mut it = TestSession::anonymous();
    assert_eq!(errors(&it.send(&format!(r#"{{"id":5,"rpc":{{"data":{deep}}}}}"#))), [(5, 107)]);
    assert_eq!(errors(&it.send(r#"{"id":6,"subscribe":{"channel":"chat:a","type":4}}"#)), [(6, 108)]);
    assert_eq!(it.send(r#"{"id":7,"ping":{}}"#), [r#"{"id":7,"ping":{}}"#]);
}
