use super::*;
use crate::broker::{MemoryBroker, MemoryLimits};
use gateway_core::{
    channel::AllowedData,
    model::{ErrorCode, PageLimit, ReadRange, Retention},
};
use std::time::Duration;

fn publisher(limits: PublishLimits) -> Publisher {
    let retention = Some(Retention { size: 10, ttl: Duration::from_mins(1) });
    let kept = Arc::new(ChannelOptions { retention, ..ChannelOptions::default() });
    let any = Arc::new(ChannelOptions { data: AllowedData::Any, ..(*kept).clone() });
    let namespaces = Namespaces { named: [("news".into(), kept), ("any".into(), any)].into(), ..Namespaces::default() };
    Publisher::new(Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default()))), namespaces, limits)
}

fn draft(channel: &str, json: &str) -> Draft {
    Draft::parse(channel, ContentBody::Json(serde_json::from_str(json).expect("JSON")), Tags::new(), false).expect("valid")
}

fn text(channel: &str, text: &str) -> Draft {
    Draft::parse(channel, ContentBody::Text(text.into()), Tags::new(), false).expect("valid")
}

fn bytes(channel: &str, bytes: &[u8]) -> Draft {
    Draft::parse(channel, ContentBody::Bytes(bytes.into()), Tags::new(), false).expect("valid")
}

fn tagged(draft: Draft, tags: &[(&str, &str)]) -> Draft {
    Draft { tags: tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(), ..draft }
}

/// What a channel holds: the content and the tags of each publication.
async fn held(publisher: &Publisher, channel: &str) -> Vec<(Content, Tags)> {
    let (channel, limit) = (parse_channel(channel).expect("valid"), PageLimit { entries: 100, bytes: usize::MAX });
    let retention = Retention { size: 10, ttl: Duration::from_mins(1) };
    let page = publisher.broker.read(&channel, retention, ReadRange::After(0), limit).await.expect("in memory");
    page.publications.iter().map(|it| (it.content.clone(), it.tags.clone())).collect()
}

#[tokio::test]
async fn a_publication_above_a_limit_is_refused() {
    let publisher = publisher(PublishLimits { data: 10, tags: 1, tag_bytes: 8 });
    for (draft, code) in [
        (draft("nowhere:a", "1"), ErrorCode::UnknownChannel),
        (draft("news:a", "\"0123456789\""), ErrorCode::PayloadTooLarge),
        (text("any:a", "12345678\n"), ErrorCode::PayloadTooLarge),
        (bytes("any:a", b"1234567"), ErrorCode::PayloadTooLarge),
        (tagged(draft("news:a", "1"), &[("a", "1"), ("b", "2")]), ErrorCode::LimitExceeded),
        (tagged(draft("news:a", "1"), &[("a", "12345678")]), ErrorCode::LimitExceeded),
        (tagged(draft("news:a", "1"), &[("", "1")]), ErrorCode::BadRequest),
    ] {
        assert_eq!(publisher.publish(draft).await.expect_err("refused").code, code);
    }
}

#[tokio::test]
async fn content_that_fits_is_published_within_the_limits() {
    let publisher = publisher(PublishLimits { data: 10, tags: 1, tag_bytes: 8 });
    for draft in [text("any:a", "123456\n"), bytes("any:a", b"123456"), tagged(text("any:a", "1"), &[("a", "1")])] {
        publisher.publish(draft).await.expect("the tag of the gateway does not count");
    }
}

