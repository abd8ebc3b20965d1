//! JSON Pointers (RFC 6901) to strings and numbers, found in one scan of a JSON text.

use serde::{
    Deserialize as _,
    de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::{fmt, str::FromStr};

/// A pointer into JSON data, such as `/room` or `/order/id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPointer {
    text: Box<str>,
    steps: Box<[Box<str>]>,
}

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a JSON Pointer of 1 to {MAX_STEPS} steps and at most {MAX_BYTES} bytes, such as \"/room\"; \"~\" is written \"~0\", \"/\" \"~1\""
)]
pub struct InvalidPointer;

/// The JSON has a number or a text that not every reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number that is too large, or half of a surrogate pair")]
pub struct UnreadableJson;

const MAX_STEPS: usize = 8;
const MAX_BYTES: usize = 255;

impl JsonPointer {
    /// The notation of the pointer.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for JsonPointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let path = text.strip_prefix('/').filter(|_| text.len() <= MAX_BYTES).ok_or(InvalidPointer)?;
        let steps = path.split('/').map(unescape).collect::<Option<Box<[_]>>>().ok_or(InvalidPointer)?;
        if steps.len() > MAX_STEPS {
            return Err(InvalidPointer);
        }
        Ok(Self { text: text.into(), steps })
    }
}

/// Replaces `~1` and `~0` (RFC 6901, section 4). `None` if another character follows a `~`.
fn unescape(step: &str) -> Option<Box<str>> {
    let mut out = String::with_capacity(step.len());
    let mut chars = step.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out.into())
}

/// The texts to which the pointers lead: a string without its quotes, or a number as it is written. `None` where a pointer is absent, or leads to
/// something else or to nothing. If a member occurs several times, the last one counts, as for most readers of JSON.
///
/// `json` is scanned once, and not at all without a pointer. An error means that it has a number or a text that not every reader of JSON takes: then
/// services could find something else.
pub fn find_texts<const N: usize>(json: &str, pointers: [Option<&JsonPointer>; N]) -> Result<[Option<Box<str>>; N], UnreadableJson> {
    let mut found = [const { None }; N];
    let with_index = pointers.into_iter().enumerate();
    let paths: Paths<'_> = with_index.filter_map(|(at, pointer)| Some(Path { at, steps: &pointer?.steps })).collect();
    if !paths.is_empty() {
        scan(json, paths, &mut found).map_err(|_| UnreadableJson)?;
    }
    Ok(found)
}

/// The steps that are left of one pointer.
#[derive(Clone, Copy)]
struct Path<'p> {
    /// The index of the pointer.
    at: usize,
    steps: &'p [Box<str>],
}

type Paths<'p> = SmallVec<[Path<'p>; 2]>;

fn scan(json: &str, paths: Paths<'_>, found: &mut [Option<Box<str>>]) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Scan { paths, found }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// The paths that lead into the member or element to which `is_step` applies.
fn enter<'p>(paths: &[Path<'p>], is_step: impl Fn(&str) -> bool) -> Paths<'p> {
    let inner = |path: &Path<'p>| {
        let (step, steps) = path.steps.split_first()?;
        is_step(step).then_some(Path { at: path.at, steps })
    };
    paths.iter().filter_map(inner).collect()
}

/// Scans one value, to which all paths lead.
struct Scan<'f, 'p> {
    paths: Paths<'p>,
    found: &'f mut [Option<Box<str>>],
}

impl<'de> DeserializeSeed<'de> for Scan<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { paths, found } = self;
        let (ends, inner): (Paths<'_>, Paths<'_>) = paths.into_iter().partition(|path| path.steps.is_empty());
        if ends.is_empty() {
            return deserializer.deserialize_any(Scan { paths: inner, found });
        }
        let value = <&RawValue>::deserialize(deserializer)?;
        let text = text_of(value.get()).map_err(D::Error::custom)?;
        ends.iter().for_each(|path| found[path.at].clone_from(&text));
        if !inner.is_empty() {
            scan(value.get(), inner, found).map_err(D::Error::custom)?;
        }
        Ok(())
    }
}

/// A string without its quotes, or a number as it is written.
fn text_of(value: &str) -> serde_json::Result<Option<Box<str>>> {
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).map(Some),
        Some(b'-' | b'0'..=b'9') => Ok(Some(value.into())),
        _ => Ok(None),
    }
}

