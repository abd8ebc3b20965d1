//! Publications and announcements as bytes in Redis.
//!
//! A body is JSON with short names, so that `redis-cli` shows it as text: `d` is the data, `t` the time in milliseconds since 1970.
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
use gateway_core::model::{ClientInfo, Data, Epoch, Position, Publication, Tags};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{borrow::Cow, sync::Arc};

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    d: &'a RawValue,
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
    let Publication { position: _, data, tags, info, time_ms, traceparent } = publication;
    let info = info.as_deref().map(Info::from);
    json(&Body { d: data.raw(), t: *time_ms, g: tags.clone(), i: info, p: traceparent.clone() })
}

/// Reads a body. None if no gateway wrote it.
pub(crate) fn decode_body(body: &[u8], position: Option<Position>) -> Option<Publication> {
    let Body { d, t, g, i, p } = serde_json::from_slice(body).ok()?;
    let info = match i {
        Some(info) => Some(Box::new(info.into_model()?)),
        None => None,
    };
    Some(Publication { position, data: Data::parse(d).ok()?, tags: g, info, time_ms: t, traceparent: p })
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

    fn whole() -> Publication {
        let mut info = (*client("CN=\"Alice\\, ü\"")).clone();
        info.conn_info = Some(data(serde_json::json!({ "name": "Älice" })));
        let position = Some(Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 7 });
        let tags = Tags::from([("a b".into(), "\"".into())]);
        let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
        Publication { position, data: data([1, 2]), tags, info: Some(Box::new(info)), time_ms: 42, traceparent }
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
