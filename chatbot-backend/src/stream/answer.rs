//! Writes one answer into its stream.

use super::foreign_entries::ForeignEntries;
use super::part_buffer::PartBuffer;
use super::write_ops::{WriteOp, write_ops};
use crate::active_streams::ActiveStream;
use crate::channel_io::ChannelIo;
use crate::conversation::{Conversation, EndReason, Entry};
use crate::entry_publication::EntryPublication;
use crate::responder::Step;
use shared_proto::client::Failure;
use shared_proto::rest::PositionBody;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A writer without text sends an empty part after this time, to show that it is alive. Other instances wait four times as long before they
/// abort the stream.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Deadline of a part. It is shorter than the abort time of the other instances, so a writer that cannot reach the gateway stops first.
const PART_DEADLINE: Duration = Duration::from_secs(3);

/// An answer and its stream.
pub(crate) struct StreamedAnswer<'a> {
    /// Publishes the entries.
    pub(crate) channel_io: &'a ChannelIo,
    /// Id of the stream and of the complete message.
    pub(crate) id: &'a str,
    /// Id of the message that is answered.
    pub(crate) message_id: &'a str,
    /// The author of the message that is answered; empty for anonymous users.
    pub(crate) caller: &'a str,
    /// The conversation that gets the complete message.
    pub(crate) conversation: &'a Conversation,
    /// Says when the writer must stop.
    pub(crate) active: &'a ActiveStream<'a>,
}

/// Why an answer ended early.
enum EarlyEnd {
    /// This writer must end the stream with this reason.
    Reason(EndReason),
    /// The stream has an end that this writer did not publish.
    ByOther,
}

/// What the writer has done so far.
struct Progress {
    buffer: PartBuffer,
    foreign: ForeignEntries,
    /// The text of all parts.
    text: String,
}

impl StreamedAnswer<'_> {
    /// Opens the stream, writes the parts, ends the stream, and publishes the complete message in the conversation.
    ///
    /// Part 0 is published before the announcement, so every instance can find and end an announced stream. If another stream answers the
    /// message already, because the message was sent twice, nothing is written.
    pub(crate) async fn write(&self, steps: Vec<Step>) -> Result<(), Failure> {
        let first = Entry::Part { seq: 0, text: String::new() };
        let opened = self.channel_io.publish(self.in_stream(&first), PART_DEADLINE).await?;
        if !self.channel_io.announce_stream(self.conversation, self.id, self.message_id, self.caller).await? {
            return self.channel_io.end_stream(self.conversation, self.id, EndReason::Aborted).await.map(drop);
        }
        let mut progress = self.begin(opened);
        let outcome = tokio::select! {
            biased;
            () = self.active.ended.cancelled() => Err(EarlyEnd::ByOther),
            outcome = self.write_parts(steps, &mut progress) => outcome,
        };
        match outcome {
            Ok(()) => self.finish(progress.text, EndReason::Done).await,
            Err(EarlyEnd::Reason(reason)) => self.finish(progress.text, reason).await,
            Err(EarlyEnd::ByOther) => self.channel_io.publish_complete_from_parts(self.conversation, self.id).await,
        }
    }

    fn begin(&self, opened: PositionBody) -> Progress {
        let buffer = PartBuffer::new(Instant::now(), self.channel_io.part_pause());
        Progress { buffer, foreign: ForeignEntries::new(opened), text: String::new() }
    }

    /// Ends the stream and publishes the complete message. If another end was first, the message follows that end.
    async fn finish(&self, text: String, reason: EndReason) -> Result<(), Failure> {
        if self.channel_io.end_stream(self.conversation, self.id, reason.clone()).await? {
            self.channel_io.publish_complete(self.conversation, self.id, text, reason).await
        } else {
            self.channel_io.publish_complete_from_parts(self.conversation, self.id).await
        }
    }

    fn in_stream<'e>(&'e self, entry: &'e Entry) -> EntryPublication<'e> {
        EntryPublication::in_stream(self.id, self.conversation, entry)
    }

    async fn write_parts(&self, steps: Vec<Step>, progress: &mut Progress) -> Result<(), EarlyEnd> {
        for op in write_ops(steps, self.channel_io.word_pause()) {
            match op {
                WriteOp::Word(word) => progress.buffer.add(&word),
                WriteOp::Fail => {
                    self.flush(progress).await?;
                    return Err(EarlyEnd::Reason(EndReason::Failed));
                }
                WriteOp::Pause(pause) => self.pause(Instant::now() + pause, progress).await?,
            }
        }
        self.flush(progress).await
    }

    /// Waits until `until`, and sends the parts that are due meanwhile.
    async fn pause(&self, until: Instant, progress: &mut Progress) -> Result<(), EarlyEnd> {
        loop {
            tokio::select! {
                () = self.active.abort.cancelled() => {
                    self.flush(progress).await?;
                    return Err(EarlyEnd::Reason(EndReason::Aborted));
                }
                () = sleep_until(until.min(progress.buffer.due(HEARTBEAT))) => {}
            }
            let now = Instant::now();
            if now >= progress.buffer.due(HEARTBEAT) {
                self.publish_part(progress).await?;
            }
            if now >= until {
                return Ok(());
            }
        }
    }

    async fn flush(&self, progress: &mut Progress) -> Result<(), EarlyEnd> {
        if progress.buffer.is_empty() { Ok(()) } else { self.publish_part(progress).await }
    }

    /// Publishes the next part, and checks whether somebody else has ended the stream before it.
    async fn publish_part(&self, progress: &mut Progress) -> Result<(), EarlyEnd> {
        let (seq, more) = progress.buffer.take(Instant::now());
        progress.text.push_str(&more);
        let part = Entry::Part { seq, text: more };
        let stored = self.channel_io.publish(self.in_stream(&part), PART_DEADLINE).await.map_err(|failure| {
            tracing::warn!(stream = self.id, %failure, "a part was not published; the answer ends");
            EarlyEnd::Reason(if matches!(failure, Failure::Refused { .. }) { EndReason::Failed } else { EndReason::Aborted })
        })?;
        let Some(position) = progress.foreign.after_part(&stored) else { return Ok(()) };
        match self.channel_io.is_end_after(self.id, position).await {
            Ok(true) => return Err(EarlyEnd::ByOther),
            Ok(false) => progress.foreign.set_checked(stored),
            Err(failure) => tracing::debug!(stream = self.id, %failure, "the stream could not be read; the next part checks again"),
        }
        Ok(())
    }
}
