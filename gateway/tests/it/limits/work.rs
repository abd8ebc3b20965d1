//! Memory for half-sent messages.

use super::support::{Gateway, assert_served, until_closed};
use crate::{client::masked, public::ask};

#[test]
fn when_the_memory_for_half_messages_is_spent_the_largest_goes() {
    let gateway = Gateway::with("[connection]\nmessage_size = \"256KiB\"\n[limits.worker]\nwork_bytes = \"1MiB\"");
    let mut twin = gateway.connected();
    let mut slow = gateway.connected();
    // An honest client, whose message is on its way.
    let message = masked(0x81, format!(r#"{{"id":7,"ping":{{"x":"{}"}}}}"#, "x".repeat(20_000)).as_bytes());
    slow.send(&message[..10_000]);
    let half = &masked(0x81, &vec![b'x'; 250_000])[..240_000];
    let mut attackers: Vec<_> = (0..8).map(|_| gateway.connected()).collect();
    for attacker in &mut attackers {
        attacker.send(half);
    }
    crate::store_errors::until("the closes", || gateway.limited("work_budget") >= 4);
    assert_served(&mut twin);
    slow.send(&message[10_000..]);
    assert_eq!(slow.frame().expect("an answer").payload, br#"{"id":7,"ping":{}}"#);
    let (head, _) = ask(gateway.internal, "GET", "/livez", "", "");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    // The others complete their messages and learn that these are no commands.
    let mut codes: Vec<_> = attackers
        .iter_mut()
        .map(|attacker| {
            attacker.send(&masked(0x81, &vec![b'x'; 250_000])[240_000..]);
            until_closed(attacker).1
        })
        .collect();
    codes.retain(|code| *code == 1013);
    assert!(codes.len() < 8, "what fits stays");
    let closed = gateway.counted(r#"switchboard_connections_closed_total{cause="work_budget",code="1013"}"#);
    assert_eq!((closed, gateway.limited("work_budget")), (codes.len() as u64, codes.len() as u64));
}
