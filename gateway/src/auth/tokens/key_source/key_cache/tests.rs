use super::super::super::test_keys::TestKey;
use super::*;
use proptest::prelude::*;
use serde_json::json;

const TIMES: KeyTimes = KeyTimes {
    refresh: Duration::from_secs(600),
    interval: Duration::from_secs(10),
    timeout: Duration::from_secs(3),
    stale: Duration::from_secs(86_400),
    max_keys: 100,
};

fn set() -> KeySet {
    let document = format!(r#"{{"keys":[{}]}}"#, TestKey::ed25519().jwk(&json!({"kid": "k"})));
    KeySet::fetched(document.as_bytes(), 1).expect("good").0
}

fn shown(decision: Decision) -> &'static str {
    match decision {
        Decision::Use => "use",
        Decision::Wait => "wait",
        Decision::Unavailable => "unavailable",
    }
}

/// A cache with a clock in seconds.
struct Clock {
    cache: KeyCache,
    zero: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { cache: KeyCache::new(TIMES), zero: Instant::now() }
    }

    fn at(&self, seconds: f64) -> Instant {
        self.zero + Duration::from_secs_f64(seconds)
    }

    /// What happens to a token that arrives at this second.
    fn token(&self, is_known: bool, seconds: f64) -> &'static str {
        self.waiting_token(is_known, seconds, seconds)
    }

    /// What happens at `now` to a token that arrived earlier.
    fn waiting_token(&self, is_known: bool, arrived: f64, now: f64) -> &'static str {
        shown(self.cache.decide(|_| is_known, self.at(arrived), self.at(now)))
    }

    fn begin(&mut self, seconds: f64) {
        let now = self.at(seconds);
        assert!(self.cache.may_begin(now), "at {seconds}");
        self.cache.begin(now);
    }

    /// The second at which the next fetch is due.
    fn due(&self) -> u64 {
        self.cache.due().map_or(0, |due| due.duration_since(self.zero).as_secs())
    }
}

#[test]
fn the_first_tokens_wait_for_the_first_fetch() {
    let mut clock = Clock::new();
    assert_eq!((clock.token(true, 0.0), clock.due()), ("wait", 0), "a fetch may begin");
    clock.begin(0.0);
    assert_eq!(clock.token(true, 0.5), "wait", "a fetch is in progress");
    clock.cache.on_fetched(set(), 0.0);
    assert_eq!((clock.waiting_token(true, 0.5, 1.0), clock.token(true, 1.0)), ("use", "use"));
    assert_eq!(clock.due(), 600, "ahead of need");
}

#[test]
fn an_unknown_key_costs_one_fetch_per_interval() {
    let mut clock = Clock::new();
    clock.begin(0.0);
    clock.cache.on_fetched(set(), 0.0);
    assert_eq!(clock.token(false, 1.0), "unavailable", "the key may have been published since");
    assert_eq!(clock.token(false, 9.99), "unavailable");
    assert_eq!(clock.token(false, 10.0), "wait");
    clock.begin(10.0);
    assert_eq!(clock.token(false, 10.5), "wait");
    clock.cache.on_fetched(set(), 0.0);
    assert_eq!(clock.waiting_token(false, 10.0, 11.0), "use", "the fetch began after the token arrived: there is no such key");
    assert_eq!(clock.waiting_token(false, 10.5, 11.0), "unavailable", "the fetch began before the token arrived");
}

#[test]
fn while_the_source_is_away_known_keys_count_and_unknown_ones_are_unavailable() {
    let mut clock = Clock::new();
    clock.begin(0.0);
    clock.cache.on_fetched(set(), 0.0);
    clock.begin(600.0);
    clock.cache.on_failed(0.5);
    assert_eq!(clock.due(), 615);
    assert_eq!((clock.token(true, 605.0), clock.token(false, 605.0)), ("use", "unavailable"));
    assert_eq!(clock.token(false, 610.0), "wait", "an interval later, one token may cause a try");
    clock.begin(610.0);
    clock.cache.on_failed(1.0);
    assert_eq!(clock.due(), 630);
    assert_eq!((clock.waiting_token(false, 610.0, 613.0), clock.waiting_token(true, 610.0, 613.0)), ("unavailable", "use"));
}

