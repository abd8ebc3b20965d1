use super::*;
use crate::broker::{MemoryBroker, MemoryLimits};
use gateway_core::model::{ErrorCode, Retention};
use std::time::Duration;

fn publisher(limits: PublishLimits) -> Publisher {
    let retention = Some(Retention { size: 10, ttl: Duration::from_mins(1) });
    let kept = Arc::new(ChannelOptions { retention, ..ChannelOptions::default() });
    let namespaces = Namespaces { named: [("news".into(), kept)].into(), ..Namespaces::default() };
    Publisher::new(Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default()))), namespaces, limits)
}

fn draft(channel: &str, json: &str) -> Draft {
    Draft::parse(channel, serde_json::from_str(json).expect("JSON"), Tags::new(), false).expect("valid")
}

#[tokio::test]
async fn a_publication_above_a_limit_is_refused() {
    let publisher = publisher(PublishLimits { data: 10, tags: 1, tag_bytes: 8 });
    let tagged =
        |tags: &[(&str, &str)]| Draft { tags: tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(), ..draft("news:a", "1") };
    for (draft, code) in [
        (draft("nowhere:a", "1"), ErrorCode::UnknownChannel),
        (draft("news:a", "\"0123456789\""), ErrorCode::PayloadTooLarge),
        (tagged(&[("a", "1"), ("b", "2")]), ErrorCode::LimitExceeded),
        (tagged(&[("a", "12345678")]), ErrorCode::LimitExceeded),
        (tagged(&[("", "1")]), ErrorCode::BadRequest),
    ] {
        assert_eq!(publisher.publish(draft).await.expect_err("refused").code, code);
    }
}

#[test]
fn invalid_keys_and_names_are_refused() {
    for (key, valid) in [("", false), ("a b", false), ("ä", false), (&*"x".repeat(256), false), (&*"x".repeat(255), true), ("k-1", true)] {
        assert_eq!(CallerKey::new("dev", key).is_ok(), valid, "{key:?}");
    }
    assert_eq!(parse_channel("a b").expect_err("a space").code, ErrorCode::BadRequest);
}

#[test]
fn the_fingerprint_ignores_the_formatting_of_json_only() {
    let base = draft("news:a", r#"{"a":1}"#).fingerprint();
    assert_eq!(base, draft("news:a", "{ \"a\" : 1 }").fingerprint());
    let ephemeral = Draft { ephemeral: true, ..draft("news:a", r#"{"a":1}"#) };
    let tagged = Draft { tags: [("t".into(), "v".into())].into(), ..draft("news:a", r#"{"a":1}"#) };
    for other in [draft("news:b", r#"{"a":1}"#), draft("news:a", r#"{"a":2}"#), ephemeral, tagged] {
        assert_ne!(base, other.fingerprint());
    }
}
