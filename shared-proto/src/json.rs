//! The rules for JSON input, the same for all interfaces:
//!
//! - An object is an object. A struct with serde's derived `Deserialize` also accepts an array and reads its items as the fields, in their
//!   order; [`Object`] refuses the array.
//! - An optional member may also be `null`, with the same meaning as a missing member. It is an `Option`, or [`or_default`] reads it.
//! - The error names a member that is missing or has the wrong type: [`read`].
//! - `data` belongs to the application. Its `null` is a value.
//!
//! The module `testing` checks that a type follows the rules.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;
use std::{fmt, marker::PhantomData};

#[cfg(any(test, feature = "json-testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

/// Bytes of an error's message at most: what was sent may be part of it.
const MESSAGE_MAX: usize = 240;

/// Reads a `T` from a JSON object, and nothing but that.
///
/// ```
/// use shared_proto::{json, rest::BatchRequest};
///
/// let refused = json::read::<BatchRequest>(r#"{"publications":[{"channel":7}]}"#).expect_err("no text");
/// assert_eq!(refused.to_string(), "publications[0].channel: invalid type: integer `7`, expected a string at line 1 column 29");
/// ```
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Unreadable> {
    read_from(|| serde_json::Deserializer::from_str(json))
}

/// The same of bytes.
pub fn read_bytes<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Unreadable> {
    read_from(|| serde_json::Deserializer::from_slice(json))
}

fn read_from<'a, R: serde_json::de::Read<'a>, T: Deserialize<'a>>(json: impl Fn() -> serde_json::Deserializer<R>) -> Result<T, Unreadable> {
    let mut whole = json();
    let read = Object::deserialize(&mut whole).and_then(|Object(it)| whole.end().map(|()| it));
    // Keeping track of the place costs time, so that only what cannot be read is read once more.
    read.map_err(|error| {
        // A word or object that should have been there is to serde a mistake in syntax.
        let is_json = error.classify() == Category::Data || is_json(json());
        let place = is_json.then(|| place_of_error::<R, T>(json())).flatten();
        Unreadable::new(is_json, place, &error)
    })
}

fn is_json<'a, R: serde_json::de::Read<'a>>(mut json: serde_json::Deserializer<R>) -> bool {
    IgnoredAny::deserialize(&mut json).and_then(|_| json.end()).is_ok()
}

fn place_of_error<'a, R: serde_json::de::Read<'a>, T: Deserialize<'a>>(mut json: serde_json::Deserializer<R>) -> Option<String> {
    let mut track = serde_path_to_error::Track::new();
    Object::<T>::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track)).err()?;
    Some(track.path().to_string()).filter(|place| place != ".")
}

/// Why JSON is not what is expected. Shown, it says where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    place: Option<String>,
    message: String,
    is_json: bool,
    line: usize,
    column: usize,
}

impl Unreadable {
    fn new(is_json: bool, place: Option<String>, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let mut message = error.to_string();
        if let Some(what) = message.strip_suffix(&format!(" at line {line} column {column}")) {
            message.truncate(what.len());
        }
        if let Some(place) = &place {
            message.insert_str(0, &format!("{place}: "));
        }
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
        Self { place, message, is_json, line, column }
    }

    /// The member that is not as expected, such as `publications[0].channel`. None if the whole is not; then the message names what is
    /// missing.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// Where and what, in at most 240 bytes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it is JSON at all.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The byte of its line before which the error was noticed, from 1 on.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for Unreadable {}

/// A `T` that was read from a JSON object. Everything that comes from outside is read as one, at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with = …)]`: reads an object.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(OnlyMap(PhantomData))
}

/// For `#[serde(deserialize_with = …)]`: reads an array of objects.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let all = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|Object(each)| each).collect())
}

/// For `#[serde(default, deserialize_with = …)]`: `null` is the default, as if the member were not there.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

struct OnlyMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}
