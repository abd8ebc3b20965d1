//! Entries in Redis that no gateway wrote. Who may write them is a gateway, so they may say anything; but they must not end a node, and other
//! channels go on.

use super::support::{command, enter};
use crate::{
    listeners::Gateway,
    public::ask,
    store_errors::{start_redis, until},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_entries_end_no_node_and_disturb_no_other_channel() {
    let redis = start_redis().await;
    let url = format!("redis.url=redis://{}", redis.address());
    let gateway = Gateway::start(&["broker.kind=redis", &url, "redis.prefix=p", "node.name=n1", "namespaces.news.presence=true"]);
    let publish = |channel: &str, data: &str| {
        let path = format!("/v1/channels/{channel}/publications");
        let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
        ask(gateway.internal, "POST", &path, lines, &json!({ "data": data }).to_string()).0
    };
    let ready = || ask(gateway.internal, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 ");
    until("the node is ready", ready);

    let (mut client, _) = enter(gateway.public, "");
    for (id, channel) in (2..).zip(["news:planted", "news:honest"]) {
        let answer = command(&mut client, &json!({"id": id, "subscribe": {"channel": channel}})).expect("open");
        assert!(answer["subscribe"].is_object(), "{answer}");
    }
    assert!(publish("news:planted", "first").starts_with("http/1.1 200 "));

    let long = "9".repeat(70_000);
    for words in [
        vec!["PUBLISH", "p:{news:planted}", ""],
        vec!["PUBLISH", "p:{news:planted}", "\u{0}\u{0}\u{0}"],
        vec!["PUBLISH", "p:{news:planted}", "|18446744073709551615 18446744073709551615 x"],
        vec!["PUBLISH", "p:{news:planted}", "|-1 nonsense"],
        vec!["PUBLISH", "p:{news:planted}", &long],
        vec!["PUBLISH", "p:{news:nobody}", "|1 1 x"],
        vec!["PUBLISH", "p:canary:n1", "not mine"],
        vec!["XADD", "p:{news:planted}:stream", "*", "foreign", "field"],
        vec!["XADD", "p:{news:planted}:stream", "18446744073709551615-18446744073709551615", "d", "{"],
        vec!["HSET", "p:{news:planted}:meta", "top", "not a number", "epoch", "", "forks", "[["],
        vec!["HSET", "p:{news:planted}:presence", "no-uuid", "no json", "00000000-0000-0000-0000-000000000000", ""],
        vec!["HSET", "p:{news:planted}:nodes", "", "-5"],
        vec!["HSET", "p:{nodes}", "ghost", "no record", "", "", "n1 zz", "{}"],
        vec!["SET", "p:revoked:{mallory}", "no time"],
        vec!["HSET", "p:user:{mallory}", "news:a", "no time", "", "", "not a channel at all !!", "1"],
        vec!["ZADD", "p:names:{0}", "1", "not a name !!", "2", ""],
        vec!["SET", "p:node:n1 x:presence", "of another type"],
        vec!["SADD", "p:call:{00}", "of another type"],
    ] {
        if let Err(error) = redis.try_command(&words).await {
            // Redis itself may refuse what is planted beside what is there.
            assert!(!error.to_string().contains("unknown command"), "{words:?}: {error}");
        }
    }

    // The planted channel may answer with errors, but it answers.
    let head = publish("news:planted", "after");
    assert!(head.starts_with("http/1.1 200 ") || head.starts_with("http/1.1 5"), "{head}");
    for path in [
        "/v1/channels/news:planted/publications",
        "/v1/channels/news:planted/presence",
        "/v1/channels",
        "/v1/nodes",
        "/v1/users/mallory/connections",
    ] {
        let (head, body) = ask(gateway.internal, "GET", path, "Authorization: Bearer dev\r\n", "");
        assert!(["http/1.1 200 ", "http/1.1 500 ", "http/1.1 503 "].iter().any(|good| head.starts_with(good)), "{path}: {head}{body}");
    }
    // Others go on, in the same session as long as it lives, and the node stays ready.
    assert!(publish("news:honest", "still here").starts_with("http/1.1 200 "));
    let (mut other, _) = enter(gateway.public, "");
    let answer = command(&mut other, &json!({"id": 2, "subscribe": {"channel": "news:honest", "recover": true, "offset": 0, "epoch": ""}}))
        .expect("open");
    assert!(answer["subscribe"].is_object(), "{answer}");
    assert!(publish("news:honest", "again").starts_with("http/1.1 200 "));
    let next = String::from_utf8(other.frame().expect("open").payload).expect("text");
    assert!(next.contains("again"), "{next}");
    until("the node is ready", ready);
}
