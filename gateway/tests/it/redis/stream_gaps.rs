//! Streams that lack publications in the middle or at the end. A client that continues there must learn that publications are missing.

use super::support::{KEEP, config, mailboxes, publish, start};
use gateway::{
    broker::{Broker, PresenceLimits, Reads},
    testing::fixtures::{ALL, channel, offset},
};
use gateway_core::{
    channel::{
        Unrecoverable,
        recovery::{RecoveryDecision, decide, first_range, replay},
    },
    model::{Position, ReadRange, RecoverFrom, Recovery},
};
use redis_testing::Server;
use std::sync::Arc;

const STREAM: &str = "test:{c}:stream";
const META: &str = "test:{c}:meta";

/// Recovers from a position. Returns how the recovery went, and the offsets of the first publications.
async fn recover(broker: &Arc<Broker>, from: RecoverFrom) -> (Recovery, Vec<u64>) {
    let reads = Reads::new(broker.clone(), 1, PresenceLimits::default());
    let read = async |range| reads.page(&channel("c"), KEEP, range, ALL).await.expect("read");
    let start = match decide(Some(&from), Unrecoverable::Replay, read(first_range(Some(&from))).await) {
        RecoveryDecision::Start(start) => start,
        RecoveryDecision::ReadAgain(range) => replay(&read(range).await),
    };
    (start.recovery, start.publications.iter().map(|publication| offset(publication)).collect())
}

fn after(position: Position, offset: u64) -> RecoverFrom {
    RecoverFrom { epoch: position.epoch.as_str().into(), offset }
}

async fn five_published(server: &Server) -> (Arc<Broker>, tokio_util::sync::DropGuard, Position) {
    let (broker, guard) = start(config(server.url()), mailboxes());
    for number in 1..5 {
        publish(&broker, "c", number).await.expect("published");
    }
    let last = publish(&broker, "c", 5).await.expect("published");
    (broker, guard, last)
}

/// An entry was deleted from the middle of the stream, or the stream ends before the `top` in the channel's meta.
// NL-4.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_recovery_continues_over_a_gap_in_a_stream() {
    let server = Server::start().await;
    let (broker, _guard, last) = five_published(&server).await;
    server.command(&["XDEL", STREAM, "3-0"]).await;
    assert_eq!(recover(&broker, after(last, 1)).await, (Recovery::Recovered, vec![2]), "up to the gap");
    let all = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read").publications;
    assert_eq!(all.iter().map(|one| offset(one)).collect::<Vec<_>>(), [1, 2, 4, 5], "a list of the history shows what is stored");
    assert_eq!(recover(&broker, after(last, 2)).await.0, Recovery::Lost);
    assert_eq!(recover(&broker, after(last, 3)).await, (Recovery::Recovered, vec![4, 5]));
    server.command(&["HSET", META, "top", "10"]).await;
    assert_eq!(recover(&broker, after(last, 3)).await, (Recovery::Recovered, vec![4, 5]));
    assert_eq!(recover(&broker, after(last, 5)).await.0, Recovery::Lost);
    assert_eq!(publish(&broker, "c", 6).await.expect("published").offset, 11);
    assert_eq!(recover(&broker, after(last, 3)).await, (Recovery::Recovered, vec![4, 5]));
    assert_eq!(recover(&broker, after(last, 5)).await.0, Recovery::Lost);
    assert_eq!(recover(&broker, after(last, 10)).await, (Recovery::Recovered, vec![11]));
}

/// An aborted move of a slot left the stream behind. Later moves brought only the meta back, from a server where the channel had got
/// further publications.
// NL-1.10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_ends_before_its_channels_top_is_discarded() {
    for reads_first in [true, false] {
        let server = Server::start().await;
        let (broker, _guard, last) = five_published(&server).await;
        server.command(&["HSET", META, "top", "10", "replid", "of-another-server"]).await;
        let published = u64::from(!reads_first);
        if !reads_first {
            assert_eq!(publish(&broker, "c", 6).await.expect("published").offset, 11);
        }
        let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
        assert_eq!(
            (page.top, page.publications.len()),
            (10 + published, published as usize),
            "the old entries may be another channel's life"
        );
        assert_eq!(page.forks, [Position { offset: 10, ..last }]);
        for lost in [0, 3, 5, 9] {
            assert_eq!(recover(&broker, after(last, lost)).await.0, Recovery::Lost, "{lost}");
        }
        let held = (11..=10 + published).collect();
        assert_eq!(recover(&broker, after(last, 10)).await, (Recovery::Recovered, held));
    }
}

/// A stream whose newest entries were deleted still belongs to its channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_its_newest_entry_is_kept_through_a_restart() {
    let server = Server::start().await;
    let (broker, _guard, last) = five_published(&server).await;
    server.command(&["XDEL", STREAM, "5-0"]).await;
    server.command(&["HSET", META, "replid", "of-another-life"]).await;
    assert_eq!(recover(&broker, after(last, 2)).await, (Recovery::Recovered, vec![3, 4]));
    assert_eq!(recover(&broker, after(last, 4)).await.0, Recovery::Lost);
}
