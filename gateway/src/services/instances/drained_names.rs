//! The names of the instances that an operator drains.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The names of the instances of one service that an operator drains. Instances keep their names when they open other links, so the names stay.
pub(super) struct DrainedNames {
    limit: usize,
    /// The number of the order that drained each.
    orders: HashMap<Arc<str>, u64>,
    last_order: u64,
}

impl DrainedNames {
    /// `limit` must be above the number of instances that can have links at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, orders: HashMap::new(), last_order: 0 }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.orders.contains_key(name)
    }

    /// Adds a name. Above the limit it removes and returns, of the names that are not in `linked`, the one whose order is the oldest.
    pub(super) fn insert(&mut self, name: &str, linked: &HashSet<&str>) -> Option<Arc<str>> {
        self.last_order += 1;
        self.orders.insert(name.into(), self.last_order);
        if self.orders.len() <= self.limit {
            return None;
        }
        let absent = self.orders.iter().filter(|(name, _)| !linked.contains(&***name));
        let oldest = absent.min_by_key(|(_, order)| **order).map(|(name, _)| Arc::clone(name))?;
        self.orders.remove(&oldest);
        Some(oldest)
    }

    /// Removes a name. Returns whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.orders.remove(name).is_some()
    }
}
