//! Answers that are remembered, and questions under way that others wait for. Pure: the time is an argument.

use super::{
    answer::{ConnectTerms, Decision},
    unanswered::Unanswered,
};
use gateway_core::{
    model::{Tick, UserId},
    session::{Occasion, SubscribePermit},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    time::Duration,
};
use tokio::sync::oneshot;

/// Terms that may end.
pub(super) trait Terms: Clone {
    /// How long they are valid; none: they do not end.
    fn expires_in(&mut self) -> &mut Option<Duration>;
}

impl Terms for ConnectTerms {
    fn expires_in(&mut self) -> &mut Option<Duration> {
        &mut self.expires_in
    }
}

impl Terms for SubscribePermit {
    fn expires_in(&mut self) -> &mut Option<Duration> {
        &mut self.expires_in
    }
}

/// A decision, and when its question was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dated<T> {
    pub(super) decision: Decision<T>,
    /// In seconds since 1970.
    pub(super) asked: u64,
}

/// An answer that others may use, the user whom it is about, and how long it is remembered.
type Shareable<T> = (Dated<T>, Option<UserId>, Duration);

/// How a question ended for those that waited for it: with its answer, with none that others may use, or unanswered.
pub(super) type Shared<T> = Result<Option<Dated<T>>, Unanswered>;

/// What is known about a question.
pub(super) enum Known<T> {
    /// Its answer.
    Answer(Dated<T>),
    /// It is being asked. Its end comes here, unless its caller leaves.
    UnderWay(oneshot::Receiver<Shared<T>>),
    /// Nothing. The caller has to ask, and to report the end with [`Memory::end`].
    Nothing,
}

struct Entry<T> {
    dated: Dated<T>,
    user: Option<UserId>,
    since: Tick,
    until: Tick,
    number: u64,
}

/// A question that is being asked.
struct UnderWay<T> {
    waiting: Vec<oneshot::Sender<Shared<T>>>,
    /// The latest revocation meanwhile, of any user: whom the answer is about is not known yet.
    revoked_until: Option<u64>,
}

/// The answers to one kind of question.
pub(super) struct Memory<K, T> {
    limit: usize,
    entries: HashMap<K, Entry<T>>,
    /// The keys of the entries, oldest first.
    by_age: BTreeMap<u64, K>,
    by_user: HashMap<UserId, BTreeSet<K>>,
    under_way: HashMap<K, UnderWay<T>>,
    last_number: u64,
    evicted: u64,
}

