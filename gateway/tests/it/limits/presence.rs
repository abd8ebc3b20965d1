//! Presence that many ask for.

use super::support::{Gateway, next, send};
use crate::client::Client;
use serde_json::{Value, json};

fn ask(client: &mut Client, command: &str) -> Value {
    send(client, &json!({"id": 5, command: {"channel": "room:a"}}).to_string());
    loop {
        let reply = next(client);
        if reply["id"] == 5 {
            return reply[command].clone();
        }
    }
}

fn join(gateway: &Gateway) -> Client {
    let mut client = gateway.connected();
    ask(&mut client, "subscribe");
    client
}

#[test]
fn a_flood_of_questions_about_presence_is_one_read_and_whoever_has_joined_finds_itself() {
    let room = "[namespaces.room]\npresence = true\nsubscribe = \"anyone\"\nsee_presence = \"anyone\"\n[presence]\nshared_for = \"1m\"";
    let gateway = Gateway::with(room);
    let reads = |result: &str| gateway.counted(&format!("switchboard_presence_reads_total{{result=\"{result}\"}}"));
    let mut attackers: Vec<_> = (0..4).map(|_| join(&gateway)).collect();
    for round in 0..100 {
        let attacker = &mut attackers[round % 4];
        assert_eq!(ask(attacker, "presence")["presence"].as_object().map(serde_json::Map::len), Some(4));
        assert_eq!(ask(attacker, "presence_stats")["num_clients"], 4);
    }
    assert_eq!((reads("begun"), reads("shared")), (2, 198));
    let mut twin = join(&gateway);
    assert_eq!(ask(&mut twin, "presence_stats")["num_clients"], 5);
    assert_eq!(ask(&mut twin, "presence")["presence"].as_object().map(serde_json::Map::len), Some(5));
    ask(&mut twin, "unsubscribe");
    crate::store_errors::until("the leave", || ask(&mut attackers[0], "presence_stats")["num_clients"] == 4);
    assert!(reads("begun") >= 5);
}
