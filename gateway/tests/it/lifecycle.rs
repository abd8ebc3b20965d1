//! Lifecycle events of a cluster of gateway processes, some of which are killed, with a real Redis.

use super::{
    listeners::Gateway,
    store_errors::{says, start_redis, until, upgraded},
};
use redis_testing::Server;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// A service with a webhook that records the events it gets.
#[derive(Clone)]
struct Hook {
    address: SocketAddr,
    events: Arc<Mutex<Vec<Value>>>,
    /// Whether it takes events.
    is_up: Arc<AtomicBool>,
}

impl Hook {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let hook = Self { address, events: Arc::default(), is_up: Arc::new(AtomicBool::new(true)) };
        let serving = hook.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let hook = serving.clone();
                thread::spawn(move || hook.serve(socket));
            }
        });
        hook
    }

    /// Answers one request, and closes the connection.
    fn serve(&self, mut socket: TcpStream) {
        let mut reader = BufReader::new(socket.try_clone().expect("cloned"));
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || length == 0 {
            return;
        }
        let status = if self.is_up.load(SeqCst) {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let events = body["events"].as_array().expect("a list of events").clone();
            self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
            "204 No Content\r\n"
        } else {
            "503 Service Unavailable\r\ncontent-length: 0\r\n"
        };
        // A gateway that is killed does not read the answer.
        let _ = socket.write_all(format!("HTTP/1.1 {status}connection: close\r\n\r\n").as_bytes());
    }

    fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each event once, in the order of their first arrival: kind, connection or nothing, and channel or nothing.
    fn lines(&self, names: &[(&str, &str)]) -> Vec<String> {
        let (mut seen, mut lines) = (BTreeSet::new(), Vec::new());
        for event in self.events() {
            if seen.insert(text(&event["id"])) {
                let id = text(&event["connection"]);
                let name = names.iter().find(|(known, _)| *known == id).map_or("", |(_, name)| name);
                lines.push([&text(&event["kind"]), name, &text(&event["data"]["channel"])].join(" ").trim().replace("  ", " "));
            }
        }
        lines
    }

    /// The generations of a channel's occupations, oldest first, each with the kinds of events about it.
    fn occupations(&self, channel: &str) -> Vec<(u64, Vec<String>)> {
        let mut found = BTreeMap::<u64, BTreeSet<String>>::new();
        for event in self.events().iter().filter(|event| event["data"]["channel"] == channel) {
            let kind = text(&event["kind"]);
            if ["occupied", "vacated"].contains(&&*kind) {
                let generation = text(&event["generation"]);
                assert_eq!(text(&event["id"]), format!("{channel}/{generation}/{kind}"));
                found.entry(generation.parse().expect("a number")).or_default().insert(kind);
            }
        }
        found.into_iter().map(|(generation, kinds)| (generation, kinds.into_iter().collect())).collect()
    }

    /// Waits until every occupation of a channel but the newest is over, and the newest as expected.
    fn until_occupied(&self, channel: &str, is_occupied: bool) {
        let both = ["occupied", "vacated"];
        until(&format!("{channel} is occupied: {is_occupied}"), || {
            let all = self.occupations(channel);
            let expected = if is_occupied { &both[..1] } else { &both[..] };
            all.split_last().is_some_and(|((_, last), earlier)| last == expected && earlier.iter().all(|(_, kinds)| *kinds == both))
        });
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn node(name: &str, redis: &Server, hook: &Hook) -> Gateway {
    node_with(name, redis, hook, &[])
}

fn node_with(name: &str, redis: &Server, hook: &Hook, more: &[&str]) -> Gateway {
    let settings = [
        "broker.kind=redis".to_owned(),
        format!("redis.url=redis://{}", redis.address()),
        format!("node.name={name}"),
        "cluster.lease=1s".into(),
        "connection.ping_interval=1m".into(),
        "lifecycle.linger=300ms".into(),
        "lifecycle.batch_delay=10ms".into(),
        "namespaces.room.lifecycle=true".into(),
        "namespaces.room.subscribe=anyone".into(),
        "services.hook.reach=webhook".into(),
        format!("services.hook.urls=http://{}/", hook.address),
        "services.hook.lifecycle_events=connected,disconnected,subscribed,unsubscribed,occupied,vacated".into(),
    ];
    Gateway::start(&settings.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
}

/// A frontend that is subscribed to these channels, and the id of its connection.
fn subscriber(node: &Gateway, channels: &[&str]) -> (super::client::Client, String) {
    let mut client = upgraded(node.public, "/connection/websocket");
    let connected: Value = serde_json::from_str(&says(&mut client, &json!({"id": 1, "connect": {}}))).expect("JSON");
    for (channel, id) in channels.iter().zip(2..) {
        let answer = says(&mut client, &json!({"id": id, "subscribe": {"channel": channel}}));
        assert!(answer.contains("\"subscribe\""), "{answer}");
    }
    (client, text(&connected["connect"]["client"]))
}

async fn keys(redis: &Server, pattern: &str) -> Vec<String> {
    redis.command(&["KEYS", pattern]).await.texts()
}

/// Waits until no node has anything to remember.
async fn forgotten(redis: &Server) {
    redis_testing::until("the registry is empty", async || keys(redis, "switchboard:node:*").await.is_empty()).await;
}

// NL-7.3, NL-7.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_with_a_killed_node_is_reported_by_the_survivor() {
    let (redis, hook) = (start_redis().await, Hook::start());
    let (dying, living) = (node("dying", &redis, &hook), node("living", &redis, &hook));
    let (_alice, alice) = subscriber(&dying, &["room:a", "room:b"]);
    let (bob_client, bob) = subscriber(&living, &["room:b"]);
    let names = [(&*alice, "alice"), (&*bob, "bob")];
    let has = |line: &str| hook.lines(&names).iter().any(|it| it == line);
    until("both are subscribed", || hook.lines(&names).len() == 7);
    for line in ["connected alice", "subscribed alice room:a", "subscribed alice room:b", "subscribed bob room:b", "occupied room:a"] {
        assert!(has(line), "{line}: {:?}", hook.lines(&names));
    }
    drop(dying);
    until("the channel that only the killed node had is vacant", || has("vacated room:a"));
    until("the end of the connection", || has("disconnected alice"));
    let lines = hook.lines(&names);
    let at = |line: &str| lines.iter().position(|it| it == line).unwrap_or_else(|| panic!("no {line}: {lines:?}"));
    assert!(at("unsubscribed alice room:a").max(at("unsubscribed alice room:b")) < at("disconnected alice"), "{lines:?}");
    assert!(!has("vacated room:b") && !has("disconnected bob"), "bob is there: {lines:?}");
    let ended: Vec<_> = hook.events().into_iter().filter(|event| event["kind"] == "disconnected").collect();
    assert_eq!(ended[0]["data"], json!({"code": 1006, "reason": "the node died"}));
    let begun = hook.events().into_iter().find(|event| event["kind"] == "connected" && event["connection"] == *alice).expect("it began");
    assert_eq!(ended[0]["id"], text(&begun["id"]).replace("/connected", "/disconnected"));
    drop(bob_client);
    until("the last one left", || has("vacated room:b"));
    for channel in ["room:a", "room:b"] {
        hook.until_occupied(channel, false);
        assert_eq!(hook.occupations(channel).len(), 1, "{channel}");
    }
    forgotten(&redis).await;
    drop(living);
}

// NL-7.4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_waited_in_a_killed_node_are_sent_by_the_next_one() {
    let (redis, hook) = (start_redis().await, Hook::start());
    let dying = node("dying", &redis, &hook);
    let (client, alice) = subscriber(&dying, &["room:a"]);
    let names = [(&*alice, "alice")];
    until("the begin", || hook.lines(&names).len() == 3);
    hook.is_up.store(false, SeqCst);
    drop(client);
    let vacated = async || {
        keys(&redis, "switchboard:{room:a}:occupancy").await.len() == 1 && {
            let record = redis.command(&["HKEYS", "switchboard:{room:a}:occupancy"]).await.texts();
            record == ["vacated"]
        }
    };
    redis_testing::until("the channel is vacant, which nobody knows", vacated).await;
    drop(dying);
    assert_eq!(hook.lines(&names).len(), 3, "the service takes nothing");
    hook.is_up.store(true, SeqCst);
    let next = node("next", &redis, &hook);
    until("all ends", || hook.lines(&names).len() == 6);
    let mut lines = hook.lines(&names).split_off(3);
    lines.retain(|line| line != "vacated room:a");
    assert_eq!(lines, ["unsubscribed alice room:a", "disconnected alice"]);
    hook.until_occupied("room:a", false);
    forgotten(&redis).await;
    drop(next);
}

