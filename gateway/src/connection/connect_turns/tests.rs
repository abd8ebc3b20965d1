use super::super::simulated::limits;
use super::*;
use std::future::poll_fn;
use tokio::task::LocalSet;

/// Runs so many connections that need `turns` turns each, and a task that counts the turns that it sees between two of its own.
async fn run(connections: usize, turns: usize) -> Vec<usize> {
    let connect_turns = ConnectTurns::new(&ConnectionLimits { turn_connects: 3, ..limits() });
    let taken = Rc::new(Cell::new(0));
    let order = Rc::new(RefCell::new(Vec::new()));
    for number in 0..connections {
        let (connect_turns, taken, order) = (connect_turns.clone(), taken.clone(), order.clone());
        spawn_local(async move {
            let mut ticket = None;
            for _ in 0..turns {
                poll_fn(|cx| connect_turns.poll(&mut ticket, cx)).await;
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
    while connect_turns.is_running.get() {
        yield_now().await;
    }
    assert!(connect_turns.waiting.borrow().is_empty() && connect_turns.left.get() == 3);
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
            let connect_turns = ConnectTurns::new(&ConnectionLimits { turn_connects: 1, ..limits() });
            let mut tickets = [None; 3];
            let mut turn = |number: usize| connect_turns.poll(&mut tickets[number], &Context::from_waker(Waker::noop()));
            assert_eq!([turn(0), turn(1), turn(2)], [Poll::Ready(()), Poll::Pending, Poll::Pending]);
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(turn(2), Poll::Ready(()), "the second one does not come");
        })
        .await;
}
