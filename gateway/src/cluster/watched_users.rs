//! Users that have more connections at one worker than its share of their limit, so that no worker may accept another one without asking all nodes.

use gateway_core::model::{UserId, lock};
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::Mutex,
};

/// The users about whom all nodes ask. A node learns of them by the requests of the others.
///
/// A full table forgets those that were added first.
#[derive(Debug)]
pub struct WatchedUsers {
    table: Mutex<Table>,
    /// Users in each half of the table.
    half: usize,
    hasher: RandomState,
}

/// When a user was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch(u64);

/// The hashes of users, in two halves. When the newer one is full, it takes the place of the older one.
#[derive(Debug, Default)]
struct Table {
    newer: HashMap<u64, Watch>,
    older: HashMap<u64, Watch>,
    last: u64,
    forgotten: u64,
}

impl WatchedUsers {
    /// A table with room for so many users.
    pub fn new(users: usize) -> Self {
        Self { table: Mutex::default(), half: users.div_ceil(2).max(1), hasher: RandomState::new() }
    }

    /// Adds a user, or says that it is still to be watched.
    pub fn watch(&self, user: &UserId) {
        let (key, mut table) = (self.hasher.hash_one(user), lock(&self.table));
        table.older.remove(&key);
        if table.newer.len() >= self.half && !table.newer.contains_key(&key) {
            let newer = mem::take(&mut table.newer);
            table.forgotten += mem::replace(&mut table.older, newer).len() as u64;
        }
        table.last += 1;
        let watch = Watch(table.last);
        table.newer.insert(key, watch);
    }

    /// Whether the user is watched. The answer is for [`Self::end`].
    pub fn get(&self, user: &UserId) -> Option<Watch> {
        let (key, table) = (self.hasher.hash_one(user), lock(&self.table));
        table.newer.get(&key).or_else(|| table.older.get(&key)).copied()
    }

    /// Removes a user, unless it was added again since.
    pub fn end(&self, user: &UserId, watch: Watch) {
        let (key, mut guard) = (self.hasher.hash_one(user), lock(&self.table));
        let table = &mut *guard;
        for half in [&mut table.newer, &mut table.older] {
            if half.get(&key) == Some(&watch) {
                half.remove(&key);
            }
        }
    }

    /// How many users lost their place in the table.
    pub fn forgotten(&self) -> u64 {
        lock(&self.table).forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        format!("user-{number}").parse().expect("valid")
    }

    #[test]
    fn a_user_is_watched_until_that_ends() {
        let users = WatchedUsers::new(10);
        assert_eq!(users.get(&user(1)), None);
        users.watch(&user(1));
        let first = users.get(&user(1)).expect("watched");
        users.watch(&user(1));
        users.end(&user(1), first);
        let second = users.get(&user(1)).expect("added again");
        users.end(&user(1), second);
        assert_eq!(users.get(&user(1)), None);
    }

    #[test]
    fn the_first_ones_leave_a_full_table_and_are_counted() {
        let users = WatchedUsers::new(10);
        (0..10).for_each(|number| users.watch(&user(number)));
        assert_eq!(users.forgotten(), 0);
        // In the newer half it has its place for longer.
        users.watch(&user(0));
        let watched: Vec<_> = (0..10).filter(|number| users.get(&user(*number)).is_some()).collect();
        assert_eq!((watched, users.forgotten()), ([0, 5, 6, 7, 8, 9].to_vec(), 4));
        (0..1000).for_each(|number| users.watch(&user(number)));
        let watched = (0..1000).filter(|number| users.get(&user(*number)).is_some()).count();
        assert!((5..=10).contains(&watched), "{watched}");
    }
}
