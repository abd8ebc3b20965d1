//! The table of results.

use super::state::{Counts, Queues};
use crate::world::World;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// The table of results.
pub(crate) fn report(world: &World) -> String {
    let Some(Queues { events, lifecycle, counts: Counts { ingest_accepted, ingest_malformed, ingest_dead, takeovers }, .. }) =
        &world.queues
    else {
        return String::new();
    };
    let columns = ["accepted", "processed", "messages", "of these", "repeats", "tries", "dead", "lost"];
    let mut text = format!("{:<10}", "queues");
    for column in columns {
        let _ = write!(text, " {column:>9}");
    }
    for (service, counts) in events.counts() {
        let numbers = [
            counts.accepted,
            counts.processed,
            counts.messages,
            counts.messages_processed,
            counts.repeats,
            counts.tries,
            counts.dead,
            counts.lost,
        ];
        let _ = write!(text, "\n{service:<10}");
        for number in numbers {
            let _ = write!(text, " {number:>9}");
        }
    }
    let get = |count: &AtomicU64| count.load(Relaxed);
    let (accepted, malformed, dead) = (get(ingest_accepted), get(ingest_malformed), get(ingest_dead));
    let (published, lost) =
        world.channels.iter().map(|channel| channel.of_ingest()).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let _ = write!(
        text,
        "\ningest: {accepted} accepted, {published} found in histories, {lost} lost by Redis, {malformed} malformed, {dead} dead letters"
    );
    let (kinds, repeats) = lifecycle.counts();
    let _ = write!(text, "\nlifecycle events: {kinds:?}, {repeats} repeats");
    let _ = write!(text, "\ntakeovers of partitions: {}", get(takeovers));
    text
}
