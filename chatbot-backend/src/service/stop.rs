//! The call `stop`, and the line "stop".

use super::chatbot::{Chatbot, reply};
use super::failures::{gateway_failure, unavailable};
use super::input;
use crate::channel_io::ChannelIo;
use crate::conversation::{Conversation, EndReason};
use crate::responder::Responder;
use serde_json::json;
use shared_proto::client::Failure;
use shared_proto::client::link::CallResult;
use shared_proto::link::Call;
use tracing::Instrument;

/// The answers to stop.
pub(super) enum Answers {
    /// The answers to the user that stops them.
    Own,
    /// The answer in this stream, whoever asked for it.
    InStream(String),
}

impl<R: Responder> Chatbot<R> {
    pub(super) async fn stop(&self, call: Call) -> CallResult {
        let stop: input::Stop = input::parse(&call.data)?;
        let conversation = input::conversation(&stop.channel)?;
        let answers = stop.stream.map(input::stream_id).transpose()?.map_or(Answers::Own, Answers::InStream);
        let by = self.author(call.user)?;
        let bot = self.clone();
        let stopping = async move {
            let stopped = bot.stop_answers(bot.channel_io()?, &conversation, &by, answers).await;
            stopped.map_err(|failure| gateway_failure(&failure))
        };
        // A task, because the call may be cancelled between the end of a stream and its complete message.
        let stopped = self.0.answers.spawn(stopping.in_current_span()).await;
        let stopped = stopped.map_err(|_| unavailable("I was interrupted. Try again."))??;
        reply(&json!({ "stopped": stopped }))
    }

    /// Stops answers in a conversation, whichever instance writes them. Returns the ids of the streams that this call has ended.
    ///
    /// The end in the stream decides: its writer notices it and writes no more.
    pub(super) async fn stop_answers(
        &self,
        channel_io: &ChannelIo,
        conversation: &Conversation,
        by: &str,
        answers: Answers,
    ) -> Result<Vec<String>, Failure> {
        let ids = match answers {
            Answers::Own => self.own_answers(channel_io, conversation, by).await?,
            Answers::InStream(id) => Vec::from_iter(channel_io.is_running(conversation, &id).await?.then_some(id)),
        };
        let mut stopped = Vec::new();
        for id in ids {
            if !channel_io.end_stream(conversation, &id, EndReason::Stopped { by: by.to_owned() }).await? {
                continue;
            }
            self.0.active_streams.set_ended(&id);
            if let Err(failure) = channel_io.publish_complete_from_parts(conversation, &id).await {
                tracing::warn!(stream = id, %failure, "a stopped answer has no complete message yet; its writer or another instance publishes it");
            }
            stopped.push(id);
        }
        Ok(stopped)
    }

    /// The answers to this user that are announced, and those that this instance is about to announce.
    async fn own_answers(&self, channel_io: &ChannelIo, conversation: &Conversation, user: &str) -> Result<Vec<String>, Failure> {
        let mut ids = channel_io.unfinished_answers_to(user, conversation).await?;
        let announced_later = self.0.active_streams.answers_to(user, conversation);
        ids.extend(announced_later);
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }
}
