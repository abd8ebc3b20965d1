//! The filters of a channel's subscriptions.

use gateway_core::channel::TagsFilter;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

/// The filters of a channel's subscriptions, by the index of the connection. Equal filters are one object.
#[derive(Default)]
pub(crate) struct Filters {
    by_connection: HashMap<u32, Arc<TagsFilter>, foldhash::quality::RandomState>,
    /// Every filter, and the number of its connections.
    distinct: HashMap<Arc<TagsFilter>, usize, foldhash::quality::RandomState>,
}

impl Filters {
    pub(crate) fn insert(&mut self, connection: u32, filter: Arc<TagsFilter>) {
        self.remove(connection);
        let shared = match self.distinct.entry(filter) {
            Entry::Occupied(mut known) => {
                *known.get_mut() += 1;
                known.key().clone()
            }
            Entry::Vacant(new) => new.insert_entry(1).key().clone(),
        };
        self.by_connection.insert(connection, shared);
    }

    pub(crate) fn remove(&mut self, connection: u32) {
        let Some(filter) = self.by_connection.remove(&connection) else { return };
        if let Entry::Occupied(mut known) = self.distinct.entry(filter) {
            *known.get_mut() -= 1;
            if *known.get() == 0 {
                known.remove();
            }
        }
    }

    pub(crate) fn get(&self, connection: u32) -> Option<&Arc<TagsFilter>> {
        self.by_connection.get(&connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::channel::FilterNode;

    fn filter(value: &str) -> Arc<TagsFilter> {
        let node = FilterNode { key: "room".into(), cmp: "eq".into(), val: value.into(), ..FilterNode::default() };
        Arc::new(TagsFilter::check(node).expect("valid"))
    }

    #[test]
    fn equal_filters_are_one_object_until_their_last_connection_leaves() {
        let mut filters = Filters::default();
        for (connection, value) in [(1, "a"), (2, "b"), (3, "a")] {
            filters.insert(connection, filter(value));
        }
        let [first, second, third] = [1, 2, 3].map(|connection| filters.get(connection).expect("it has a filter"));
        assert!(Arc::ptr_eq(first, third) && !Arc::ptr_eq(first, second));
        filters.remove(1);
        assert_eq!(filters.get(3), Some(&filter("a")));
        filters.insert(3, filter("b"));
        filters.insert(3, filter("b"));
        filters.remove(2);
        assert_eq!(filters.distinct.len(), 1, "only b is left");
        filters.remove(3);
        filters.remove(3);
        assert!(filters.by_connection.is_empty() && filters.distinct.is_empty(), "what nobody uses takes no memory");
    }
}