// NL-7.3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_missing_in_the_list_of_the_node_is_entered_again() {
    let (redis, hook) = (start_redis().await, Hook::start());
    let dying = node_with("dying", &redis, &hook, &["lifecycle.linger=4s"]);
    let (client, _) = subscriber(&dying, &["room:a"]);
    hook.until_occupied("room:a", true);
    hook.is_up.store(false, SeqCst);
    drop(client);
    let list = keys(&redis, "switchboard:node:*:channels").await.remove(0);
    redis_testing::until("the channel lingers", async || {
        let entries = redis.command(&["SMEMBERS", &list]).await.texts();
        matches!(&entries[..], [end] if !end.starts_with("0 "))
    })
    .await;
    redis.command(&["DEL", &list]).await;
    redis_testing::until("the occupation is over, which no service knows", async || {
        redis.command(&["HKEYS", "switchboard:{room:a}:occupancy"]).await.texts() == ["vacated"]
    })
    .await;
    drop(dying);
    hook.is_up.store(true, SeqCst);
    let _next = node("next", &redis, &hook);
    hook.until_occupied("room:a", false);
    forgotten(&redis).await;
}

/// Kills Redis, and starts it again without data, or with all of it.
async fn restart(redis: &mut Server, keeps_data: bool) {
    if keeps_data {
        redis.shut_down().await;
    } else {
        redis.kill();
        redis.wipe();
    }
    redis.resume().await;
}

