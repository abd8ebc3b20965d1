//! The calls of a route that wait or are in flight, by connection and by user.

use super::{super::caller::Caller, route::Route};
use gateway_core::model::{ConnectionId, ErrorCode, Refusal, UserId};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Limits of the calls of one route, at this node.
pub(crate) struct CallLimits {
    total: usize,
    per_connection: usize,
    per_user: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    connections: HashMap<ConnectionId, usize>,
    users: HashMap<UserId, usize>,
}

/// The right to one call. Its drop ends the call.
pub(crate) struct CallPermit<'a> {
    limits: &'a CallLimits,
    connection: ConnectionId,
    user: Option<UserId>,
}

impl CallLimits {
    /// `total`: limit of all calls of the route.
    pub(crate) fn new(route: &Route, total: usize) -> Self {
        let (per_connection, per_user) = (route.in_flight_per_connection, route.in_flight_per_user);
        Self { total, per_connection, per_user, counts: Mutex::default() }
    }

    /// Counts a call, unless a limit is reached.
    pub(crate) fn enter(&self, caller: &Caller) -> Result<CallPermit<'_>, Refusal> {
        let user = Some(&caller.user).filter(|user| !user.is_anonymous());
        let mut counts = self.counts();
        if counts.total >= self.total {
            let detail = format!("{} of these calls are in flight, which is the limit. Try again with a growing pause.", self.total);
            return Err(Refusal::new(ErrorCode::Overloaded, detail));
        }
        if count(&counts.connections, &caller.connection) >= self.per_connection {
            return Err(too_many(self.per_connection, "connection"));
        }
        if user.is_some_and(|user| count(&counts.users, user) >= self.per_user) {
            return Err(too_many(self.per_user, "user"));
        }
        counts.total += 1;
        *counts.connections.entry(caller.connection).or_default() += 1;
        if let Some(user) = user {
            *counts.users.entry(user.clone()).or_default() += 1;
        }
        Ok(CallPermit { limits: self, connection: caller.connection, user: user.cloned() })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many(limit: usize, whose: &str) -> Refusal {
    let detail = format!("{limit} of these calls of this {whose} have no answer yet, which is the limit. Wait for answers first.");
    Refusal::new(ErrorCode::TooManyRequests, detail)
}

fn count<K: Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or_default()
}

fn leave<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        let mut counts = self.limits.counts();
        counts.total -= 1;
        leave(&mut counts.connections, &self.connection);
        if let Some(user) = &self.user {
            leave(&mut counts.users, user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: usize, in_flight_per_connection: usize, in_flight_per_user: usize) -> CallLimits {
        CallLimits::new(&Route { in_flight_per_connection, in_flight_per_user, ..Route::default() }, total)
    }

    fn refusal(limits: &CallLimits, caller: &Caller) -> (ErrorCode, String) {
        let refusal = limits.enter(caller).err().expect("refused");
        (refusal.code, refusal.detail)
    }

    #[test]
    fn a_connection_a_user_and_a_route_have_their_own_limits() {
        let limits = limits(4, 2, 3);
        let (phone, laptop, other) = (Caller::of("alice"), Caller::of("alice"), Caller::of("bob"));
        let first = limits.enter(&phone).expect("room");
        let _second = limits.enter(&phone).expect("room");
        let (code, detail) = refusal(&limits, &phone);
        assert!(code == ErrorCode::TooManyRequests && detail.starts_with("2 of these calls of this connection"), "{detail}");
        let _third = limits.enter(&laptop).expect("room");
        let (code, detail) = refusal(&limits, &laptop);
        assert!(code == ErrorCode::TooManyRequests && detail.starts_with("3 of these calls of this user"), "{detail}");
        let _fourth = limits.enter(&other).expect("room");
        let (code, detail) = refusal(&limits, &Caller::of("carol"));
        assert!(code == ErrorCode::Overloaded && detail.starts_with("4 of these calls are in flight"), "{detail}");
        drop(first);
        drop(limits.enter(&laptop).expect("an ended call frees its place"));
    }

    #[test]
    fn anonymous_users_share_no_limit() {
        let limits = limits(9, 1, 1);
        let permits = [Caller::of(""), Caller::of("")].map(|caller| limits.enter(&caller).map(|permit| permit.user.is_none()));
        assert!(permits.iter().all(|permit| matches!(permit, Ok(true))));
    }

    #[test]
    fn ended_calls_leave_nothing() {
        let limits = limits(9, 9, 9);
        let (one, other) = (Caller::of("alice"), Caller::of("alice"));
        drop([limits.enter(&one), limits.enter(&other), limits.enter(&one)]);
        let counts = limits.counts();
        assert!(counts.total == 0 && counts.connections.is_empty() && counts.users.is_empty());
    }
}
