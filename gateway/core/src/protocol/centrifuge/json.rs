//! Writes JSON into a buffer.

use crate::model::Data;
use std::{fmt::Display, io::Write};

/// Reason why writing cannot fail.
pub(super) const INFALLIBLE: &str = "writing to a vector cannot fail";

/// A JSON object to which fields are appended. [`Object::end`] closes it.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Begins a field. The caller has to append its value. The key must not need escapes.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        debug_assert!(key.bytes().all(is_plain));
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    /// Begins a nested object. The key must not need escapes.
    pub(super) fn object(&mut self, key: &str) -> Object<'_> {
        Object::begin(self.key(key))
    }

    /// Begins a nested object whose key may need escapes.
    pub(super) fn object_with_name(&mut self, name: &str) -> Object<'_> {
        self.separate();
        string(self.out, name);
        self.out.push(b':');
        Object::begin(self.out)
    }

    /// Begins a nested object whose key is an id, which needs no escapes.
    pub(super) fn object_with_id(&mut self, key: impl Display) -> Object<'_> {
        self.separate();
        write!(self.out, "\"{key}\":").expect(INFALLIBLE);
        Object::begin(self.out)
    }

    /// Appends an empty object.
    pub(super) fn empty(&mut self, key: &str) {
        self.object(key).end();
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        string(self.key(key), value);
    }

    /// Appends a string that needs no escapes.
    pub(super) fn display(&mut self, key: &str, value: impl Display) {
        write!(self.key(key), "\"{value}\"").expect(INFALLIBLE);
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        write!(self.key(key), "{value}").expect(INFALLIBLE);
    }

    pub(super) fn data(&mut self, key: &str, value: &Data) {
        self.key(key).extend_from_slice(value.get().as_bytes());
    }

    /// Appends `true`, or nothing for `false`.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.key(key).extend_from_slice(b"true");
        }
    }

    /// Appends an array; `write` appends each item.
    pub(super) fn array<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut Vec<u8>)) {
        let out = self.key(key);
        out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write(item, out);
        }
        out.push(b']');
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }
}

/// Appends a quoted string. Most strings need no escapes.
pub(super) fn string(out: &mut Vec<u8>, value: &str) {
    if value.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, value).expect(INFALLIBLE);
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}
