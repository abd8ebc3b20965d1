use super::*;
use futures_util::task::noop_waker;
use proptest::prelude::*;
use std::{
    future::ready,
    task::{Context, Poll},
};
use tokio::sync::oneshot;

type Moment = u64;
/// What is asked, and what ends it.
type UnderWay = Arc<Mutex<Vec<(char, oneshot::Sender<()>)>>>;

/// A store that is asked one thing, and answers when it is told to, with the moment at which the question began.
#[derive(Default)]
struct Store {
    now: Arc<AtomicU64>,
    under_way: UnderWay,
    flights: Arc<Flights<char, Moment>>,
    askers: Vec<Asker>,
}

struct Asker {
    age: Age,
    since: Moment,
    answer: Shared<Answer<Moment>>,
}

impl Store {
    fn ask(&mut self, key: char, age: Age) {
        let since = self.now.fetch_add(1, Relaxed) + 1;
        let (now, under_way) = (self.now.clone(), self.under_way.clone());
        let question = move || {
            let (end, ended) = oneshot::channel();
            let begun = now.fetch_add(1, Relaxed) + 1;
            lock(&under_way).push((key, end));
            async move {
                ended.await.expect("it is ended");
                begun
            }
        };
        let answer = self.flights.ask(key, age, ready(()), question);
        self.askers.push(Asker { age, since, answer });
    }

    /// Polls everybody until nothing moves; answers how many were answered.
    fn run(&mut self) -> Result<usize, TestCaseError> {
        let waker = noop_waker();
        let mut answered = 0;
        loop {
            let mut late = Vec::new();
            let before = (self.askers.len(), lock(&self.under_way).len());
            for mut asker in self.askers.drain(..) {
                match asker.answer.poll_unpin(&mut Context::from_waker(&waker)) {
                    Poll::Pending => late.push(asker),
                    Poll::Ready(begun) => {
                        prop_assert!(asker.age == Age::Any || begun > asker.since, "asked at {}, begun at {}", asker.since, begun);
                        answered += 1;
                    }
                }
            }
            self.askers = late;
            if before == (self.askers.len(), lock(&self.under_way).len()) {
                return Ok(answered);
            }
        }
    }

    fn end(&self, index: usize) {
        let mut under_way = lock(&self.under_way);
        if !under_way.is_empty() {
            let index = index % under_way.len();
            // Nobody waits any more, perhaps.
            let _ = under_way.remove(index).1.send(());
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(char, Age),
    Run,
    End(usize),
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let age = prop_oneof![Just(Age::Fresh), Just(Age::Any)];
    prop_oneof![
        4 => (prop_oneof![Just('a'), Just('b')], age).prop_map(|(key, age)| Step::Ask(key, age)),
        3 => Just(Step::Run),
        3 => (0..4usize).prop_map(Step::End),
        1 => (0..4usize).prop_map(Step::GiveUp),
    ]
}

proptest! {
    // NL-4.3
    /// Whoever asks afresh gets no answer from before, everybody gets one, and nothing is kept.
    #[test]
    fn an_answer_is_never_older_than_it_may_be(steps in proptest::collection::vec(step(), 1..120)) {
        let mut store = Store::default();
        for step in steps {
            match step {
                Step::Ask(key, age) => store.ask(key, age),
                Step::Run => { store.run()?; }
                Step::End(index) => store.end(index),
                Step::GiveUp(index) => if index < store.askers.len() { store.askers.swap_remove(index); }
            }
        }
        for _ in 0..1000 {
            store.run()?;
            store.end(0);
        }
        store.run()?;
        prop_assert!(store.askers.is_empty(), "{} wait for ever", store.askers.len());
        prop_assert!(lock(&store.flights.open).is_empty(), "what is answered is forgotten");
    }
}

#[test]
fn however_many_ask_one_question_is_under_way_and_one_waits() {
    let mut store = Store::default();
    store.ask('a', Age::Fresh);
    assert_eq!(store.run().expect("fresh"), 0);
    for _ in 0..50 {
        store.ask('a', Age::Fresh);
        store.ask('a', Age::Any);
        assert_eq!(store.run().expect("fresh"), 0);
        assert_eq!(lock(&store.under_way).len(), 1);
    }
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 1, "the first alone");
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 100);
    assert_eq!(store.flights.counts(), (2, 99));
}

#[test]
fn who_sees_what_an_answer_lacks_takes_the_one_under_way() {
    let mut store = Store::default();
    store.ask('a', Age::Fresh);
    store.run().expect("fresh");
    store.ask('a', Age::Any);
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 2);
    assert_eq!(store.flights.counts(), (1, 1));
}

#[test]
fn a_question_ends_with_the_last_who_waits_for_it() {
    let mut store = Store::default();
    store.ask('a', Age::Fresh);
    store.run().expect("fresh");
    store.ask('a', Age::Fresh);
    store.askers.clear();
    assert!(lock(&store.under_way)[0].1.is_closed());
    assert!(lock(&store.flights.open).is_empty());
}
