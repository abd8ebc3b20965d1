use super::*;
use crate::settings::Settings;
use proptest::prelude::*;
use std::sync::LazyLock;

fn proxies(networks: &str) -> Result<TrustedProxies, Problems> {
    TrustedProxies::try_from(&Settings::from_toml(&format!("[public]\ntrusted_proxies = {networks}")).expect("valid").public)
}

fn new() -> TrustedProxies {
    proxies(r#"["10.0.0.0/8", "2001:db8:f::/48", "192.0.2.7"]"#).expect("valid")
}

fn trusted() -> &'static TrustedProxies {
    static TRUSTED: LazyLock<TrustedProxies> = LazyLock::new(new);
    &TRUSTED
}

fn client(peer: &str, headers: &[(&str, &str)]) -> Client {
    let values = |name: &str| {
        let found: Vec<_> = headers.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.as_bytes()).collect();
        found.into_iter()
    };
    trusted().client(Some(peer.parse().expect("an address")), values)
}

const PROXY: &str = "10.0.0.1";

/// The address and what became of the headers.
fn found(name: &str, lines: &[&str]) -> (String, ProxyHeaders) {
    let headers: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
    let client = client(PROXY, &headers);
    (client.address.expect("known").to_string(), client.headers.expect("there are headers"))
}

#[test]
fn x_forwarded_for_is_read_from_the_right_past_trusted_proxies() {
    use ProxyHeaders::{Hidden, Malformed, Used};
    for (lines, address, headers) in [
        (&["203.0.113.9"][..], "203.0.113.9", Used),
        (&["203.0.113.9, 10.1.1.1"], "203.0.113.9", Used),
        (&["1.1.1.1, 203.0.113.9 , 10.1.1.1,192.0.2.7"], "203.0.113.9", Used),
        (&["1.1.1.1", "203.0.113.9", "10.1.1.1"], "203.0.113.9", Used),
        (&["203.0.113.9:51234"], "203.0.113.9", Used),
        (&["2001:db8::9"], "2001:db8::9", Used),
        (&["[2001:db8::9]:443"], "2001:db8::9", Used),
        (&["::ffff:203.0.113.9"], "203.0.113.9", Used),
        (&["1.1.1.1, 2001:db8:f::1"], "1.1.1.1", Used),
        // All are proxies: the first one sent the request.
        (&["10.3.3.3, 10.2.2.2"], "10.3.3.3", Used),
        (&["garbage, 203.0.113.9"], "203.0.113.9", Used),
        (&["203.0.113.9,, 10.1.1.1,"], "203.0.113.9", Used),
        (&[""], PROXY, Used),
        (&["203.0.113.9, garbage"], PROXY, Malformed),
        (&["203.0.113.9, garbage, 10.1.1.1"], "10.1.1.1", Malformed),
        (&["203.0.113.9, 10.1.1.1\u{e9}"], PROXY, Malformed),
        (&["203.0.113.256"], PROXY, Malformed),
        (&["203.0.113.9:port"], PROXY, Malformed),
        (&["203.0.113.9:123456"], PROXY, Malformed),
        (&["[2001:db8::9"], PROXY, Malformed),
        (&["fe80::1%eth0"], PROXY, Malformed),
        (&["203.0.113.9, unknown"], PROXY, Hidden),
    ] {
        assert_eq!(found("x-forwarded-for", lines), (address.to_owned(), headers), "{lines:?}");
    }
}

