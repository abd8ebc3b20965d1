//! Looks for entries in partitions above the number of the settings. Nobody delivers what is in them.

use super::store::QueueStore;
use crate::broker::BrokerError;
use futures_util::future::try_join_all;
use gateway_core::queue::{PartitionId, PartitionStatus, QueueName};
use std::time::Duration;
use tokio::time::sleep;

/// Largest number of partitions of a queue.
const PARTITIONS: u16 = 256;
/// Number of partitions that are looked at together.
const TOGETHER: u16 = 16;
/// Pause between two checks.
const PAUSE: Duration = Duration::from_secs(5);
/// Pause after a check that failed.
const RETRY: Duration = Duration::from_millis(500);

/// The problem until the first check has an answer. `setting` is the number of partitions.
pub fn unchecked_partitions(queue: &QueueName, setting: &str) -> String {
    format!("it is not known yet whether the partitions of {queue} above {setting} are empty: the store has not answered")
}

/// Checks until all partitions of a queue above the number `partitions` were empty once. Until then `report` gets the problem, and at last None.
pub async fn check_partitions<S: QueueStore>(
    store: &S,
    queue: &QueueName,
    setting: &str,
    partitions: u16,
    report: impl Fn(Option<String>),
) {
    loop {
        let pause = match first_in_use(store, queue, partitions).await {
            Ok(None) => return report(None),
            Ok(Some((partition, PartitionStatus { depth, dead, .. }))) => {
                let needed = partition + 1;
                let problem = format!(
                    "{setting} is {partitions}, and partition {partition} of {queue} has {depth} entries and {dead} dead letters: set it to \
                     {needed} or more until partition {partition} is empty"
                );
                tracing::warn!("{problem}");
                report(Some(problem));
                PAUSE
            }
            Err(error) => {
                error.log();
                RETRY
            }
        };
        sleep(pause).await;
    }
}

/// The first partition from this number on that has entries or dead letters.
async fn first_in_use<S: QueueStore>(store: &S, queue: &QueueName, mut from: u16) -> Result<Option<(u16, PartitionStatus)>, BrokerError> {
    while from < PARTITIONS {
        let until = PARTITIONS.min(from + TOGETHER);
        let each = (from..until).map(async |partition| {
            let id = PartitionId { queue: queue.clone(), partition };
            store.status(&id).await.map(|status| (partition, status))
        });
        let found = try_join_all(each).await?.into_iter().find(|(_, status)| status.depth > 0 || status.dead > 0);
        if found.is_some() {
            return Ok(found);
        }
        from = until;
    }
    Ok(None)
}