#[test]
fn stale_keys_count_no_longer() {
    let mut clock = Clock::new();
    clock.begin(0.0);
    clock.cache.on_fetched(set(), 0.0);
    clock.begin(86_395.0);
    clock.cache.on_failed(0.0);
    assert_eq!(clock.token(true, 86_399.0), "use");
    assert!(clock.cache.keys(clock.at(86_399.0)).is_some());
    assert_eq!(clock.token(true, 86_400.0), "unavailable");
    assert!(clock.cache.keys(clock.at(86_400.0)).is_none());
    assert_eq!(clock.cache.age(clock.at(86_400.0)), Some(TIMES.stale), "it still tells how old they are");
    assert_eq!(clock.token(true, 86_405.0), "wait");
}

#[test]
fn nodes_fetch_at_different_times() {
    let mut clock = Clock::new();
    clock.begin(0.0);
    clock.cache.on_fetched(set(), 1.0);
    assert_eq!(clock.due(), 525);
    let eager = KeyTimes { refresh: TIMES.interval, ..TIMES };
    let mut cache = KeyCache::new(eager);
    cache.begin(clock.zero);
    cache.on_fetched(set(), 1.0);
    assert_eq!(cache.due(), Some(clock.at(10.0)), "never before the interval is over");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, in tenths of a second.
    Wait(u32),
    /// A token arrives. Whether the source knows its key is the state of the source.
    Token { is_known: bool },
    /// The source goes away or comes back.
    Source { is_there: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u32..150).prop_map(Step::Wait),
        1 => (1u32..40_000).prop_map(Step::Wait),
        4 => any::<bool>().prop_map(|is_known| Step::Token { is_known }),
        1 => any::<bool>().prop_map(|is_there| Step::Source { is_there }),
    ]
}

proptest! {
    /// A source that answers at once. Every fetch that may begin does so when it is due or when a token needs it.
    #[test]
    fn fetches_keep_their_distance_and_no_token_is_refused_for_good_by_mistake(steps in prop::collection::vec(step(), 1..60), spread in 0.0..=1.0) {
        let (times, keys) = (KeyTimes { stale: Duration::from_secs(3000), ..TIMES }, set());
        let (mut cache, zero) = (KeyCache::new(times), Instant::now());
        let (mut now, mut is_there, mut there_since) = (zero, false, zero);
        let mut begun: Vec<Instant> = Vec::new();
        let mut good: Option<Instant> = None;
        let mut fetch = |cache: &mut KeyCache, now: Instant, is_there: bool, good: &mut Option<Instant>| {
            cache.begin(now);
            begun.push(now);
            if is_there {
                cache.on_fetched(keys.clone(), spread);
                *good = Some(now);
            } else {
                cache.on_failed(spread);
            }
        };
        for step in steps {
            match step {
                Step::Source { is_there: next } => {
                    if next && !is_there { there_since = now; }
                    is_there = next;
                }
                Step::Wait(tenths) => {
                    let end = now + Duration::from_millis(u64::from(tenths) * 100);
                    while let Some(due) = cache.due().or(Some(now)).filter(|due| *due <= end) {
                        now = now.max(due);
                        fetch(&mut cache, now, is_there, &mut good);
                    }
                    now = end;
                }
                Step::Token { is_known } => {
                    let arrived = now;
                    let mut decision = cache.decide(|_| is_known, arrived, now);
                    if decision == Decision::Wait {
                        prop_assert!(cache.may_begin(now));
                        fetch(&mut cache, now, is_there, &mut good);
                        decision = cache.decide(|_| is_known, arrived, now);
                    }
                    let is_fresh = good.is_some_and(|good| now < good + times.stale);
                    match decision {
                        Decision::Use => prop_assert!(is_fresh && (is_known || good == Some(arrived)), "an unknown key is checked"),
                        Decision::Unavailable => {
                            prop_assert!(!(is_known && is_fresh), "a known key counts, whatever the source does");
                            let is_back = is_there && now >= there_since + times.interval && good.is_none_or(|good| good < there_since);
                            prop_assert!(!is_back, "an interval after its return, the source is tried");
                        }
                        Decision::Wait => prop_assert!(false, "the fetch has ended"),
                    }
                }
            }
        }
        prop_assert!(begun.windows(2).all(|two| two[1] >= two[0] + times.interval), "{begun:?}");
    }
}
