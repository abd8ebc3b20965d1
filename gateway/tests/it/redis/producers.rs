//! Producers over REST whose requests are shuffled, repeated and lost, while Redis restarts with and without its newest data.

use super::support::{KEEP, config, mailboxes, ready, start};
use crate::{
    public::{ask, start_with},
    store_errors::until,
};
use futures_util::future::join_all;
use gateway::{
    broker::{Broker, BrokerError, NewPublication, Published, RedisConfig},
    testing::fixtures::{channel, kept, producer},
};
use rand::RngExt as _;
use redis_testing::{Options, Server, Signal};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const PRODUCERS: u64 = 8;
/// Number of requests that a producer has in flight.
const WINDOW: u64 = 6;
const PATH: &str = "/v1/channels/log:all/publications";

/// Passes requests on to the nodes of a cluster: late, twice, or not at all.
struct Proxy {
    nodes: Vec<SocketAddr>,
    client: Client,
    dropped: AtomicU64,
    repeated: AtomicU64,
}

impl Proxy {
    /// The answer, unless it or the request is lost.
    async fn send(self: &Arc<Self>, body: &Value) -> Option<(StatusCode, Value)> {
        let (repeats, loses_request, loses_answer) = {
            let mut rng = rand::rng();
            (rng.random_ratio(1, 8), rng.random_ratio(1, 16), rng.random_ratio(1, 16))
        };
        if repeats {
            self.repeated.fetch_add(1, Relaxed);
            let (proxy, body) = (self.clone(), body.clone());
            tokio::spawn(async move { proxy.forward(&body).await });
        }
        if loses_request || loses_answer {
            self.dropped.fetch_add(1, Relaxed);
        }
        if loses_request {
            return None;
        }
        self.forward(body).await.filter(|_| !loses_answer)
    }

    async fn forward(&self, body: &Value) -> Option<(StatusCode, Value)> {
        let (node, delay) = {
            let mut rng = rand::rng();
            (self.nodes[rng.random_range(0..self.nodes.len())], Duration::from_micros(rng.random_range(0..8000)))
        };
        sleep(delay).await;
        let answer = self.client.post(format!("http://{node}{PATH}")).bearer_auth("dev").json(body).send().await.ok()?;
        Some((answer.status(), answer.json().await.ok()?))
    }
}

/// What all producers did.
#[derive(Default)]
struct Progress {
    stopped: AtomicBool,
    acknowledged: AtomicU64,
    /// Numbers that were refused because others were missing.
    gaps: AtomicU64,
    /// Repeats that were answered as done.
    done: AtomicU64,
    /// Acknowledged numbers that a producer had to send again.
    lost: AtomicU64,
}

/// Publishes until stopped, and until everything up to the last number is acknowledged. Returns that number.
async fn produce(id: u64, proxy: Arc<Proxy>, progress: Arc<Progress>) -> u64 {
    let (mut next, mut end) = (0, None);
    while end.is_none_or(|end| next <= end) {
        if progress.stopped.load(Relaxed) && end.is_none() {
            end = Some(next + WINDOW);
        }
        // The last number goes alone: its acknowledgement confirms all others.
        let last = end.map_or(next + WINDOW, |end| if next < end { end } else { end + 1 });
        let answers = join_all((next..last).map(|seq| {
            let body = json!({"data": {"producer": id, "seq": seq}, "producer": {"id": format!("p{id}"), "epoch": 7, "seq": seq}});
            let proxy = &proxy;
            async move { proxy.send(&body).await }
        }));
        let (base, mut acknowledged, mut again) = (next, next, None);
        for (seq, answer) in (base..).zip(answers.await) {
            match answer {
                Some((StatusCode::OK, position)) => {
                    progress.done.fetch_add(u64::from(position["offset"] == 0), Relaxed);
                    acknowledged += u64::from(acknowledged == seq);
                }
                Some((StatusCode::CONFLICT, problem)) => {
                    assert_eq!(problem["code"], "sequence_gap", "{problem}");
                    progress.gaps.fetch_add(1, Relaxed);
                    // Everything before `base` was acknowledged when this request was sent.
                    let expected = problem["expected"].as_u64().expect("a number");
                    again = again.or(Some(expected).filter(|expected| *expected < base));
                }
                Some((StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT, _)) | None => {}
                Some(other) => panic!("p{id}, {seq}: {other:?}"),
            }
        }
        next = again.unwrap_or(acknowledged);
        progress.lost.fetch_add(base.saturating_sub(next), Relaxed);
        progress.acknowledged.fetch_add(next.saturating_sub(base), Relaxed);
    }
    next - 1
}

