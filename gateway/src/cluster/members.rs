//! Who belongs to the cluster.

use crate::broker::NodeRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    #[serde(skip)]
    pub(super) name: Box<str>,
    pub(super) since_ms: u64,
    pub(super) workers: usize,
    /// Where services reach it, as `ws://host:port`.
    pub(super) link: Box<str>,
    /// Where frontends reach it, as `http://host:port`; empty: a version that does not say.
    #[serde(default)]
    pub(super) public: Box<str>,
    /// Settings that have to be the same everywhere, by key.
    pub(super) shared: BTreeMap<String, String>,
}

impl Member {
    /// None: a version that says something else of itself.
    pub(super) fn parse(record: &NodeRecord) -> Option<Self> {
        let member: Self = serde_json::from_str(&record.record).ok()?;
        Some(Self { name: record.id.name.clone(), ..member })
    }

    pub(super) fn record(&self) -> String {
        // Strings and numbers: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// In which shared setting another node differs.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let keys = self.shared.keys().chain(other.shared.keys());
        let key = keys.into_iter().find(|key| self.shared.get(*key) != other.shared.get(*key))?;
        let told = |member: &Self| member.shared.get(key).cloned().unwrap_or_else(|| "not set".into());
        Some(format!(
            "{key} is {} here and {} on node {}: give both nodes the same settings and start them anew",
            told(self),
            told(other),
            other.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::NodeId;

    fn member(name: &str, shared: &[(&str, &str)]) -> Member {
        let shared = shared.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Member { name: name.into(), since_ms: 1, workers: 2, link: "ws://h:1".into(), public: "http://h:2".into(), shared }
    }

    #[test]
    fn a_member_is_read_as_it_was_written() {
        let member = member("n1", &[("a", "b")]);
        let record = NodeRecord { id: NodeId::of("n1"), record: member.record().into(), is_alive: true };
        assert_eq!(Member::parse(&record), Some(member));
        assert_eq!(Member::parse(&NodeRecord { record: "{}".into(), ..record }), None);
    }

    #[test]
    fn a_record_that_does_not_say_where_frontends_go_is_one_of_a_member() {
        let record = r#"{"generation":"g","since_ms":1,"workers":2,"link":"ws://h:1","shared":{}}"#;
        let read = Member::parse(&NodeRecord { id: NodeId::of("n1"), record: record.into(), is_alive: true });
        assert_eq!(read, Some(Member { public: "".into(), ..member("n1", &[]) }));
    }

    #[test]
    fn the_setting_that_differs_is_named() {
        let one = member("n1", &[("namespaces.a.history", "10 for 1m")]);
        assert_eq!(one.differs(&member("n2", &[("namespaces.a.history", "10 for 1m")])), None);
        let told = one.differs(&member("n2", &[("namespaces.a.history", "20 for 1m")])).expect("they differ");
        assert!(told.starts_with("namespaces.a.history is 10 for 1m here and 20 for 1m on node n2"), "{told}");
        let told = one.differs(&member("n2", &[])).expect("they differ");
        assert!(told.contains("not set on node n2"), "{told}");
    }
}
