//! How the keys travel: HTTPS with an authority of the settings, and what the gateway logs when it fails.

use super::source::{Answer, Key, Node, Source};
use crate::store_errors::until;
use redis_testing::Authority;

#[test]
fn the_certificate_of_the_source_must_be_of_a_trusted_authority_and_for_its_name() {
    let (key, authority, other) = (Key::new("k1"), Authority::new(), Authority::new());
    for (names, trusted, says) in
        [(&["localhost"][..], true, None), (&["localhost"], false, Some("TLS failed")), (&["login.example.com"], true, Some("TLS failed"))]
    {
        let source = Source::with_tls(Answer::keys(&[&key]), &authority.sign(names));
        let ca = if trusted { &authority } else { &other }.file();
        let url = format!("https://localhost:{}/keys", source.address.port());
        let gateway =
            Node::start(format!("[[tokens.issuers]]\nissuer = {:?}\njwks_url = {url:?}\njwks_ca_file = {ca:?}", super::source::ISSUER));
        match says {
            None => {
                until("the keys", || gateway.refuses(&key.token("alice")).is_none());
                assert_eq!(gateway.fetches("fetched"), 1);
            }
            Some(says) => {
                until("the refusal", || gateway.readiness()["reasons"].to_string().contains(says));
                assert_eq!(gateway.refuses(&key.token("alice")), Some("Refused(100, true)".into()));
            }
        }
    }
}
