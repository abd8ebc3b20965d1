//! Lifecycle events through a queue.

use super::fixture::{Instance, config, gateway, gateway_on, partition, queues, run, until};
use crate::{
    queues::QueueStore as _,
    services::{Caller, Change, Count, End, Interests, Lifecycle, Origin, Receipt, ServiceConfig},
};
use gateway_core::model::ConnectionId;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

fn origin(connection: ConnectionId) -> Origin {
    Origin { holder: "n1/1".into(), connection, user: "alice".parse().expect("valid"), meta: None }
}

fn interested() -> ServiceConfig {
    let kinds = ["connected", "disconnected"].map(String::from);
    ServiceConfig { lifecycle_events: Interests::parse(&kinds).expect("known"), ..config() }
}

// NL-7.4
#[test]
fn events_of_a_connection_are_stored_in_order_while_no_instance_is_there() {
    run(async {
        let gateway = gateway(interested());
        let connection = ConnectionId::random();
        for change in [Change::Connected(origin(connection)), Change::Disconnected(origin(connection), End::broken())] {
            gateway.services.send_lifecycle(&Lifecycle::new(change));
        }
        until("both are stored", async || gateway.status().await.depth == 2).await;
        let mut bot = Instance::open(&gateway, "i1", 8).await;
        let first = bot.event().await;
        assert_eq!((&first["id"], &first["key"]), (&json!(format!("n1/1/{connection}/connected")), &json!(connection.to_string())));
        bot.done(&first);
        let second = bot.event().await;
        assert_eq!((&second["id"], &second["attempt"]), (&json!(format!("n1/1/{connection}/disconnected")), &json!(1)));
        bot.done(&second);
        gateway.emptied().await;
        assert_eq!(gateway.services.counters().get(Count::LifecycleSent), 2);
    });
}

// NL-7.4
#[test]
fn the_receipt_of_an_event_ends_when_it_is_stored_and_not_before() {
    run(async {
        let gateway = gateway_on(queues(1), interested());
        gateway.send(&Caller::of("alice"), json!(1)).await.expect("stored");
        let ended = Arc::new(AtomicU32::new(0));
        let receipt = Receipt::new({
            let ended = ended.clone();
            move || {
                ended.fetch_add(1, SeqCst);
            }
        });
        let event = Lifecycle::new(Change::Disconnected(origin(ConnectionId::random()), End::with_node())).with_receipt(Some(receipt));
        gateway.services.send_lifecycle(&event);
        drop(event);
        tokio::time::sleep(std::time::Duration::from_hours(1)).await;
        assert_eq!(ended.load(SeqCst), 0, "the queue is full, and the event waits without a time limit");
        assert_eq!(gateway.queues.purge(&partition(0), 1).await, Ok(1));
        until("it is stored", async || gateway.status().await.depth == 1).await;
        assert_eq!(ended.load(SeqCst), 1);
    });
}

#[test]
fn instances_name_the_kinds_that_they_want_too() {
    run(async {
        let gateway = gateway(config());
        gateway.services.send_lifecycle(&Lifecycle::new(Change::Connected(origin(ConnectionId::random()))));
        let mut bot = Instance::open_for(&gateway, "i1", 8, &["connected"]).await;
        let connection = ConnectionId::random();
        gateway.services.send_lifecycle(&Lifecycle::new(Change::Disconnected(origin(connection), End::broken())));
        gateway.services.send_lifecycle(&Lifecycle::new(Change::Connected(origin(connection))));
        assert_eq!(bot.event().await["id"], format!("n1/1/{connection}/connected"));
    });
}
