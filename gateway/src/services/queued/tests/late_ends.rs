//! What an instance sends about a try, after the next one has begun.

use super::fixture::{config, gateway, run, until};
use crate::services::{
    Caller, Interests,
    instances::{
        instance::{LinkId, NewLink, Outgoing},
        pool::Pool,
    },
};
use gateway_core::model::Tick;
use serde_json::json;
use std::sync::MutexGuard;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

// NL-8.7
#[test]
fn a_late_end_belongs_to_the_try_that_the_instance_has_seen() {
    run(async {
        let gateway = gateway(config());
        let pool = || -> MutexGuard<'_, Pool> { gateway.services.service("bot").expect("known").pool() };
        let credit = || pool().summary(Tick(0))[0].credit;
        let (queue, mut queued) = mpsc::channel(16);
        let new_link =
            NewLink { instance: "i1".into(), credit: 8, interests: Interests::default(), queue, replaced: CancellationToken::new() };
        let link: LinkId = pool().join(new_link, gateway.services.now()).expect("room");
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let next = async |queued: &mut mpsc::Receiver<Outgoing>| match queued.recv().await {
            Some(Outgoing::Queued(event)) => (event.id.expect("an id"), event.attempt),
            other => panic!("no event: {other:?}"),
        };
        let (id, attempt) = next(&mut queued).await;
        assert!(attempt == Some(1) && pool().begin_writing(link, &id));
        pool().written(link, &id);
        assert_eq!(credit(), 7);
        let second = next(&mut queued).await;
        assert_eq!((&second, credit()), (&(id.clone(), Some(2)), 6), "the first try was not acknowledged in time");
        assert!(pool().take_failed(link, &id).is_none(), "the second try is not written, so the instance failed the first one");
        let in_hand = pool().take_done(link, &id).expect("the event");
        in_hand.done();
        assert!(!pool().begin_writing(link, &id), "the event is done");
        assert_eq!(credit(), 7, "the instance never sees the second try, so it cannot return its credit");
        until("the event is deleted", async || gateway.status().await.depth == 0).await;
    });
}
