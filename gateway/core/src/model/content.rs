//! What a publication carries: JSON, text or bytes.

use super::{Data, InvalidData};

/// The tag with the content type of a publication that is not JSON. Every such publication has it.
pub const CONTENT_TYPE: &str = "content-type";
/// The tag that the JSON encoding adds to bytes. The gateway accepts it from no publisher.
pub const ENCODING: &str = "encoding";
/// The tag with the queue in which STOMP connections of a user receive a publication of the personal channel: `/user/queue/<queue>`.
pub const QUEUE: &str = "queue";

/// What a publication carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// JSON.
    Json(Data),
    /// Text.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
}

impl Content {
    /// Finds the kind of bytes whose publisher cannot name it: JSON if they are JSON, else text if they are UTF-8, else bytes.
    pub fn detect(bytes: Vec<u8>) -> Result<Self, InvalidData> {
        if let Ok(raw) = serde_json::from_slice(&bytes) {
            return Ok(Self::Json(Data::parse(raw)?));
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(error) => Self::Bytes(error.into_bytes().into()),
        })
    }

    /// The JSON, if it is JSON.
    pub fn as_json(&self) -> Option<&Data> {
        if let Self::Json(data) = self { Some(data) } else { None }
    }

    /// The bytes: of the JSON text, of the text in UTF-8, or as they are.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(data) => data.get().as_bytes(),
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The name of its kind, for messages to people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) => "JSON",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// The content type, unless the publisher names another. `None` for JSON.
    pub fn default_type(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => None,
            Self::Text(_) => Some("text/plain"),
            Self::Bytes(_) => Some("application/octet-stream"),
        }
    }

    /// Its size in bytes in JSON, its longest form: text as a JSON string, bytes as a base64 string.
    pub fn size(&self) -> usize {
        match self {
            Self::Json(data) => data.get().len(),
            Self::Text(text) => text.bytes().map(size_in_string).sum::<usize>() + 2,
            Self::Bytes(bytes) => bytes.len().div_ceil(3) * 4 + 2,
        }
    }
}

/// How many bytes one byte of a text takes in a JSON string.
fn size_in_string(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

impl From<Data> for Content {
    fn from(data: Data) -> Self {
        Self::Json(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kind_of_bytes_is_found() {
        let detect = |bytes: &[u8]| Content::detect(bytes.to_vec());
        for (bytes, kind, content) in [
            (&b"{ \"a\": 1 }"[..], "JSON", &b"{\"a\":1}"[..]),
            (b"12", "JSON", b"12"),
            (b" null\n", "JSON", b"null"),
            (b"\"text\"", "JSON", b"\"text\""),
            (b"{\"a\": 1", "text", b"{\"a\": 1"),
            (b"1 2", "text", b"1 2"),
            (b"hello", "text", b"hello"),
            ("ünï\0".as_bytes(), "text", "ünï\0".as_bytes()),
            (b"\xff{}", "bytes", b"\xff{}"),
            (b"\"\xff\"", "bytes", b"\"\xff\""),
        ] {
            let found = detect(bytes).expect("shallow");
            assert_eq!((found.kind(), found.as_bytes()), (kind, content), "{}", bytes.escape_ascii());
        }
        let deep = "[".repeat(65) + &"]".repeat(65);
        assert_eq!(detect(deep.as_bytes()), Err(InvalidData::TooDeep(64)), "JSON that is too deep does not become text");
    }

    proptest! {
        #[test]
        fn the_size_is_the_size_in_json(text in ".{0,20}|[\\x00-\\x7f]{0,20}", bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let written = serde_json::to_string(&text).expect("a string");
            prop_assert_eq!(Content::Text(text.into()).size(), written.len());
            let written = shared_proto::json::base64::encode(&bytes).len() + 2;
            prop_assert_eq!(Content::Bytes(bytes.into()).size(), written);
        }
    }
}
