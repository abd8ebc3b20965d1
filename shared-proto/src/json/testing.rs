//! Holds types that come in to the rule of [`super`], member by member.

use super::read;
use serde::{
    Deserialize, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt::Debug};

type Members = BTreeMap<String, Box<RawValue>>;

/// Takes `full`, which has to have every member of `T` and no other, and looks what becomes of it without each of them, and with `null` or something
/// senseless in its place.
///
/// A member that may be left out may be `null`, which has to mean the same. One that may not has to be named where it is missing or `null`. Every member
/// has to be named where its type is wrong. The `opaque` ones take anything.
///
/// # Panics
/// If something of that is not so.
pub fn check_members<T: Deserialize<'static> + Debug>(full: &str, opaque: &[&str]) {
    let kind = std::any::type_name::<T>();
    let members: Members = serde_json::from_str(full).unwrap_or_else(|error| panic!("{kind}: {error} in {full}"));
    let mut known = member_names::<T>().to_vec();
    known.sort_unstable();
    assert_eq!(members.keys().collect::<Vec<_>>(), known, "{kind}: the example has to have every member");
    let whole = shown::<T>(&members);
    assert!(whole.is_ok(), "{kind}: {whole:?}");
    assert!(read::<T>("[]").is_err(), "{kind}: an array is no object");
    for name in known {
        let (absent, null) = (shown::<T>(&without(&members, name)), shown::<T>(&with(&members, name, "null")));
        let wrong = shown::<T>(&with(&members, name, "[[[]]]"));
        if opaque.contains(&name) {
            assert!(null.is_ok() && wrong.is_ok(), "{kind}.{name} takes anything: {null:?}, {wrong:?}");
            continue;
        }
        if absent.is_ok() {
            assert_eq!(null, absent, "{kind}.{name} may be left out, so it may be null");
            assert_ne!(whole, absent, "{kind}.{name}: the example has to have another value than the default");
        } else {
            named(name, &absent, kind);
            named(name, &null, kind);
        }
        named(name, &wrong, kind);
    }
}

fn named(name: &str, refused: &Result<String, String>, kind: &str) {
    assert!(refused.as_ref().is_err_and(|error| error.contains(name)), "{kind}.{name} is not named by {refused:?}");
}

fn without(members: &Members, name: &str) -> Members {
    members.iter().filter(|(member, _)| *member != name).map(|(member, value)| (member.clone(), value.clone())).collect()
}

fn with(members: &Members, name: &str, value: &str) -> Members {
    let mut members = members.clone();
    members.insert(name.to_owned(), RawValue::from_string(value.to_owned()).expect("JSON"));
    members
}

/// What is read from these members, or the error.
fn shown<T: Deserialize<'static> + Debug>(members: &Members) -> Result<String, String> {
    // Few and small, and only in tests: so types that borrow can be looked at as well.
    let json: &'static str = serde_json::to_string(members).expect("JSON").leak();
    read::<T>(json).map(|it| format!("{it:?}")).map_err(|error| error.to_string())
}

/// The members of a struct, as JSON has them.
fn member_names<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut names = None;
    // Fails always: nothing is there to be read.
    let _ = T::deserialize(Asked(&mut names));
    names.unwrap_or_else(|| panic!("{} is no struct", std::any::type_name::<T>()))
}

/// Notes which struct it is asked for.
struct Asked<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("nothing is there"))
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
