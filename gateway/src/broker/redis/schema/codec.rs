//! Publications and announcements as bytes in Redis.
//!
//! A body is JSON with short names, so that `redis-cli` shows it as text. One of `d` (JSON), `x` (text) and `b` (bytes, as base64) is the
//! content; earlier versions wrote only `d`. `t` is the time in milliseconds since 1970.
//! Optional members are `g` (tags), `i` (the publishing client) and `p` (traceparent). A stream entry has the body in its field `d`; the id
//! of the entry is the offset. The first byte of a pub/sub message is its kind:
//!
//! | message | meaning |
//! |---|---|
//! | `p` epoch offset, space, body | a stored publication; an epoch has 8 bytes |
//! | `e` body | a publication that is not stored |
//! | `j` info | a client joined |
//! | `l` info | a client left |

use crate::broker::{Announcement, Delivery};
use gateway_core::model::{ClientInfo, Content, Data, Epoch, Position, Publication, Tags};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared_proto::json::{base64, present};
use std::{borrow::Cow, sync::Arc};

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    d: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    x: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    b: Option<Cow<'a, str>>,
    t: u64,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    g: Tags,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    i: Option<Info<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    u: Cow<'a, str>,
    c: String,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    n: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    h: Option<&'a RawValue>,
}

impl<'a> From<&'a ClientInfo> for Info<'a> {
    fn from(info: &'a ClientInfo) -> Self {
        let ClientInfo { user, client, conn_info, chan_info } = info;
        Self { u: user.as_str().into(), c: client.to_string(), n: conn_info.as_ref().map(Data::raw), h: chan_info.as_ref().map(Data::raw) }
    }
}

impl Info<'_> {
    fn into_model(self) -> Option<ClientInfo> {
        let data = |raw: Option<&RawValue>| raw.map(Data::parse).transpose().ok();
        Some(ClientInfo { user: self.u.parse().ok()?, client: self.c.parse().ok()?, conn_info: data(self.n)?, chan_info: data(self.h)? })
    }
}

/// Encodes a publication without its position.
pub(crate) fn encode_body(publication: &Publication) -> Vec<u8> {
    let Publication { position: _, content, tags, info, time_ms, traceparent } = publication;
    let info = info.as_deref().map(Info::from);
    let (d, x, b) = match content {
        Content::Json(data) => (Some(data.raw()), None, None),
        Content::Text(text) => (None, Some((&**text).into()), None),
        Content::Bytes(bytes) => (None, None, Some(base64::encode(bytes).into())),
    };
    json(&Body { d, x, b, t: *time_ms, g: tags.clone(), i: info, p: traceparent.clone() })
}

/// Reads a body. None if no gateway wrote it.
pub(crate) fn decode_body(body: &[u8], position: Option<Position>) -> Option<Publication> {
    let Body { d, x, b, t, g, i, p } = serde_json::from_slice(body).ok()?;
    let info = match i {
        Some(info) => Some(Box::new(info.into_model()?)),
        None => None,
    };
    let content = match (d, x, b) {
        (Some(data), None, None) => Data::parse(data).ok()?.into(),
        (None, Some(text), None) => Content::Text(text.into()),
        (None, None, Some(bytes)) => Content::Bytes(base64::decode(&bytes)?.into()),
        _ => return None,
    };
    Some(Publication { position, content, tags: g, info, time_ms: t, traceparent: p })
}

/// Encodes a publication that is not stored as a pub/sub message.
pub(crate) fn encode_ephemeral(publication: &Publication) -> Vec<u8> {
    [b"e", &*encode_body(publication)].concat()
}

pub(crate) fn encode_announcement(announcement: &Announcement) -> Vec<u8> {
    let (letter, info) = match announcement {
        Announcement::Join(info) => (b"j", info),
        Announcement::Leave(info) => (b"l", info),
    };
    [letter, &*encode_info(info)].concat()
}

pub(crate) fn encode_info(info: &ClientInfo) -> Vec<u8> {
    json(&Info::from(info))
}

/// Reads the info of a client. None if no gateway wrote it.
pub(crate) fn decode_info(info: &[u8]) -> Option<ClientInfo> {
    serde_json::from_slice::<Info<'_>>(info).ok()?.into_model()
}

/// Reads a pub/sub message. None if no gateway wrote it.
pub(crate) fn decode(message: &[u8]) -> Option<Delivery> {
    let (letter, rest) = message.split_first()?;
    let publication = |body, position| decode_body(body, position).map(|publication| Delivery::Publication(Arc::new(publication)));
    match letter {
        b'p' => {
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let (epoch, offset) = std::str::from_utf8(&rest[..space]).ok()?.split_at_checked(8)?;
            let position = Position { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? };
            publication(&rest[space + 1..], Some(position))
        }
        b'e' => publication(rest, None),
        b'j' => Some(Delivery::Announcement(Announcement::Join(Arc::new(decode_info(rest)?)))),
        b'l' => Some(Delivery::Announcement(Announcement::Leave(Arc::new(decode_info(rest)?)))),
        _ => None,
    }
}

