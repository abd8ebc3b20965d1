//! The request with which a client sends commands to the session of its stream.

use super::bad_frame::BadFrame;
use prost::Message as _;
use serde::Deserialize;
use shared_proto::json;

/// Commands for a session. `EmulationRequest` of the protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct EmulationRequest<D> {
    /// The address of the process that has the session.
    pub node: String,
    /// The key of the session, as the client got it.
    pub session: String,
    /// The commands, as they would be in one WebSocket message.
    pub data: D,
}

#[derive(Deserialize)]
struct Json {
    #[serde(default)]
    node: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    data: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Protobuf {
    #[prost(string, tag = "1")]
    node: String,
    #[prost(string, tag = "2")]
    session: String,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

impl EmulationRequest<String> {
    /// Reads the JSON form, whose data is a text of JSON commands.
    pub fn from_json(body: &[u8]) -> Result<Self, BadFrame> {
        let Json { node, session, data } = json::read_bytes(body)?;
        Ok(Self { node, session, data })
    }
}

impl EmulationRequest<Vec<u8>> {
    /// Reads the Protobuf form, whose data are Protobuf commands.
    pub fn from_protobuf(body: &[u8]) -> Result<Self, BadFrame> {
        let Protobuf { node, session, data } = Protobuf::decode(body).map_err(|error| BadFrame::Protobuf(error.to_string().into()))?;
        Ok(Self { node, session, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let json = EmulationRequest::from_json(br#"{"session":"k","node":"n:1","data":"{\"id\":1}\n{}","later":1}"#).ok().expect("valid");
        assert_eq!((&*json.session, &*json.node, &*json.data), ("k", "n:1", "{\"id\":1}\n{}"));
        let body = b"\x0a\x03n:1\x12\x01k\x1a\x02\x00\xff";
        let protobuf = EmulationRequest::from_protobuf(body).ok().expect("valid");
        assert_eq!((protobuf.session, protobuf.node, protobuf.data), ("k".to_owned(), "n:1".to_owned(), vec![0, 255]));
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in ["", "1", "[]", r#"{"data":{}}"#, r#"{"session":1}"#, "{", r#"{"node":"a","node":"b"}"#] {
            assert!(EmulationRequest::from_json(body.as_bytes()).is_err(), "{body}");
        }
        for body in [&b"\x0a\x05n"[..], b"\xff", b"\x12\x01\xff"] {
            assert!(EmulationRequest::from_protobuf(body).is_err(), "{body:?}");
        }
    }
}
