//! Checks that a type follows the rules of [`super`], member by member.

use super::read;
use serde::{
    Deserialize, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt::Debug};

type Members = BTreeMap<String, Box<RawValue>>;

/// Reads variants of `full`, an example that contains all members of `T`. In each variant, one member is missing, is `null` or has a wrong type.
///
/// - An optional member may be `null`, with the same result as without the member.
/// - If a required member is missing or `null`, the error names it.
/// - If a member has a wrong type, the error names it.
/// - The members in `opaque` accept any value.
///
/// # Panics
/// If `T` violates a rule, or if `full` does not contain exactly the members of `T`.
pub fn check_members<T: Deserialize<'static> + Debug>(full: &str, opaque: &[&str]) {
    let kind = std::any::type_name::<T>();
    let members: Members = serde_json::from_str(full).unwrap_or_else(|error| panic!("{kind}: {error} in {full}"));
    let mut known = member_names::<T>().to_vec();
    known.sort_unstable();
    assert_eq!(members.keys().collect::<Vec<_>>(), known, "{kind}: the example must have every member");
    let whole = shown::<T>(&members);
    assert!(whole.is_ok(), "{kind}: {whole:?}");
    assert!(read::<T>("[]").is_err(), "{kind}: an array must be refused");
    for name in known {
        let (absent, null) = (shown::<T>(&without(&members, name)), shown::<T>(&with(&members, name, "null")));
        let wrong = shown::<T>(&with(&members, name, "[[[]]]"));
        if opaque.contains(&name) {
            assert!(null.is_ok() && wrong.is_ok(), "{kind}.{name} must accept any value: {null:?}, {wrong:?}");
            continue;
        }
        if absent.is_ok() {
            assert_eq!(null, absent, "{kind}.{name} is optional, so it may be null");
            assert_ne!(whole, absent, "{kind}.{name}: the value in the example must differ from the default");
        } else {
            check_error(name, &absent, kind);
            check_error(name, &null, kind);
        }
        check_error(name, &wrong, kind);
    }
}

fn check_error(name: &str, result: &Result<String, String>, kind: &str) {
    assert!(result.as_ref().is_err_and(|error| error.contains(name)), "{result:?} does not name {kind}.{name}");
}

fn without(members: &Members, name: &str) -> Members {
    members.iter().filter(|(member, _)| *member != name).map(|(member, value)| (member.clone(), value.clone())).collect()
}

fn with(members: &Members, name: &str, value: &str) -> Members {
    let mut members = members.clone();
    members.insert(name.to_owned(), RawValue::from_string(value.to_owned()).expect("JSON"));
    members
}

/// The `T` that is read from these members, in its debug form, or the error.
fn shown<T: Deserialize<'static> + Debug>(members: &Members) -> Result<String, String> {
    // Leaks a few bytes in tests, so that types with borrowed members can be checked too.
    let json: &'static str = serde_json::to_string(members).expect("JSON").leak();
    read::<T>(json).map(|it| format!("{it:?}")).map_err(|error| error.to_string())
}

/// The names of a struct's members in JSON.
fn member_names<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut names = None;
    // Always fails, because the deserialiser has no input.
    let _ = T::deserialize(FieldRecorder(&mut names));
    names.unwrap_or_else(|| panic!("{} is not a struct", std::any::type_name::<T>()))
}

/// A deserialiser without input. It records the fields of the struct that is to be read.
struct FieldRecorder<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for FieldRecorder<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("no input"))
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
