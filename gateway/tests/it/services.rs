//! Services of a cluster: calls that are repeated at another node, and orders that reach all nodes.

use super::{
    client::{Client, masked},
    listeners::Gateway,
    public::ask,
    store_errors::{says, start_redis, until, upgraded},
};
use redis_testing::Server;
use serde_json::{Value, json};

const KEY: &str = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";

fn start(redis: &Server, name: &str) -> Gateway {
    start_with(redis, name, &[])
}

fn start_with(redis: &Server, name: &str, settings: &[&str]) -> Gateway {
    let (url, name) = (format!("redis.url=redis://{}", redis.address()), format!("node.name={name}"));
    Gateway::start(&[&["broker.kind=redis", &url, &name, "services.bot.idempotency=/id"], settings].concat())
}

/// An instance of the service `bot` with a link to one node.
struct Link(Client);

impl Link {
    fn open(node: &Gateway) -> Self {
        let mut client = upgraded(node.internal, "/v1/services/bot/link");
        let welcome = says(&mut client, &json!({"hello": {"service": "bot", "instance": "i1", "credit": 8}}));
        assert!(welcome.starts_with("{\"welcome\":"), "{welcome}");
        Self(client)
    }

    /// The next call; a welcome comes with each change of the nodes.
    fn call(&mut self) -> Value {
        loop {
            let frame: Value = serde_json::from_slice(&self.0.frame().expect("open").payload).expect("JSON");
            if frame.get("welcome").is_none() {
                return frame["call"].clone();
            }
        }
    }

    fn reply(&mut self, call: &Value, data: &Value) {
        let frame = json!({"reply": {"id": call["id"], "data": data}});
        self.0.send(&masked(0x81, frame.to_string().as_bytes()));
    }
}

