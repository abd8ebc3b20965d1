//! Many frontends that connect at once.

use super::{
    connect::{Connected, all_in, connect},
    source::{Answer, Key, Source},
};
use std::time::{Duration, Instant};

/// Clients at once. `bench issuers` does it with ten times as many.
const CLIENTS: usize = 500;

/// A token for each of many users.
pub(super) fn tokens(key: &Key) -> Vec<String> {
    (0..CLIENTS).map(|number| key.token(&format!("user{number}"))).collect()
}

#[test]
fn all_clients_of_a_slow_source_wait_for_one_fetch() {
    let key = Key::new("k1");
    let source = Source::start(Answer::Keys(vec![key.jwk()], Duration::from_secs(1)));
    let gateway = source.gateway("");
    let p99 = all_in(connect(gateway.public, tokens(&key)));
    assert!(p99 < Duration::from_secs(3), "99 % within {p99:?}");
    assert_eq!((source.requests(), gateway.fetches("fetched"), gateway.counted("jwks_refusals_total")), (1, 1, 0));
}

#[test]
fn forged_names_of_keys_cost_one_fetch_per_interval() {
    let (good, forged) = (Key::new("k1"), Key::new("forged"));
    let source = Source::start(Answer::keys(&[&good]));
    let gateway = source.gateway("jwks_interval = \"2s\"\njwks_timeout = \"1s\"");
    gateway.wait_for_first_fetch();
    let (begun, mut rounds) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(5) {
        let clients = connect(gateway.public, vec![forged.token("mallory"); 50]);
        for (client, _) in clients {
            assert!(matches!(client, Connected::Refused(100, true) | Connected::Closed(3500)), "{client:?}");
        }
        rounds += 1;
        assert_eq!(gateway.refuses(&good.token("alice")), None, "others do not notice");
    }
    let most = 2 + begun.elapsed().as_secs() / 2;
    let fetches = source.requests() as u64;
    assert!(fetches >= 3 && fetches <= most, "{fetches} fetches for {rounds} rounds in {:?}", begun.elapsed());
}
