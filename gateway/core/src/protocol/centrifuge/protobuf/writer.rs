//! Writes messages as Protobuf, each with its length before it (`client.proto`).

use crate::{
    model::{Content, Data},
    protocol::centrifuge::{fields::Field, writer::Writer},
};
use prost::encoding::{WireType, encode_key, encode_varint};
use std::fmt::Display;

/// Field numbers of the entries of a map (<https://protobuf.dev/programming-guides/proto3/#maps>).
const MAP_KEY: u32 = 1;
const MAP_VALUE: u32 = 2;

/// Longest varint, in bytes.
const MAX_VARINT: usize = 10;

/// Appends a message to the payload of a binary frame, after its length.
pub(crate) fn append_message(payload: &mut Vec<u8>, write: impl FnOnce(&mut ProtobufWriter<'_>)) {
    ProtobufWriter { out: payload }.delimited(write);
}

/// Appends fields to a Protobuf message.
pub(crate) struct ProtobufWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl ProtobufWriter<'_> {
    /// Writes the length of what `write` appends, and then what it appends.
    fn delimited(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        // Most messages are shorter than 128 bytes, so that their length is one byte.
        self.out.push(0);
        write(self);
        let length = self.out.len() - start - 1;
        if length < 0x80 {
            self.out[start] = length as u8;
            return;
        }
        let mut prefix = [0; MAX_VARINT];
        let mut rest = &mut prefix[..];
        encode_varint(length as u64, &mut rest);
        let unused = rest.len();
        self.out.splice(start..=start, prefix[..MAX_VARINT - unused].iter().copied());
    }

    fn nested(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        encode_key(number, WireType::LengthDelimited, self.out);
        self.delimited(write);
    }

    fn delimited_bytes(&mut self, number: u32, value: &[u8]) {
        encode_key(number, WireType::LengthDelimited, self.out);
        encode_varint(value.len() as u64, self.out);
        self.out.extend_from_slice(value);
    }
}

impl Writer for ProtobufWriter<'_> {
    fn number(&mut self, field: Field, value: u64) {
        if value > 0 {
            encode_key(field.number, WireType::Varint, self.out);
            encode_varint(value, self.out);
        }
    }

    fn text(&mut self, field: Field, value: &str) {
        if !value.is_empty() {
            self.delimited_bytes(field.number, value.as_bytes());
        }
    }

    fn plain_text(&mut self, field: Field, value: impl Display) {
        self.nested(field.number, |it| {
            use std::io::Write as _;
            write!(it.out, "{value}").expect("writing to a vector cannot fail");
        });
    }

    fn flag(&mut self, field: Field, value: bool) {
        self.number(field, u64::from(value));
    }

    fn data(&mut self, field: Field, value: &Data) {
        self.delimited_bytes(field.number, value.get().as_bytes());
    }

    fn bytes(&mut self, field: Field, value: &[u8]) -> bool {
        self.delimited_bytes(field.number, value);
        true
    }

    fn content(&mut self, field: Field, value: &Content) {
        self.delimited_bytes(field.number, value.as_bytes());
    }

    fn whole_content(&mut self, field: Field, value: &Content) {
        self.content(field, value);
    }

    fn bytes_encoding(&self) -> Option<&'static str> {
        None
    }

    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self)) {
        self.nested(field.number, write);
    }

    fn messages<T>(&mut self, field: Field, items: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut Self)) {
        for item in items {
            self.nested(field.number, |it| write(item, it));
        }
    }

    fn message_map<K: AsRef<str>, T>(
        &mut self,
        field: Field,
        entries: impl IntoIterator<Item = (K, T)>,
        mut write: impl FnMut(T, &mut Self),
    ) {
        for (key, value) in entries {
            self.nested(field.number, |entry| {
                entry.delimited_bytes(MAP_KEY, key.as_ref().as_bytes());
                entry.nested(MAP_VALUE, |it| write(value, it));
            });
        }
    }

    fn text_map<'a>(&mut self, field: Field, entries: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (key, value) in entries {
            self.nested(field.number, |entry| {
                entry.delimited_bytes(MAP_KEY, key.as_bytes());
                entry.delimited_bytes(MAP_VALUE, value.as_bytes());
            });
        }
    }
}
