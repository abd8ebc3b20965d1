use super::*;
use crate::settings::{Problems, Settings};

/// The address in the settings if `redis.url` is `url`.
pub(crate) fn address(url: &str) -> Result<Address, Problems> {
    of(&format!("url = {url:?}"))
}

fn of(redis: &str) -> Result<Address, Problems> {
    Address::try_from(&Settings::from_toml(&format!("[redis]\n{redis}")).expect("values of the right type").redis)
}

fn login(peer: &Peer) -> (Option<&str>, Option<&str>, i64) {
    let settings = peer.info.redis_settings();
    (settings.username(), settings.password(), settings.db())
}

fn shown(peers: &[Peer]) -> Vec<String> {
    peers.iter().map(Peer::to_string).collect()
}

#[test]
fn a_server_has_a_host_or_a_socket() {
    for (url, at, expected) in [
        ("redis://h", "h:6379", (None, None, 0)),
        ("redis://h:1/3", "h:1", (None, None, 3)),
        ("redis://[::1]/", "[::1]:6379", (None, None, 0)),
        ("redis://u:p%40%2f@h:1", "h:1", (Some("u"), Some("p@/"), 0)),
        ("redis://:p@h", "h:6379", (None, Some("p"), 0)),
        ("rediss://u:p@h:2/1", "h:2", (Some("u"), Some("p"), 1)),
        ("redis+unix:///tmp/r.sock", "/tmp/r.sock", (None, None, 0)),
        ("redis+unix:///tmp/r.sock?db=2&user=u&pass=p", "/tmp/r.sock", (Some("u"), Some("p"), 2)),
    ] {
        let Ok(Address::One(ServerAddress::Server(peer))) = address(url) else { panic!("{url}") };
        assert_eq!((&*peer.to_string(), login(&peer)), (at, expected), "{url}");
        assert_eq!(peer.uses_tls(), url.starts_with("rediss"));
    }
}

#[test]
fn sentinels_have_their_own_login_and_servers_the_login_of_the_url() {
    let text = "url = \"rediss+sentinel://u:p@s1,s2:7/main.1/4\"\nsentinel_user = \"su\"\nsentinel_password = \"sp\"";
    let Ok(Address::One(ServerAddress::Sentinels { sentinels, service, server })) = of(text) else { panic!("{text}") };
    assert_eq!(shown(&sentinels), ["s1:26379", "s2:7"]);
    assert!(sentinels.iter().all(|peer| login(peer) == (Some("su"), Some("sp"), 0) && peer.uses_tls()));
    assert_eq!(&*service, "main.1");
    let master = server.at("10.0.0.1".into(), 5);
    assert_eq!((&*master.to_string(), login(&master), master.uses_tls()), ("10.0.0.1:5", (Some("u"), Some("p"), 4), true));

    let Ok(Address::One(ServerAddress::Sentinels { sentinels, server, .. })) = address("redis+sentinel://:p@s1/main") else {
        panic!("plain")
    };
    assert_eq!(login(&sentinels[0]), (None, None, 0), "the password belongs to Redis: sentinels without a password refuse any");
    assert!(!server.at("h".into(), 1).uses_tls());
}

