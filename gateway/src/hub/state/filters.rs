//! The filters of a channel's subscriptions.

use gateway_core::channel::TagsFilter;
use std::{collections::BTreeMap, sync::Arc};

/// The filters of a channel's subscriptions, by the index of the connection. Equal filters are one object.
#[derive(Default)]
pub(crate) struct Filters(BTreeMap<u32, Arc<TagsFilter>>);

impl Filters {
    pub(crate) fn insert(&mut self, connection: u32, filter: Arc<TagsFilter>) {
        let shared = self.0.values().find(|known| **known == filter).cloned();
        self.0.insert(connection, shared.unwrap_or(filter));
    }

    pub(crate) fn remove(&mut self, connection: u32) {
        self.0.remove(&connection);
    }

    pub(crate) fn get(&self, connection: u32) -> Option<&Arc<TagsFilter>> {
        self.0.get(&connection)
    }
}
