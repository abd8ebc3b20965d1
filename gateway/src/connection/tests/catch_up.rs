//! A client that catches up while its worker also catches up.

use super::*;
use crate::broker::Delivery;
use gateway_core::model::{Data, Epoch, Position, Publication};

/// A publication of a later epoch than the one that a client's read will find.
fn of_another_epoch() -> Delivery {
    let position = Some(Position { epoch: Epoch::parse("epoch002").expect("valid"), offset: 1 });
    Delivery::Publication(Arc::new(Publication {
        position,
        content: Data::null().into(),
        tags: Tags::new(),
        info: None,
        time_ms: 0,
        traceparent: None,
    }))
}

/// Runs a test with a time limit, because it would never end if the worker read without pauses.
fn run_in_time<F: Future<Output = ()>>(test: impl FnOnce(World) -> F + Send + 'static) {
    let (done, ended) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        run(default_bounds(), test);
        let _ = done.send(());
    });
    ended.recv_timeout(Duration::from_secs(20)).expect("the worker pauses between reads, and no assertion fails");
}

// NL-1.5
#[test]
fn a_client_pauses_between_its_reads_while_its_worker_determines_the_current_epoch() {
    run_in_time(|world| async move {
        let reads = || world.worker.hub.reads().counts().0;
        let held = world.worker.hub.reads().hold_backfills().expect("no read runs");
        world.publish("kept:a", "earlier").await;
        let alice = world.anonymous().await;
        alice.send(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#);
        world.mailbox.deliver(&"kept:a".parse().expect("valid"), of_another_epoch());
        let answer = alice.receive().await;
        assert!(answer.len() == 1 && answer[0].starts_with(r#"{"id":2,"subscribe":{"#), "{answer:?}");
        for _ in 0..100 {
            settle().await;
        }
        assert_eq!(reads(), 2, "the attach, and the first page of the catch-up; the clock does not advance");
        elapse(1.0).await;
        // Each pause is random, from 5 to 15 ms. The sum of a hundred is far from these bounds; a second loop would exceed the upper one.
        assert!((60..=150).contains(&reads()), "{} reads in a second, with pauses of about 10 ms", reads());
        drop(held);
        elapse(0.1).await;
        world.publish("kept:a", "live").await;
        assert_eq!(texts(&alice.receive().await), ["live"]);
    });
}
