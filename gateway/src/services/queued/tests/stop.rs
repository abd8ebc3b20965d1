//! The end of a node with deliveries in hand.

use super::fixture::{ALL, Instance, config, gateway, gateway_on, partition, queues, run};
use crate::{
    queues::QueueStore as _,
    services::{Caller, ServiceConfig, link::Ending},
};
use gateway_core::queue::OwnerId;
use serde_json::json;
use std::time::Duration;

// NL-8.7
#[test]
fn a_stopping_node_gives_up_its_partitions_and_what_its_instances_have_is_no_try() {
    run(async {
        let gateway = gateway(config());
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        bot.event().await;
        gateway.services.drain();
        gateway.services.close().await;
        assert_eq!(bot.ending.await.expect("no panic"), Ending::Stopped);
        while !gateway.serving.is_finished() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let status = gateway.status().await;
        assert_eq!((status.depth, status.owner), (1, None));
        let next = OwnerId::new("n2");
        gateway.queues.acquire(&partition(0), &next).await.expect("memory answers").expect("free");
        let pending = gateway.queues.pending(&partition(0), &next, None, ALL).await.expect("the owner");
        assert_eq!(pending.iter().map(|entry| entry.tries).collect::<Vec<_>>(), [0]);
    });
}

#[test]
fn an_instance_that_ends_its_work_in_time_loses_nothing_at_the_stop() {
    run(async {
        let gateway = gateway(config());
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let event = bot.event().await;
        let closing = tokio::spawn({
            let services = gateway.services.clone();
            async move { services.close().await }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        bot.done(&event);
        closing.await.expect("no panic");
        gateway.emptied().await;
    });
}

#[test]
fn the_next_node_delivers_what_the_last_one_left() {
    run(async {
        let queues = queues(10);
        let first = gateway_on(queues.clone(), ServiceConfig { ..config() });
        first.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        first.services.close().await;
        let second = gateway_on(queues, config());
        let mut bot = Instance::open(&second, "i1", 8).await;
        let event = bot.event().await;
        assert_eq!((&event["data"], &event["attempt"]), (&json!(1), &json!(1)));
    });
}
