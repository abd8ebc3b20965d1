use super::*;
use crate::settings::Settings;
use futures_util::FutureExt as _;
use gateway_core::model::ErrorCode;
use std::sync::Arc;

/// The SHA-256 of "two", by another program.
const TWO: &str = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";

fn read(toml: &str) -> Result<ApiKeys, String> {
    let tls = "[internal.tls]\nclient_ca_file = \"ca\"\npairs = [{ cert_file = \"c\", key_file = \"k\" }]";
    let settings = Settings::from_toml(&format!("{toml}\n{tls}")).unwrap_or_else(|problems| panic!("{problems}"));
    ApiKeys::try_from(&settings.api_keys[..]).map_err(|problems| problems.to_string())
}

fn keys(toml: &str) -> ApiKeys {
    read(toml).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A key with these scopes.
fn key_with(scopes: &str) -> ApiKey {
    let keys = keys(&format!("[[api_keys]]\nname = \"orders\"\nkey = \"k\"\nscopes = [{scopes}]"));
    (**keys.authorize(Some("Bearer k"), None).expect("a key")).clone()
}

fn two_names() -> ApiKeys {
    keys(&format!("[[api_keys]]\nname = \"old\"\nkey = \"one\"\n[[api_keys]]\nname = \"new\"\nkey_hash = \"{TWO}\""))
}

#[test]
fn each_key_is_accepted_under_its_name() {
    let keys = two_names();
    for (header, name) in [("Bearer one", "old"), ("bearer two", "new"), ("BEARER  two ", "new")] {
        assert_eq!(keys.authorize(Some(header), None).map(|key| key.name()), Ok(name), "{header}");
    }
}

#[test]
fn everything_else_is_refused() {
    let keys = two_names();
    let hash = format!("Bearer {TWO}");
    for header in
        ["", "one", "Bearer", "Bearer ", "Bearer on", "Bearer one two", "Basic one", "Bearer old", "Bearer\tone", "Bearer ONE", &hash]
    {
        assert_eq!(
            keys.authorize(Some(header), None).map(|_| ()).map_err(|refusal| refusal.code),
            Err(ErrorCode::Unauthorized),
            "{header:?}"
        );
    }
    assert!(keys.authorize(None, None).is_err());
    assert!(ApiKeys::try_from(&[][..]).expect("none is fine").authorize(Some("Bearer "), None).is_err());
}

#[test]
fn keys_are_not_shown() {
    assert_eq!(format!("{:?}", two_names()), r#"["old", "new"]"#);
}

#[test]
fn a_hash_is_written_with_or_without_its_algorithm_in_either_case() {
    for hash in [TWO.to_owned(), TWO.to_uppercase(), format!("sha256:{TWO}")] {
        let keys = keys(&format!("[[api_keys]]\nname = \"a\"\nkey_hash = \"{hash}\""));
        assert!(keys.authorize(Some("Bearer two"), None).is_ok() && keys.authorize(Some("Bearer one"), None).is_err(), "{hash}");
    }
}

#[test]
fn keys_of_one_name_have_their_own_scopes_wherever_they_stand() {
    let entry = |key: &str, scopes: &str| format!("[[api_keys]]\nname = \"orders\"\nkey = \"{key}\"\n{scopes}\n");
    let (old, new) = (entry("old", ""), entry("new", "scopes = [\"read\"]"));
    for toml in [format!("{old}{new}"), format!("{new}{old}")] {
        let keys = keys(&toml);
        let of = |key: &str| keys.authorize(Some(&format!("Bearer {key}")), None).expect("a key");
        assert_eq!((of("old").name(), of("new").name()), ("orders", "orders"));
        assert!(of("old").check(Scope::Admin).is_ok() && of("new").check(Scope::Admin).is_err() && of("new").check(Scope::Read).is_ok());
    }
}

#[test]
fn entries_of_wrong_form_are_refused_with_the_cure() {
    let entry = |lines: &str| format!("[[api_keys]]\nname = \"a\"\n{lines}\n");
    let with_scope = |scope: &str| entry(&format!("key = \"k\"\nscopes = [\"{scope}\"]"));
    for (toml, says) in [
        (entry(""), "api_keys[0]: has neither key nor key_hash; set one"),
        (entry("key = \"\""), "api_keys[0]: has neither"),
        (entry(&format!("key = \"k\"\nkey_hash = \"{TWO}\"")), "api_keys[0]: has both key and key_hash; remove one"),
        (entry("key = \"k k\""), "api_keys[0].key: expected one or more visible"),
        (
            entry("key_hash = \"hush\""),
            "api_keys[0].key_hash: expected the SHA-256 of the key in 64 hex digits, perhaps after \"sha256:\"; found 4 ",
        ),
        (entry(&format!("key_hash = \"sha256:{}\"", &TWO[1..])), "found 63 characters; gateway new-key prints it"),
        (entry(&format!("key_hash = \"{}\"", TWO.replace('c', "g"))), "api_keys[0].key_hash: expected"),
        (entry(&format!("key_hash = \"sha512:{TWO}\"")), "api_keys[0].key_hash: expected"),
        (entry("certificate = \"a.b\"") + &entry("certificate = \"A.b\""), "api_keys[1]: has the same key as api_keys[0]"),
        (entry("certificate = \"*.b\""), "api_keys[0].certificate: a wildcard stands for many names"),
        (entry("certificate = \"a.b\"\nkey = \"k\""), "api_keys[0]: has a certificate and a key"),
        (entry("key = \"k\"") + &entry("key = \"k\""), "api_keys[1]: has the same key as api_keys[0]: remove one"),
        (entry("key = \"two\"") + &entry(&format!("key_hash = \"{TWO}\"")), "api_keys[1]: has the same key as api_keys[0]"),
        (entry("key = \"k\"").replace("\"a\"", "\"a b\""), "api_keys[0].name: expected 1 to 64 characters"),
        ("[[api_keys]]\nkey = \"k\"".into(), "api_keys[0].name: expected 1 to 64 characters"),
        (entry("key = \"k\"\nscopes = []"), "api_keys[0].scopes: is empty"),
        (with_scope("publsh"), "api_keys[0].scopes: \"publsh\" is no scope; the scopes are publish, read"),
        (with_scope("Publish"), "is no scope"),
        (with_scope(""), "\"\" is no scope"),
        (with_scope("*"), "is no scope"),
        (with_scope("publish:"), "the channels of \"publish:\" are no pattern such as chat:*: the name is empty"),
        (with_scope("publish:chat:"), "are no pattern"),
        (with_scope("publish:a b"), "are no pattern"),
        (with_scope("read:chat:?"), "contain a '?'; write '*'"),
        (with_scope("users:alice"), "has a ':', but this scope has no parts; write \"users\""),
        (with_scope("admin:"), "write \"admin\""),
        (with_scope("link"), "write link:<service>"),
        (with_scope("link:Bot"), "write link:<service>"),
        (with_scope("link:*"), "write link:<service>"),
    ] {
        let problems = read(&toml).expect_err(&toml);
        assert!(problems.contains(says), "{toml}\n{problems}");
        assert!(!problems.contains("hush") && !problems.contains(&TWO[1..]), "{problems}");
    }
}

#[test]
fn a_scope_counts_for_its_channels_and_services_only() {
    let key = key_with(r#""publish:chat:*", "publish:#*", "publish:deploy:eu:*", "read", "presence:news:world", "link:bot""#);
    let channel = |name: &str| name.parse().expect("a channel");
    for (scope, name, may) in [
        (Scope::Publish, "chat:lobby", true),
        (Scope::Publish, "chat:a:b", true),
        (Scope::Publish, "chats:lobby", false),
        (Scope::Publish, "chat", false),
        (Scope::Publish, "#chat:lobby", true),
        (Scope::Publish, "news:world", false),
        (Scope::Publish, "deploy:eu:1", true),
        (Scope::Publish, "deploy:us:1", false),
        (Scope::Read, "any:thing", true),
        (Scope::Presence, "news:world", true),
        (Scope::Presence, "news:worlds", false),
        (Scope::Presence, "chat:lobby", false),
    ] {
        assert_eq!(key.check_channel(scope, &channel(name)).is_ok(), may, "{scope} {name}");
    }
    for scope in Scope::ALL {
        let has = matches!(scope, Scope::Publish | Scope::Read | Scope::Presence | Scope::Link);
        assert_eq!(key.check(scope).is_ok(), has, "{scope}");
        assert!(two_names().authorize(Some("Bearer one"), None).expect("a key").check(scope).is_ok());
    }
    assert!(key.check_link(&"bot".parse().expect("a service")).is_ok());
    assert!(key.check_link(&"bots".parse().expect("a service")).is_err());
}

#[test]
fn a_list_needs_the_scope_for_every_channel_that_its_pattern_matches() {
    let key = key_with(r#""read:chat:*", "read:n*s:b", "publish""#);
    for (pattern, may) in [
        ("chat:*", true),
        ("chat:a*", true),
        ("chat:?", true),
        ("chat:*:?", true),
        ("chat:lobby", true),
        ("n*s:b", true),
        ("n?s:b", true),
        ("n*s:*", false),
        ("chat*", false),
        ("cha?:*", false),
        ("*", false),
        ("", false),
    ] {
        assert_eq!(key.check_list(pattern).is_ok(), may, "{pattern}");
    }
    assert!(key_with("\"read\"").check_list("*").is_ok() && key_with("\"read:*\"").check_list("*").is_ok());
}

#[test]
fn a_refusal_names_the_key_and_the_missing_scope() {
    let key = key_with("\"publish:a:*\"");
    let channel = "b:c".parse().expect("a channel");
    for (refused, scope) in [
        (key.check(Scope::Admin), "`admin`"),
        (key.check(Scope::Link), "`link:<service>`"),
        (key.check_channel(Scope::Publish, &channel), "`publish:b:c`"),
        (key.check_list("b:*"), "`read:b:*`"),
        (key.check_link(&"bot".parse().expect("a service")), "`link:bot`"),
    ] {
        let refusal = refused.expect_err(scope);
        assert_eq!(refusal.code, ErrorCode::PermissionDenied);
        assert!(refusal.detail.contains("\"orders\"") && refusal.detail.contains(scope), "{}", refusal.detail);
    }
}

#[test]
fn a_new_key_fits_its_hash_and_is_never_the_same() {
    let [one, other] = [NewKey::generate(), NewKey::generate()].map(|key| key.expect("random bytes"));
    assert_ne!(one.key, other.key);
    let random = one.key.strip_prefix("sbk_").expect("the prefix");
    assert!(random.len() == 43 && random.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{random}");
    let keys = keys(&format!("[[api_keys]]\nname = \"a\"\nkey_hash = \"{}\"", one.hash));
    assert!(keys.authorize(Some(&format!("Bearer {}", one.key)), None).is_ok());
    assert!(keys.authorize(Some(&format!("Bearer {}", other.key)), None).is_err());
}

const CERTIFICATE: &str = "[[api_keys]]\nname = \"orders\"\ncertificate = \"orders.internal\"\n";

/// An entry with this key.
fn narrow(name: &str, secret: &str, scopes: &str) -> String {
    format!("[[api_keys]]\nname = \"{name}\"\nkey = \"{secret}\"\nscopes = [{scopes}]\n")
}

#[test]
fn a_held_key_has_the_name_and_the_scopes_that_count_now() {
    let current = CurrentKeys::new(keys(&narrow("orders", "k", "\"link:bot\"")));
    let held = current.hold(current.authorize(Some("Bearer k"), None).expect("a key"));
    current.replace(keys(&[narrow("billing", "other", "\"admin\""), narrow("shop", "k", "\"read\"")].concat()));
    let now = held.now().expect("it counts");
    assert_eq!((now.name(), now.check(Scope::Read), now.check(Scope::Link).is_err()), ("shop", Ok(()), true));
    current.replace(keys(&narrow("orders", "new", "\"link:bot\"")));
    let refusal = held.now().expect_err("the name alone is not enough");
    assert!(refusal.code == ErrorCode::Unauthorized && refusal.detail.contains("\"orders\""), "{refusal:?}");
    assert!(current.authorize(Some("Bearer k"), None).is_err() && current.authorize(Some("Bearer new"), None).is_ok());
    current.replace(keys(&narrow("orders", "k", "\"link:bot\"")));
    assert_eq!(held.now().map(|key| key.name().to_owned()), Ok("orders".into()));
}

#[test]
fn a_link_loses_its_key_when_it_is_removed_or_has_no_scope_for_it() {
    let bot = "bot".parse().expect("a service");
    let held_of = |toml: &str| {
        let keys = keys(toml);
        let key = Arc::clone(keys.first());
        let current = CurrentKeys::new(keys);
        (current.hold(key), current)
    };
    for (first, kept, lost, code) in [
        (
            narrow("orders", "k", "\"link:bot\""),
            narrow("shop", "k", "\"link:bot\", \"read\""),
            narrow("orders", "k2", "\"link:bot\""),
            ErrorCode::Unauthorized,
        ),
        (
            narrow("orders", "k", "\"link:bot\""),
            narrow("orders", "k", "\"link:bot\""),
            narrow("orders", "k", "\"link:shop\""),
            ErrorCode::PermissionDenied,
        ),
        (CERTIFICATE.to_owned(), CERTIFICATE.replace("orders\"\nc", "shop\"\nc"), String::new(), ErrorCode::Unauthorized),
    ] {
        let (held, current) = held_of(&first);
        let mut waiting = Box::pin(held.lost(&bot));
        let mut is_lost = || waiting.as_mut().now_or_never().map(|refusal| refusal.code);
        assert_eq!(is_lost(), None, "{first}");
        current.replace(keys(&kept));
        assert_eq!(is_lost(), None, "{kept}");
        current.replace(keys(&lost));
        assert_eq!(is_lost(), Some(code), "{lost}");
        assert_eq!(held.lost(&bot).now_or_never().map(|refusal| refusal.code), Some(code), "it need not change again: {lost}");
    }
}

#[test]
fn a_key_shows_neither_itself_nor_its_hash() {
    let shown = format!("{:?}", two_names().authorize(Some("Bearer two"), None).expect("a key"));
    assert!(shown.contains("new") && !shown.contains("two") && !shown.contains("63, 196") && !shown.contains(&TWO[..8]), "{shown}");
}