#[tokio::test]
async fn text_and_bytes_get_a_content_type_or_keep_their_own() {
    let publisher = publisher(PublishLimits::default());
    let longest = "ä".repeat(64);
    for (draft, expected) in [
        (draft("any:a", "{}"), &[][..]),
        (tagged(draft("any:a", "{}"), &[("a", "b")]), &[("a", "b")]),
        (text("any:a", ""), &[("content-type", "text/plain")]),
        (text("any:a", "{}"), &[("content-type", "text/plain")]),
        (bytes("any:a", b"{}"), &[("content-type", "application/octet-stream")]),
        (tagged(text("any:a", "a"), &[("content-type", "text/csv; charset=utf-8")]), &[("content-type", "text/csv; charset=utf-8")]),
        (tagged(bytes("any:a", &[255]), &[("a", "b"), ("content-type", &longest)]), &[("a", "b"), ("content-type", &longest)]),
    ] {
        let (channel, content) = (draft.channel.clone(), draft.content.clone());
        publisher.publish(draft).await.expect("published");
        let tags = tagged(text("any:a", ""), expected).tags;
        assert_eq!(held(&publisher, &channel).await.pop(), Some((content, tags)));
    }
}

#[tokio::test]
async fn reserved_tags_and_other_data_than_the_channel_takes_are_refused() {
    let publisher = publisher(PublishLimits::default());
    let too_long = "x".repeat(129);
    for (draft, reason) in [
        (text("news:a", "hi"), "The data is text"),
        (text("plain", "hi"), "The data is text"),
        (text("#alice", "hi"), "The data is text"),
        (bytes("news:a", b"1"), "The data is bytes"),
        (tagged(text("news:a", "hi"), &[("content-type", "application/json")]), "The data is text"),
        (tagged(draft("news:a", "1"), &[("encoding", "base64")]), "\"encoding\" is reserved"),
        (tagged(text("any:a", "YQ=="), &[("encoding", "base64")]), "\"encoding\" is reserved"),
        (tagged(bytes("any:a", b"a"), &[("encoding", "")]), "\"encoding\" is reserved"),
        (tagged(draft("news:a", "1"), &[("content-type", "application/json")]), "The data is JSON"),
        (tagged(draft("any:a", "1"), &[("content-type", "text/plain")]), "The data is JSON"),
        (tagged(text("any:a", "1"), &[("content-type", "")]), "1 to 128 bytes"),
        (tagged(text("any:a", "1"), &[("content-type", &too_long)]), "1 to 128 bytes"),
        (tagged(text("any:a", "1"), &[("content-type", "a\nb")]), "control characters"),
        (tagged(bytes("any:a", b"1"), &[("content-type", "a\u{85}")]), "control characters"),
    ] {
        let refusal = publisher.publish(draft).await.expect_err(reason);
        assert_eq!(refusal.code, ErrorCode::BadRequest, "{reason}");
        assert!(refusal.detail.contains(reason) && refusal.detail.len() <= 256, "{}", refusal.detail);
    }
    for channel in ["news:a", "any:a"] {
        assert_eq!(held(&publisher, channel).await, [], "nothing is published");
    }
}

#[test]
fn the_fingerprint_is_that_of_the_kind() {
    let same_tags = |draft| tagged(draft, &[("content-type", "a")]).fingerprint();
    let all = [same_tags(draft("any:a", "1")), same_tags(text("any:a", "1")), same_tags(bytes("any:a", b"1"))];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
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

#[tokio::test]
async fn publications_that_are_stored_together_have_at_most_one_mebibyte() {
    let limits = PublishLimits { data: 600 << 10, tags: 1, tag_bytes: 100 };
    let publisher = publisher(limits);
    let several = |sizes: &[usize], tag: usize| {
        let items = sizes.iter().map(|size| {
            let json = serde_json::value::to_raw_value(&"x".repeat(size - 2)).expect("JSON");
            (ContentBody::Json(json), Tags::from([("a".to_owned(), "x".repeat(tag - 1))]))
        });
        DraftAll::parse("news:a", items, None, None).expect("valid")
    };
    let half = (1 << 19) - 10;
    let refusal = publisher.publish_all(several(&[half, half + 1], 10)).await.expect_err("one byte too many");
    assert_eq!((refusal.code, refusal.detail.contains("1048576 are allowed")), (ErrorCode::PayloadTooLarge, true), "{refusal}");
    assert!(held(&publisher, "news:a").await.is_empty());
    publisher.publish_all(several(&[half, half], 10)).await.expect("as much as is allowed");
}
