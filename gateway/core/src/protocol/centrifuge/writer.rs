//! What an encoding has to write. `encode` describes each message once, with these methods.

use super::fields::Field;
use crate::model::{Content, Data};
use std::fmt::Display;

/// Writes the fields of one message. A field is written at most once, except in [`Self::messages`] and the maps.
pub(super) trait Writer {
    /// Writes a number. Protobuf omits 0, its default.
    fn number(&mut self, field: Field, value: u64);

    /// Writes a text.
    fn text(&mut self, field: Field, value: &str);

    /// Writes a text that needs no escapes in JSON.
    fn plain_text(&mut self, field: Field, value: impl Display);

    /// Writes `true`, or nothing for `false`.
    fn flag(&mut self, field: Field, value: bool);

    /// Writes data that the gateway passes on unread.
    fn data(&mut self, field: Field, value: &Data);

    /// Writes the content of a publication.
    fn content(&mut self, field: Field, value: &Content);

    /// Writes the content of a publication that is whole, among deltas. In JSON it is a string that contains JSON.
    fn whole_content(&mut self, field: Field, value: &Content);

    /// The name of the form in which contents that are bytes are written. `None`: as they are.
    fn bytes_encoding(&self) -> Option<&'static str>;

    /// Writes bytes: in JSON as a string. Returns false, and writes nothing, if they are not UTF-8 and the encoding is JSON.
    #[must_use]
    fn bytes(&mut self, field: Field, value: &[u8]) -> bool;

    /// Writes a message as a field of this one.
    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self));

    /// Writes a list of messages.
    fn messages<T>(&mut self, field: Field, items: impl IntoIterator<Item = T>, write: impl FnMut(T, &mut Self));

    /// Writes a map from texts to messages.
    fn message_map<K: AsRef<str>, T>(&mut self, field: Field, entries: impl IntoIterator<Item = (K, T)>, write: impl FnMut(T, &mut Self));

    /// Writes a map from texts to texts.
    fn text_map<'a>(&mut self, field: Field, entries: impl IntoIterator<Item = (&'a str, &'a str)>);
}