impl<'de> Visitor<'de> for Scan<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(paths) = map.next_key_seed(Member(&self.paths))? {
            if paths.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                paths.iter().for_each(|path| self.found[path.at] = None);
                map.next_value_seed(Scan { paths, found: self.found })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let index = index.to_string();
            let paths = enter(&self.paths, |step| step == index);
            let more = if paths.is_empty() {
                elements.next_element::<IgnoredAny>()?.is_some()
            } else {
                elements.next_element_seed(Scan { paths, found: self.found })?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads the name of a member, and returns the paths that lead into it.
struct Member<'s, 'p>(&'s [Path<'p>]);

impl<'de, 'p> DeserializeSeed<'de> for Member<'_, 'p> {
    type Value = Paths<'p>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Paths<'p>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Member<'_, 'p> {
    type Value = Paths<'p>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Paths<'p>, E> {
        Ok(enter(self.0, |step| step == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn pointer(text: &str) -> JsonPointer {
        text.parse().expect(text)
    }

    fn find(json: &str, text: &str) -> Option<Box<str>> {
        let [found] = find_texts(json, [Some(&pointer(text))]).expect("readable");
        found
    }

    #[test]
    fn strings_and_numbers_are_found_and_nothing_else() {
        let json = r#"{"a":{"b":["x",{"c":12345678901234567890123}]},"d/e":"\u00e4","~":-1.50,"":true,"n":null,"o":{}}"#;
        for (path, expected) in [
            ("/a/b/0", Some("x")),
            ("/a/b/1/c", Some("12345678901234567890123")),
            ("/d~1e", Some("ä")),
            ("/~0", Some("-1.50")),
            ("/a/b/2", None),
            ("/a/b/00", None),
            ("/a/b", None),
            ("/a/b/0/x", None),
            ("/", None),
            ("/n", None),
            ("/n/x", None),
            ("/o", None),
            ("/missing", None),
        ] {
            assert_eq!(find(json, path).as_deref(), expected, "{path}");
        }
        for scalar in ["1", "\"a\"", "null", "true", "1.5", "-3"] {
            assert_eq!(find(scalar, "/a"), None, "{scalar}");
        }
    }

    #[test]
    fn the_last_member_of_a_name_counts() {
        assert_eq!(find(r#"{"a":"1","a":"2"}"#, "/a").as_deref(), Some("2"));
        assert_eq!(find(r#"{"a":"1","a":null}"#, "/a"), None);
        assert_eq!(find(r#"{"a":{"b":1},"a":{}}"#, "/a/b"), None);
    }

    #[test]
    fn one_scan_follows_several_pointers() {
        let json = r#"{"a":{"b":"x"},"c":7}"#;
        let (inner, whole, other) = (pointer("/a/b"), pointer("/a"), pointer("/c"));
        let found = find_texts(json, [Some(&inner), Some(&whole), None, Some(&other)]).expect("readable");
        assert_eq!(found.each_ref().map(|text| text.as_deref()), [Some("x"), None, None, Some("7")]);
    }

    #[test]
    fn json_that_readers_take_differently_is_refused() {
        for json in [r#"{"\ud800":0,"a":"1"}"#, r#"{"a":"1","\ud800":0,"a":"2"}"#, r#"{"a":"\udc00"}"#, r#"{"a":{"b":1e999}}"#, "1e999"] {
            serde_json::from_str::<&RawValue>(json).expect("accepted as it is");
            let pointer = pointer(if json.contains('b') { "/a/b/c" } else { "/a" });
            assert_eq!(find_texts(json, [Some(&pointer)]), Err(UnreadableJson), "{json}");
            assert_eq!(find_texts(json, [None]), Ok([None]), "{json} is passed on where no pointer is followed");
        }
    }

    #[test]
    fn a_text_that_is_no_pointer_is_refused() {
        let long = format!("/{}", "a".repeat(255));
        for bad in ["", "room", "/a~", "/a~2", "/1/2/3/4/5/6/7/8/9", &long] {
            assert_eq!(bad.parse::<JsonPointer>(), Err(InvalidPointer), "{bad}");
        }
        assert_eq!(pointer("/a~1b").to_string(), "/a~1b");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab/~]{0,2}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn pointers_lead_where_those_of_serde_json_lead(value in values(), steps in prop::collection::vec("[ab012]|~0|~1", 1..4)) {
            let path: String = steps.iter().flat_map(|step| ["/", step]).collect();
            let expected = match value.pointer(&path) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            };
            prop_assert_eq!(find(&value.to_string(), &path).map(String::from), expected);
        }
    }
}
