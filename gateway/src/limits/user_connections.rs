//! How many open connections a user may have on all nodes together.

use crate::settings::OnExcess;
use gateway_core::model::ConnectionId;

/// The limit of a user's open connections.
#[derive(Clone, Copy, Debug)]
pub struct UserConnections {
    /// How many there may be. 0: no limit.
    pub limit: usize,
    /// What happens to one more.
    pub on_excess: OnExcess,
}

impl UserConnections {
    /// Without a limit.
    pub const UNLIMITED: Self = Self { limit: 0, on_excess: OnExcess::Refuse };

    /// How many connections of a user each of `workers` may have, so that they cannot be too many together.
    pub fn share(self, workers: usize) -> usize {
        if self.limit == 0 { usize::MAX } else { self.limit / workers.max(1) }
    }

    /// The connections that have to end, of all that a user has, each with the time of its connect. All who ask about the same connections get the same answer.
    pub fn excess(self, mut all: Vec<(u64, ConnectionId)>) -> Vec<ConnectionId> {
        if self.limit == 0 || all.len() <= self.limit {
            return Vec::new();
        }
        all.sort_unstable_by_key(|(since, id)| (*since, id.to_string()));
        let ended = match self.on_excess {
            OnExcess::Refuse => all.split_off(self.limit),
            OnExcess::EndOldest => {
                all.truncate(all.len() - self.limit);
                all
            }
        };
        ended.into_iter().map(|(_, id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_or_the_oldest_end() {
        let ids: Vec<_> = (0..4).map(|_| ConnectionId::random()).collect();
        let all = |order: [usize; 4]| order.map(|at| (at as u64 * 10, ids[at])).to_vec();
        let refuse = UserConnections { limit: 3, on_excess: OnExcess::Refuse };
        let end = UserConnections { limit: 2, on_excess: OnExcess::EndOldest };
        for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
            assert_eq!(refuse.excess(all(order)), [ids[3]]);
            assert_eq!(end.excess(all(order)), [ids[0], ids[1]]);
        }
        assert_eq!(UserConnections { limit: 4, ..refuse }.excess(all([0, 1, 2, 3])), []);
        assert_eq!(UserConnections::UNLIMITED.excess(all([0, 1, 2, 3])), []);
    }

    #[test]
    fn those_who_begin_at_the_same_time_have_an_order() {
        let ids: Vec<_> = (0..3).map(|_| ConnectionId::random()).collect();
        let limit = UserConnections { limit: 1, on_excess: OnExcess::Refuse };
        let all: Vec<_> = ids.iter().map(|id| (5, *id)).collect();
        let reversed = all.iter().rev().copied().collect();
        assert_eq!(limit.excess(all), limit.excess(reversed));
    }

    #[test]
    fn all_shares_together_are_within_the_limit() {
        let limit = UserConnections { limit: 10, on_excess: OnExcess::Refuse };
        assert_eq!([1, 2, 3, 10, 11].map(|workers| limit.share(workers)), [10, 5, 3, 1, 0]);
        assert_eq!(UserConnections::UNLIMITED.share(8), usize::MAX);
    }
}
