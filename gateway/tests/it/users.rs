//! Users as identity providers name them, from the token to the last delivery, over real sockets.

use super::{
    client::{Client, handshake, masked},
    public::{ask, start_with},
};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// User ids, each with its percent-encoded form.
const USERS: [(&str, &str); 8] = [
    ("auth0|507f1f77", "auth0%7C507f1f77"),
    ("google-oauth2|1035", "google-oauth2|1035"),
    ("f:realm:name", "f%3Arealm%3Aname"),
    ("urn:uuid:f81d4fae", "urn:uuid:f81d4fae"),
    ("spiffe://example.org/ns/a", "spiffe%3A%2F%2Fexample.org%2Fns%2Fa"),
    ("@alice:matrix.org", "@alice:matrix.org"),
    ("100%2e {x} \"*\"", "100%252e%20%7Bx%7D%20%22*%22"),
    ("#jürgen", "%23j%C3%BCrgen"),
];

struct Gateway {
    public: SocketAddr,
    internal: SocketAddr,
}

impl Gateway {
    fn start() -> Self {
        let (public, internal) = start_with(
            "[tokens]\nhmac_secret = \"s\"\n[demo]\nenabled = true\n[[api_keys]]\nname = \"dev\"\nkey = \"dev\"\n[personal]\npresence = true\n\
             [namespaces.chat]"
                .into(),
        );
        Self { public, internal }
    }

    /// Sends a REST request with an API key. Returns the body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let lines = "Authorization: Bearer dev\r\nContent-Type: application/json\r\n";
        let (head, body) = ask(self.internal, method, path, lines, body);
        assert!(head.starts_with("http/1.1 200 "), "{method} {path}: {head}{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Connects a frontend. Returns it with the answer to its connect command.
    fn connect(&self, user: &str) -> (Client, Value) {
        let (_, body) = ask(self.public, "POST", "/demo/token", "Content-Type: application/json\r\n", &json!({ "user": user }).to_string());
        let token = serde_json::from_str::<Value>(&body).expect("JSON")["token"].clone();
        let mut client = Client::connect(self.public);
        client.send(handshake("/connection/websocket").as_bytes());
        assert!(client.head().starts_with("HTTP/1.1 101 "));
        client.send(&masked(0x81, json!({"id": 1, "connect": {"token": token}}).to_string().as_bytes()));
        let reply = next(&mut client);
        (client, reply["connect"].clone())
    }
}

fn next(client: &mut Client) -> Value {
    serde_json::from_slice(&client.frame().expect("it stays open").payload).expect("one line of JSON")
}

#[test]
fn users_of_every_identity_provider_are_reached() {
    let gateway = Gateway::start();
    for (user, path) in USERS {
        let channel = format!("#{user}");
        let (mut client, connected) = gateway.connect(user);
        assert!(connected["subs"][&channel]["recoverable"] == true, "{user}: {connected}");
        let published = gateway.ask("POST", &format!("/v1/users/{path}/messages"), r#"{"data":"for you"}"#);
        assert_eq!(published["offset"], 1, "{user}");
        let push = next(&mut client)["push"].clone();
        assert_eq!((&push["channel"], &push["pub"]["data"]), (&json!(channel), &json!("for you")));

        let history = gateway.ask("GET", &format!("/v1/channels/%23{path}/publications"), "");
        assert_eq!((history["offset"].as_u64(), history["publications"][0]["data"].as_str()), (Some(1), Some("for you")), "{user}");
        assert_eq!(gateway.ask("GET", &format!("/v1/channels/%23{path}"), "")["subscribers"], 1);
        let presence = gateway.ask("GET", &format!("/v1/channels/%23{path}/presence"), "");
        assert_eq!((presence["clients"][0]["user"].as_str(), &presence["clients"][1]), (Some(user), &Value::Null));
        let connections = gateway.ask("GET", &format!("/v1/users/{path}/connections"), "");
        let [connection] = &connections["connections"].as_array().expect("a list")[..] else { panic!("{connections}") };
        assert_eq!((&connection["user"], &connection["channels"]), (&json!(user), &json!([channel])));

        assert_eq!(gateway.ask("PUT", &format!("/v1/users/{path}/subscriptions/chat:a"), "{}")["connections"], 1);
        assert_eq!(next(&mut client)["push"]["channel"], "chat:a");
        assert_eq!(gateway.ask("DELETE", &format!("/v1/users/{path}/connections"), "")["connections"], 1);
        let close = client.frame().expect("a close frame");
        assert_eq!((close.opcode, &close.payload[..2]), (8, &3503u16.to_be_bytes()[..]), "{user}");
    }
    let listed = gateway.ask("GET", "/v1/channels?pattern=%23*", "");
    let listed: Vec<_> = listed["channels"].as_array().expect("a list").iter().map(|it| it["channel"].as_str().expect("a text")).collect();
    let mut expected: Vec<_> = USERS.iter().map(|(user, _)| format!("#{user}")).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}
