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
    let url = format!("redis.url=redis://{}", redis.address());
    Gateway::start(&["broker.kind=redis", &url, &format!("node.name={name}"), "services.bot.idempotency=/id"])
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
fn alice(node: &Gateway) -> Client {
    let (_, token) = ask(node.public, "POST", "/demo/token", "Content-Type: application/json\r\n", r#"{"user":"alice"}"#);
    let token = serde_json::from_str::<Value>(&token).expect("JSON")["token"].clone();
    let mut alice = upgraded(node.public, "/connection/websocket");
    assert!(says(&mut alice, &json!({"id": 1, "connect": {"token": token}})).contains("\"connect\":"));
    alice
}

/// The answer to a call.
fn answer(client: &mut Client, call: &Value) -> Value {
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

#[tokio::test]
async fn an_order_to_drain_an_instance_reaches_all_nodes() {
    let redis = start_redis().await;
    let nodes = [start(&redis, "n1"), start(&redis, "n2")];
    let _links: Vec<_> = nodes.iter().map(Link::open).collect();
    until("the nodes know each other", || {
        nodes.iter().all(|node| ask(node.internal, "GET", "/v1/nodes", KEY, "").1.matches("\"name\"").count() == 2)
    });
    let order =
        |draining: bool| ask(nodes[0].internal, "PATCH", "/v1/services/bot/instances/i1", KEY, &json!({"draining": draining}).to_string());
    let state = |node: &Gateway| {
        let (_, services) = ask(node.internal, "GET", "/v1/services", KEY, "");
        let services: Value = serde_json::from_str(&services).expect("JSON");
        let bot = services["services"].as_array().expect("a list").iter().find(|it| it["service"] == "bot").expect("configured").clone();
        bot["instances"][0]["draining"].clone()
    };
    for draining in [true, false] {
        assert_eq!(order(draining).1, r#"{"nodes":2}"#);
        assert_eq!(nodes.each_ref().map(state), [json!(draining), json!(draining)]);
    }
    let (head, problem) = ask(nodes[0].internal, "PATCH", "/v1/services/bot/instances/i2", KEY, r#"{"draining":true}"#);
    assert!(head.starts_with("http/1.1 404 ") && problem.contains("No node has a link of an instance"), "{head}{problem}");
}
