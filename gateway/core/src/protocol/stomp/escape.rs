//! The escapes of header names and values (STOMP 1.2, "Value Encoding").
//!
//! | | 1.0 | 1.1 | 1.2 |
//! |---|---|---|---|
//! | escapes | none | `\n`, `\c`, `\\` | `\r`, `\n`, `\c`, `\\` |
//! | a backslash that begins no escape | stands for itself | error | error |
//!
//! CONNECT and CONNECTED have no escapes in any version: they are read and written as in 1.0.

use super::{BadFrame, Version};
use std::borrow::Cow;

/// A part of a header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Name,
    Value,
}

/// A name or value as a server writes it.
///
/// What has no escape in a version and must not stand in a header is written nevertheless, so that no value can end its line or its frame: a
/// line feed, and a colon in a name, with the escape of 1.2. U+FFFD stands for NUL, because many clients end a frame at the first NUL; and, where
/// it has no escape, for a carriage return, which some clients take for a broken line end.
pub(super) fn escape(version: Version, part: Part, text: &str) -> Cow<'_, str> {
    if all(text, |byte| byte > b'\r' && byte != b':' && byte != b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' if version == Version::V1_2 => out.push_str("\\r"),
            '\0' | '\r' => out.push(char::REPLACEMENT_CHARACTER),
            ':' if version > Version::V1_0 || part == Part::Name => out.push_str("\\c"),
            '\\' if version > Version::V1_0 => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A name or value as the sender meant it.
pub(super) fn unescape(version: Version, text: &str) -> Result<Cow<'_, str>, BadFrame> {
    if version == Version::V1_0 || !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                Some('r') if version == Version::V1_2 => '\r',
                _ => return Err(BadFrame::UndefinedEscape(version)),
            },
            c => c,
        });
    }
    Ok(Cow::Owned(out))
}

/// Whether all bytes are such bytes. It looks at every byte, so that the compiler can compare many at once.
pub(super) fn all(text: &str, is_it: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & is_it(byte))
}
