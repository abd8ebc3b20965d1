//! Checks all streams once a second. Each instance checks the streams of all other instances.

use super::tracker::{Action, StreamTracker};
use crate::active_streams::ActiveStreams;
use crate::channel_io::{ChannelIo, contains_end, conversation_of};
use crate::conversation::EndReason;
use shared_proto::client::Failure;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks until the future is dropped.
pub async fn run(channel_io: Arc<ChannelIo>, active_streams: Arc<ActiveStreams>) {
    let mut tracker = StreamTracker::default();
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(failure) = check_all(&channel_io, &active_streams, &mut tracker).await {
            tracing::debug!(%failure, "the list of streams could not be read");
        }
    }
}

async fn check_all(channel_io: &ChannelIo, active_streams: &ActiveStreams, tracker: &mut StreamTracker) -> Result<(), Failure> {
    let stored: HashSet<String> = channel_io.stream_ids().await?.into_iter().collect();
    tracker.retain(&stored);
    for id in &stored {
        if !tracker.is_complete(id)
            && !active_streams.contains(id)
            && let Err(failure) = check(channel_io, id, tracker).await
        {
            tracing::debug!(stream = id, %failure, "the check of a stream failed");
        }
    }
    Ok(())
}

async fn check(channel_io: &ChannelIo, id: &str, tracker: &mut StreamTracker) -> Result<(), Failure> {
    let tail = channel_io.stream_tail(id).await?;
    let Some(conversation) = conversation_of(&tail) else { return Ok(()) };
    let ended = contains_end(&tail);
    match tracker.observe(id, (tail.epoch, tail.offset), ended, Instant::now()) {
        Action::Wait => return Ok(()),
        Action::Abort => {
            tracing::info!(stream = id, "a stream is aborted: its writer has died");
            channel_io.end_stream(&conversation, id, EndReason::Aborted).await?;
        }
        Action::Complete => {}
    }
    channel_io.publish_complete_from_parts(&conversation, id).await?;
    tracker.set_complete(id);
    Ok(())
}