#[test]
fn forwarded_is_read_from_the_right_past_trusted_proxies() {
    use ProxyHeaders::{Hidden, Malformed, Used};
    for (lines, address, headers) in [
        (&["for=203.0.113.9"][..], "203.0.113.9", Used),
        (&["For=\"[2001:db8::9]:4711\""], "2001:db8::9", Used),
        (&["for=203.0.113.9;proto=https;by=10.0.0.1;secret=x"], "203.0.113.9", Used),
        (&["for=1.1.1.1, for=203.0.113.9, for=10.2.2.2;host=\"a,b;c\""], "203.0.113.9", Used),
        (&["for=1.1.1.1", "for=203.0.113.9"], "203.0.113.9", Used),
        (&["for=\"203.0.113.9:80\""], "203.0.113.9", Used),
        (&[";for=203.0.113.9;;proto=gopher"], "203.0.113.9", Used),
        // A client cannot hide what a proxy adds behind a quote that it leaves open.
        (&["for=\"1.1.1.1, for=203.0.113.9"], "203.0.113.9", Used),
        (&["for=\"\\\\\", for=203.0.113.9;by=\"\\\"\""], "203.0.113.9", Used),
        (&["for=1.1.1.1, for=unknown"], PROXY, Hidden),
        (&["for=1.1.1.1, for=_hidden, for=10.2.2.2"], "10.2.2.2", Hidden),
        (&["for=\"_gazonk:_p\""], PROXY, Hidden),
        (&["proto=https"], PROXY, Hidden),
        (&["for=1.1.1.1, for"], PROXY, Malformed),
        (&["for=1.1.1.1, for=\"10.2.2.2"], PROXY, Malformed),
        (&["for=2001:db8::9"], PROXY, Malformed),
        (&["for=\"2001:db8::9\""], PROXY, Malformed),
        (&["for=1.1.1.1;for=2.2.2.2"], PROXY, Malformed),
        (&["for=1.1.1.1;proto=http;proto=https"], PROXY, Malformed),
        (&["for=1.1.1.1;f r=2"], PROXY, Malformed),
        (&["for=1.1.1.1;="], PROXY, Malformed),
        (&["for=_"], PROXY, Malformed),
    ] {
        assert_eq!(found("forwarded", lines), (address.to_owned(), headers), "{lines:?}");
    }
}

#[test]
fn a_peer_that_is_no_trusted_proxy_cannot_choose_its_address() {
    for name in ["forwarded", "x-forwarded-for", "x-forwarded-host"] {
        for peer in ["203.0.113.9", "2001:db8::1"] {
            let headers = Some(ProxyHeaders::UntrustedPeer);
            let expected = Client { address: peer.parse().ok(), headers, ..Client::default() };
            assert_eq!(client(peer, &[(name, "for=1.1.1.1")]), expected, "{name}");
        }
    }
    assert_eq!(client("203.0.113.9", &[]).headers, None);
    assert_eq!(client("::ffff:10.0.0.1", &[("x-forwarded-for", "1.1.1.1")]).address, "1.1.1.1".parse().ok());
    assert_eq!(TrustedProxies::default().client(None, |_| [b"1.1.1.1".as_slice()].into_iter()).address, None);
}

#[test]
fn two_headers_count_only_if_they_agree() {
    let both = |forwarded, listed| client(PROXY, &[("forwarded", forwarded), ("x-forwarded-for", listed), ("x-forwarded-host", "a")]);
    let agreed = both("for=203.0.113.9", "1.1.1.1, 203.0.113.9");
    assert_eq!((agreed.address, agreed.headers), ("203.0.113.9".parse().ok(), Some(ProxyHeaders::Used)));
    for (forwarded, listed) in [("for=1.1.1.1", "203.0.113.9"), ("for=unknown", "203.0.113.9"), ("for=1.1.1.1", "?")] {
        let expected = Client { address: PROXY.parse().ok(), headers: Some(ProxyHeaders::Conflict), ..Client::default() };
        assert_eq!(both(forwarded, listed), expected);
    }
}