// NL-7.1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_occupied_exactly_while_somebody_is_subscribed_through_restarts_of_redis() {
    for keeps_data in [true, false] {
        let (mut redis, hook) = (start_redis().await, Hook::start());
        let nodes = [node("one", &redis, &hook), node("two", &redis, &hook)];
        let (alice, _) = subscriber(&nodes[0], &["room:a", "room:b"]);
        let (bob, _) = subscriber(&nodes[1], &["room:a"]);
        until("both are occupied", || hook.occupations("room:a").len() == 1 && hook.occupations("room:b").len() == 1);
        for _ in 0..2 {
            restart(&mut redis, keeps_data).await;
            let holders = async |channel: &str| {
                let fields = redis.command(&["HKEYS", &format!("switchboard:{{{channel}}}:occupancy")]).await.texts();
                let of = |node: &str| fields.iter().any(|field| field.starts_with(&format!("{node} ")));
                (of("one"), of("two"))
            };
            redis_testing::until("the nodes hold their channels again", async || {
                holders("room:a").await == (true, true) && holders("room:b").await == (true, false)
            })
            .await;
        }
        drop(bob);
        // Two nodes hold the channel, so this leaves it occupied.
        redis_testing::until("the second node has released it", async || {
            let fields = redis.command(&["HKEYS", "switchboard:{room:a}:occupancy"]).await.texts();
            fields.iter().all(|field| !field.starts_with("two "))
        })
        .await;
        for channel in ["room:a", "room:b"] {
            hook.until_occupied(channel, true);
        }
        drop(alice);
        for channel in ["room:a", "room:b"] {
            hook.until_occupied(channel, false);
        }
        forgotten(&redis).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_lost_without_notice_is_written_again_or_ended() {
    let (redis, hook) = (start_redis().await, Hook::start());
    let one = node_with("one", &redis, &hook, &["cluster.sweep_interval=2s"]);
    let (_alice, _) = subscriber(&one, &["room:a", "room:lost"]);
    hook.until_occupied("room:a", true);
    hook.until_occupied("room:lost", true);
    // The node keeps its lease, so it does not notice.
    redis.command(&["DEL", "switchboard:{room:a}:occupancy"]).await;
    redis.command(&["HSET", "switchboard:{room:forever}:occupancy", "generation", "7", "gone 00.1", "1"]).await;
    until("there is a second occupation", || hook.occupations("room:a").len() == 2);
    hook.until_occupied("room:a", true);
    until("nobody holds it", || hook.occupations("room:forever") == [(7, vec!["vacated".to_owned()])]);
    let lost: Vec<_> =
        hook.events().into_iter().filter(|event| event["data"]["channel"] == "room:lost" && event["kind"] == "occupied").collect();
    assert_eq!(lost.len(), 1, "its hold was written again, which changed nothing: {lost:?}");
}
