//! Writes messages as JSON objects.

use crate::{
    model::{Content, Data},
    protocol::centrifuge::{fields::Field, writer::Writer},
};
use shared_proto::json::base64;
use std::{fmt::Display, io::Write as _};

/// Reason why writing cannot fail.
const INFALLIBLE: &str = "writing to a vector cannot fail";

/// Appends a message to the payload of a text frame, on a line of its own.
pub(crate) fn append_message(payload: &mut Vec<u8>, write: impl FnOnce(&mut JsonWriter<'_>)) {
    if !payload.is_empty() {
        payload.push(b'\n');
    }
    JsonWriter { out: payload, is_first: true }.object(write);
}

/// Appends fields to a JSON object.
pub(crate) struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Whether the object has no field yet.
    is_first: bool,
}

impl JsonWriter<'_> {
    fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        self.is_first = true;
        write(self);
        self.out.push(b'}');
        self.is_first = false;
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
    }

    fn key(&mut self, field: Field) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

impl Writer for JsonWriter<'_> {
    fn number(&mut self, field: Field, value: u64) {
        self.key(field);
        write!(self.out, "{value}").expect(INFALLIBLE);
    }

    fn text(&mut self, field: Field, value: &str) {
        self.key(field);
        string(self.out, value);
    }

    fn plain_text(&mut self, field: Field, value: impl Display) {
        self.key(field);
        write!(self.out, "\"{value}\"").expect(INFALLIBLE);
    }

    fn flag(&mut self, field: Field, value: bool) {
        if value {
            self.key(field);
            self.out.extend_from_slice(b"true");
        }
    }

    fn data(&mut self, field: Field, value: &Data) {
        self.key(field);
        self.out.extend_from_slice(value.get().as_bytes());
    }

    fn content(&mut self, field: Field, value: &Content) {
        match value {
            Content::Json(data) => self.data(field, data),
            Content::Text(text) => self.text(field, text),
            Content::Bytes(bytes) => self.plain_text(field, base64::encode(bytes)),
        }
    }

    fn whole_content(&mut self, field: Field, value: &Content) {
        match value {
            Content::Json(data) => self.text(field, data.get()),
            Content::Text(text) => self.text(field, &serde_json::to_string(text).expect(INFALLIBLE)),
            Content::Bytes(bytes) => self.text(field, &format!("\"{}\"", base64::encode(bytes))),
        }
    }

    fn bytes_encoding(&self) -> Option<&'static str> {
        Some("base64")
    }

    fn bytes(&mut self, field: Field, value: &[u8]) -> bool {
        let text = std::str::from_utf8(value);
        if let Ok(text) = text {
            self.text(field, text);
        }
        text.is_ok()
    }

    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        self.key(field);
        self.object(write);
    }

    fn messages<T>(&mut self, field: Field, items: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut Self)) {
        self.key(field);
        self.out.push(b'[');
        self.is_first = true;
        for item in items {
            self.separate();
            self.object(|it| write(item, it));
        }
        self.out.push(b']');
        self.is_first = false;
    }

    fn message_map<K: AsRef<str>, T>(
        &mut self,
        field: Field,
        entries: impl IntoIterator<Item = (K, T)>,
        mut write: impl FnMut(T, &mut Self),
    ) {
        self.message(field, |it| {
            for (key, value) in entries {
                it.separate();
                string(it.out, key.as_ref());
                it.out.push(b':');
                it.object(|it| write(value, it));
            }
        });
    }

    fn text_map<'a>(&mut self, field: Field, entries: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.message(field, |it| {
            for (key, value) in entries {
                it.separate();
                string(it.out, key);
                it.out.push(b':');
                string(it.out, value);
            }
        });
    }
}

/// Appends a quoted string. Most strings need no escapes.
fn string(out: &mut Vec<u8>, value: &str) {
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
