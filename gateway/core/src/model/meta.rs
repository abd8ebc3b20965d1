//! What a service keeps with a connection.

use super::Data;
use serde_json::value::RawValue;
use std::{fmt, sync::Arc};

/// What a service keeps with a connection: JSON of at most [`Self::MAX_BYTES`]. Every call and event of the connection has it. Frontends never see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Meta(Arc<Data>);

/// What a reply of a service does to the [`Meta`] of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetaChange {
    /// Nothing.
    #[default]
    Keep,
    /// Replaces it; none: removes it.
    Set(Option<Meta>),
}

/// The JSON is longer than [`Meta::MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has {0} bytes; {max} are allowed", max = Meta::MAX_BYTES)]
pub struct MetaTooLong(usize);

impl Meta {
    /// Most bytes of the JSON text.
    pub const MAX_BYTES: usize = 1024;

    /// Checks the length. `None` for the JSON value `null`, which stands for nothing.
    pub fn check(data: Data) -> Result<Option<Self>, MetaTooLong> {
        match data.get().len() {
            length if length > Self::MAX_BYTES => Err(MetaTooLong(length)),
            _ if data.get() == "null" => Ok(None),
            _ => Ok(Some(Self(Arc::new(data)))),
        }
    }

    /// The JSON, for serialization with serde.
    pub fn raw(&self) -> &RawValue {
        self.0.raw()
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_limited_and_null_is_nothing() {
        let check = |text: String| Meta::check(Data::parse(&RawValue::from_string(text).expect("JSON")).expect("shallow"));
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert_eq!(check(text(1024)).expect("fits").expect("something").raw().get(), text(1024));
        assert_eq!(check(text(1025)), Err(MetaTooLong(1025)));
        assert_eq!(check("null".into()), Ok(None));
        assert!(check("{}".into()).expect("fits").is_some());
    }
}
