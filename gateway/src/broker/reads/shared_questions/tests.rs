use super::*;
use futures_util::task::noop_waker;
use proptest::prelude::*;
use std::{
    future::ready,
    task::{Context, Poll},
};
use tokio::sync::oneshot;

type Moment = u64;
/// A question, and the sender that ends it.
type UnderWay = Arc<Mutex<Vec<(char, oneshot::Sender<()>)>>>;

/// A store whose questions end when the test says so. The answer is the moment at which the question began.
#[derive(Default)]
struct Store {
    now: Arc<AtomicU64>,
    under_way: UnderWay,
    questions: Arc<SharedQuestions<char, Moment>>,
    askers: Vec<Asker>,
}

struct Asker {
    freshness: Freshness,
    since: Moment,
    answer: Shared<Answer<Moment>>,
}

impl Store {
    fn ask(&mut self, key: char, freshness: Freshness) {
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
        let answer = self.questions.ask(key, freshness, ready(()), question);
        self.askers.push(Asker { freshness, since, answer });
    }

    /// Polls all callers until nothing changes. Returns the number of answers.
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
                        prop_assert!(
                            asker.freshness == Freshness::Any || begun > asker.since,
                            "asked at {}, begun at {}",
                            asker.since,
                            begun
                        );
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
            // All callers of this question may be gone.
            let _ = under_way.remove(index).1.send(());
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(char, Freshness),
    Run,
    End(usize),
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let freshness = prop_oneof![Just(Freshness::Fresh), Just(Freshness::Any)];
    prop_oneof![
        4 => (prop_oneof![Just('a'), Just('b')], freshness).prop_map(|(key, freshness)| Step::Ask(key, freshness)),
        3 => Just(Step::Run),
        3 => (0..4usize).prop_map(Step::End),
        1 => (0..4usize).prop_map(Step::GiveUp),
    ]
}

proptest! {
    // NL-4.3
    /// A caller that asks for a fresh answer gets none from before its call. Every caller gets an answer. No answered question stays in the
    /// table.
    #[test]
    fn an_answer_is_never_older_than_it_may_be(steps in proptest::collection::vec(step(), 1..120)) {
        let mut store = Store::default();
        for step in steps {
            match step {
                Step::Ask(key, freshness) => store.ask(key, freshness),
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
        prop_assert!(store.askers.is_empty(), "{} wait forever", store.askers.len());
        prop_assert!(lock(&store.questions.open).is_empty(), "an answered question is removed");
    }
}

#[test]
fn at_most_one_question_runs_and_one_waits() {
    let mut store = Store::default();
    store.ask('a', Freshness::Fresh);
    assert_eq!(store.run().expect("fresh"), 0);
    for _ in 0..50 {
        store.ask('a', Freshness::Fresh);
        store.ask('a', Freshness::Any);
        assert_eq!(store.run().expect("fresh"), 0);
        assert_eq!(lock(&store.under_way).len(), 1);
    }
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 1, "the first alone");
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 100);
    assert_eq!(store.questions.counts(), (2, 99));
}

#[test]
fn a_caller_that_accepts_any_answer_shares_the_running_question() {
    let mut store = Store::default();
    store.ask('a', Freshness::Fresh);
    store.run().expect("fresh");
    store.ask('a', Freshness::Any);
    store.end(0);
    assert_eq!(store.run().expect("fresh"), 2);
    assert_eq!(store.questions.counts(), (1, 1));
}

#[test]
fn a_question_ends_with_its_last_caller() {
    let mut store = Store::default();
    store.ask('a', Freshness::Fresh);
    store.run().expect("fresh");
    store.ask('a', Freshness::Fresh);
    store.askers.clear();
    assert!(lock(&store.under_way)[0].1.is_closed());
    assert!(lock(&store.questions.open).is_empty());
}
