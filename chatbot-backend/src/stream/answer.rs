//! Writes one answer into its stream.

use super::part_buffer::PartBuffer;
use super::write_ops::{WriteOp, write_ops};
use crate::channel_io::ChannelIo;
use crate::conversation::{Conversation, EndReason, Entry};
use crate::entry_publication::EntryPublication;
use crate::responder::Step;
use shared_proto::client::Failure;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// A writer without text sends an empty part after this time, to show that it is alive. Other instances wait four times as long before they
/// abort the stream.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Deadline of a part. It is shorter than the abort time of the other instances, so a writer that cannot reach the gateway stops first.
const PART_DEADLINE: Duration = Duration::from_secs(3);

/// An answer and its stream.
pub struct StreamedAnswer<'a> {
    /// Publishes the entries.
    pub channel_io: &'a ChannelIo,
    /// Id of the stream and of the complete message.
    pub id: &'a str,
    /// Id of the message that is answered.
    pub message_id: &'a str,
    /// The conversation that gets the complete message.
    pub conversation: &'a Conversation,
    /// Cancelled when a user says stop, and at shutdown.
    pub stop: &'a CancellationToken,
}

/// Why an answer ended early.
enum EarlyEnd {
    /// This writer must end the stream with this reason.
    Reason(EndReason),
    /// Another instance has ended the stream, and publishes the complete message.
    ByOther,
}

impl StreamedAnswer<'_> {
    /// Opens the stream, writes the parts, ends the stream, and publishes the complete message in the conversation.
    ///
    /// Part 0 is published before the announcement, so every instance can find and end an announced stream. If another stream answers the
    /// message already, because the message was sent twice, nothing is written.
    pub async fn write(&self, steps: Vec<Step>) -> Result<(), Failure> {
        let first = Entry::Part { seq: 0, text: String::new() };
        self.channel_io.publish(self.in_stream(&first), PART_DEADLINE).await?;
        if !self.channel_io.announce_stream(self.conversation, self.id, self.message_id).await? {
            return self.channel_io.end_stream(self.conversation, self.id, EndReason::Aborted).await;
        }
        let mut text = String::new();
        let reason = match self.write_parts(steps, &mut text).await {
            Ok(()) => EndReason::Done,
            Err(EarlyEnd::Reason(reason)) => reason,
            Err(EarlyEnd::ByOther) => return Ok(()),
        };
        self.channel_io.end_stream(self.conversation, self.id, reason).await?;
        self.channel_io.publish_complete(self.conversation, self.id, text, reason).await
    }

    fn in_stream<'e>(&'e self, entry: &'e Entry) -> EntryPublication<'e> {
        EntryPublication::in_stream(self.id, self.conversation, entry)
    }

    async fn write_parts(&self, steps: Vec<Step>, text: &mut String) -> Result<(), EarlyEnd> {
        let mut buffer = PartBuffer::new(Instant::now(), self.channel_io.part_pause());
        let mut last_check = Instant::now();
        for op in write_ops(steps, self.channel_io.word_pause()) {
            match op {
                WriteOp::Word(word) => buffer.add(&word),
                WriteOp::Fail => {
                    self.flush(&mut buffer, text).await?;
                    return Err(EarlyEnd::Reason(EndReason::Failed));
                }
                WriteOp::Pause(pause) => self.pause(Instant::now() + pause, &mut buffer, text, &mut last_check).await?,
            }
        }
        self.flush(&mut buffer, text).await
    }

    /// Waits until `until`. Meanwhile it sends the parts that are due, and checks whether the stream was stopped or ended by others.
    async fn pause(&self, until: Instant, buffer: &mut PartBuffer, text: &mut String, last_check: &mut Instant) -> Result<(), EarlyEnd> {
        loop {
            let next = until.min(buffer.due(HEARTBEAT)).min(*last_check + HEARTBEAT);
            tokio::select! {
                () = self.stop.cancelled() => {
                    self.flush(buffer, text).await?;
                    return Err(EarlyEnd::Reason(EndReason::Aborted));
                }
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            if now >= buffer.due(HEARTBEAT) {
                self.publish_part(buffer, text).await?;
            }
            if now >= *last_check + HEARTBEAT {
                *last_check = now;
                if self.channel_io.stream_has_ended(self.id).await {
                    return Err(EarlyEnd::ByOther);
                }
            }
            if now >= until {
                return Ok(());
            }
        }
    }

    async fn flush(&self, buffer: &mut PartBuffer, text: &mut String) -> Result<(), EarlyEnd> {
        if buffer.is_empty() { Ok(()) } else { self.publish_part(buffer, text).await }
    }

    async fn publish_part(&self, buffer: &mut PartBuffer, text: &mut String) -> Result<(), EarlyEnd> {
        let (seq, more) = buffer.take(Instant::now());
        text.push_str(&more);
        let part = Entry::Part { seq, text: more };
        self.channel_io.publish(self.in_stream(&part), PART_DEADLINE).await.map_err(|failure| {
            tracing::warn!(stream = self.id, %failure, "a part was not published; the answer ends");
            EarlyEnd::Reason(if matches!(failure, Failure::Refused { .. }) { EndReason::Failed } else { EndReason::Aborted })
        })
    }
}