#[test]
fn several_servers_have_names_and_any_form_of_url() {
    let text =
        "url = { b = \"redis://:p@h1/1\", a = \"rediss+sentinel://s1,s2/main\", c = \"redis+unix:///c.sock\" }\nsentinel_password = \"sp\"";
    let Ok(Address::Several(servers)) = of(text) else { panic!("{text}") };
    assert_eq!(servers.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b", "c"]);
    let ServerAddress::Sentinels { sentinels, .. } = &servers["a"] else { panic!("sentinels") };
    assert!(sentinels.iter().all(|peer| login(peer) == (None, Some("sp"), 0) && peer.uses_tls()));
    let ServerAddress::Server(server) = &servers["b"] else { panic!("a server") };
    assert_eq!((&*server.to_string(), login(server), server.uses_tls()), ("h1:6379", (None, Some("p"), 1), false));
    let Ok(Address::Several(servers)) = address("east=redis://h1 west=redis://h2") else { panic!("as in a variable") };
    assert_eq!(servers.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["east", "west"]);
}

#[test]
fn a_cluster_url_names_some_of_its_servers() {
    let Ok(Address::Cluster(peers)) = address("redis+cluster://u:p@h1:1,h2,[::1]:3") else { panic!("a cluster") };
    assert_eq!(shown(&peers), ["h1:1", "h2:6379", "[::1]:3"]);
    assert!(peers.iter().all(|peer| login(peer) == (Some("u"), Some("p"), 0)));
}

#[test]
fn a_wrong_address_is_refused_with_its_key_and_a_cure_and_without_the_password() {
    for (text, key, says) in [
        ("url = \"\"", "redis.url", "redis://[[user]:password@]host"),
        ("url = \"http://hush@h\"", "redis.url", "docs/redis.md"),
        ("url = \"redis://\"", "redis.url", "host[:port]"),
        ("url = \"redis://:hush@\"", "redis.url", "host[:port]"),
        ("url = \"redis://h1,h2\"", "redis.url", "one server"),
        ("url = \"redis://h:hush\"", "redis.url", "host[:port]"),
        ("url = \"redis://u:hu/hush@h\"", "redis.url", "%xx"),
        ("url = \"redis://0.0.0.0\"", "redis.url", "host[:port]"),
        ("url = \"redis://h/hush\"", "redis.url", "database number"),
        ("url = \"redis://h/-1\"", "redis.url", "database number"),
        ("url = \"redis://h?db=3\"", "redis.url", "remove '?'"),
        ("url = \"rediss://h/#insecure\"", "redis.url", "remove '?'"),
        ("url = \"redis+sentinel://:hush@h\"", "redis.url", "name of the service"),
        ("url = \"redis+sentinel://:hush@h/hush hush\"", "redis.url", "name of the service"),
        ("url = \"redis+sentinel://h,,h2/main\"", "redis.url", "host[:port]"),
        ("url = \"redis+cluster://h1,h2/1\"", "redis.url", "one database only"),
        ("url = \"a=redis://:hush@h1 b=redis://hush:hush\"", "redis.url.b", "host[:port]"),
        ("url = \"a=redis://:hush@h b=redis://:hush@h:6379/1\"", "redis.url.b", "the same server as redis.url.a"),
        ("url = \"a=redis+sentinel://h1,h2/main b=redis+sentinel://h3,h2/main\"", "redis.url.b", "the same server as redis.url.a"),
        ("url = \"a=redis://h1 b=redis+cluster://:hush@h2\"", "redis.url.b", "the only URL"),
        ("url = \"a=redis://h1 b=redis://h2\"\nca_file = \"/x\"", "redis.ca_file", "begin redis.url with rediss"),
        ("ca_file = \"/x\"", "redis.ca_file", "begin redis.url with rediss"),
        ("sentinel_password = \"hush\"", "redis.sentinel_password", "redis+sentinel"),
        ("sentinel_user = \"hush\"\nurl = \"redis+cluster://h\"", "redis.sentinel_user", "redis+sentinel"),
        ("url = \"rediss://h\"\nca_file = \"/nowhere/ca.pem\"", "redis.ca_file", "/nowhere/ca.pem cannot be read"),
        ("url = \"rediss://h\"\ncert_file = \"/nowhere/c.pem\"", "redis.cert_file", "redis.key_file"),
        ("url = \"rediss://h\"\nkey_file = \"/nowhere/k.pem\"", "redis.cert_file", "redis.key_file"),
        ("url = \"rediss://h\"\nca_file = \"/proc/self/status\"", "redis.ca_file", "PEM"),
    ] {
        let message = of(text).expect_err(text).to_string();
        assert!(message.contains(key) && message.contains(says) && !message.contains("hush"), "{text}: {message}");
    }
}

#[test]
fn no_password_is_shown() {
    for url in [
        "redis://u:hush@h",
        "redis+sentinel://u:hush@h/main",
        "redis+cluster://u:hush@h",
        "redis+unix:///s?pass=hush",
        "a=redis://u:hush@h b=redis://u:hush@i",
    ] {
        let address = address(url).expect(url);
        assert!(!format!("{address:?}").contains("hush"), "{address:?}");
    }
}
