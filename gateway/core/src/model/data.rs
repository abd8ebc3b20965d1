//! JSON that the gateway passes on unread.

use serde_json::value::RawValue;
use std::fmt;

/// JSON that the gateway passes on unread: valid, of limited depth, without white space between tokens.
#[derive(Clone)]
pub struct Data(Box<RawValue>);

/// Why data was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidData {
    /// Arrays and objects are nested too deep.
    #[error("is nested deeper than {0} levels")]
    TooDeep(u16),
}

impl Data {
    /// Most levels of nested arrays and objects.
    pub const MAX_DEPTH: u16 = 64;

    /// Checks the depth and removes white space between tokens.
    pub fn parse(raw: &RawValue) -> Result<Self, InvalidData> {
        let text = raw.get();
        let (mut depth, mut deepest, mut in_string, mut escaped, mut has_white_space) = (0u32, 0u32, false, false, false);
        for byte in text.bytes() {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'[' | b'{' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b' ' | b'\t' | b'\n' | b'\r' => has_white_space = true,
                _ => {}
            }
        }
        if deepest > u32::from(Self::MAX_DEPTH) {
            return Err(InvalidData::TooDeep(Self::MAX_DEPTH));
        }
        if !has_white_space {
            return Ok(Self(raw.to_owned()));
        }
        Ok(RawValue::from_string(compact(text)).map_or_else(|_| Self(raw.to_owned()), Self))
    }

    /// The JSON text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The JSON text, for serialization with serde.
    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// The JSON value `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

/// Removes the white space between the tokens of valid JSON.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\n' | '\r' if !in_string => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}

impl From<Data> for Box<RawValue> {
    fn from(data: Data) -> Self {
        data.0
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Data {}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(text: &str) -> Result<Data, InvalidData> {
        Data::parse(serde_json::from_str(text).expect("valid JSON"))
    }

    #[test]
    fn white_space_is_removed_between_tokens_and_kept_in_strings() {
        let parsed = data("{ \"a b\" :\r\n [ 1 ,\t\"x \\\" y\\\\\" , null ] }").expect("shallow");
        assert_eq!(parsed.get(), r#"{"a b":[1,"x \" y\\",null]}"#);
    }

    #[test]
    fn depth_is_limited_and_brackets_in_strings_do_not_count() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(data(&nested(64)).is_ok());
        assert_eq!(data(&nested(65)), Err(InvalidData::TooDeep(64)));
        assert!(data(&format!("\"{}\"", "[".repeat(500))).is_ok());
    }

    proptest! {
        #[test]
        fn compaction_keeps_the_value(text in "[ \\[\\]{}:,\"a\\\\\n0-9]{0,40}") {
            if let Ok(raw) = serde_json::from_str::<Box<RawValue>>(&text) {
                let parsed = Data::parse(&raw).expect("shallow");
                prop_assert!(!parsed.get().contains('\n'));
                let before: serde_json::Value = serde_json::from_str(&text).expect("valid");
                let after: serde_json::Value = serde_json::from_str(parsed.get()).expect("valid");
                prop_assert_eq!(before, after);
            }
        }
    }
}
