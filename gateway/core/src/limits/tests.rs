use super::*;
use crate::model::Tick;
use proptest::prelude::*;
use std::{collections::HashMap, net::IpAddr, time::Duration};

fn rate(per_second: u64, burst: u64) -> Rate {
    Rate::new(per_second, burst).expect("a limit")
}

#[test]
fn the_burst_comes_at_once_and_the_rest_at_the_rate() {
    let (rate, mut meter) = (rate(10, 3), Meter::default());
    let at = |ms: u64| Tick(5_000 + ms);
    assert_eq!([0; 3].map(|_| meter.charge(rate, at(0), 1)), [Level::Within; 3]);
    assert_eq!([0; 3].map(|_| meter.charge(rate, at(0), 1)), [Level::Excess; 3], "another burst");
    assert_eq!(meter.charge(rate, at(0), 1), Level::Continued);
    assert_eq!(meter.level(rate, at(299)), Level::Excess);
    assert_eq!(meter.level(rate, at(300)), Level::Within, "two bursts count at most");
    assert_eq!(meter.charge(rate, at(399), 1), Level::Excess);
    assert_eq!(meter.charge(rate, at(600), 1), Level::Within);
}

#[test]
fn a_zero_is_no_limit() {
    assert_eq!((Rate::new(0, 5), Rate::new(5, 0)), (None, None));
    let mut meters = TrafficMeters::default();
    let rates = TrafficRates::default();
    assert_eq!(meters.charge(&rates, Tick(0), u64::MAX, u64::MAX).level, Level::Within);
    answer(&mut meters, &rates, usize::MAX);
    assert_eq!(meters, TrafficMeters::default());
}

#[test]
fn the_meters_of_a_connection_are_small() {
    assert_eq!(size_of::<TrafficMeters>(), 16);
}

fn answer(meters: &mut TrafficMeters, rates: &TrafficRates, entries: usize) {
    meters.settle(rates, Tick(0), TrafficRates::cost_of_answer(entries));
}

fn command(meters: &mut TrafficMeters, rates: &TrafficRates) -> Level {
    meters.charge(rates, Tick(0), 0, 1).level
}

#[test]
fn the_worse_rate_is_named() {
    let rates = TrafficRates { commands: Rate::new(1, 2), bytes: Rate::new(1, 100) };
    let mut meters = TrafficMeters::default();
    let mut charge = |bytes, commands| {
        let Verdict { level, of } = meters.charge(&rates, Tick(0), bytes, commands);
        (level, of)
    };
    assert_eq!(charge(100, 1), (Level::Within, Resource::Commands));
    assert_eq!(charge(1, 0), (Level::Excess, Resource::Bytes));
    assert_eq!(charge(0, 1), (Level::Excess, Resource::Bytes), "the commands of such a message");
    assert_eq!(charge(0, 1), (Level::Excess, Resource::Commands));
    assert_eq!(charge(100, 0), (Level::Continued, Resource::Bytes));
    assert_eq!(TrafficMeters::default().charge(&rates, Tick(0), 0, 5), Verdict { level: Level::Continued, of: Resource::Commands });
}

#[test]
fn answers_fill_the_burst_and_never_close_a_connection_alone() {
    let rates = TrafficRates { commands: Rate::new(10, 20), bytes: None };
    let mut meters = TrafficMeters::default();
    answer(&mut meters, &rates, 1_900);
    assert_eq!(command(&mut meters, &rates), Level::Within, "1,900 entries cost 19 commands");
    answer(&mut meters, &rates, usize::MAX);
    assert_eq!(command(&mut meters, &rates), Level::Excess);
    answer(&mut meters, &rates, usize::MAX);
    for _ in 0..19 {
        assert_eq!(command(&mut meters, &rates), Level::Excess);
    }
    assert_eq!(command(&mut meters, &rates), Level::Continued);
}

#[test]
fn a_client_that_returns_fits_into_the_burst_that_is_made_for_it() {
    let (subscriptions, entries) = (128, 256);
    let rates = TrafficRates { commands: Rate::new(1, 1 + TrafficRates::cost_of_return(subscriptions, entries)), bytes: None };
    let mut meters = TrafficMeters::default();
    assert_eq!(command(&mut meters, &rates), Level::Within, "connect");
    for _ in 0..subscriptions {
        assert_eq!(command(&mut meters, &rates), Level::Within);
        answer(&mut meters, &rates, entries);
    }
}

