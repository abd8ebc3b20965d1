//! The broker with Redis Sentinel: it follows the master that the sentinels name.

use super::support::{KEEP, config, config_of, fixture_of, mailboxes, not_ready, publish, ready, start};
use gateway::{
    broker::{Delivery, MailboxEntry, RedisConfig},
    contract,
    testing::{
        contract::BrokerFixture,
        fixtures::{ALL, Inbox, channel, json, worker},
    },
};
use gateway_core::model::ReadRange;
use redis_testing::{Options, Reply, SERVICE, SentinelOptions, Sentinels, Server, free_port};
use std::{collections::BTreeMap, time::Duration};

async fn fixture() -> BrokerFixture {
    let sentinels = Sentinels::start(SentinelOptions { count: 1, ..SentinelOptions::default() }).await;
    fixture_of(sentinels.url(), sentinels)
}

contract! { [tokio::test(flavor = "multi_thread", worker_threads = 2)] [tokio::test(flavor = "multi_thread", worker_threads = 4)] fixture().await }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_keeps_what_the_replica_had_and_reports_the_loss_of_the_rest() {
    let mut sentinels = Sentinels::start(SentinelOptions { down_after: Duration::from_millis(500), ..SentinelOptions::default() }).await;
    let mailboxes = mailboxes();
    let (broker, _guard) = start(RedisConfig { deadline: Duration::from_secs(90), ..config(sentinels.url()) }, mailboxes.clone());
    let mut inbox = Inbox::new(&mailboxes[0]);
    broker.subscribe(&channel("c"), worker(0), Some(KEEP)).await.expect("subscribed");
    let mut acknowledged = BTreeMap::new();
    for number in 1..=50 {
        acknowledged.insert(number, publish(&broker, "c", number).await.expect("published"));
    }
    let old = acknowledged[&1].epoch;
    let mut at_master = sentinels.master().connection().await;
    at_master.command(&["SET", "mark", "1"]).await.expect("carried out");
    assert_eq!(at_master.command(&["WAIT", "1", "0"]).await.expect("carried out"), Reply::Number(1), "it is copied");
    let later = tokio::spawn({
        let broker = broker.clone();
        async move {
            let mut later = Vec::new();
            for number in 51.. {
                let position = publish(&broker, "c", number).await.expect("in time");
                later.push((number, position));
                if position.epoch != old {
                    break;
                }
            }
            later
        }
    });
    sentinels.master().kill();
    acknowledged.extend(later.await.expect("no panic"));

    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    let fork = page.forks.iter().find(|fork| fork.epoch == old).expect("the old timeline is remembered").offset;
    assert!(page.epoch != old && fork >= 50, "what the replica had is of both timelines: {fork}");
    let held: Vec<(u64, u64)> =
        page.publications.iter().map(|one| (json(one).parse().expect("a number"), one.position.expect("kept").offset)).collect();
    assert!(held.is_sorted_by(|(one, at), (next, then)| one < next && at + 1 == *then), "each once, in order: {held:?}");
    for (number, position) in acknowledged {
        let is_valid = position.epoch == page.epoch || position.offset <= fork;
        assert_eq!(is_valid, held.contains(&(number, position.offset)), "{number} {position:?} {fork}");
    }
    // Subscribers learn of the new epoch from the next publication, or from the stream when the subscription is renewed.
    let epoch = publish(&broker, "c", 0).await.expect("published").epoch;
    loop {
        let at = match inbox.next().await {
            MailboxEntry::Delivery(_, Delivery::Publication(publication)) => publication.position,
            MailboxEntry::Top(_, top, _) => Some(top),
            _ => None,
        };
        if at.is_some_and(|at| at.epoch == epoch) {
            break;
        }
    }
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_leave_a_live_master_when_the_sentinels_name_another() {
    let server = async || Server::start_with(Options::default().with_port()).await;
    let (old, new) = (server().await, server().await);
    let other_at = new.address().port().to_string();
    let sentinel = SentinelOptions::default().start_sentinel("sentinel", old.address(), 1).await;
    let (broker, _guard) = start(config(format!("redis+sentinel://{}/{SERVICE}", sentinel.address())), mailboxes());
    ready(&broker).await;
    let before = publish(&broker, "c", 1).await.expect("published");
    sentinel.command(&["SENTINEL", "REMOVE", SERVICE]).await;
    sentinel.command(&["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &other_at, "1"]).await;
    old.left_alone().await;
    let after = publish(&broker, "c", 1).await.expect("published");
    assert!(after.epoch != before.epoch && after.offset == 1, "it is another server");
    ready(&broker).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_are_asked_in_turn_and_their_problems_are_reported_in_a_sentence() {
    let sentinels = Sentinels::start(SentinelOptions { count: 1, ..SentinelOptions::default() }).await;
    let (nobody, sentinel) = (format!("127.0.0.1:{}", free_port()), sentinels.hosts());
    let (broker, _guard) = start(config(format!("redis+sentinel://{nobody},{sentinel}/{SERVICE}")), mailboxes());
    ready(&broker).await;
    let (broker, _guard) = start(config(format!("redis+sentinel://{nobody}/{SERVICE}")), mailboxes());
    not_ready(&broker, &format!("no sentinel answered the query for the master; the last one, {nobody}")).await;
    let (broker, _guard) = start(config(format!("redis+sentinel://{sentinel}/other")), mailboxes());
    not_ready(&broker, "no sentinel watches a service named other").await;
    let (broker, _guard) = start(config(format!("redis://{}", sentinels.servers[1].address())), mailboxes());
    not_ready(&broker, "is a replica").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_may_have_another_password_than_the_servers() {
    let server = Server::start_with(Options::default().with_port().with(&["--requirepass", "theirs"])).await;
    let more = format!("requirepass own\nsentinel auth-pass {SERVICE} theirs");
    let sentinel = SentinelOptions { more, ..SentinelOptions::default() }.start_sentinel("sentinel", server.address(), 1).await;
    let url = format!("url = \"redis+sentinel://:theirs@{}/{SERVICE}\"", sentinel.address());
    let (broker, _guard) = start(config_of(&url), mailboxes());
    not_ready(&broker, "does not accept redis.sentinel_user or redis.sentinel_password").await;
    let (broker, _guard) = start(config_of(&format!("{url}\nsentinel_password = \"own\"")), mailboxes());
    ready(&broker).await;
}
