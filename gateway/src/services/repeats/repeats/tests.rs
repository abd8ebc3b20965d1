use super::*;
use crate::{
    broker::{Mailbox, MemoryBroker, MemoryLimits},
    services::call_types::CallError,
};
use gateway_core::model::Data;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::task::TaskTracker;

const KEY: CallKey = CallKey { name: [1; 32], body: [1; 32] };
const TIMEOUT: Duration = Duration::from_secs(10);

/// A service that counts its calls, and answers each when the test says so.
#[derive(Clone)]
struct Service {
    repeats: Repeats,
    calls: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
    may_answer: Arc<Semaphore>,
}

impl Service {
    fn new() -> Self {
        let broker = Broker::Memory(MemoryBroker::new(vec![Arc::new(Mailbox::new(64, 1 << 20))], MemoryLimits::default()));
        let node_end = NodeEnd { closing: CancellationToken::new(), close_timeout: Duration::from_secs(1), tasks: TaskTracker::new() };
        Self {
            repeats: Repeats::new(Arc::new(broker), 1024, Arc::default(), node_end),
            calls: Arc::default(),
            left: Arc::default(),
            may_answer: Arc::new(Semaphore::new(0)),
        }
    }

    /// Calls with this key, and answers with `answer` when it may.
    fn call(&self, key: CallKey, answer: CallResult) -> JoinHandle<CallResult> {
        let this = self.clone();
        tokio::spawn(async move {
            let deadline = Instant::now() + TIMEOUT;
            let repeats = this.repeats.clone();
            let carry_out = async move |caller_left: CancellationToken| {
                this.calls.fetch_add(1, Relaxed);
                let answered = timeout_at(deadline, this.may_answer.acquire()).await;
                this.left.fetch_add(usize::from(caller_left.is_cancelled()), Relaxed);
                match answered {
                    Ok(turn) => {
                        turn.expect("open").forget();
                        answer
                    }
                    Err(_) => Err(Refusal::from(ErrorCode::Timeout).into()),
                }
            };
            repeats.answer(key, deadline, carry_out).await
        })
    }

    fn answer_one(&self) {
        self.may_answer.add_permits(1);
    }

    fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    fn counts<const N: usize>(&self, counts: [Count; N]) -> [u64; N] {
        counts.map(|count| self.repeats.counters.get(count))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer among others")]
fn reply(text: &str) -> CallResult {
    let raw = serde_json::value::to_raw_value(text).expect("JSON");
    Ok(Data::parse(&raw).expect("shallow").into())
}

fn refused(answer: &CallResult) -> ErrorCode {
    match answer {
        Err(CallError::Refused(refusal)) => refusal.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_gets_the_first_answer_and_the_service_is_called_once() {
    let service = Service::new();
    service.answer_one();
    assert_eq!(service.call(KEY, reply("first")).await.expect("no panic"), reply("first"));
    assert_eq!(service.call(KEY, reply("second")).await.expect("no panic"), reply("first"));
    assert_eq!(service.calls(), 1);
    assert_eq!(service.counts([Count::AnswerKept, Count::RepeatAnswered]), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn repeats_wait_for_a_call_that_runs() {
    let service = Service::new();
    let calls = [service.call(KEY, reply("first")), service.call(KEY, reply("second")), service.call(KEY, reply("third"))];
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(service.calls(), 1);
    service.answer_one();
    let answered = Instant::now();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), reply("first"));
    }
    assert!(answered.elapsed() <= PAUSES.1, "{:?}", answered.elapsed());
    assert_eq!(service.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_with_other_data_is_refused() {
    let service = Service::new();
    let first = service.call(KEY, reply("first"));
    settle().await;
    let other = CallKey { body: [2; 32], ..KEY };
    assert_eq!(refused(&service.call(other, reply("other")).await.expect("no panic")), ErrorCode::IdempotencyMismatch);
    service.answer_one();
    assert_eq!(first.await.expect("no panic"), reply("first"));
    assert_eq!(refused(&service.call(other, reply("other")).await.expect("no panic")), ErrorCode::IdempotencyMismatch);
    assert_eq!((service.calls(), service.counts([Count::RepeatMismatch])), (1, [2]));
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_when_its_caller_leaves_and_a_repeat_gets_its_answer() {
    let service = Service::new();
    let first = service.call(KEY, reply("first"));
    settle().await;
    first.abort();
    assert!(first.await.is_err());
    let repeat = service.call(KEY, reply("second"));
    settle().await;
    service.answer_one();
    assert_eq!(repeat.await.expect("no panic"), reply("first"));
    assert_eq!((service.calls(), service.left.load(Relaxed)), (1, 1), "it learns that its caller has left");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_carried_out_is_sent_again() {
    let service = Service::new();
    let temporary = Err(CallError::Service { code: 601, message: "later".into(), temporary: true });
    let overloaded = Err(Refusal::from(ErrorCode::Overloaded).into());
    for answer in [temporary, overloaded, reply("done")] {
        service.answer_one();
        assert_eq!(service.call(KEY, answer.clone()).await.expect("no panic"), answer);
    }
    let own = Err(CallError::Service { code: 602, message: "never".into(), temporary: false });
    service.answer_one();
    assert_eq!(service.call(CallKey { name: [2; 32], ..KEY }, own.clone()).await.expect("no panic"), own);
    assert_eq!(service.call(CallKey { name: [2; 32], ..KEY }, reply("done")).await.expect("no panic"), own, "a final error is an answer");
    assert_eq!((service.calls(), service.counts([Count::AnswerReleased, Count::AnswerKept])), (4, [2, 2]));
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_a_repeat_waits_until_the_lease_ends() {
    let service = Service::new();
    let start = Instant::now();
    assert_eq!(refused(&service.call(KEY, reply("never sent")).await.expect("no panic")), ErrorCode::Timeout);
    assert_eq!((start.elapsed(), service.counts([Count::AnswerOpen])), (TIMEOUT, [1]));
    let timed_out = Instant::now();
    service.answer_one();
    assert_eq!(service.call(KEY, reply("second")).await.expect("no panic"), reply("second"));
    let waited = timed_out.elapsed();
    assert!(waited >= LEASE_MARGIN && waited <= LEASE_MARGIN + PAUSES.1, "{waited:?}");
    assert_eq!(service.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_waits_no_longer_than_its_own_deadline() {
    let service = Service::new();
    let start = Instant::now();
    // An attempt of another node, which has died.
    let dead = Attempt::new(2 * TIMEOUT);
    assert_eq!(service.repeats.broker.begin_call(&KEY, dead).await, Ok(CallState::First));
    let answer = service.call(KEY, reply("never sent")).await.expect("no panic");
    assert_eq!((refused(&answer), start.elapsed()), (ErrorCode::IdempotencyInProgress, TIMEOUT));
    assert_eq!((service.calls(), service.counts([Count::RepeatInProgress])), (0, [1]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_leaves_a_mark() {
    let service = Service::new();
    service.answer_one();
    let large = reply(&"x".repeat(2000));
    assert_eq!(service.call(KEY, large.clone()).await.expect("no panic"), large);
    assert_eq!(refused(&service.call(KEY, reply("second")).await.expect("no panic")), ErrorCode::AnswerTooLarge);
    assert_eq!((service.calls(), service.counts([Count::AnswerTooLarge])), (1, [1]));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_does_not_wait_for_the_calls_of_others() {
    let service = Service::new();
    let call = service.call(KEY, reply("first"));
    settle().await;
    let tasks = &service.repeats.node_end.tasks;
    service.repeats.node_end.closing.cancel();
    tasks.close();
    let start = Instant::now();
    tasks.wait().await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(refused(&call.await.expect("no panic")), ErrorCode::Timeout);
}
