//! Calls that may be repeated.
#![expect(missing_docs, reason = "the names of tests say it")]

use super::BrokerFixture;
use crate::broker::{Attempt, CallKey, CallState};
use std::{sync::Arc, time::Duration};

/// Longer than any of these tests.
const LEASE: Duration = Duration::from_mins(10);

fn call_key(name: &str, body: u8) -> CallKey {
    let mut digest = [0; 32];
    digest[..name.len()].copy_from_slice(name.as_bytes());
    CallKey { name: digest, body: [body; 32] }
}

impl BrokerFixture {
    async fn begin(&self, key: &CallKey) -> (CallState, Attempt) {
        let attempt = Attempt::new(LEASE);
        (self.broker.begin_call(key, attempt).await.expect("begun"), attempt)
    }

    async fn state(&self, key: &CallKey) -> CallState {
        self.begin(key).await.0
    }

    async fn finish(&self, key: &CallKey, attempt: Attempt, answer: &'static [u8]) {
        self.broker.finish_call(key, attempt, answer.into()).await.expect("kept");
    }
}

pub async fn a_call_is_first_then_running_then_done(fixture: &BrokerFixture) {
    let key = call_key("steps", 1);
    let (first, attempt) = fixture.begin(&key).await;
    assert_eq!((first, fixture.state(&key).await), (CallState::First, CallState::Running));
    // Not UTF-8, with line breaks and zeros: the broker does not read an answer.
    let answer = b"\xff\0 \n\r\n{}";
    fixture.finish(&key, attempt, answer).await;
    for _ in 0..2 {
        assert_eq!(fixture.state(&key).await, CallState::Done(answer.as_slice().into()));
    }
    fixture.finish(&key, attempt, b"a second answer").await;
    fixture.broker.release_call(&key, attempt).await.expect("does nothing");
    assert_eq!(fixture.state(&key).await, CallState::Done(answer.as_slice().into()), "the first answer stays");
}

pub async fn a_call_with_other_data_is_another_call(fixture: &BrokerFixture) {
    let (key, other) = (call_key("body", 1), call_key("body", 2));
    let (_, attempt) = fixture.begin(&key).await;
    assert_eq!(fixture.state(&other).await, CallState::OtherBody);
    fixture.finish(&key, attempt, b"1").await;
    assert_eq!(fixture.state(&other).await, CallState::OtherBody);
    assert_eq!(fixture.state(&key).await, CallState::Done(b"1".as_slice().into()), "it changed nothing");
    assert_eq!(fixture.state(&call_key("body2", 2)).await, CallState::First);
}

pub async fn a_call_that_was_released_begins_again(fixture: &BrokerFixture) {
    let key = call_key("released", 1);
    let (_, one) = fixture.begin(&key).await;
    fixture.broker.release_call(&key, one).await.expect("released");
    let (state, two) = fixture.begin(&key).await;
    assert_eq!(state, CallState::First);
    fixture.broker.release_call(&key, one).await.expect("does nothing");
    fixture.finish(&key, one, b"of the first").await;
    assert_eq!(fixture.state(&key).await, CallState::Running, "an attempt ends only itself");
    fixture.finish(&key, two, b"of the second").await;
    assert_eq!(fixture.state(&key).await, CallState::Done(b"of the second".as_slice().into()));
}

pub async fn a_call_begins_again_when_its_lease_has_ended(fixture: &BrokerFixture) {
    let key = call_key("lease", 1);
    let dead = Attempt::new(Duration::from_millis(200));
    assert_eq!(fixture.broker.begin_call(&key, dead).await, Ok(CallState::First));
    assert_eq!(fixture.state(&key).await, CallState::Running);
    (fixture.pass)(Duration::from_millis(400)).await;
    assert_eq!(fixture.state(&key).await, CallState::First);
    let late = call_key("late", 1);
    let slow = Attempt::new(Duration::from_millis(200));
    assert_eq!(fixture.broker.begin_call(&late, slow).await, Ok(CallState::First));
    (fixture.pass)(Duration::from_millis(400)).await;
    fixture.finish(&late, slow, b"late").await;
    assert_eq!(fixture.state(&late).await, CallState::Done(b"late".as_slice().into()), "nobody else began it");
}

pub async fn an_answer_is_forgotten_in_time(fixture: &BrokerFixture) {
    let key = call_key("forgotten", 1);
    let (_, attempt) = fixture.begin(&key).await;
    fixture.finish(&key, attempt, b"1").await;
    (fixture.pass)(fixture.idempotency_ttl / 2).await;
    assert!(matches!(fixture.state(&key).await, CallState::Done(_)), "a repeat does not prolong it");
    (fixture.pass)(fixture.idempotency_ttl).await;
    assert_eq!(fixture.state(&key).await, CallState::First);
}

pub async fn a_call_begun_many_times_at_once_has_one_first_attempt(fixture: &BrokerFixture) {
    for round in 0..20 {
        let key = call_key(&format!("at-once-{round}"), 1);
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let broker = Arc::clone(&fixture.broker);
                tokio::spawn(async move { broker.begin_call(&key, Attempt::new(LEASE)).await })
            })
            .collect();
        let mut first = 0;
        for attempt in attempts {
            match attempt.await.expect("no attempt panics").expect("begun") {
                CallState::First => first += 1,
                state => assert_eq!(state, CallState::Running),
            }
        }
        assert_eq!(first, 1);
    }
}
