//! Ends streams whose speaker died. Any instance does it for all of them (docs/decisions/0010-aborted-streams.md).

mod watch;

use crate::conversation::{CONVERSATION_TAG, Conversation, Entry, Reason};
use crate::desk::{Desk, entries};
use crate::service::Running;
use shared_proto::client::Failure;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use watch::{Verdict, Watch};

/// Between two sweeps.
const PERIOD: Duration = Duration::from_secs(1);

/// Sweeps until it is dropped.
pub async fn run(desk: Arc<Desk>, running: Arc<Running>) {
    let mut watch = Watch::default();
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(failure) = sweep(&desk, &running, &mut watch).await {
            tracing::debug!(%failure, "a sweep was cut short");
        }
    }
}

async fn sweep(desk: &Desk, running: &Running, watch: &mut Watch) -> Result<(), Failure> {
    let held: HashSet<String> = desk.streams().await?.into_iter().collect();
    watch.forget_all_but(&held);
    for id in &held {
        if !watch.is_settled(id)
            && !running.is_own(id)
            && let Err(failure) = see_to(desk, id, watch).await
        {
            tracing::debug!(stream = id, %failure, "a stream was not seen to");
        }
    }
    Ok(())
}

async fn see_to(desk: &Desk, id: &str, watch: &mut Watch) -> Result<(), Failure> {
    let tail = desk.tail(id).await?;
    let Some(conversation) = conversation_of(&tail) else { return Ok(()) };
    let ended = entries(&tail).iter().any(|entry| matches!(entry, Entry::End { .. }));
    match watch.see(id, (tail.epoch, tail.offset), ended, Instant::now()) {
        Verdict::Wait => return Ok(()),
        Verdict::Abort => {
            tracing::info!(stream = id, "its speaker died: aborted");
            desk.end(&conversation, id, Reason::Aborted).await?;
        }
        Verdict::Finish => {}
    }
    desk.finish_for_another(&conversation, id).await?;
    watch.settle(id);
    Ok(())
}

fn conversation_of(tail: &shared_proto::rest::HistoryBody) -> Option<Conversation> {
    tail.publications.iter().find_map(|publication| Conversation::parse(publication.tags.get(CONVERSATION_TAG)?))
}
