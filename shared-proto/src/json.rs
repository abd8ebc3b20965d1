//! The rules for JSON input. They are the same for all interfaces:
//!
//! - Only an object is accepted as an object. A struct with serde's derived `Deserialize` would also accept an array of its fields; [`Object`]
//!   refuses it.
//! - An optional member may be `null`, with the same meaning as a missing member. Its type is an `Option`, or [`or_default`] reads it.
//! - If a member is missing or has the wrong type, the error names it. See [`read`].
//! - `data` belongs to the application. Its `null` is a value.
//!
//! [`base64`] writes bytes. The module `testing` checks that a type follows the rules.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;
use std::{fmt, marker::PhantomData};

pub mod base64;
#[cfg(any(test, feature = "json-testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

/// Maximum size of an error's message in bytes. The message may quote the input.
const MESSAGE_MAX: usize = 240;

/// Reads a `T` from a JSON object. Refuses any other JSON.
///
/// ```
/// use shared_proto::{json, rest::BatchRequest};
///
/// let refused = json::read::<BatchRequest>(r#"{"publications":[{"channel":7}]}"#).expect_err("no text");
/// assert_eq!(refused.to_string(), "publications[0].channel: invalid type: integer `7`, expected a string at line 1 column 29");
/// ```
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, JsonError> {
    read_from(|| serde_json::Deserializer::from_str(json))
}

/// Reads a `T` from the bytes of a JSON object, like [`read`].
pub fn read_bytes<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, JsonError> {
    read_from(|| serde_json::Deserializer::from_slice(json))
}

fn read_from<'a, R: serde_json::de::Read<'a>, T: Deserialize<'a>>(json: impl Fn() -> serde_json::Deserializer<R>) -> Result<T, JsonError> {
    let mut whole = json();
    let read = Object::deserialize(&mut whole).and_then(|Object(it)| whole.end().map(|()| it));
    // Tracking the path takes time, so only invalid input is read a second time with it.
    read.map_err(|error| {
        // serde also reports some wrong types as syntax errors.
        let is_json = error.classify() == Category::Data || is_json(json());
        let path = is_json.then(|| path_of_error::<R, T>(json())).flatten();
        JsonError::new(is_json, path, &error)
    })
}

fn is_json<'a, R: serde_json::de::Read<'a>>(mut json: serde_json::Deserializer<R>) -> bool {
    IgnoredAny::deserialize(&mut json).and_then(|_| json.end()).is_ok()
}

fn path_of_error<'a, R: serde_json::de::Read<'a>, T: Deserialize<'a>>(mut json: serde_json::Deserializer<R>) -> Option<String> {
    let mut track = serde_path_to_error::Track::new();
    Object::<T>::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track)).err()?;
    Some(track.path().to_string()).filter(|path| path != ".")
}

/// JSON input was refused. The displayed text contains the position in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    path: Option<String>,
    message: String,
    is_json: bool,
    line: usize,
    column: usize,
}

impl JsonError {
    fn new(is_json: bool, path: Option<String>, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let mut message = error.to_string();
        if let Some(what) = message.strip_suffix(&format!(" at line {line} column {column}")) {
            message.truncate(what.len());
        }
        if let Some(path) = &path {
            message.insert_str(0, &format!("{path}: "));
        }
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
        Self { path, message, is_json, line, column }
    }

    /// The path of the invalid member, such as `publications[0].channel`. `None` if the error is in the outermost object.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The path and the error, in at most 240 bytes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the input is valid JSON.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The column at which the parser found the error, in bytes from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.message, self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

/// A `T` that is read from a JSON object. All input from outside uses this type, at every level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// Reads an object. For `#[serde(deserialize_with = …)]`.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(OnlyMap(PhantomData))
}

/// Reads an object or `null`. For `#[serde(default, deserialize_with = …)]`.
pub fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(it)| it))
}

/// Reads an array of objects. For `#[serde(deserialize_with = …)]`.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let all = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|Object(each)| each).collect())
}

/// Reads an array of objects or `null`. For `#[serde(default, deserialize_with = …)]`.
pub fn optional_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    let all = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(all.map(|all| all.into_iter().map(|Object(each)| each).collect()))
}

/// Reads `null` as the default value, like a missing member. For `#[serde(default, deserialize_with = …)]`.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads an optional member of the application, whose `null` is a value. For `#[serde(default, deserialize_with = …)]`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
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
