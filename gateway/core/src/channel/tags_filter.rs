//! Filters of subscribers: which publications they want, by tags.

use crate::model::Tags;
use std::cmp::Ordering;

/// A filter as a client sends it: a tree whose leaves compare one tag (`FilterNode` in `client.proto`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterNode {
    /// `and`, `or` or `not`; empty for a leaf.
    pub op: String,
    /// The name of the tag.
    pub key: String,
    /// How a leaf compares: `eq`, `neq`, `in`, `nin`, `ex`, `nex`, `sw`, `ew`, `ct`, `lt`, `lte`, `gt` or `gte`.
    pub cmp: String,
    /// The value to compare with.
    pub val: String,
    /// The values of `in` and `nin`.
    pub vals: Vec<String>,
    /// The nodes below.
    pub nodes: Vec<FilterNode>,
}

/// A valid filter. A publication without a tag has no value for it: only `neq`, `nin` and `nex` accept that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagsFilter(Node);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Tag(String, Test),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    Exists,
    In(Vec<String>),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    /// The tag is a decimal number in one of these orders to the given one.
    Number(&'static [Ordering], Decimal),
}

/// Why a filter is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// It has too many nodes.
    #[error("tf has more than {} nodes", TagsFilter::MAX_NODES)]
    TooManyNodes,
    /// It is nested too deep.
    #[error("tf is nested deeper than {} levels", TagsFilter::MAX_DEPTH)]
    TooDeep,
    /// It is too long.
    #[error("tf is longer than {} bytes", TagsFilter::MAX_BYTES)]
    TooLong,
    /// It cannot be read.
    #[error("tf is not a filter")]
    Malformed,
    /// `op` or `cmp` is unknown.
    #[error("tf has the unknown operator {0:?}")]
    UnknownOperator(String),
    /// A field that the operator needs is missing, or one is present that it does not use.
    #[error("tf: {0}")]
    Fields(&'static str),
}

impl TagsFilter {
    /// Most nodes.
    pub const MAX_NODES: usize = 32;
    /// Most levels.
    pub const MAX_DEPTH: usize = 8;
    /// Most bytes of its encoded form.
    pub const MAX_BYTES: usize = 2048;

    /// Checks a filter.
    pub fn check(node: FilterNode) -> Result<Self, InvalidFilter> {
        let mut left = Self::MAX_NODES;
        check(node, Self::MAX_DEPTH, &mut left).map(Self)
    }

    /// Whether a publication with these tags passes.
    pub fn matches(&self, tags: &Tags) -> bool {
        self.0.matches(tags)
    }
}

fn check(node: FilterNode, depth: usize, left: &mut usize) -> Result<Node, InvalidFilter> {
    *left = left.checked_sub(1).ok_or(InvalidFilter::TooManyNodes)?;
    let depth = depth.checked_sub(1).ok_or(InvalidFilter::TooDeep)?;
    let FilterNode { op, key, cmp, val, vals, nodes } = node;
    if op.is_empty() {
        return if nodes.is_empty() { leaf(key, &cmp, val, vals) } else { Err(InvalidFilter::Fields("a comparison has no nodes")) };
    }
    let count = nodes.len();
    let mut below = nodes.into_iter().map(|node| check(node, depth, left)).collect::<Result<Vec<_>, _>>()?;
    match (&*op, count) {
        ("and", 1..) => Ok(Node::All(below)),
        ("or", 1..) => Ok(Node::Any(below)),
        ("not", 1) => Ok(Node::Not(Box::new(below.remove(0)))),
        ("and" | "or", _) => Err(InvalidFilter::Fields("and, or: at least one node is needed")),
        ("not", _) => Err(InvalidFilter::Fields("not: exactly one node is needed")),
        _ => Err(InvalidFilter::UnknownOperator(op)),
    }
}