#[test]
fn who_is_refused_learns_when_to_try_again() {
    let (rate, mut meter) = (rate(10, 2), Meter::default());
    assert_eq!([0; 2].map(|_| meter.admit(rate, Tick(0), 1)), [Ok(()); 2]);
    for _ in 0..100 {
        assert_eq!(meter.admit(rate, Tick(0), 1), Err(Duration::from_millis(100)), "a refused request costs nothing");
    }
    assert_eq!(meter.admit(rate, Tick(40), 1), Err(Duration::from_millis(60)));
    assert_eq!(meter.admit(rate, Tick(100), 1), Ok(()));
}

const BUSY: TrafficRates = TrafficRates { commands: None, bytes: None };

#[test]
fn a_full_table_forgets_whoever_used_least() {
    let rates = TrafficRates { commands: Rate::new(1, 1000), ..BUSY };
    let mut table = PeerTable::<TrafficMeters>::new(8);
    for key in 1..=8 {
        table.of(Tick(0), key).charge(&rates, Tick(0), 0, 1001 - key);
    }
    assert_eq!(table.forgotten(), 0);
    // The attacker has used most, and comes with ever new keys.
    for key in 100..1000 {
        table.of(Tick(0), key).charge(&rates, Tick(0), 0, 1);
    }
    assert_eq!(table.of(Tick(0), 1).charge(&rates, Tick(0), 0, 1).level, Level::Excess);
    assert_eq!(table.forgotten(), 900, "the eighth of before, and the new ones");
    let fresh = table.forgotten();
    table.of(Tick(10_000_000), 5000);
    assert_eq!(table.forgotten(), fresh, "nothing counts any more");
}

#[test]
fn all_connections_of_a_user_share_a_rate_and_other_users_have_their_own() {
    let users = UserRates::new(TrafficRates { commands: Rate::new(1, 3), ..BUSY }, 100).expect("a limit");
    let key = |name: &str| users.key(&name.parse().expect("valid"));
    let of = |name: &str| users.charge(Tick(0), key(name), 0, 1).level;
    assert_eq!([of("alice"), of("alice"), of("alice"), of("alice"), of("bob")][2..], [Level::Within, Level::Excess, Level::Within]);
    users.settle(Tick(0), key("bob"), 2);
    assert_eq!(of("bob"), Level::Excess);
    assert!(UserRates::new(BUSY, 100).is_none());
}

#[test]
fn an_address_with_many_wrong_tokens_is_refused_for_a_while_and_others_are_not() {
    let rates = AddressRates::new(Rate::new(1, 2), Rate::per_minute(6, 3), 1024);
    let of = |last: u8| IpAddr::from([192, 0, 2, last]).into();
    for _ in 0..4 {
        rates.wrong_token(Tick(0), of(1));
    }
    assert_eq!(rates.admit(Tick(0), of(1)), Err((Limit::AddressWrongTokens, Duration::from_secs(10))));
    assert_eq!(rates.admit(Tick(9_999), of(1)), Err((Limit::AddressWrongTokens, Duration::from_millis(1))));
    assert_eq!(rates.admit(Tick(10_000), of(1)), Ok(()));
    assert_eq!([0; 3].map(|_| rates.admit(Tick(0), of(2))), [Ok(()), Ok(()), Err((Limit::AddressUpgrades, Duration::from_secs(1)))]);
    let unlimited = AddressRates::new(None, None, 1024);
    unlimited.wrong_token(Tick(0), of(1));
    assert_eq!(unlimited.admit(Tick(0), of(1)), Ok(()));
}

/// One use of a meter: the time since the last one in milliseconds (negative: the clock goes back), the cost, whether it is settled.
fn uses() -> impl Strategy<Value = Vec<(i64, u64, bool)>> {
    let time = prop_oneof![8 => 0..50i64, 1 => -500..0i64, 1 => 0..20_000i64];
    let cost = prop_oneof![8 => 0..4u64, 1 => 0..2_000u64, 1 => Just(u64::MAX)];
    proptest::collection::vec((time, cost, proptest::bool::weighted(0.1)), 1..300)
}

