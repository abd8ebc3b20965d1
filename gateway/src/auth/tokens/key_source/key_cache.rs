//! Which fetched keys count, and when they are fetched. Pure: moments come in.

use super::super::key_set::KeySet;
use crate::settings;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// When keys are fetched, and how long they count.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct KeyTimes {
    /// From one successful fetch to the next.
    pub(super) refresh: Duration,
    /// The least time from the begin of a fetch to that of the next.
    pub(super) interval: Duration,
    /// The longest time that a fetch takes.
    pub(super) timeout: Duration,
    /// How long keys count after the begin of the fetch that brought them.
    pub(super) stale: Duration,
    /// Largest number of keys of one fetch.
    pub(super) max_keys: usize,
}

impl From<&settings::Tokens> for KeyTimes {
    fn from(tokens: &settings::Tokens) -> Self {
        Self {
            refresh: tokens.jwks_refresh,
            interval: tokens.jwks_interval,
            timeout: tokens.jwks_timeout,
            stale: tokens.jwks_stale,
            max_keys: tokens.jwks_keys,
        }
    }
}

/// The keys of one issuer, and the fetches that bring them.
#[derive(Debug)]
pub(super) struct KeyCache {
    times: KeyTimes,
    last_good: Option<Fetched>,
    /// When the last fetch began.
    last_begun: Option<Instant>,
    is_fetching: bool,
    /// When the next fetch is due, whether or not a token needs it. `None`: now.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    begun: Instant,
}

/// What happens to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The keys tell whether it is valid.
    Use,
    /// A fetch is in progress, or has to begin now.
    Wait,
    /// Whether it is valid is not known. A further fetch must not begin yet.
    Unavailable,
}

impl KeyCache {
    pub(super) fn new(times: KeyTimes) -> Self {
        Self { times, last_good: None, last_begun: None, is_fetching: false, due: None }
    }

    /// Decides about a token that arrived at `arrived`. `has_key`: whether a set contains the key of the token.
    ///
    /// A key that the set lacks may have been published since, so only a fetch that began after the token arrived shows that the key does not exist.
    pub(super) fn decide(&self, has_key: impl FnOnce(&KeySet) -> bool, arrived: Instant, now: Instant) -> Decision {
        match self.fresh(now) {
            Some(good) if good.begun >= arrived || has_key(&good.keys) => Decision::Use,
            _ if self.is_fetching || self.may_begin(now) => Decision::Wait,
            _ => Decision::Unavailable,
        }
    }

    /// The keys that count.
    pub(super) fn keys(&self, now: Instant) -> Option<&Arc<KeySet>> {
        self.fresh(now).map(|good| &good.keys)
    }

    /// How old the last good keys are, whether or not they still count.
    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        self.last_good.as_ref().map(|good| now.saturating_duration_since(good.begun))
    }

    /// When the next fetch is due by itself. `None`: now.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a fetch may begin, because a token needs it or because it is due.
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        !self.is_fetching && self.last_begun.is_none_or(|begun| now >= begun + self.times.interval)
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.is_fetching, self.last_begun) = (true, Some(now));
    }

    /// The fetch has brought these keys. `spread`, from 0 to 1, makes nodes fetch at different times.
    pub(super) fn on_fetched(&mut self, keys: KeySet, spread: f64) {
        let Some(begun) = self.end() else { return };
        self.last_good = Some(Fetched { keys: Arc::new(keys), begun });
        let next = self.times.refresh.mul_f64(1.0 - spread.clamp(0.0, 1.0) / 8.0);
        self.due = Some(begun + next.max(self.times.interval));
    }

    /// The fetch has brought nothing. The next one is due within two intervals.
    pub(super) fn on_failed(&mut self, spread: f64) {
        let Some(begun) = self.end() else { return };
        self.due = Some(begun + self.times.interval.mul_f64(1.0 + spread.clamp(0.0, 1.0)));
    }

    /// When the fetch that ends now has begun.
    fn end(&mut self) -> Option<Instant> {
        std::mem::take(&mut self.is_fetching).then_some(self.last_begun).flatten()
    }

    fn fresh(&self, now: Instant) -> Option<&Fetched> {
        self.last_good.as_ref().filter(|good| now < good.begun + self.times.stale)
    }
}

#[cfg(test)]
mod tests;