fn leaf(key: String, cmp: &str, val: String, vals: Vec<String>) -> Result<Node, InvalidFilter> {
    use Ordering::{Equal, Greater, Less};
    let number = |orders: &'static [Ordering]| {
        let number = Decimal::parse(&val).ok_or(InvalidFilter::Fields("lt, lte, gt, gte: val has to be a decimal number"))?;
        Ok(Test::Number(orders, number))
    };
    let (test, is_negated) = match cmp {
        "ex" => (Test::Exists, false),
        "nex" => (Test::Exists, true),
        "in" => (Test::In(vals.clone()), false),
        "nin" => (Test::In(vals.clone()), true),
        "eq" => (Test::In(vec![val.clone()]), false),
        "neq" => (Test::In(vec![val.clone()]), true),
        "sw" => (Test::StartsWith(val.clone()), false),
        "ew" => (Test::EndsWith(val.clone()), false),
        "ct" => (Test::Contains(val.clone()), false),
        "lt" => (number(&[Less])?, false),
        "lte" => (number(&[Less, Equal])?, false),
        "gt" => (number(&[Greater])?, false),
        "gte" => (number(&[Greater, Equal])?, false),
        _ => return Err(InvalidFilter::UnknownOperator(cmp.to_owned())),
    };
    let (uses_val, uses_vals) = (!matches!(cmp, "ex" | "nex" | "in" | "nin"), matches!(cmp, "in" | "nin"));
    if key.is_empty() {
        return Err(InvalidFilter::Fields("a comparison needs a key"));
    }
    if uses_val == val.is_empty() || uses_vals == vals.is_empty() {
        return Err(InvalidFilter::Fields("in, nin need vals and no val; ex, nex need neither; all others need val and no vals"));
    }
    let tag = Node::Tag(key, test);
    Ok(if is_negated { Node::Not(Box::new(tag)) } else { tag })
}

impl Node {
    fn matches(&self, tags: &Tags) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(tags)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(tags)),
            Self::Not(node) => !node.matches(tags),
            Self::Tag(key, test) => tags.get(key).is_some_and(|value| test.accepts(value)),
        }
    }
}

impl Test {
    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::In(values) => values.iter().any(|one| one == value),
            Self::StartsWith(start) => value.starts_with(&**start),
            Self::EndsWith(end) => value.ends_with(&**end),
            Self::Contains(part) => value.contains(&**part),
            Self::Number(orders, number) => Decimal::parse(value).is_some_and(|value| orders.contains(&value.compare(number))),
        }
    }
}

/// A decimal number of any length, without loss of digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Decimal {
    is_negative: bool,
    /// The digits before the point, without zeros at their start.
    whole: String,
    /// The digits after the point, without zeros at their end.
    fraction: String,
}

impl Decimal {
    /// Reads digits with an optional sign, and an optional point between digits.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: text.starts_with('-') && !is_zero, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |it: &Self| (it.whole.len(), it.whole.clone(), it.fraction.clone());
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compare(key: &str, cmp: &str, val: &str) -> FilterNode {
        FilterNode { key: key.into(), cmp: cmp.into(), val: val.into(), ..FilterNode::default() }
    }

    fn list(key: &str, cmp: &str, vals: &[&str]) -> FilterNode {
        FilterNode { vals: vals.iter().map(|&val| val.into()).collect(), ..compare(key, cmp, "") }
    }

    fn node(op: &str, nodes: impl IntoIterator<Item = FilterNode>) -> FilterNode {
        FilterNode { op: op.into(), nodes: nodes.into_iter().collect(), ..FilterNode::default() }
    }