/// Waits until the producers got on.
async fn goes_on(progress: &Progress) {
    let before = progress.acknowledged.load(Relaxed);
    let waited = timeout(Duration::from_secs(60), async {
        while progress.acknowledged.load(Relaxed) < before + 200 {
            sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("the producers get on");
}

fn history(node: SocketAddr) -> Vec<(u64, u64)> {
    let mut since = String::new();
    let mut found = Vec::new();
    loop {
        let (_, body) = ask(node, "GET", &format!("{PATH}?limit=1000{since}"), "Authorization: Bearer dev\r\n", "");
        let page: Value = serde_json::from_str(&body).expect("a page");
        let publications = page["publications"].as_array().expect("publications");
        found.extend(publications.iter().map(|one| {
            let number = |name: &str| one["data"][name].as_u64().expect("a number");
            (number("producer"), number("seq"))
        }));
        let Some(last) = publications.last() else { return found };
        since = format!("&since={}:{}", page["epoch"].as_str().expect("an epoch"), last["offset"]);
    }
}

// NL-2.15, NL-2.16, NL-2.17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_of_a_producer_is_stored_once_and_in_order_through_restarts_of_redis() {
    let mut redis = Server::start_with(Options::default().with_port()).await;
    let address = redis.address();
    let nodes = ["n1", "n2"].map(|name| {
        start_with(format!(
            "[node]\nname = \"{name}\"\n[broker]\nkind = \"redis\"\n[redis]\nurl = \"redis://{address}\"\n[tokens]\nhmac_secret = \"s\"\n\
             [[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[namespaces.log]\nhistory_size = 1000000\nhistory_ttl = \"1h\""
        ))
        .1
    });
    for node in nodes {
        until("the start", || ask(node, "GET", "/readyz", "", "").0.starts_with("http/1.1 200 "));
    }
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
    let proxy = Arc::new(Proxy { nodes: nodes.to_vec(), client, dropped: AtomicU64::new(0), repeated: AtomicU64::new(0) });
    let progress = Arc::new(Progress::default());
    let mut producers = JoinSet::new();
    for id in 0..PRODUCERS {
        let (proxy, progress) = (proxy.clone(), progress.clone());
        producers.spawn(async move { (id, produce(id, proxy, progress).await) });
    }
    for round in 0..3 {
        goes_on(&progress).await;
        if round == 1 {
            redis.shut_down().await;
        } else {
            redis.command(&["SAVE"]).await;
            goes_on(&progress).await;
            redis.kill();
        }
        redis.resume().await;
    }
    goes_on(&progress).await;
    progress.stopped.store(true, Relaxed);
    let last: Vec<_> = producers.join_all().await;
    let stored = history(nodes[0]);
    for (id, last) in last {
        let numbers: Vec<_> = stored.iter().filter(|(of, _)| *of == id).map(|(_, seq)| *seq).collect();
        assert_eq!(numbers, (0..=last).collect::<Vec<_>>(), "p{id}");
    }
    let counts = [&proxy.dropped, &proxy.repeated, &progress.gaps, &progress.lost].map(|count| count.load(Relaxed));
    assert!(counts.iter().all(|count| *count > 0), "dropped, repeated, gaps, lost: {counts:?}");
    println!("{} stored; dropped, repeated, gaps, lost: {counts:?}; done without position: {}", stored.len(), progress.done.load(Relaxed));
}

/// Publishes into the channel `c`.
async fn publish(broker: &Broker, seq: u64) -> Result<Published, BrokerError> {
    broker.publish(&channel("c"), NewPublication { identity: Some(producer("p", 0, seq)), ..kept(seq, KEEP) }).await
}

// NL-2.16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_whose_answers_were_lost_get_the_answers_of_their_numbers() {
    let server = Server::start().await;
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_secs(8), ..config(server.url()) }, mailboxes());
    ready(&broker).await;
    server.signal(Signal::STOP);
    let all = tokio::spawn(async move { join_all((0..20).map(|seq| publish(&broker, seq))).await });
    // Longer than the time limit of an answer: the gateway closes connections that still wait for answers.
    sleep(Duration::from_millis(2500)).await;
    server.signal(Signal::CONT);
    let offsets: Vec<_> =
        all.await.expect("no panic").into_iter().map(|done| done.expect("in time").position.expect("stored").offset).collect();
    assert_eq!(offsets, (1..=20).collect::<Vec<_>>());
}

// NL-2.17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_is_ahead_of_its_channel_is_not_known() {
    let server = Server::start().await;
    let (broker, _guard) = start(config(server.url()), mailboxes());
    for seq in 0..3 {
        publish(&broker, seq).await.expect("the next");
    }
    // As after a move of the slot that left a part behind: the records belong to another timeline.
    for command in [&["HSET", "test:{c}:meta", "top", "2"][..], &["DEL", "test:{c}:meta"]] {
        server.command(command).await;
        assert_eq!(publish(&broker, 3).await, Err(BrokerError::SequenceGap { expected: 0 }), "{command:?}");
    }
    assert_eq!(publish(&broker, 0).await.expect("begins again").position.map(|at| at.offset), Some(1));
    assert_eq!(publish(&broker, 1).await.expect("the next").position.map(|at| at.offset), Some(2));
}
