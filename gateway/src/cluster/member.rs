//! What a node publishes about itself.

use super::types::NodeServices;
use crate::broker::NodeRecord;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One node, as it registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    #[serde(skip)]
    pub(super) name: Box<str>,
    pub(super) since_ms: u64,
    pub(super) workers: usize,
    /// Address for services, as `ws://host:port`.
    pub(super) link: Box<str>,
    /// Address for frontends, as `http://host:port`; empty if its version does not publish it.
    #[serde(default)]
    pub(super) public: Box<str>,
    /// Settings that must be equal on all nodes, by key.
    pub(super) shared: BTreeMap<String, String>,
    /// The services whose queues it can deliver. They change.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) delivers: BTreeSet<Box<str>>,
}

impl Member {
    /// The services whose queues it can deliver.
    pub(super) fn services(&self) -> NodeServices {
        NodeServices { node: self.name.clone(), services: self.delivers.clone() }
    }

    /// Returns `None` if the record has the form of another version.
    pub(super) fn parse(record: &NodeRecord) -> Option<Self> {
        let member: Self = serde_json::from_str(&record.record).ok()?;
        Some(Self { name: record.id.name.clone(), ..member })
    }

    pub(super) fn record(&self) -> String {
        // Strings and numbers: serialising cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    // NL-7.11
    /// Names the first shared setting that differs on another node.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let keys = self.shared.keys().chain(other.shared.keys());
        let key = keys.into_iter().find(|key| self.shared.get(*key) != other.shared.get(*key))?;
        let value = |member: &Self| member.shared.get(key).cloned().unwrap_or_else(|| "not set".into());
        Some(format!(
            "{key} is {} here and {} on node {}: give both nodes the same settings and restart them",
            value(self),
            value(other),
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
        let delivers = ["shop".into()].into();
        Member { name: name.into(), since_ms: 1, workers: 2, link: "ws://h:1".into(), public: "http://h:2".into(), shared, delivers }
    }

    #[test]
    fn a_member_is_read_as_it_was_written() {
        let member = member("n1", &[("a", "b")]);
        let record = NodeRecord { id: NodeId::of_new_process("n1"), record: member.record().into(), is_alive: true };
        assert_eq!(Member::parse(&record), Some(member));
        assert_eq!(Member::parse(&NodeRecord { record: "{}".into(), ..record }), None);
    }

    #[test]
    fn a_record_of_an_earlier_version_is_accepted() {
        let record = r#"{"generation":"g","since_ms":1,"workers":2,"link":"ws://h:1","shared":{}}"#;
        let read = Member::parse(&NodeRecord { id: NodeId::of_new_process("n1"), record: record.into(), is_alive: true });
        assert_eq!(read, Some(Member { public: "".into(), delivers: BTreeSet::new(), ..member("n1", &[]) }));
    }

    // NL-7.11
    #[test]
    fn the_difference_names_the_setting() {
        let one = member("n1", &[("namespaces.a.history", "10 for 1m")]);
        assert_eq!(one.difference(&member("n2", &[("namespaces.a.history", "10 for 1m")])), None);
        let difference = one.difference(&member("n2", &[("namespaces.a.history", "20 for 1m")])).expect("they differ");
        assert!(difference.starts_with("namespaces.a.history is 10 for 1m here and 20 for 1m on node n2"), "{difference}");
        let difference = one.difference(&member("n2", &[])).expect("they differ");
        assert!(difference.contains("not set on node n2"), "{difference}");
    }
}
