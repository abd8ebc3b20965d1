//! The call `say`: publishes a message and answers it.

use super::chatbot::{Chatbot, reply};
use super::failures::{bad_request, busy, line_failure, unavailable};
use super::input;
use super::stop::Answers;
use crate::active_streams::ActiveStream;
use crate::channel_io::{ChannelIo, LineFailure, Person};
use crate::conversation::Conversation;
use crate::responder::{Attention, ChatMessage, LookupResult, Responder, Response};
use crate::stream::StreamedAnswer;
use serde_json::json;
use shared_proto::client::Failure;
use shared_proto::client::link::{CallFailure, CallResult};
use shared_proto::link::Call;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;

/// A message that is to be published.
struct Line {
    id: String,
    conversation: Conversation,
    message: ChatMessage,
    /// The connection of the caller.
    connection: String,
}

impl<R: Responder> Chatbot<R> {
    pub(super) async fn say(&self, call: Call) -> CallResult {
        let say: input::Say = input::parse(&call.data)?;
        let conversation = input::conversation(&say.channel)?;
        let message = self.message(call.user, say.text)?;
        let id = input::message_id(say.id)?;
        if let Some(refusal) = self.0.responder.refusal(&message) {
            return Err(refusal);
        }
        let line = Line { id: id.clone(), conversation, message, connection: call.connection };
        let permit = self.0.permits.clone().try_acquire_owned().ok();
        if permit.is_none() && self.needs_permit(&line).await? {
            return Err(busy());
        }
        let (stored, is_stored) = oneshot::channel();
        let answer = self.clone().answer(line, stored, permit);
        self.0.answers.spawn(answer.instrument(tracing::info_span!("answer")));
        match is_stored.await {
            Ok(Ok(())) => reply(&json!({ "message": id })),
            Ok(Err(failure)) => Err(line_failure(&failure)),
            Err(_) => Err(unavailable("I was interrupted. Try again with the same `id`.")),
        }
    }

    fn message(&self, user: String, text: String) -> Result<ChatMessage, CallFailure> {
        let limit = self.0.bot.text_limit;
        if text.trim().is_empty() || text.len() > limit {
            return Err(bad_request(format!("`text` must have 1 to {limit} bytes and not only white space")));
        }
        Ok(ChatMessage { from: self.author(user)?, text })
    }

    /// Whether the bot writes an answer to this line. A line that it does not answer is never refused because of too many answers.
    async fn needs_permit(&self, line: &Line) -> Result<bool, CallFailure> {
        let response = self.0.responder.respond(&line.message, &LookupResult::Nothing);
        Ok(matches!(response, Response::Answer(_)) && self.is_for_bot(self.channel_io()?, line).await)
    }

    async fn is_for_bot(&self, channel_io: &ChannelIo, line: &Line) -> bool {
        match self.0.responder.attention(&line.message) {
            Attention::Always => true,
            Attention::Never => false,
            Attention::IfAlone => {
                let person = Person { user: &line.message.from, connection: &line.connection };
                channel_io.is_alone(&line.conversation, person).await
            }
        }
    }

    /// Publishes the line, reports to the caller, and then reacts, even if the caller no longer waits.
    async fn answer(self, line: Line, stored: oneshot::Sender<Result<(), LineFailure>>, permit: Option<OwnedSemaphorePermit>) {
        let Ok(channel_io) = self.channel_io() else { return };
        let outcome = channel_io.publish_message(&line.conversation, &line.id, &line.message).await;
        let failed = outcome.is_err();
        // An error means that the caller no longer waits. The line is published nevertheless.
        let _no_caller = stored.send(outcome);
        if failed || !self.is_for_bot(channel_io, &line).await {
            return;
        }
        if let Err(failure) = self.react(channel_io, &line, permit).await {
            tracing::warn!(%failure, conversation = %line.conversation, "an answer was not completed");
        }
    }

    async fn react(&self, channel_io: &ChannelIo, line: &Line, permit: Option<OwnedSemaphorePermit>) -> Result<(), Failure> {
        let Line { id, conversation, message, .. } = line;
        let found = channel_io.look_up(self.0.responder.lookup(message), conversation, id).await;
        let steps = match self.0.responder.respond(message, &found) {
            Response::Stop => return self.stop_answers(channel_io, conversation, &message.from, Answers::Own).await.map(drop),
            Response::Answer(steps) => steps,
        };
        // Without a permit the line was for others. They have left meanwhile, and it stays unanswered.
        let Some(_permit) = permit else { return Ok(()) };
        channel_io.publish_bot_typing(conversation).await;
        let (stream, caller) = (input::random_id(), &message.from);
        let active = &ActiveStream::register(&self.0.active_streams, &stream, conversation, caller);
        StreamedAnswer { channel_io, id: &stream, message_id: id, caller, conversation, active }.write(steps).await
    }
}