impl<K: Clone + Eq + Hash + Ord, T: Terms> Memory<K, T> {
    /// `limit`: answers that are remembered, at least 1.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: HashMap::new(),
            by_age: BTreeMap::new(),
            by_user: HashMap::new(),
            under_way: HashMap::new(),
            last_number: 0,
            evicted: 0,
        }
    }

    /// Looks a question up. If nothing is known, the question counts as under way from now on. An answer that has to be renewed ends soon, so a
    /// renewal takes no answer that is remembered.
    pub(super) fn look_up(&mut self, key: &K, occasion: Occasion, now: Tick) -> Known<T> {
        match self.entries.get(key) {
            Some(_) if occasion == Occasion::Renewal => {}
            Some(entry) if now < entry.until => return Known::Answer(entry.aged(now)),
            Some(_) => self.remove(key),
            None => {}
        }
        if let Some(under_way) = self.under_way.get_mut(key) {
            let (send, answer) = oneshot::channel();
            under_way.waiting.push(send);
            return Known::UnderWay(answer);
        }
        self.under_way.insert(key.clone(), UnderWay { waiting: Vec::new(), revoked_until: None });
        Known::Nothing
    }

    /// Ends a question. Remembers its answer for this time, if others may use it, for this user. Forgets an older answer to it.
    /// An answer that was asked for before a revocation meanwhile is not remembered.
    pub(super) fn end(&mut self, key: K, answer: Result<Option<Shareable<T>>, Unanswered>, now: Tick) {
        let Some(UnderWay { waiting, revoked_until }) = self.under_way.remove(&key) else { return };
        for each in waiting {
            let shared = answer.as_ref().map(|answer| answer.as_ref().map(|(dated, ..)| dated.clone()));
            let _ = each.send(shared.map_err(Clone::clone));
        }
        match answer {
            Ok(Some((dated, user, valid))) if revoked_until.is_none_or(|until| until < dated.asked) => {
                self.insert(key, dated, user, valid, now);
            }
            Ok(_) => self.remove(&key),
            Err(_) => {}
        }
    }

    /// Ends a question whose caller left. Those that wait for it ask themselves.
    pub(super) fn abandon(&mut self, key: &K) {
        self.under_way.remove(key);
    }

    /// Forgets the answers about a user to questions that were asked until this time, in seconds since 1970.
    pub(super) fn forget(&mut self, user: &UserId, until: u64) {
        for question in self.under_way.values_mut() {
            question.revoked_until = question.revoked_until.max(Some(until));
        }
        let keys: Vec<K> = self.by_user.get(user).into_iter().flatten().cloned().collect();
        for key in keys {
            if self.entries.get(&key).is_some_and(|entry| entry.dated.asked <= until) {
                self.remove(&key);
            }
        }
    }

    /// Answers that left because of the limit.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn insert(&mut self, key: K, mut dated: Dated<T>, user: Option<UserId>, valid: Duration, now: Tick) {
        let valid = match &mut dated.decision {
            Decision::Allowed(terms) => terms.expires_in().map_or(valid, |ends| ends.min(valid)),
            Decision::Refused { .. } | Decision::Disconnect { .. } => valid,
        };
        self.remove(&key);
        while self.entries.len() >= self.limit
            && let Some((_, oldest)) = self.by_age.first_key_value()
        {
            let oldest = oldest.clone();
            self.evicted += u64::from(self.entries.get(&oldest).is_some_and(|entry| now < entry.until));
            self.remove(&oldest);
        }
        self.last_number += 1;
        self.by_age.insert(self.last_number, key.clone());
        if let Some(user) = &user {
            self.by_user.entry(user.clone()).or_default().insert(key.clone());
        }
        self.entries.insert(key, Entry { dated, user, since: now, until: now.after(valid), number: self.last_number });
    }

    fn remove(&mut self, key: &K) {
        let Some(Entry { user, number, .. }) = self.entries.remove(key) else { return };
        self.by_age.remove(&number);
        if let Some(user) = user
            && let Some(keys) = self.by_user.get_mut(&user)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.by_user.remove(&user);
            }
        }
    }
}

