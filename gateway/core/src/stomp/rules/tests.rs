use super::*;
use crate::model::ErrorCode;

fn channel() -> Target {
    Target::Channel { namespace: None }
}

fn call(service: Option<&str>, method: Option<&str>, reply: Option<&str>) -> Target {
    let service = service.map(|name| name.parse().expect("valid"));
    Target::Call(CallTarget { service, method: method.map(Into::into), reply: reply.map(Into::into) })
}

fn show(table: &DestinationTable, destination: &str, wanted: Use) -> String {
    match table.resolve(destination, wanted) {
        Ok((Destination::Channel(channel), _)) => format!("channel {channel}"),
        Ok((Destination::UserQueue(queue), _)) => format!("queue {queue}"),
        Ok((Destination::Call(Call { method, reply }), _)) => format!("call {method} reply {}", reply.as_deref().unwrap_or("-")),
        Ok((Destination::Event(service), _)) => format!("event {service}"),
        Err(Unresolved::Unknown(refusal)) => format!("unknown {}", refusal.code),
        Err(Unresolved::Refused(refusal, _)) => format!("refused {}", refusal.code),
    }
}

#[test]
fn the_default_table_is_that_of_a_simple_broker() {
    let table = DestinationTable::default();
    for (destination, wanted, expected) in [
        ("/topic/a", Use::Send, "channel a"),
        ("/topic/chat:a/b.c", Use::Subscribe, "channel chat:a/b.c"),
        ("/queue/a", Use::Subscribe, "channel a"),
        ("/user/queue/a/b%2fc", Use::Subscribe, "queue a/b/c"),
        ("/user/queue/a", Use::Send, "refused permission_denied"),
        ("/app/chat/say", Use::Send, "call chat.say reply /user/queue/chat/say"),
        ("/app/chat/rooms/1", Use::Subscribe, "call chat.rooms/1 reply /user/queue/chat/rooms/1"),
        ("/app/chat", Use::Send, "refused bad_request"),
        ("/app/Chat/a", Use::Send, "refused bad_request"),
        ("/topic/", Use::Send, "refused bad_request"),
        ("/topic/#a", Use::Send, "refused bad_request"),
        ("/topic/ü", Use::Send, "refused bad_request"),
        ("/topic", Use::Send, "unknown not_found"),
        ("topic/a", Use::Send, "unknown not_found"),
        ("/user/alice/queue/a", Use::Send, "unknown not_available"),
        ("/exchange/a", Use::Subscribe, "unknown not_available"),
    ] {
        assert_eq!(show(&table, destination, wanted), expected, "{destination}");
    }
}

#[test]
fn the_longest_prefix_wins_and_a_row_with_a_method_is_for_one_destination() {
    let rules = vec![
        DestinationRule::new("/topic/", channel()),
        DestinationRule::new("/topic/chat/", Target::Channel { namespace: Some("chat".into()) }),
        DestinationRule::new("/app/", call(None, None, None)),
        DestinationRule::new("/app/hello", call(Some("app"), Some("greet"), Some("/topic/{service}/{method}"))),
        DestinationRule::new("/log/", Target::Event { service: None }),
        DestinationRule::new("/audit", Target::Event { service: Some("log".parse().expect("valid")) }),
    ];
    let table = DestinationTable::new(rules).expect("valid");
    for (destination, expected) in [
        ("/topic/a", "channel a"),
        ("/topic/chat/a", "channel chat:a"),
        ("/app/hello", "call app.greet reply /topic/app/greet"),
        ("/app/hello/you", "call hello.you reply -"),
        ("/log/a", "event a"),
        ("/log/a/b", "refused bad_request"),
        ("/audit", "event log"),
        ("/audit/a", "refused bad_request"),
    ] {
        assert_eq!(show(&table, destination, Use::Send), expected, "{destination}");
    }
}

#[test]
fn templates_put_names_in_unread() {
    let rules = vec![
        DestinationRule::new("/app/", call(None, None, Some("/topic/{method}/{service}"))),
        DestinationRule::new("/topic/", channel()),
    ];
    let table = DestinationTable::new(rules).expect("valid");
    assert_eq!(show(&table, "/app/s/{service}", Use::Send), "call s.{service} reply /topic/{service}/s");
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    let row = |prefix: &str, target: Target| DestinationRule::new(prefix, target);
    let topic = || row("/topic/", channel());
    let with = |mut rule: DestinationRule, change: fn(&mut DestinationRule)| {
        change(&mut rule);
        rule
    };
    for (rules, at, setting) in [
        (vec![topic(), topic()], 1, "prefix"),
        (vec![row("", channel())], 0, "prefix"),
        (vec![row("/a b", channel())], 0, "prefix"),
        (vec![row(&"/".repeat(256), channel())], 0, "prefix"),
        (vec![row("/a/", Target::Channel { namespace: Some("a:b".into()) })], 0, "namespace"),
        (vec![row("/a/", Target::Channel { namespace: Some("a b".into()) })], 0, "namespace"),
        (vec![row("/a/", Target::Channel { namespace: Some("".into()) })], 0, "namespace"),
        (vec![topic(), row("/app/", call(None, None, Some("/other/{method}")))], 1, "reply"),
        (vec![topic(), row("/app/", call(None, None, Some("/app/a/b")))], 1, "reply"),
        (vec![topic(), row("/app/", call(None, None, Some("/topic/a b")))], 1, "reply"),
        (vec![row("/app/", call(None, Some("m"), None))], 0, "method"),
        (vec![row("/app/", call(Some("s"), Some("m m"), None))], 0, "method"),
        (vec![with(topic(), |rule| (rule.send, rule.subscribe) = (false, false))], 0, "send"),
        (vec![with(row("/user/queue/", Target::UserQueue), |rule| rule.send = true)], 0, "send"),
        (vec![with(row("/log/", Target::Event { service: None }), |rule| rule.subscribe = true)], 0, "subscribe"),
    ] {
        let error = DestinationTable::new(rules).expect_err(setting);
        assert_eq!((error.row, error.problem.setting()), (at, setting), "{error}");
    }
}

#[test]
fn clients_may_be_kept_from_one_direction() {
    let rule = DestinationRule { send: false, ..DestinationRule::new("/topic/", channel()) };
    let table = DestinationTable::new(vec![rule]).expect("valid");
    assert_eq!(show(&table, "/topic/a", Use::Send), "refused permission_denied");
    assert_eq!(show(&table, "/topic/a", Use::Subscribe), "channel a");
    let Err(Unresolved::Refused(refusal, after)) = table.resolve("/topic/a", Use::Send) else { panic!("allowed") };
    assert_eq!((refusal.code, after), (ErrorCode::PermissionDenied, AfterRefusal::Close));
}
