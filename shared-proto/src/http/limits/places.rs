//! How many connections each client has.

use crate::http::errors::{Cause, Fault};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts of the table, each with its lock.
const SHARDS: usize = 16;

/// The number of connections of each client that has one. A number stands for a client. So the table has at most as many entries as there are connections.
#[derive(Debug, Default)]
pub struct Places {
    shards: [Mutex<HashMap<u64, usize>>; SHARDS],
}

impl Places {
    /// Takes a place for a connection of a client that may have `limit`. Returns how many it has now. `None`: it has as many as it may.
    pub fn take(&self, client: u64, limit: usize) -> Option<usize> {
        let mut shard = self.shard(client);
        let count = shard.entry(client).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(*count)
    }

    /// Returns a place that was taken.
    pub fn free(&self, client: u64) {
        let mut shard = self.shard(client);
        let Some(count) = shard.get_mut(&client) else { return };
        *count -= 1;
        if *count == 0 {
            shard.remove(&client);
            // Many clients may have been there at a time.
            if shard.len() < shard.capacity() / 8 {
                shard.shrink_to_fit();
            }
        }
    }

    fn shard(&self, client: u64) -> MutexGuard<'_, HashMap<u64, usize>> {
        let at = (client ^ client >> 32) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limit of connections for each client of a listener.
#[derive(Clone)]
pub struct ClientPlaces {
    /// Counts them.
    pub places: Arc<Places>,
    /// How many one client may have.
    pub limit: usize,
    /// The client to which an address belongs. `None`: the limit does not concern it.
    pub client: Arc<dyn Fn(IpAddr) -> Option<u64> + Send + Sync>,
}

impl ClientPlaces {
    /// A place for a connection from this address. `None`: it needs none.
    pub(in crate::http) fn of(&self, address: Option<SocketAddr>) -> Option<Result<Place, Fault>> {
        let address = address?.ip();
        let no_room = || Fault::Refused(Cause::ClientNoRoom, format!("{address} has as many connections as one client may have"));
        Some(Place::take(&self.places, (self.client)(address)?, self.limit).ok_or_else(no_room))
    }
}

impl fmt::Debug for ClientPlaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPlaces").field("places", &self.places).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A place among the connections of a client, for as long as this value exists.
#[derive(Debug)]
pub(in crate::http) struct Place(Arc<Places>, u64);

impl Place {
    /// `None`: the client has as many connections as it may.
    fn take(places: &Arc<Places>, client: u64, limit: usize) -> Option<Self> {
        places.take(client, limit).map(|_| Self(places.clone(), client))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_places_and_gets_them_back() {
        let places = Arc::new(Places::default());
        let held: Vec<_> = (0..2).filter_map(|_| Place::take(&places, 1, 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(Place::take(&places, 1, 2).is_none());
        assert_eq!(places.take(2, 2), Some(1));
        drop(held);
        assert_eq!(places.take(1, 2), Some(1));
        places.free(1);
        places.free(2);
        assert!(places.shards.iter().all(|shard| shard.lock().expect("not poisoned").is_empty()), "no client leaves something");
    }
}