proptest! {
    #[test]
    fn never_more_than_the_burst_and_the_rate_in_any_time(
        per_second in prop_oneof![1..100u64, Just(1 << 30)],
        burst in prop_oneof![1..100u64, Just(1 << 34), Just(u64::MAX)],
        uses in uses(),
    ) {
        let (rate, mut meter, mut now) = (rate(per_second, burst), Meter::default(), 1_000_000u64);
        // Time that passed, without the steps back, and what was within the limit until then.
        let (mut passed, mut within) = (0u128, vec![(0u128, 0u128)]);
        for (step, cost, is_settled) in uses {
            now = u64::saturating_add_signed(now, step);
            passed += u128::from(step.max(0).unsigned_abs());
            let tick = Tick(now);
            if is_settled {
                let before = meter.level(rate, tick);
                meter.settle(rate, tick, cost);
                prop_assert_eq!(meter.level(rate, tick), before, "what was used already is no excess");
            } else if meter.charge(rate, tick, cost) == Level::Within {
                let sum = within.last().map_or(0, |(_, sum)| *sum) + u128::from(cost);
                for (since, before) in &within {
                    let allowed = u128::from(burst) + (passed - since) * u128::from(per_second) / 1000 + 2;
                    prop_assert!(sum - before <= allowed, "{} in {} ms", sum - before, passed - since);
                }
                within.push((passed, sum));
            }
        }
    }

    #[test]
    fn whoever_waits_for_two_bursts_has_the_whole_burst_again(per_second in 1..1000u64, burst in 1..1000u64, uses in uses()) {
        let (rate, mut meter, mut now) = (rate(per_second, burst), Meter::default(), 1_000_000u64);
        for (step, cost, _) in uses {
            now = now.saturating_add_signed(step);
            meter.charge(rate, Tick(now), cost);
        }
        // The clock may have gone back to any earlier time: what counts is the last use.
        let later = now + 2 * burst * 1000 / per_second + 1;
        prop_assert_eq!(meter.charge(rate, Tick(later), burst), Level::Within);
        prop_assert_eq!(meter.charge(rate, Tick(later), 1), Level::Excess);
    }

    #[test]
    fn admission_never_exceeds_the_rate_and_its_pause_is_exact(per_second in 1..100u64, burst in 1..100u64, uses in uses()) {
        let (rate, mut meter, mut now) = (rate(per_second, burst), Meter::default(), 1_000_000u64);
        for (step, cost, _) in uses {
            now += step.max(0).unsigned_abs();
            if let Err(pause) = meter.admit(rate, Tick(now), cost) {
                prop_assert!(!pause.is_zero());
                if cost <= burst {
                    let later = now + pause.as_nanos().div_ceil(1_000_000) as u64;
                    prop_assert_eq!(meter.admit(rate, Tick(later), cost), Ok(()));
                    now = later;
                }
            }
            prop_assert_eq!(meter.level(rate, Tick(now)), Level::Within);
        }
    }

    #[test]
    fn a_table_that_forgets_nobody_is_exact(uses in proptest::collection::vec((0..50u64, 0..8u64, 0..40u64), 1..200)) {
        // One set, and as many peers as it has places.
        let (rates, mut table, mut exact, mut now) =
            (TrafficRates { commands: Rate::new(10, 20), bytes: None }, PeerTable::<TrafficMeters>::new(1), HashMap::new(), 1000);
        for (step, key, cost) in uses {
            now += step;
            let meters: &mut TrafficMeters = exact.entry(key).or_default();
            let expected = meters.charge(&rates, Tick(now), 0, cost);
            prop_assert_eq!(table.of(Tick(now), key).charge(&rates, Tick(now), 0, cost), expected);
        }
        prop_assert_eq!(table.forgotten(), 0);
    }

    #[test]
    fn no_time_and_no_cost_makes_a_meter_panic(ticks in proptest::collection::vec(any::<u64>(), 1..20), cost: u64, per_second in 1u64.., burst in 1u64..) {
        let (rate, mut meter) = (rate(per_second, burst), Meter::default());
        for tick in ticks {
            meter.charge(rate, Tick(tick), cost);
            meter.settle(rate, Tick(tick), cost);
        }
    }
}
