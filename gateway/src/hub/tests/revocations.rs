//! Checks for revocations while the store does not answer.

use super::*;
use crate::testing::{fixtures::client, redis_outage::stopped_broker};
use futures_util::FutureExt as _;

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

// NL-7.10
#[test]
fn the_check_of_a_user_ends_when_the_user_has_left() {
    run_over(
        async |_| stopped_broker().await,
        limits(),
        100,
        |world| async move {
            let (alice, bob) = (world.connect(), world.connect());
            world.hub.identify(alice.key(), client("alice"));
            world.hub.identify(bob.key(), client("bob"));
            world.hub.revocation_check.notify_one();
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop((alice, bob));
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.hub.revocation_check.notify_one();
            settle().await;
            assert!(world.hub.revocation_check.notified().now_or_never().is_none(), "the worker began the next check");
        },
    );
}
