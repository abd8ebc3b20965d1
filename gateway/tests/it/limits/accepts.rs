//! The limit of new connections per second.

use super::support::{Gateway, assert_served, upgrade};
use crate::public::ask;
use std::collections::BTreeSet;

const PATH: &str = "/connection/websocket";

#[test]
fn connections_above_the_rate_get_503_and_come_back_at_different_times() {
    let gateway = Gateway::with("[limits.accepts]\nper_second = 1\nburst = 5\n[public]\nretry_after = \"100s\"");
    let mut twin = gateway.connected();
    let (mut refused, mut pauses) = (0, BTreeSet::new());
    for _ in 0..30 {
        let (_, status, head) = upgrade(gateway.public, PATH, "");
        if status == 503 {
            refused += 1;
            pauses.extend(head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<u32>().ok()));
        }
    }
    // Seconds may pass meanwhile.
    assert!((20..=26).contains(&refused), "{refused}");
    assert!(pauses.len() > 5 && pauses.iter().all(|pause| (100..=200).contains(pause)), "{pauses:?}");
    assert_eq!(gateway.limited("accepts"), refused);
    assert_eq!(gateway.counted(r#"switchboard_http_connection_errors_total{cause="accept_rate",listener="public"}"#), refused);
    assert_served(&mut twin);
    let (head, _) = ask(gateway.internal, "GET", "/livez", "", "");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
}
