//! Two gateways that share a Redis.

use super::{
    bed::{Gateway, ISSUER, now, revocations, sign, token},
    frontend::{Frontend, Protocol},
};
use crate::store_errors::{start_redis, until};
use redis_testing::{Connections, Impairment, Proxy, Server, Signal};
use serde_json::json;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// The time within which 99 of 100 ended.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

/// Two gateways, and the proxy over which the second reaches Redis.
async fn pair(tokens: &str) -> (Server, [Gateway; 2], Proxy) {
    let redis = start_redis().await;
    let proxy = Proxy::start(redis.address()).await;
    let (first, second, more) = (redis.address(), proxy.address(), tokens.to_owned());
    let gateways = tokio::task::spawn_blocking(move || [Gateway::redis("n1", first, &more), Gateway::redis("n2", second, &more)]);
    (redis, gateways.await.expect("they start"), proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_ends_connections_of_both_nodes_within_a_second() {
    let (_redis, gateways, _proxy) = pair("").await;
    let checked = tokio::task::spawn_blocking(move || {
        let mut times = Vec::new();
        for round in 0..18 {
            let (kind, at) = (round % 3, round / 3 % 2);
            let (user, sid, jti) = (format!("u{round}"), format!("s{round}"), format!("j{round}"));
            let own = token(&user, &sid, &jti);
            let connect = |gateway: &Gateway, protocol| Frontend::connect(protocol, gateway.public, &own).expect("accepted");
            let mut frontends: Vec<_> =
                gateways.iter().flat_map(|gateway| Protocol::ALL.map(|protocol| (protocol, connect(gateway, protocol)))).collect();
            let body = &revocations(&user, &sid, &jti)[kind];
            let began = Instant::now();
            assert_eq!(gateways[at].revoke(body), 12, "{body}");
            for (protocol, frontend) in &mut frontends {
                assert_eq!(frontend.end().0, 3503, "{protocol:?} {body}");
                times.push(began.elapsed());
            }
            for gateway in &gateways {
                assert_eq!(Frontend::connect(Protocol::Json, gateway.public, &own).err().as_deref(), Some("109"), "{body}");
            }
        }
        (times.len(), p99(times))
    });
    let (number, p99) = checked.await.expect("it ends");
    println!("p99 of {number} ends: {p99:?}");
    assert!(p99 < SECOND, "{p99:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_works_within_a_second_after_redis_is_back() {
    let (mut redis, gateways, _proxy) = pair("").await;
    for round in 0..3 {
        let (user, sid, jti) = (format!("u{round}"), format!("s{round}"), format!("j{round}"));
        let own = token(&user, &sid, &jti);
        let frontends = tokio::task::spawn_blocking({
            let own = own.clone();
            move || -> Vec<_> {
                let connect = |gateway: &Gateway| Protocol::ALL.map(|it| Frontend::connect(it, gateway.public, &own).expect("accepted"));
                gateways.iter().flat_map(connect).collect()
            }
        });
        let mut frontends = frontends.await.expect("connected");
        let body = revocations(&user, &sid, &jti)[round].clone();
        // Redis loses its data, ends with its data saved, and hangs.
        match round {
            0 => redis.kill(),
            1 => redis.shut_down().await,
            _ => redis.signal(Signal::STOP),
        }
        let (status, answer) = tokio::task::spawn_blocking({
            let body = body.clone();
            move || gateways[0].try_revoke(&body)
        })
        .await
        .expect("answered");
        assert_eq!(status, 503, "{answer}");
        if round < 2 {
            redis.resume().await;
        } else {
            redis.signal(Signal::CONT);
        }
        let back = Instant::now();
        // Its answer may take longer: it waits for all nodes, and the other one has to find its connections to Redis again.
        let revoked = tokio::task::spawn_blocking(move || until("the revocation", || gateways[1].try_revoke(&body).0 == 200));
        let ended = tokio::task::spawn_blocking(move || {
            let codes: Vec<_> = frontends.iter_mut().map(|frontend| frontend.end().0).collect();
            let ended = back.elapsed();
            for protocol in Protocol::ALL {
                let refused = || Frontend::connect(protocol, gateways[0].public, &own).err();
                // Until the node has its connections to Redis, the error is a temporary one.
                until("the refusal", || refused().is_some_and(|code| ["109", "token_expired"].contains(&&*code)));
            }
            (codes, ended)
        });
        let (codes, ended) = ended.await.expect("they end");
        revoked.await.expect("answered");
        println!("ended {ended:?} after Redis was back");
        // A Redis that lost its data also costs connections their positions (3010), at the same time.
        assert!(codes.iter().all(|code| *code == 3503 || round == 0 && *code == 3010), "round {round}: {codes:?}");
        assert!(ended < SECOND, "round {round}: {ended:?}");
        tokio::task::spawn_blocking(move || gateways.into_iter().for_each(Gateway::ready)).await.expect("ready");
    }
}

// NL-7.10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_cut_off_ends_what_was_revoked_meanwhile() {
    let (redis, gateways, proxy) = pair("").await;
    let frontends = tokio::task::spawn_blocking(move || {
        [0, 1, 2].map(|kind| {
            let own = token(&format!("u{kind}"), &format!("s{kind}"), &format!("j{kind}"));
            Frontend::connect(Protocol::Json, gateways[1].public, &own).expect("accepted")
        })
    });
    let mut frontends = frontends.await.expect("connected");
    let upstream = redis.address();
    proxy.point_to("127.0.0.1:1".parse().expect("an address"));
    proxy.cut(Connections::All);
    let revoked = tokio::task::spawn_blocking(move || {
        for kind in 0..3 {
            let body = &revocations(&format!("u{kind}"), &format!("s{kind}"), &format!("j{kind}"))[kind];
            // The first node waits for the other one, and says that it may not have carried it out.
            let (status, answer) = gateways[0].try_revoke(body);
            assert!(status == 503 || status == 200, "{answer}");
        }
    });
    revoked.await.expect("stored");
    // What the nodes sent each other is lost, too.
    let channels = redis.command(&["KEYS", "*node:n2*stream"]).await.texts();
    for key in &channels {
        redis.command(&["DEL", key]).await;
    }
    proxy.point_to(upstream);
    let ended = tokio::task::spawn_blocking(move || frontends.iter_mut().map(|frontend| frontend.end().0).collect::<Vec<_>>());
    assert_eq!(ended.await.expect("they end"), [3503; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_new_tokens_are_accepted_or_refused_as_the_setting_says() {
    for (setting, accepted) in [("allow", true), ("refuse", false)] {
        let redis = start_redis().await;
        let address = redis.address();
        let checked = tokio::task::spawn_blocking(move || {
            let gateway = Gateway::redis("n1", address, &format!("when_away = \"{setting}\""));
            let mut frontend = Frontend::connect(Protocol::Json, gateway.public, &token("alice", "s1", "j1")).expect("accepted");
            redis.signal(Signal::STOP);
            let reply = frontend.refresh(&token("alice", "s1", "j2"));
            redis.signal(Signal::CONT);
            if accepted {
                assert!(reply["refresh"].is_object(), "{reply}");
            } else {
                assert_eq!((&reply["error"]["code"], &reply["error"]["temporary"]), (&json!(100), &json!(true)), "{reply}");
            }
            let result = if accepted { "accepted" } else { "refused" };
            assert_eq!(gateway.metric(&format!("switchboard_tokens_unchecked_total{{result=\"{result}\"}}")), 1);
            gateway.ready();
            assert!(frontend.refresh(&token("alice", "s1", "j3"))["refresh"].is_object(), "the connection lives");
        });
        checked.await.expect("checked");
    }
}

/// A token that was revoked while Redis was away is accepted, and its connection ends when Redis is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_that_was_accepted_unchecked_ends_its_connection_later() {
    let redis = start_redis().await;
    let address = redis.address();
    let checked = tokio::task::spawn_blocking(move || {
        let gateway = Gateway::redis("n1", address, "");
        let mut frontend = Frontend::connect(Protocol::Json, gateway.public, &token("alice", "s1", "j1")).expect("accepted");
        gateway.revoke(&json!({"jti": "j2", "issuer": ISSUER, "reason": "enough"}));
        redis.signal(Signal::STOP);
        let reply = frontend.refresh(&token("alice", "s1", "j2"));
        assert!(reply["refresh"].is_object(), "{reply}");
        redis.signal(Signal::CONT);
        assert_eq!(frontend.end(), (3503, "enough".into()));

        let dated = |iat: u64| sign(&json!({"sub": "bob", "iat": iat, "exp": now() + 600}));
        let mut frontend = Frontend::connect(Protocol::Json, gateway.public, &dated(now() - 10)).expect("accepted");
        gateway.revoke(&json!({"user": "bob", "before": now() - 100, "reason": "enough"}));
        assert!(!frontend.has_news(Duration::from_millis(50)), "its token is newer");
        redis.signal(Signal::STOP);
        let reply = frontend.refresh(&dated(now() - 200));
        assert!(reply["refresh"].is_object(), "{reply}");
        redis.signal(Signal::CONT);
        assert_eq!(frontend.end(), (3503, "enough".into()));
    });
    checked.await.expect("checked");
}

/// A connect asks about the user, the session and the token at the same time. A connection to Redis may send them in two parts, so the best of
/// several connects counts; asked one after the other, none would be as quick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_takes_no_longer_with_more_claims() {
    let redis = start_redis().await;
    let proxy = Proxy::start(redis.address()).await;
    let address = proxy.address();
    let gateway = tokio::task::spawn_blocking(move || Gateway::redis("n1", address, "")).await.expect("it starts");
    let delay = Duration::from_millis(100);
    proxy.impair(Impairment { delay, ..Impairment::default() });
    let measured = tokio::task::spawn_blocking(move || {
        let time = |token: &str| {
            let began = Instant::now();
            Frontend::connect(Protocol::EventSource, gateway.public, token).expect("accepted");
            began.elapsed()
        };
        let [mut plain, mut with_claims] = [Duration::MAX; 2];
        for number in 0..12 {
            plain = plain.min(time(&sign(&json!({"sub": format!("p{number}"), "exp": now() + 60}))));
            with_claims = with_claims.min(time(&token(&format!("c{number}"), "s", "j")));
        }
        (plain, with_claims)
    });
    let (plain, with_claims) = measured.await.expect("measured");
    println!("without claims {plain:?}, with {with_claims:?}");
    assert!(with_claims < plain + delay, "without claims {plain:?}, with {with_claims:?}");
}
