//! An answer on its way: steps become words, words become parts, parts go into the stream's channel.

mod gather;
mod words;

use crate::brain::Step;
use crate::conversation::{Conversation, Entry, Reason};
use crate::desk::{Desk, Said};
use gather::Gather;
use shared_proto::client::Failure;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use words::{Beat, beats};

/// A stream that is silent for so long gets an empty part, which says that its speaker lives. Sweepers wait four times as long.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// For one part to be taken. Shorter than a sweeper's patience: a speaker that cannot speak falls silent before it is declared dead.
const PART_DEADLINE: Duration = Duration::from_secs(3);

/// One answer that streams.
pub struct Speech<'a> {
    /// Where publications go.
    pub desk: &'a Desk,
    /// Of the stream and of the finished line.
    pub id: &'a str,
    /// Id of the line that it answers.
    pub line: &'a str,
    /// Where the finished line goes.
    pub conversation: &'a Conversation,
    /// Set when somebody says stop, or at shutdown.
    pub stop: &'a CancellationToken,
}

/// Why a speech ended early.
enum Cut {
    Because(Reason),
    /// Somebody else has ended the stream already, and finishes it.
    Elsewhere,
}

impl Speech<'_> {
    /// Opens the stream, speaks, ends the stream, and leaves the finished line in the conversation.
    ///
    /// The first part comes before the announcement: whatever is announced can be found, and ended, by any instance. Where the line is
    /// being answered already, since it was sent twice, nothing is said.
    pub async fn hold(&self, steps: Vec<Step>) -> Result<(), Failure> {
        let first = Entry::Part { seq: 0, text: String::new() };
        self.desk.publish(self.said(&first), PART_DEADLINE).await?;
        if !self.desk.announce(self.conversation, self.id, self.line).await? {
            return self.desk.end(self.conversation, self.id, Reason::Aborted).await;
        }
        let mut text = String::new();
        let reason = match self.speak(steps, &mut text).await {
            Ok(()) => Reason::Done,
            Err(Cut::Because(reason)) => reason,
            Err(Cut::Elsewhere) => return Ok(()),
        };
        self.desk.end(self.conversation, self.id, reason).await?;
        self.desk.finish(self.conversation, self.id, text, reason).await
    }

    fn said<'e>(&'e self, entry: &'e Entry) -> Said<'e> {
        Said::in_stream(self.id, self.conversation, entry)
    }

    async fn speak(&self, steps: Vec<Step>, text: &mut String) -> Result<(), Cut> {
        let mut gather = Gather::new(Instant::now(), self.desk.part_pause());
        let mut looked = Instant::now();
        for beat in beats(steps, self.desk.word_pause()) {
            match beat {
                Beat::Word(word) => gather.add(&word),
                Beat::Fail => {
                    self.flush(&mut gather, text).await?;
                    return Err(Cut::Because(Reason::Failed));
                }
                Beat::Pause(pause) => self.pause(Instant::now() + pause, &mut gather, text, &mut looked).await?,
            }
        }
        self.flush(&mut gather, text).await
    }

    /// Lets time pass until `until`: sends parts that are due, shows that it lives, and looks whether it is still wanted.
    async fn pause(&self, until: Instant, gather: &mut Gather, text: &mut String, looked: &mut Instant) -> Result<(), Cut> {
        loop {
            let next = until.min(gather.due(HEARTBEAT)).min(*looked + HEARTBEAT);
            tokio::select! {
                () = self.stop.cancelled() => {
                    self.flush(gather, text).await?;
                    return Err(Cut::Because(Reason::Aborted));
                }
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            if now >= gather.due(HEARTBEAT) {
                self.part(gather, text).await?;
            }
            if now >= *looked + HEARTBEAT {
                *looked = now;
                if self.desk.has_ended(self.id).await {
                    return Err(Cut::Elsewhere);
                }
            }
            if now >= until {
                return Ok(());
            }
        }
    }

    async fn flush(&self, gather: &mut Gather, text: &mut String) -> Result<(), Cut> {
        if gather.is_empty() { Ok(()) } else { self.part(gather, text).await }
    }

    async fn part(&self, gather: &mut Gather, text: &mut String) -> Result<(), Cut> {
        let (seq, more) = gather.take(Instant::now());
        text.push_str(&more);
        let part = Entry::Part { seq, text: more };
        self.desk.publish(self.said(&part), PART_DEADLINE).await.map_err(|failure| {
            tracing::warn!(stream = self.id, %failure, "a part was not taken");
            Cut::Because(if matches!(failure, Failure::Refused { .. }) { Reason::Failed } else { Reason::Aborted })
        })
    }
}
