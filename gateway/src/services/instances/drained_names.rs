//! The names of the instances that an operator drains.

use std::{collections::HashSet, sync::Arc};

/// The names of the instances of one service that an operator drains. Instances keep their names when they open other links, so the names stay.
pub(super) struct DrainedNames {
    limit: usize,
    /// The name with the oldest order first.
    names: Vec<Arc<str>>,
}

impl DrainedNames {
    /// `limit` must be above the number of instances that can have links at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, names: Vec::new() }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|drained| &**drained == name)
    }

    /// Adds a name, or renews its order. Above the limit it removes and returns, of the names that are not in `linked`, the one with the oldest order.
    pub(super) fn insert(&mut self, name: &str, linked: &HashSet<&str>) -> Option<Arc<str>> {
        self.remove(name);
        self.names.push(name.into());
        if self.names.len() <= self.limit {
            return None;
        }
        let oldest = self.names.iter().position(|drained| !linked.contains(&**drained))?;
        Some(self.names.remove(oldest))
    }

    /// Removes a name. Returns whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let at = self.names.iter().position(|drained| &**drained == name);
        at.map(|at| self.names.remove(at)).is_some()
    }
}
