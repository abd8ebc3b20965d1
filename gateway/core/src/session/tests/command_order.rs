use super::*;

// NL-0.3
#[test]
fn commands_on_one_channel_run_in_order() {
    let mut it = TestSession::anonymous();
    let publish = |id: u32, channel: &str| format!(r#"{{"id":{id},"publish":{{"channel":"{channel}","data":{id}}}}}"#);
    let message = [publish(1, "open:a"), publish(2, "open:a"), publish(3, "open:b"), publish(4, "open:a")].join("\n");
    assert_eq!(it.send(&message), ["start 2: publish open:a 1", "start 3: publish open:b 3"]);
    assert_eq!(it.complete(3, Outcome::Published), [r#"{"id":3,"publish":{}}"#], "commands on other channels do not wait");
    assert_eq!(it.complete(2, Outcome::Published), [r#"{"id":1,"publish":{}}"#, "start 4: publish open:a 2"]);
    assert_eq!(it.complete(4, failed(ErrorCode::Internal)), [error(2, ErrorCode::Internal), "start 5: publish open:a 4".into()]);
    assert_eq!(it.complete(5, Outcome::Published), [r#"{"id":4,"publish":{}}"#]);
}

#[test]
fn a_publish_waits_for_the_subscribe_before_it() {
    let mut it = TestSession::anonymous();
    it.send("{\"id\":5,\"subscribe\":{\"channel\":\"chat:a\"}}\n{\"id\":6,\"publish\":{\"channel\":\"chat:a\",\"data\":null}}");
    let lines = it.complete(2, attached(0));
    assert_eq!(lines[1..], ["go live chat:a", "start 3: publish chat:a null"]);
}

#[test]
fn a_publish_between_subscribe_and_unsubscribe_is_answered_in_order() {
    let mut it = TestSession::anonymous();
    it.send("{\"id\":5,\"subscribe\":{\"channel\":\"chat:a\"}}\n{\"id\":6,\"publish\":{\"channel\":\"chat:a\",\"data\":null}}");
    let lines = it.send(r#"{"id":7,"unsubscribe":{"channel":"chat:a"}}"#);
    assert_eq!(errors(&lines), [(5, 107), (6, 103)]);
    assert_eq!(lines.last().map(String::as_str), Some(r#"{"id":7,"unsubscribe":{}}"#));
}

#[test]
fn the_connection_is_not_read_while_too_many_operations_are_in_flight() {
    let mut it = TestSession::anonymous();
    let call = |id: u32| format!(r#"{{"id":{id},"rpc":{{"method":"m"}}}}"#);
    for id in 1..=3 {
        assert!(it.session.wants_input());
        assert_eq!(it.send(&call(id)), [format!("start {}: call m null", id + 1)]);
    }
    assert!(!it.session.wants_input());
    for id in 4..=7 {
        assert_eq!(it.send(&call(id)), Vec::<String>::new(), "further commands of a message wait");
    }
    assert_eq!(it.send(&call(8)), [error(8, ErrorCode::TooManyRequests)]);
    assert_eq!(
        it.complete(3, called("0")),
        [r#"{"id":2,"rpc":{"data":0}}"#, "start 5: call m null"],
        "the oldest waiting command runs first"
    );
    assert!(!it.session.wants_input());
}

#[test]
fn an_excess_event_closes_the_connection() {
    let mut it = TestSession::anonymous();
    for _ in 0..7 {
        it.send(r#"{"send":{"data":{"service":"s"}}}"#);
    }
    assert_eq!(it.send(r#"{"send":{"data":{"service":"s"}}}"#), ["close 3013 too many requests"]);
}

#[test]
fn a_client_may_subscribe_to_all_its_channels_in_one_message() {
    let mut it = TestSession::anonymous();
    let message: Vec<_> = ["a", "b", "c", "d"].iter().map(|c| format!(r#"{{"id":5,"subscribe":{{"channel":"open:{c}"}}}}"#)).collect();
    assert_eq!(it.send(&message.join("\n")), ["start 2: attach open:a", "start 3: attach open:b", "start 4: attach open:c"]);
    assert_eq!(it.complete(3, attached(0))[1..], ["go live open:b", "start 5: attach open:d"]);
}

#[test]
fn a_waiting_subscribe_is_superseded_by_a_later_one() {
    let mut it = TestSession::with(|config| config.max_in_flight = 1).connected(None);
    it.send(r#"{"id":4,"rpc":{"method":"m"}}"#);
    let subscribe = |id: u32| format!(r#"{{"id":{id},"subscribe":{{"channel":"open:a"}}}}"#);
    assert_eq!(it.send(&[subscribe(5), subscribe(6)].join("\n")), Vec::<String>::new());
    let lines = it.complete(2, called("0"));
    assert_eq!(errors(&lines), [(5, 107)]);
    assert_eq!(lines[2..], ["start 3: attach open:a"]);
}

/// A session that may send so many commands at once, and one per second.
fn with_burst(commands: u64) -> TestSession {
    TestSession::with(|config| config.rates.commands = Rate::new(1, commands)).connected(Some(""))
}

/// What command 5 gets because of this limit.
fn limited(limit: &str) -> [String; 2] {
    [format!("limited {limit}"), error(5, ErrorCode::TooManyRequests)]
}

#[test]
fn commands_above_the_rate_are_refused_and_whoever_goes_on_is_closed() {
    let mut it = with_burst(3);
    let ping = r#"{"id":5,"ping":{}}"#;
    for _ in 0..3 {
        assert_eq!(it.send(ping), [r#"{"id":5,"ping":{}}"#]);
    }
    for _ in 0..3 {
        assert_eq!(it.send(ping), limited("connection_commands"));
    }
    assert_eq!(it.send(ping), ["limited connection_commands", "close 3013 too many requests"]);
    assert_eq!(it.send(ping), Vec::<String>::new());
}

#[test]
fn whoever_slows_down_is_served_again() {
    let mut it = with_burst(2);
    for _ in 0..2 {
        it.send(r#"{"id":4,"ping":{}}"#);
    }
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), limited("connection_commands"));
    it.advance(2);
    assert_eq!(it.send(r#"{"id":6,"ping":{}}"#), [r#"{"id":6,"ping":{}}"#]);
}

#[test]
fn pongs_and_unsubscribes_cost_and_are_not_refused() {
    let mut it = with_burst(2);
    for _ in 0..4 {
        assert_eq!(it.send(r#"{"id":5,"unsubscribe":{"channel":"open:a"}}"#), [r#"{"id":5,"unsubscribe":{}}"#]);
    }
    assert_eq!(it.send("{}"), ["limited connection_commands", "close 3013 too many requests"]);
}

#[test]
fn an_event_above_the_rate_cannot_be_refused() {
    let mut it = with_burst(1);
    it.send(r#"{"id":5,"ping":{}}"#);
    assert_eq!(it.send(r#"{"send":{"data":{"service":"s"}}}"#), ["limited connection_commands", "close 3013 too many requests"]);
}

#[test]
fn entries_of_answers_cost() {
    let mut it = with_burst(10).subscribed("chat:a", 2);
    it.send(r#"{"id":4,"history":{"channel":"chat:a","limit":100}}"#);
    let page = (0..1000).map(publication).collect();
    it.complete(3, Outcome::History { position: position(1000), publications: page });
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), limited("connection_commands"));
}

#[test]
fn commands_of_a_connect_that_is_under_way_cost() {
    let mut it = TestSession::with(|config| config.rates.commands = Rate::new(1, 1));
    it.send(r#"{"id":1,"connect":{}}"#);
    it.send(r#"{"id":2,"ping":{}}"#);
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), limited("connection_commands"));
    let opened = it.complete(1, identity(""));
    assert_eq!(opened.last().map(String::as_str), Some(r#"{"id":2,"ping":{}}"#));
}

#[test]
fn bytes_above_the_rate_refuse_the_commands_in_them() {
    let mut it = TestSession::with(|config| config.rates.bytes = Rate::new(100, 20_000)).connected(Some(""));
    let now = it.now;
    assert_eq!(it.session.received(now, 20_000, 0), None);
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), [r#"{"id":5,"ping":{}}"#]);
    assert_eq!(it.session.received(now, 1, 0), None);
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), limited("connection_bytes"));
    assert_eq!(it.session.received(now, 20_000, 0), Some(Limit::ConnectionBytes));
}

#[test]
fn a_few_bytes_wait_for_the_next_command_and_many_do_not() {
    let connected = || TestSession::with(|config| config.rates.bytes = Rate::new(1, 20_000)).connected(Some(""));
    let mut it = connected();
    for _ in 0..2 {
        assert_eq!(it.session.received(it.now, 10_000, 0), None);
    }
    assert_eq!(it.session.received(it.now, 1, 0), None);
    assert_eq!(it.send(r#"{"id":5,"ping":{}}"#), limited("connection_bytes"));
    let mut it = connected();
    let accepted = (0..100).take_while(|_| it.session.received(it.now, 1000, 0).is_none()).count();
    assert!((40..57).contains(&accepted), "two bursts, and less than 16 KiB that wait: {accepted}");
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 200, "{} bytes", size_of::<Session>());
    let subscription = size_of::<crate::session::state::subscriptions::Subscription>();
    assert!(subscription <= 64, "{subscription} bytes");
}
