//! Shares the keys of an issuer between the connections and the task that fetches them.

use super::{
    super::{
        claims::TokenError,
        key_set::{KeySet, NoKeys, SkippedKey},
    },
    key_cache::{Decision, KeyCache, KeyTimes},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    select,
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult {
    /// It brought keys.
    Fetched,
    /// No connection, no whole answer within its time, or the connection broke.
    Unreachable,
    /// The server answered with another status than 200.
    Status,
    /// The answer is no set of keys, has no key that can be used, or is too large.
    Invalid,
}

impl FetchResult {
    /// All results.
    pub const ALL: [Self; 4] = [Self::Fetched, Self::Unreachable, Self::Status, Self::Invalid];

    /// The text of the label in metrics.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Unreachable => "unreachable",
            Self::Status => "status",
            Self::Invalid => "invalid",
        }
    }
}

/// Why a fetch brought no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct FetchFailure {
    /// For metrics; not [`FetchResult::Fetched`].
    pub result: FetchResult,
    /// For people: the URL and what is wrong.
    pub why: String,
}

/// The keys of an issuer that are fetched from a URL. One task fetches; any number of connections wait.
#[derive(Debug)]
pub struct KeySource {
    issuer: Box<str>,
    times: KeyTimes,
    state: watch::Sender<State>,
    /// A token needs a fetch.
    wanted: Notify,
    results: [AtomicU64; FetchResult::ALL.len()],
    refused: AtomicU64,
}

#[derive(Debug)]
struct State {
    cache: KeyCache,
    /// Why the last fetch failed.
    failure: Option<FetchFailure>,
}

impl KeySource {
    pub(in super::super) fn new(issuer: &str, times: KeyTimes) -> Self {
        Self {
            issuer: issuer.into(),
            times,
            state: watch::Sender::new(State { cache: KeyCache::new(times), failure: None }),
            wanted: Notify::new(),
            results: Default::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that count now.
    pub(in super::super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.state.borrow().cache.keys(now()).cloned()
    }

    /// Waits for a set with the key of a token, but not longer than one fetch may take.
    pub(in super::super) async fn prepare(&self, has_key: impl Fn(&KeySet) -> bool) -> Result<(), TokenError> {
        let arrived = now();
        let decide = |state: &State| state.cache.decide(&has_key, arrived, now());
        let mut state = self.state.subscribe();
        let mut decision = decide(&state.borrow_and_update());
        if decision == Decision::Wait {
            self.wanted.notify_one();
            let decided = timeout(self.times.timeout, state.wait_for(|state| decide(state) != Decision::Wait));
            decision = match decided.await {
                Ok(Ok(state)) => decide(&state),
                // The task that fetches has no time for it.
                Ok(Err(_)) | Err(_) => Decision::Unavailable,
            };
        }
        match decision {
            Decision::Use => Ok(()),
            Decision::Wait | Decision::Unavailable => {
                self.refused.fetch_add(1, Relaxed);
                Err(TokenError::KeysAway)
            }
        }
    }

    /// Waits until a fetch is due, or a token needs one that may begin.
    pub async fn due(&self) {
        loop {
            let due = self.state.borrow().cache.due();
            let Some(due) = due else { return };
            select! {
                () = sleep_until(due.into()) => return,
                () = self.wanted.notified() => {}
            }
            if self.state.borrow().cache.may_begin(now()) {
                return;
            }
        }
    }

    /// A fetch begins. [`Self::fetched`] or [`Self::failed`] ends it.
    pub fn begin(&self) {
        self.state.send_modify(|state| state.cache.begin(now()));
    }

    /// The fetch has brought this document. Returns the keys in it that are not used. `spread`: from 0 to 1, random.
    pub fn fetched(&self, document: &[u8], spread: f64) -> Result<Vec<SkippedKey>, NoKeys> {
        let (keys, skipped) = KeySet::fetched(document, self.times.max_keys)?;
        self.count(FetchResult::Fetched);
        self.state.send_modify(|state| {
            state.cache.on_fetched(keys, spread);
            state.failure = None;
        });
        Ok(skipped)
    }

    /// The fetch has brought no keys. `spread`: from 0 to 1, random.
    pub fn failed(&self, failure: FetchFailure, spread: f64) {
        self.count(failure.result);
        self.state.send_modify(|state| {
            state.cache.on_failed(spread);
            state.failure = Some(failure);
        });
    }

    fn count(&self, result: FetchResult) {
        if let Some(counter) = self.results.get(result as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// The number of fetches with each result.
    pub fn results(&self) -> impl Iterator<Item = (FetchResult, u64)> {
        FetchResult::ALL.into_iter().zip(self.results.iter().map(|counter| counter.load(Relaxed)))
    }

    /// The number of tokens that were refused for now, because their key could not be fetched.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How old the last good keys are. `None`: there were none yet.
    pub fn age(&self) -> Option<Duration> {
        self.state.borrow().cache.age(now())
    }

    /// The number of keys that count now.
    pub fn key_count(&self) -> usize {
        self.keys().map_or(0, |keys| keys.len())
    }

    /// Why no token of the issuer can be verified now. `None`: keys are there.
    pub fn problem(&self) -> Option<String> {
        let state = self.state.borrow();
        if state.cache.keys(now()).is_some() {
            return None;
        }
        let why = state.failure.as_ref().map_or_else(|| "they are not fetched yet".to_owned(), ToString::to_string);
        Some(format!("There are no keys for tokens of the issuer {:?}: {why}.", self.issuer))
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests;