    fn tags() -> Tags {
        [("city", "Berlin"), ("price", "12.50"), ("empty", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn each_comparison() {
        for (filter, expected) in [
            (compare("city", "eq", "Berlin"), true),
            (compare("city", "eq", "berlin"), false),
            (compare("none", "eq", "x"), false),
            (compare("city", "neq", "Berlin"), false),
            (compare("none", "neq", "x"), true),
            (list("city", "in", &["Rome", "Berlin"]), true),
            (list("none", "in", &["", "Berlin"]), false),
            (list("city", "nin", &["Rome"]), true),
            (list("none", "nin", &[""]), true),
            (compare("empty", "ex", ""), true),
            (compare("none", "ex", ""), false),
            (compare("none", "nex", ""), true),
            (compare("city", "sw", "Ber"), true),
            (compare("city", "ew", "lin"), true),
            (compare("city", "ct", "erl"), true),
            (compare("city", "ct", "x"), false),
            (compare("price", "lt", "12.500"), false),
            (compare("price", "lte", "12.500"), true),
            (compare("price", "gt", "9"), true),
            (compare("price", "gte", "12.51"), false),
            (compare("city", "gt", "0"), false),
            (compare("none", "lt", "0"), false),
            (node("and", [compare("city", "ex", ""), compare("price", "gt", "-1")]), true),
            (node("or", [compare("city", "eq", "x"), compare("price", "gt", "99")]), false),
            (node("not", [node("or", [compare("city", "eq", "x"), compare("none", "ex", "")])]), true),
        ] {
            assert_eq!(TagsFilter::check(filter.clone()).expect("valid").matches(&tags()), expected, "{filter:?}");
        }
    }

    #[test]
    fn bad_filters_are_refused_with_the_reason() {
        let deep = |levels| (1..levels).fold(compare("a", "ex", ""), |below, _| node("not", [below]));
        let wide = |nodes| node("and", (1..nodes).map(|_| compare("a", "ex", "")));
        assert!(TagsFilter::check(deep(8)).is_ok() && TagsFilter::check(wide(32)).is_ok());
        for (filter, reason) in [
            (deep(9), "deeper than 8"),
            (wide(33), "more than 32"),
            (FilterNode::default(), "unknown operator"),
            (compare("a", "like", "x"), "unknown operator \"like\""),
            (node("xor", [compare("a", "ex", "")]), "unknown operator \"xor\""),
            (compare("", "eq", "x"), "needs a key"),
            (compare("a", "eq", ""), "all others need val"),
            (list("a", "eq", &["x"]), "all others need val"),
            (compare("a", "in", "x"), "in, nin need vals"),
            (compare("a", "ex", "x"), "ex, nex need neither"),
            (compare("a", "gt", "high"), "decimal number"),
            (compare("a", "lt", "1e3"), "decimal number"),
            (node("and", []), "at least one node"),
            (node("not", []), "exactly one node"),
            (node("not", [compare("a", "ex", ""), compare("a", "ex", "")]), "exactly one node"),
            (FilterNode { nodes: vec![compare("a", "ex", "")], ..compare("a", "ex", "") }, "has no nodes"),
        ] {
            let error = TagsFilter::check(filter).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn decimals_are_compared_without_loss() {
        let long = "9".repeat(60);
        for (one, other, expected) in [
            ("10", "9", Ordering::Greater),
            ("-10", "-9", Ordering::Less),
            ("0.10", "0.1", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("+1", "1", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            (&long, "9", Ordering::Greater),
            ("0.09", "0.1", Ordering::Less),
        ] {
            let [one, other] = [one, other].map(|text| Decimal::parse(text).expect("a number"));
            assert_eq!((one.compare(&other), other.compare(&one)), (expected, expected.reverse()));
        }
        for bad in ["", "-", ".", "1.", ".5", "1e3", "1,5", " 1", "0x1", "١"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    /// What the documentation says of a filter that is valid, without its code.
    fn expected(filter: &FilterNode, tags: &Tags) -> bool {
        let FilterNode { op, key, cmp, val, vals, nodes } = filter;
        let tag = tags.get(key).map(String::as_str);
        let number =
            |order: fn(&i64, &i64) -> bool| tag.is_some_and(|tag| tag.parse().is_ok_and(|tag| order(&tag, &val.parse().expect("valid"))));
        match (&**op, &**cmp) {
            ("and", _) => nodes.iter().all(|node| expected(node, tags)),
            ("or", _) => nodes.iter().any(|node| expected(node, tags)),
            ("not", _) => !expected(&nodes[0], tags),
            (_, "eq") => tag == Some(val),
            (_, "neq") => tag != Some(val),
            (_, "in") => tag.is_some_and(|tag| vals.iter().any(|val| val == tag)),
            (_, "nin") => !tag.is_some_and(|tag| vals.iter().any(|val| val == tag)),
            (_, "ex") => tag.is_some(),
            (_, "nex") => tag.is_none(),
            (_, "sw") => tag.is_some_and(|tag| tag.starts_with(val)),
            (_, "ew") => tag.is_some_and(|tag| tag.ends_with(val)),
            (_, "ct") => tag.is_some_and(|tag| tag.contains(val)),
            (_, "lt") => number(i64::lt),
            (_, "lte") => number(i64::le),
            (_, "gt") => number(i64::gt),
            (_, "gte") => number(i64::ge),
            other => panic!("{other:?} is not valid"),
        }
    }

    /// The nodes of a filter, and its levels.
    fn size(filter: &FilterNode) -> (usize, usize) {
        let below: Vec<_> = filter.nodes.iter().map(size).collect();
        (1 + below.iter().map(|(nodes, _)| nodes).sum::<usize>(), 1 + below.iter().map(|(_, levels)| *levels).max().unwrap_or_default())
    }

    fn any_filter() -> impl Strategy<Value = FilterNode> {
        const COMPARE: [&str; 14] = ["eq", "neq", "in", "nin", "ex", "nex", "sw", "ew", "ct", "lt", "lte", "gt", "gte", "like"];
        let value = || "-?[0-9]|[0-9]{2}|[ab]{1,2}";
        let leaf = (proptest::sample::select(&COMPARE[..]), "[kp]", value(), proptest::collection::vec(value(), 1..3), 0..20).prop_map(
            |(cmp, key, val, vals, wrong)| {
                let (has_val, has_vals) = (!matches!(cmp, "ex" | "nex" | "in" | "nin"), matches!(cmp, "in" | "nin"));
                FilterNode {
                    key: if wrong == 1 { String::new() } else { key },
                    cmp: cmp.to_owned(),
                    val: if has_val || wrong == 2 { val } else { String::new() },
                    vals: if has_vals || wrong == 3 { vals } else { Vec::new() },
                    ..FilterNode::default()
                }
            },
        );
        leaf.prop_recursive(10, 48, 6, |below| {
            prop_oneof![
                4 => (proptest::sample::select(&["and", "or", "xor"][..]), proptest::collection::vec(below.clone(), 0..6))
                    .prop_map(|(op, nodes)| node(op, nodes)),
                4 => below.prop_map(|below| node("not", [below])),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
        #[test]
        fn a_filter_is_refused_or_passes_what_the_documentation_says(
            filter in any_filter(),
            all in proptest::collection::vec(proptest::collection::btree_map("[kp]", "-?[0-9]|[0-9]{2}|[ab]{1,3}|", 0..3), 1..8),
        ) {
            let (nodes, levels) = size(&filter);
            let fits = nodes <= TagsFilter::MAX_NODES && levels <= TagsFilter::MAX_DEPTH;
            match TagsFilter::check(filter.clone()) {
                Ok(valid) => {
                    prop_assert!(fits, "{nodes} nodes, {levels} levels");
                    for tags in &all {
                        prop_assert_eq!(valid.matches(tags), expected(&filter, tags), "{:?} {:?}", filter, tags);
                    }
                }
                Err(InvalidFilter::TooManyNodes | InvalidFilter::TooDeep) => prop_assert!(!fits, "{nodes} nodes, {levels} levels"),
                Err(_) => {}
            }
        }
    }

    proptest! {
        #[test]
        fn decimals_have_the_order_of_integers(a in any::<i64>(), b in any::<i64>()) {
            let [one, other] = [a, b].map(|number| Decimal::parse(&number.to_string()).expect("a number"));
            prop_assert_eq!(one.compare(&other), a.cmp(&b));
        }
    }
}
