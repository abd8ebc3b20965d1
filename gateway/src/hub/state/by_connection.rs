//! What some subscriptions of a channel have, and most have not.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

/// A value of each subscription of a channel that has one, by the index of the connection. Values are pointers, and equal ones point to one object.
pub(crate) struct ByConnection<T> {
    by_connection: HashMap<u32, T, foldhash::quality::RandomState>,
    /// Every value, and the number of its connections.
    distinct: HashMap<T, usize, foldhash::quality::RandomState>,
}

impl<T> Default for ByConnection<T> {
    fn default() -> Self {
        Self { by_connection: HashMap::default(), distinct: HashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> ByConnection<T> {
    pub(crate) fn insert(&mut self, connection: u32, value: T) {
        self.remove(connection);
        let shared = match self.distinct.entry(value) {
            Entry::Occupied(mut known) => {
                *known.get_mut() += 1;
                known.key().clone()
            }
            Entry::Vacant(new) => new.insert_entry(1).key().clone(),
        };
        self.by_connection.insert(connection, shared);
    }

    pub(crate) fn remove(&mut self, connection: u32) {
        let Some(value) = self.by_connection.remove(&connection) else { return };
        if let Entry::Occupied(mut known) = self.distinct.entry(value) {
            *known.get_mut() -= 1;
            if *known.get() == 0 {
                known.remove();
            }
        }
    }

    pub(crate) fn get(&self, connection: u32) -> Option<&T> {
        self.by_connection.get(&connection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_connection.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::channel::{FilterNode, TagsFilter};
    use std::sync::Arc;

    fn filter(value: &str) -> Arc<TagsFilter> {
        let node = FilterNode { key: "room".into(), cmp: "eq".into(), val: value.into(), ..FilterNode::default() };
        Arc::new(TagsFilter::check(node).expect("valid"))
    }

    #[test]
    fn equal_filters_are_one_object_until_their_last_connection_leaves() {
        let mut filters = ByConnection::default();
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