impl<T: Terms> Entry<T> {
    /// The answer with the time that is left of its terms.
    fn aged(&self, now: Tick) -> Dated<T> {
        let mut dated = self.dated.clone();
        if let Decision::Allowed(terms) = &mut dated.decision
            && let Some(left) = terms.expires_in()
        {
            *left = left.saturating_sub(now.since(self.since));
        }
        dated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Subscribes = Memory<&'static str, SubscribePermit>;

    fn allowed(seconds: Option<u64>, asked: u64) -> Dated<SubscribePermit> {
        let permit = SubscribePermit { expires_in: seconds.map(Duration::from_secs), ..SubscribePermit::default() };
        Dated { decision: Decision::Allowed(permit), asked }
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("valid")
    }

    fn remember(memory: &mut Subscribes, key: &'static str, who: &str, dated: Dated<SubscribePermit>, seconds: u64, now: Tick) {
        assert!(matches!(memory.look_up(&key, Occasion::Begin, now), Known::Nothing), "{key}");
        memory.end(key, Ok(Some((dated, Some(user(who)), Duration::from_secs(seconds)))), now);
    }

    fn known(memory: &mut Subscribes, key: &'static str, now: Tick) -> Option<Dated<SubscribePermit>> {
        match memory.look_up(&key, Occasion::Begin, now) {
            Known::Answer(dated) => Some(dated),
            Known::Nothing => {
                memory.abandon(&key);
                None
            }
            Known::UnderWay(_) => panic!("{key} is under way"),
        }
    }

    #[test]
    fn an_answer_is_known_for_its_time_and_its_terms_grow_shorter() {
        let mut memory = Subscribes::new(10);
        remember(&mut memory, "a", "alice", allowed(Some(60), 1), 10, Tick(1000));
        assert_eq!(known(&mut memory, "a", Tick(5000)), Some(allowed(Some(56), 1)));
        assert_eq!(known(&mut memory, "a", Tick(10_999)).map(|it| it.asked), Some(1));
        assert_eq!(known(&mut memory, "a", Tick(11_000)), None);
        remember(&mut memory, "b", "alice", allowed(Some(5), 1), 10, Tick(0));
        assert_eq!(known(&mut memory, "b", Tick(5000)), None, "not longer than its terms");
        assert!(memory.entries.is_empty() && memory.by_age.is_empty() && memory.by_user.is_empty() && memory.under_way.is_empty());
    }

    #[test]
    fn a_renewal_replaces_what_is_remembered() {
        let mut memory = Subscribes::new(10);
        remember(&mut memory, "a", "alice", allowed(None, 1), 100, Tick(0));
        let mut renew = |answer| {
            assert!(matches!(memory.look_up(&"a", Occasion::Renewal, Tick(1)), Known::Nothing));
            memory.end("a", answer, Tick(1));
            known(&mut memory, "a", Tick(1)).map(|it| it.asked)
        };
        assert_eq!(renew(Err(Unanswered::Overloaded(String::new()))), Some(1));
        assert_eq!(renew(Ok(Some((allowed(None, 2), Some(user("alice")), Duration::from_secs(100))))), Some(2));
        assert_eq!(renew(Ok(None)), None, "the newest answer is for one caller only");
    }

    #[test]
    fn equal_questions_share_an_answer_that_may_be_remembered() {
        let mut memory = Subscribes::new(10);
        let ask = |memory: &mut Subscribes| match memory.look_up(&"a", Occasion::Begin, Tick(0)) {
            Known::UnderWay(answer) => answer,
            Known::Answer(_) | Known::Nothing => panic!("not under way"),
        };
        assert!(matches!(memory.look_up(&"a", Occasion::Begin, Tick(0)), Known::Nothing));
        let mut waiting = ask(&mut memory);
        memory.end("a", Ok(None), Tick(0));
        assert_eq!(waiting.try_recv(), Ok(Ok(None)), "it is for one caller only");
        assert!(matches!(memory.look_up(&"a", Occasion::Begin, Tick(0)), Known::Nothing));
        let (mut one, mut other) = (ask(&mut memory), ask(&mut memory));
        memory.end("a", Ok(Some((allowed(None, 7), Some(user("alice")), Duration::from_secs(1)))), Tick(0));
        assert_eq!((one.try_recv(), other.try_recv()), (Ok(Ok(Some(allowed(None, 7)))), Ok(Ok(Some(allowed(None, 7))))));
        assert!(matches!(memory.look_up(&"b", Occasion::Begin, Tick(0)), Known::Nothing));
        let Known::UnderWay(mut left) = memory.look_up(&"b", Occasion::Begin, Tick(0)) else { panic!("not under way") };
        memory.abandon(&"b");
        assert_eq!(left.try_recv(), Err(oneshot::error::TryRecvError::Closed), "it has to ask itself");
    }

    #[test]
    fn a_revocation_clears_what_was_asked_before() {
        let mut memory = Subscribes::new(10);
        for (key, who, asked) in [("a", "alice", 5), ("b", "alice", 6), ("c", "bob", 5)] {
            remember(&mut memory, key, who, allowed(None, asked), 100, Tick(0));
        }
        memory.forget(&user("alice"), 5);
        assert_eq!(["a", "b", "c"].map(|key| known(&mut memory, key, Tick(1)).is_some()), [false, true, true]);
    }

    #[test]
    fn an_answer_that_was_asked_for_before_a_revocation_meanwhile_is_not_remembered() {
        let mut memory = Subscribes::new(10);
        for (asked, expected) in [(5, None), (6, Some(6))] {
            assert!(matches!(memory.look_up(&"a", Occasion::Begin, Tick(0)), Known::Nothing));
            memory.forget(&user("alice"), 5);
            memory.forget(&user("bob"), 4);
            memory.end("a", Ok(Some((allowed(None, asked), Some(user("alice")), Duration::from_secs(100)))), Tick(0));
            assert_eq!(known(&mut memory, "a", Tick(1)).map(|it| it.asked), expected);
        }
    }

    #[test]
    fn the_oldest_answer_leaves_at_the_limit() {
        let mut memory = Subscribes::new(2);
        for key in ["a", "b", "c"] {
            remember(&mut memory, key, "alice", allowed(None, 1), 100, Tick(0));
        }
        assert_eq!(["a", "b", "c"].map(|key| known(&mut memory, key, Tick(1)).is_some()), [false, true, true]);
        assert_eq!((memory.evicted(), memory.by_age.len(), memory.by_user.len()), (1, 2, 1));
    }
}
