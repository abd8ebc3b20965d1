//! Checks for revocations.

use super::*;
use crate::testing::{fixtures::client, redis_outage::stopped_broker};
use futures_util::FutureExt as _;
use gateway_core::model::{ClaimDigest, RevocableClaim, RevocableClaims, Revocation, RevocationTarget};

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
            world.hub.revocation_checks.check_all();
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop((alice, bob));
            tokio::time::sleep(Duration::from_secs(1)).await;
            world.hub.revocation_checks.check_all();
            settle().await;
            assert!(world.hub.revocation_checks.wanted().now_or_never().is_none(), "the worker began the next check");
        },
    );
}

// NL-7.9
#[test]
fn a_revocation_between_the_check_of_a_token_and_its_registration_is_found() {
    run(limits(), 100, |world| async move {
        let of = |value| (RevocableClaim::Token, ClaimDigest::new("", RevocableClaim::Token, value));
        let claims = |value| {
            let (claim, digest) = of(value);
            let mut claims = RevocableClaims::default();
            claims.set(claim, digest);
            claims
        };
        let (alice, bob) = (world.connect(), world.connect());
        for registration in [&alice, &bob] {
            world.hub.set_claims(registration.key(), Some(&claims("1")));
        }
        let revocation = Revocation { until: Revocation::ALWAYS, code: 3503, reason: "".into() };
        let (claim, digest) = of("2");
        world.broker.revoke(&RevocationTarget::Claim(claim, digest), revocation, Duration::from_hours(1)).await.expect("room");
        settle().await;
        assert!(alice.outbox().take_notices().is_empty());
        world.hub.replace_claims(alice.key(), Some(&claims("2")));
        settle().await;
        assert!(matches!(alice.outbox().take_notices()[..], [Notice::Server(ServerCommand::Revoke(_))]));
        assert!(bob.outbox().take_notices().is_empty());
        world.hub.replace_claims(bob.key(), None);
        settle().await;
        assert!(bob.outbox().take_notices().is_empty());
    });
}

#[test]
fn a_connection_is_found_by_its_own_claims_after_others_have_gone() {
    run(limits(), 100, |world| async move {
        let digest = |value| ClaimDigest::new("", RevocableClaim::Session, value);
        let claims = |value| {
            let mut claims = RevocableClaims::default();
            claims.set(RevocableClaim::Session, digest(value));
            claims
        };
        let command = ServerCommand::Revoke(Arc::new(Revocation { until: 0, code: 3503, reason: "".into() }));
        let found = |value| world.hub.notify_all(&CommandTarget::Claim(RevocableClaim::Session, digest(value)), &command);
        let (first, second, last) = (world.connect(), world.connect(), world.connect());
        for (registration, value) in [(&first, "1"), (&second, "2"), (&last, "3")] {
            world.hub.set_claims(registration.key(), Some(&claims(value)));
        }
        drop(first);
        assert_eq!(["1", "2", "3"].map(found), [0, 1, 1], "the last row has moved");
        world.hub.set_claims(last.key(), Some(&claims("4")));
        assert_eq!(["2", "3", "4"].map(found), [1, 0, 1]);
        drop(last);
        assert_eq!(["2", "4"].map(found), [1, 0]);
        world.hub.set_claims(second.key(), None);
        assert_eq!(["2"].map(found), [0]);
    });
}