/// A connection of alice.
pub(super) fn alice(node: &Gateway) -> Client {
    let (_, token) = ask(node.public, "POST", "/demo/token", "Content-Type: application/json\r\n", r#"{"user":"alice"}"#);
    let token = serde_json::from_str::<Value>(&token).expect("JSON")["token"].clone();
    let mut alice = upgraded(node.public, "/connection/websocket");
    assert!(says(&mut alice, &json!({"id": 1, "connect": {"token": token}})).contains("\"connect\":"));
    alice
}

/// The answer to a call.
pub(super) fn answer(client: &mut Client, call: &Value) -> Value {
    serde_json::from_str(&says(client, call)).expect("JSON")
}

fn buy(order: &str) -> Value {
    json!({"id": 2, "rpc": {"method": "bot.buy", "data": {"id": order}}})
}

fn metric(node: &Gateway, line: &str) -> bool {
    ask(node.internal, "GET", "/metrics", "", "").1.lines().any(|found| found == line)
}

#[tokio::test]
async fn a_call_that_is_repeated_at_another_node_gets_the_first_answer() {
    let redis = start_redis().await;
    let (first, second) = (start(&redis, "n1"), start(&redis, "n2"));
    let (mut to_first, mut to_second) = (Link::open(&first), Link::open(&second));
    let mut leaves = alice(&first);
    leaves.send(&masked(0x81, buy("order-1").to_string().as_bytes()));
    let call = to_first.call();
    assert_eq!((&call["idempotency_key"], &call["user"]), (&json!("order-1"), &json!("alice")));
    drop(leaves);
    to_first.reply(&call, &json!({"number": 17}));
    until("the answer is kept", || metric(&first, "switchboard_service_answers_kept_total{result=\"kept\"} 1"));
    drop(first);
    let mut returns = alice(&second);
    let repeated = answer(&mut returns, &buy("order-1"));
    assert_eq!(repeated["rpc"]["data"], json!({"number": 17}), "{repeated}");
    let mut other = buy("order-1");
    other["rpc"]["data"]["amount"] = json!(2);
    let refused = answer(&mut returns, &other);
    assert_eq!((&refused["error"]["code"], refused["error"].get("temporary")), (&json!(1007), None), "{refused}");
    returns.send(&masked(0x81, buy("order-2").to_string().as_bytes()));
    assert_eq!(to_second.call()["idempotency_key"], "order-2", "the service got the first call once");
    assert!(metric(&second, "switchboard_service_repeats_total{result=\"answered\"} 1"));
}

#[tokio::test]
async fn a_repeat_of_a_call_with_a_large_answer_gets_an_error() {
    let gateway = Gateway::start(&["services.bot.idempotency=/id", "idempotency.answer_size=1KiB"]);
    let (mut link, mut alice) = (Link::open(&gateway), alice(&gateway));
    alice.send(&masked(0x81, buy("order-1").to_string().as_bytes()));
    let call = link.call();
    link.reply(&call, &json!("x".repeat(2000)));
    let frame = alice.frame().expect("open").payload;
    assert!(frame.len() > 2000, "the first caller gets the whole answer");
    let repeated = answer(&mut alice, &buy("order-1"));
    assert_eq!((&repeated["error"]["code"], repeated["error"].get("temporary")), (&json!(1020), None), "{repeated}");
}

/// Two nodes that know each other, each with these further settings.
fn start_two(redis: &Server, settings: [&[&str]; 2]) -> [Gateway; 2] {
    let nodes = [start_with(redis, "n1", settings[0]), start_with(redis, "n2", settings[1])];
    until("the nodes know each other", || {
        nodes.iter().all(|node| ask(node.internal, "GET", "/v1/nodes", KEY, "").1.matches("\"name\"").count() == 2)
    });
    nodes
}

/// Orders to drain this part of a service or to use it again. Returns the number of nodes, or the problem.
fn order(node: &Gateway, part: &str, draining: bool) -> Value {
    let (_, body) = ask(node.internal, "PATCH", &format!("/v1/services/{part}"), KEY, &json!({"draining": draining}).to_string());
    let body: Value = serde_json::from_str(&body).expect("JSON");
    if body["nodes"].is_u64() { body["nodes"].clone() } else { body }
}

/// Whether each instance or target of a service is drained at this node.
fn drained(node: &Gateway, service: &str, parts: &str) -> Vec<bool> {
    let (_, services) = ask(node.internal, "GET", "/v1/services", KEY, "");
    let services: Value = serde_json::from_str(&services).expect("JSON");
    let found = services["services"].as_array().expect("a list").iter().find(|it| it["service"] == service).expect("configured");
    found[parts].as_array().expect("a list").iter().map(|part| part["draining"].as_bool().expect("draining")).collect()
}

#[tokio::test]
async fn an_order_to_drain_an_instance_counts_on_all_nodes_whenever_its_links_open() {
    let redis = start_redis().await;
    let nodes = start_two(&redis, [&[], &[]]);
    let [first, second] = &nodes;
    let at = |node| drained(node, "bot", "instances");
    let is_gone = |node| until("the node sees that the link has ended", || at(node).is_empty());
    let problem = order(first, "bot/instances/i1", true);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("No node has a link of an instance")), "{problem}");
    let to_first = Link::open(first);
    assert_eq!(at(first), [false], "what no node knew is not drained");
    assert_eq!(order(second, "bot/instances/i1", true), 2, "a node has its link");
    let to_second = Link::open(second);
    assert_eq!((at(first), at(second)), (vec![true], vec![true]));
    drop(to_second);
    is_gone(second);
    assert_eq!(order(first, "bot/instances/i1", false), 2);
    let to_second = Link::open(second);
    assert_eq!((at(first), at(second)), (vec![false], vec![false]));
    assert_eq!(order(first, "bot/instances/i1", true), 2);
    drop((to_first, to_second));
    nodes.iter().for_each(is_gone);
    assert_eq!(order(second, "bot/instances/i1", true), 2, "the order may be repeated while it is stopped");
    assert_eq!(order(second, "bot/instances/i1", false), 2);
    assert_eq!(order(second, "bot/instances/i1", false)["code"], "not_found");
    let _links: Vec<_> = nodes.iter().map(Link::open).collect();
    assert_eq!((at(first), at(second)), (vec![false], vec![false]));
}

#[tokio::test]
async fn an_order_to_drain_a_target_counts_for_its_url_at_each_place() {
    let redis = start_redis().await;
    let urls = ["http://a/,http://b/,http://b/?2", "http://b/,http://b/?2,http://c/"].map(|urls| format!("services.shop.urls={urls}"));
    let settings = urls.each_ref().map(|urls| ["services.shop.reach=webhook", urls.as_str()]);
    let [first, second] = start_two(&redis, settings.each_ref().map(|settings| &settings[..]));
    let at = |node| drained(node, "shop", "targets");
    for draining in [true, false] {
        assert_eq!(order(&first, "shop/targets/0", draining), 1, "only the first node has it");
        assert_eq!((at(&first), at(&second)), (vec![draining, false, false], vec![false; 3]));
    }
    for draining in [true, false] {
        assert_eq!(order(&first, "shop/targets/2", draining), 2);
        assert_eq!((at(&first), at(&second)), (vec![false, false, draining], vec![false, draining, false]));
    }
    let problem = order(&first, "shop/targets/3", true);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("shop has no target 3.")), "{problem}");
}
