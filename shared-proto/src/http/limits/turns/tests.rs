use super::*;
use std::future::poll_fn;
use tokio::task::LocalSet;

/// Runs so many connections that need `turns` turns each, and a task that counts the turns that it sees between two of its own.
async fn run(connections: usize, turns: usize) -> Vec<usize> {
    let queue = Turns::new(TurnKind::Connect, 3);
    let taken = Rc::new(Cell::new(0));
    let order = Rc::new(RefCell::new(Vec::new()));
    for number in 0..connections {
        let (queue, taken, order) = (queue.clone(), taken.clone(), order.clone());
        spawn_local(async move {
            let mut ticket = None;
            for _ in 0..turns {
                poll_fn(|cx| queue.poll(&mut ticket, cx)).await;
                taken.set(taken.get() + 1);
                order.borrow_mut().push(number);
            }
        });
    }
    let mut seen = Vec::new();
    while taken.get() < connections * turns {
        let before = taken.get();
        yield_now().await;
        seen.push(taken.get() - before);
    }
    let first: Vec<usize> = order.borrow().iter().take(connections).copied().collect();
    assert!(turns > 1 || first == (0..connections).collect::<Vec<_>>(), "in the order in which they came: {first:?}");
    while queue.is_running.get() {
        yield_now().await;
    }
    assert!(queue.waiting.borrow().is_empty() && queue.left.get() == 3);
    seen
}

#[tokio::test]
async fn others_run_between_the_rounds() {
    LocalSet::new()
        .run_until(async {
            let seen = run(1000, 1).await;
            assert!(seen.iter().all(|turns| *turns <= 2 * 3), "{seen:?}");
            assert!(run(3, 1).await.iter().all(|turns| *turns <= 3));
        })
        .await;
}

#[tokio::test]
async fn each_turn_needs_a_ticket_of_its_own() {
    LocalSet::new()
        .run_until(async {
            let seen = run(50, 4).await;
            // A connection takes what is left of a round at once, so three rounds may come together.
            assert!(seen.iter().all(|turns| *turns <= 3 * 3), "{seen:?}");
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_has_ended_holds_nobody_up() {
    LocalSet::new()
        .run_until(async {
            let queue = Turns::new(TurnKind::End, 1);
            let mut tickets = [None; 3];
            let mut turn = |number: usize| queue.poll(&mut tickets[number], &Context::from_waker(Waker::noop()));
            assert_eq!([turn(0), turn(1), turn(2)], [Poll::Ready(()), Poll::Pending, Poll::Pending]);
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(turn(2), Poll::Ready(()), "the second one does not come");
        })
        .await;
}

#[tokio::test]
async fn a_connection_that_needs_another_kind_of_turn_gives_its_ticket_up() {
    LocalSet::new()
        .run_until(async {
            let [continued, ends] = [TurnKind::Continued, TurnKind::End].map(|kind| Turns::new(kind, 1));
            let cx = Context::from_waker(Waker::noop());
            let (mut busy, mut first, mut second) = (None, None, None);
            assert_eq!(continued.poll(&mut busy, &cx), Poll::Ready(()));
            assert_eq!([continued.poll(&mut first, &cx), continued.poll(&mut second, &cx)], [Poll::Pending; 2]);
            assert_eq!(ends.poll(&mut second, &cx), Poll::Ready(()), "there is a turn left");
            assert!(second.is_none());
            assert_eq!(ends.poll(&mut first, &cx), Poll::Pending);
            assert!(first.is_some_and(|ticket| ticket.is_for(TurnKind::End)), "one ticket at a time");
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(ends.poll(&mut first, &cx), Poll::Ready(()));
            assert!(!continued.is_running.get() && !ends.is_running.get(), "given up tickets hold nobody up");
        })
        .await;
}

#[tokio::test]
async fn each_step_of_a_future_is_a_turn() {
    LocalSet::new()
        .run_until(async {
            let (turns, steps) = (Turns::new(TurnKind::Http, 2), Rc::new(Cell::new(0)));
            let futures: Vec<_> = (0..50)
                .map(|_| {
                    let steps = steps.clone();
                    let future = async move {
                        for _ in 0..3 {
                            steps.set(steps.get() + 1);
                            yield_now().await;
                        }
                    };
                    spawn_local(turns.run(future))
                })
                .collect();
            while steps.get() < 150 {
                let before = steps.get();
                yield_now().await;
                assert!(steps.get() - before <= 2 * 2, "{} steps between two of another task", steps.get() - before);
            }
            for future in futures {
                future.await.expect("it ends");
            }
        })
        .await;
}