/// Reads forks as the scripts store them: `epoch:offset`, newest first.
pub(crate) fn decode_forks(forks: &str) -> Option<Vec<Position>> {
    let fork = |text: &str| {
        let (epoch, offset) = text.split_once(':')?;
        Some(Position { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? })
    };
    forks.split_ascii_whitespace().map(fork).collect()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // The value consists of strings, numbers and checked JSON, so serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixtures::{client, data};
    use gateway_core::model::CONTENT_TYPE;
    use proptest::prelude::*;

    fn whole() -> Publication {
        let mut info = (*client("CN=\"Alice\\, ü\"")).clone();
        info.conn_info = Some(data(serde_json::json!({ "name": "Älice" })));
        let position = Some(Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 7 });
        let tags = Tags::from([("a b".into(), "\"".into())]);
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        Publication { position, content: data([1, 2]).into(), tags, info: Some(Box::new(info)), time_ms: 42, traceparent }
    }

    #[test]
    fn publications_come_back_as_they_went() {
        let publication = whole();
        let body = encode_body(&publication);
        assert_eq!(decode_body(&body, publication.position), Some(publication.clone()));
        let announced = [b"pepoch0017 ", &*body].concat();
        assert!(matches!(decode(&announced), Some(Delivery::Publication(arrived)) if *arrived == publication));
        let ephemeral = Publication { position: None, ..publication };
        assert!(matches!(decode(&encode_ephemeral(&ephemeral)), Some(Delivery::Publication(arrived)) if *arrived == ephemeral));
    }

    #[test]
    fn what_earlier_versions_stored_is_read() {
        let read = |body: &str| decode_body(body.as_bytes(), None).expect("a body");
        let bare = read(r#"{"d":null,"t":42}"#);
        assert_eq!((bare.content, bare.time_ms, bare.tags), (Data::null().into(), 42, Tags::new()));
        let tagged = read(r#"{"d":{"a":[1]},"t":1,"g":{"content-type":"a/b"},"p":"00-a-b-01"}"#);
        assert_eq!(tagged.content, data(serde_json::json!({"a": [1]})).into());
        assert_eq!(tagged.tags["content-type"], "a/b");
    }

    proptest! {
        #[test]
        fn content_of_each_kind_comes_back_as_it_went(
            content in prop_oneof![
                any::<String>().prop_map(|text| Content::Json(data(text))),
                any::<Option<bool>>().prop_map(|value| Content::Json(data([value]))),
                any::<String>().prop_map(|text| Content::Text(text.into())),
                proptest::collection::vec(any::<u8>(), 0..50).prop_map(|bytes| Content::Bytes(bytes.into())),
            ],
            content_type in any::<Option<String>>(),
        ) {
            let tags = content_type.map(|it| (CONTENT_TYPE.to_owned(), it)).into_iter().collect();
            let publication = Publication { content, tags, ..whole() };
            let body = encode_body(&publication);
            prop_assert_eq!(decode_body(&body, publication.position), Some(publication));
            prop_assert!(std::str::from_utf8(&body).is_ok());
        }
    }

    #[test]
    fn joins_and_leaves_come_back_as_they_went() {
        for announcement in [Announcement::Join(client("alice")), Announcement::Leave(client(""))] {
            let arrived = decode(&encode_announcement(&announcement));
            assert!(matches!(arrived, Some(Delivery::Announcement(arrived)) if arrived == announcement));
        }
    }

    #[test]
    fn what_no_gateway_wrote_is_refused() {
        for message in [
            "",
            "p",
            "pepoch001",
            "pepoch001x {}",
            "pshort7 {\"d\":1,\"t\":1}",
            "p\u{e9}poch0017 {\"d\":1,\"t\":1}",
            "x",
            "e",
            "e{}",
            "e{\"t\":1}",
            "e{\"d\":1,\"x\":\"a\",\"t\":1}",
            "e{\"x\":\"a\",\"b\":\"/w==\",\"t\":1}",
            "e{\"b\":\"/w\",\"t\":1}",
            "e{\"x\":1,\"t\":1}",
            "j{\"u\":\"a\",\"c\":\"short\"}",
        ] {
            assert!(decode(message.as_bytes()).is_none(), "{message}");
        }
        assert_eq!(decode_forks("epoch001:7 epoch002"), None);
    }

    #[test]
    fn forks_are_read_in_their_order() {
        let fork = |epoch: &str, offset| Position { epoch: Epoch::parse(epoch).expect("valid"), offset };
        assert_eq!(decode_forks(""), Some(Vec::new()));
        assert_eq!(decode_forks("epoch002:9 epoch001:7"), Some(vec![fork("epoch002", 9), fork("epoch001", 7)]));
    }
}