#[test]
fn the_host_is_the_one_that_the_client_addressed() {
    use ProxyHeaders::{Conflict, Hidden, Malformed, Used};
    for (headers, host, scheme, result) in [
        (&[("x-forwarded-host", " app.example:8443 ")][..], Some("app.example:8443"), None, Used),
        (&[("x-forwarded-host", "a"), ("x-forwarded-for", "1.1.1.1")], Some("a"), None, Used),
        (&[("x-forwarded-host", "a, b")], None, None, Malformed),
        (&[("x-forwarded-host", "a"), ("x-forwarded-host", "b")], None, None, Malformed),
        (&[("x-forwarded-host", "")], None, None, Malformed),
        (&[("forwarded", "for=1.1.1.1;host=\"a:1\";proto=HTTPS")], Some("a:1"), Some("https"), Used),
        (&[("forwarded", "for=1.1.1.1;proto=wss")], None, Some("https"), Used),
        (&[("forwarded", "for=1.1.1.1;proto=ws")], None, Some("http"), Used),
        (&[("forwarded", "host=a;proto=http")], Some("a"), Some("http"), Hidden),
        // The outermost proxy knows what the client addressed; further left the client itself wrote.
        (&[("forwarded", "for=6.6.6.6;host=forged, for=1.1.1.1;host=a, for=10.2.2.2;host=b")], Some("a"), None, Used),
        (&[("forwarded", "for=1.1.1.1;host=A"), ("x-forwarded-host", "a")], Some("a"), None, Used),
        (&[("forwarded", "for=1.1.1.1;host=a"), ("x-forwarded-host", "b")], None, None, Conflict),
    ] {
        let client = client(PROXY, headers);
        assert_eq!((client.host.as_deref(), client.scheme, client.headers), (host, scheme, Some(result)), "{headers:?}");
    }
}

#[test]
fn each_result_is_counted() {
    let trusted = new();
    for (peer, value) in [(PROXY, "1.1.1.1"), (PROXY, "?"), ("203.0.113.9", "1.1.1.1"), ("203.0.113.9", "1.1.1.1")] {
        trusted.count(&trusted.client(peer.parse().ok(), |name| (name == X_FORWARDED_FOR).then_some(value.as_bytes()).into_iter()));
    }
    trusted.count(&Client::default());
    let counts: Vec<_> = trusted.counts().map(|(result, count)| (result.text(), count)).collect();
    assert_eq!(counts, [("used", 1), ("untrusted_peer", 2), ("malformed", 1), ("hidden", 0), ("conflict", 0)]);
}

#[test]
fn entries_that_are_no_networks_are_refused() {
    for (bad, says) in [
        ("[\"proxy.example\"]", "expected networks such as"),
        ("[\"10.0.0.0/33\"]", "expected networks such as"),
        ("[\"\"]", "expected networks such as"),
        ("[\"0.0.0.0/0\"]", "trusts everybody"),
        ("[\"::/0\"]", "trusts everybody"),
    ] {
        let problems = proxies(bad).expect_err(bad);
        let problems: Vec<_> = problems.iter().collect();
        assert!(problems.len() == 1 && problems[0].key == "public.trusted_proxies", "{problems:?}");
        assert!(problems[0].message.contains(says), "{bad}: {}", problems[0].message);
    }
    let many = format!("{:?}", vec!["10.0.0.1"; 257]);
    assert!(proxies(&many).expect_err("too many").to_string().contains("up to 256 entries; found 257"));
}

proptest! {
    /// Whatever a client sends, the address that the proxy adds decides.
    #[test]
    fn nothing_that_a_client_sends_changes_the_address(sent in "[ -~]{0,60}") {
        for (name, added) in [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9;proto=https")] {
            for lines in [vec![format!("{sent}, {added}")], vec![sent.clone(), added.to_owned()]] {
                let lines: Vec<_> = lines.iter().map(String::as_str).collect();
                prop_assert_eq!(found(name, &lines), ("203.0.113.9".to_owned(), ProxyHeaders::Used));
            }
        }
    }

    #[test]
    fn no_header_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[\"\\\\,;=for 0-9.:\\[\\]_]{0,40}") {
        for value in [&bytes[..], text.as_bytes()] {
            let _ = trusted().client(PROXY.parse().ok(), |_| [value].into_iter());
        }
    }
}
