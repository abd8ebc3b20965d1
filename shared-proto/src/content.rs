//! The content of a publication, as requests and answers have it: exactly one of the members `data`, `text` and `data_base64`.
//!
//! ```
//! use shared_proto::content::{ContentBody, ContentMembers, InvalidContent};
//!
//! let members = ContentMembers::from(ContentBody::Bytes(vec![255, 0]));
//! assert_eq!(members.data_base64.as_deref(), Some("/wA="));
//! let several = ContentMembers { text: Some("hi".into()), ..members };
//! assert_eq!(several.read().expect_err("two members"), InvalidContent::Several("text", "data_base64"));
//! ```

use crate::json::base64;
use serde_json::value::RawValue;

/// The content of a publication.
#[derive(Debug, Clone)]
pub enum ContentBody {
    /// JSON, in the member `data`.
    Json(Box<RawValue>),
    /// Text, in the member `text`.
    Text(String),
    /// Bytes, in the member `data_base64` (RFC 4648, section 4).
    Bytes(Vec<u8>),
}

/// The members of which one has the content.
#[derive(Debug, Clone, Default)]
pub struct ContentMembers {
    /// Any JSON, `null` included.
    pub data: Option<Box<RawValue>>,
    /// A text.
    pub text: Option<String>,
    /// Bytes, as base64 with padding.
    pub data_base64: Option<String>,
}

/// Why members are not the content of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidContent {
    /// None of the members is present.
    Missing,
    /// Both of these members are present.
    Several(&'static str, &'static str),
    /// `data_base64` is not base64.
    NotBase64,
}

impl std::fmt::Display for InvalidContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("The member `data` is missing. Send `data` (JSON, also null), `text` or `data_base64`."),
            Self::Several(one, other) => write!(f, "The members `{one}` and `{other}` exclude each other. Send one of them."),
            Self::NotBase64 => f.write_str("The member `data_base64` is not base64 with padding (RFC 4648, section 4)."),
        }
    }
}

impl std::error::Error for InvalidContent {}

impl ContentMembers {
    /// The content, if exactly one member has it.
    pub fn read(self) -> Result<ContentBody, InvalidContent> {
        match self {
            Self { data: Some(_), text: Some(_), .. } => Err(InvalidContent::Several("data", "text")),
            Self { data: Some(_), data_base64: Some(_), .. } => Err(InvalidContent::Several("data", "data_base64")),
            Self { text: Some(_), data_base64: Some(_), .. } => Err(InvalidContent::Several("text", "data_base64")),
            Self { data: Some(data), .. } => Ok(ContentBody::Json(data)),
            Self { text: Some(text), .. } => Ok(ContentBody::Text(text)),
            Self { data_base64: Some(encoded), .. } => base64::decode(&encoded).map(ContentBody::Bytes).ok_or(InvalidContent::NotBase64),
            Self { .. } => Err(InvalidContent::Missing),
        }
    }
}

impl From<ContentBody> for ContentMembers {
    fn from(content: ContentBody) -> Self {
        match content {
            ContentBody::Json(data) => Self { data: Some(data), ..Self::default() },
            ContentBody::Text(text) => Self { text: Some(text), ..Self::default() },
            ContentBody::Bytes(bytes) => Self { data_base64: Some(base64::encode(&bytes)), ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_member_has_the_content() {
        let members = |data: &str, text: &str, bytes: &str| ContentMembers {
            data: (!data.is_empty()).then(|| RawValue::from_string(data.into()).expect("JSON")),
            text: (!text.is_empty()).then(|| text.into()),
            data_base64: (!bytes.is_empty()).then(|| bytes.into()),
        };
        assert!(matches!(members("null", "", "").read(), Ok(ContentBody::Json(data)) if data.get() == "null"));
        assert!(matches!(members("", "a", "").read(), Ok(ContentBody::Text(text)) if text == "a"));
        assert!(matches!(members("", "", "/w==").read(), Ok(ContentBody::Bytes(bytes)) if bytes == [255]));
        for (members, named) in [
            (members("", "", ""), &["`data`", "`text`", "`data_base64`"][..]),
            (members("1", "a", ""), &["`data`", "`text`"]),
            (members("1", "", "/w=="), &["`data`", "`data_base64`"]),
            (members("", "a", "/w=="), &["`text`", "`data_base64`"]),
            (members("1", "a", "/w=="), &["`data`", "`text`"]),
            (members("", "", "/w"), &["`data_base64`"]),
            (members("", "", "_w=="), &["`data_base64`"]),
            (members("", "", "/x=="), &["`data_base64`"]),
            (members("", "", "/w==\n"), &["`data_base64`"]),
        ] {
            let error = members.read().expect_err("invalid").to_string();
            assert!(named.iter().all(|name| error.contains(name)), "{error}");
        }
    }
}
