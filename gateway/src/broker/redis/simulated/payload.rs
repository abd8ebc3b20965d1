//! What the publications of a simulation carry: each a unique number, in a JSON document, a text, or bytes.

use gateway_core::{
    channel::{FilterNode, TagsFilter},
    model::{CONTENT_TYPE, Content, Data, Tags},
};
use serde_json::{Value, json, value::to_raw_value};
use shared_proto::json::base64;
use std::sync::{Arc, LazyLock};

/// The part that is equal in all documents. It is long enough for a delta to be shorter than a document.
const TEXT: &str = "the part of a document that does not change";
/// What texts begin with, so that they are not JSON.
const BEGIN: &str = "text ";
/// What bytes begin with, so that they are not text.
const NOT_UTF8: u8 = 0xff;
/// The tag by which filters select publications.
const CLASS: &str = "class";
const CLASSES: u64 = 3;
const SELECTED: u64 = 0;

/// The content of the publication with this number.
pub(crate) fn content(number: u64) -> Content {
    match number % 8 {
        5 => Content::Text(format!("{BEGIN}{number}").into()),
        7 => Content::Bytes(bytes(number).into()),
        _ => Data::parse(&to_raw_value(&document(number)).expect("JSON")).expect("shallow").into(),
    }
}

/// Its tags.
pub(crate) fn tags(number: u64) -> Tags {
    let kind = content(number).default_type().map(|kind| (CONTENT_TYPE.to_owned(), kind.to_owned()));
    kind.into_iter().chain([(CLASS.to_owned(), (number % CLASSES).to_string())]).collect()
}

/// Removes the tag by which filters select publications.
pub(super) fn remove_class(tags: &mut Tags) {
    tags.remove(CLASS);
}

/// The number of a publication with this content.
pub(super) fn number(of: &Content) -> Option<u64> {
    match of {
        Content::Json(data) => serde_json::from_str::<Value>(data.get()).ok()?["number"].as_u64(),
        Content::Text(text) => text.strip_prefix(BEGIN)?.parse().ok(),
        Content::Bytes(bytes) => Some(u64::from_be_bytes(bytes.strip_prefix(&[NOT_UTF8])?.try_into().ok()?)),
    }
}

/// Its data as JSON clients get it.
pub(crate) fn as_json(number: u64) -> Value {
    match content(number) {
        Content::Json(_) => document(number),
        Content::Text(text) => Value::from(&*text),
        Content::Bytes(bytes) => base64::encode(&bytes).into(),
    }
}

/// The filter of the clients with a filter.
pub(crate) fn filter() -> Arc<TagsFilter> {
    static FILTER: LazyLock<Arc<TagsFilter>> = LazyLock::new(|| {
        let node = FilterNode { key: CLASS.into(), cmp: "eq".into(), val: SELECTED.to_string(), ..FilterNode::default() };
        Arc::new(TagsFilter::check(node).expect("valid"))
    });
    FILTER.clone()
}

/// Whether it passes the filter.
pub(crate) fn is_selected(number: u64) -> bool {
    number % CLASSES == SELECTED
}

fn document(number: u64) -> Value {
    json!({ "number": number, "text": TEXT })
}

fn bytes(number: u64) -> Vec<u8> {
    [&[NOT_UTF8], &number.to_be_bytes()[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::protocol::fossil;

    #[test]
    fn the_number_is_found_in_each_kind_and_documents_have_short_deltas() {
        let kinds: Vec<_> = (1..=8).map(|number| content(number).kind()).collect();
        assert_eq!(kinds, ["JSON", "JSON", "JSON", "JSON", "text", "JSON", "bytes", "JSON"]);
        for number in 1..=1000 {
            assert_eq!(super::number(&content(number)), Some(number));
        }
        assert!(fossil::delta(content(99).as_bytes(), content(100).as_bytes()).is_some());
    }

    #[test]
    fn the_filter_selects_some() {
        for number in 1..=20 {
            assert_eq!(filter().matches(&tags(number)), is_selected(number), "{number}");
        }
    }
}
