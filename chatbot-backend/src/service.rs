//! The calls that frontends make: `say` and `typing`.

use crate::active_streams::{ActiveStream, ActiveStreams};
use crate::channel_io::ChannelIo;
use crate::conversation::{Conversation, EndReason};
use crate::responder::{ChatMessage, LookupResult, Responder, Response};
use crate::settings::Bot;
use crate::stream::StreamedAnswer;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use shared_proto::client::Failure;
use shared_proto::client::link::{CallFailure, CallResult, Service};
use shared_proto::errors::ErrorCode;
use shared_proto::json;
use shared_proto::link::Call;
use shared_proto::process::telemetry::continue_trace;
use std::sync::{Arc, OnceLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The data of the call is invalid.
const BAD_REQUEST: u32 = 400;
/// The user may not do this.
const FORBIDDEN: u32 = 403;
/// The id belongs to a different message.
const CONFLICT: u32 = 409;
/// Too many answers are being written.
const BUSY: u32 = 429;
/// The gateway did not accept the publication.
const UNAVAILABLE: u32 = 503;

/// What all calls share.
#[derive(Debug)]
pub struct Shared<R> {
    responder: R,
    bot: Bot,
    channel_io: OnceLock<Arc<ChannelIo>>,
    active_streams: Arc<ActiveStreams>,
    /// One permit for each answer that may be written at the same time.
    permits: Arc<Semaphore>,
    answers: TaskTracker,
}

/// The service that answers calls.
#[derive(Debug)]
pub struct Chatbot<R>(Arc<Shared<R>>);

impl<R> Clone for Chatbot<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    channel: String,
    text: String,
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    channel: String,
}

impl<R: Responder> Chatbot<R> {
    /// A bot with this responder. It answers calls after [`set_channel_io`](Self::set_channel_io).
    pub fn new(responder: R, bot: Bot) -> Self {
        let permits = Arc::new(Semaphore::new(bot.max_streams));
        let (channel_io, active_streams, answers) = (OnceLock::new(), Arc::default(), TaskTracker::new());
        Self(Arc::new(Shared { responder, bot, channel_io, active_streams, permits, answers }))
    }

    /// Sets the access to channels. It needs the links, and the links need the bot, so it cannot be given to [`new`](Self::new). Only the
    /// first call has an effect.
    pub fn set_channel_io(&self, channel_io: Arc<ChannelIo>) {
        self.0.channel_io.get_or_init(|| channel_io);
    }

    /// The streams that this instance is writing.
    pub fn active_streams(&self) -> Arc<ActiveStreams> {
        self.0.active_streams.clone()
    }

    /// Waits until no answer is being written.
    pub async fn answers_finished(&self) {
        self.0.answers.close();
        self.0.answers.wait().await;
    }

    async fn say(&self, call: Call) -> CallResult {
        let say: Say = parse(&call.data)?;
        let conversation = conversation(&say.channel)?;
        let message = self.message(call.user, say.text)?;
        let id = message_id(say.id)?;
        if let Some(refusal) = self.0.responder.refusal(&message) {
            return Err(refusal);
        }
        let permit = self.0.permits.clone().try_acquire_owned().ok();
        let response = self.0.responder.respond(&message, &LookupResult::Nothing);
        if permit.is_none() && matches!(response, Response::Answer(_)) {
            return Err(CallFailure::temporary(BUSY, "I am writing too many answers. Try again in a moment."));
        }
        let (stored, is_stored) = oneshot::channel();
        let answer = self.clone().answer(id.clone(), conversation, message, stored, permit);
        self.0.answers.spawn(answer.instrument(tracing::info_span!("answer")));
        match is_stored.await {
            Ok(Ok(())) => reply(&json!({ "message": id })),
            Ok(Err(failure)) => Err(publish_failure(&failure)),
            Err(_) => Err(CallFailure::temporary(UNAVAILABLE, "I was interrupted. Try again with the same `id`.")),
        }
    }

    /// Publishes the message, reports to the caller, and then answers, even if the caller no longer waits.
    async fn answer(
        self,
        id: String,
        conversation: Conversation,
        message: ChatMessage,
        stored: oneshot::Sender<Result<(), Failure>>,
        _permit: Option<OwnedSemaphorePermit>,
    ) {
        let Ok(channel_io) = self.channel_io() else { return };
        let outcome = channel_io.publish_message(&conversation, &id, &message).await;
        let failed = outcome.is_err();
        // An error means that the caller no longer waits. The message is published nevertheless.
        let _no_caller = stored.send(outcome);
        if failed {
            return;
        }
        let found = channel_io.look_up(self.0.responder.lookup(&message), &conversation, &id).await;
        let outcome = match self.0.responder.respond(&message, &found) {
            Response::Ignore => Ok(()),
            Response::Stop => self.stop(channel_io, &conversation).await,
            Response::Answer(steps) => {
                channel_io.publish_bot_typing(&conversation).await;
                let stream = random_id();
                let active = ActiveStream::register(&self.0.active_streams, &stream, &conversation);
                let (conversation, stop) = (&conversation, &active.stop);
                StreamedAnswer { channel_io, id: &stream, message_id: &id, conversation, stop }.write(steps).await
            }
        };
        if let Err(failure) = outcome {
            tracing::warn!(%failure, %conversation, "an answer was not completed");
        }
    }

    /// Stops all answers in a conversation, also those that other instances are writing.
    async fn stop(&self, channel_io: &ChannelIo, conversation: &Conversation) -> Result<(), Failure> {
        self.0.active_streams.stop(Some(conversation));
        for id in channel_io.unfinished_streams(conversation).await? {
            if !self.0.active_streams.contains(&id) {
                channel_io.end_stream(conversation, &id, EndReason::Aborted).await?;
                channel_io.publish_complete_for_other(conversation, &id).await?;
            }
        }
        Ok(())
    }

    async fn typing(&self, call: Call) -> CallResult {
        let typing: Typing = parse(&call.data)?;
        let conversation = conversation(&typing.channel)?;
        let from = self.author(call.user)?;
        self.channel_io()?.publish_typing(&conversation, &from).await.map_err(|failure| publish_failure(&failure))?;
        reply(&json!({}))
    }

    fn channel_io(&self) -> Result<&ChannelIo, CallFailure> {
        let channel_io = self.0.channel_io.get().map(|channel_io| &**channel_io);
        channel_io.ok_or_else(|| CallFailure::temporary(UNAVAILABLE, "I am starting. Try again in a moment."))
    }

    fn message(&self, user: String, text: String) -> Result<ChatMessage, CallFailure> {
        let limit = self.0.bot.text_limit;
        if text.trim().is_empty() || text.len() > limit {
            return Err(CallFailure::refused(BAD_REQUEST, format!("`text` must have 1 to {limit} bytes and not only white space")));
        }
        Ok(ChatMessage { from: self.author(user)?, text })
    }

    /// The author of a message. The bot's own name is refused.
    fn author(&self, user: String) -> Result<String, CallFailure> {
        if user.eq_ignore_ascii_case(&self.0.bot.name) {
            return Err(CallFailure::refused(FORBIDDEN, "This name belongs to the bot. Sign in with another name."));
        }
        Ok(user)
    }
}

impl<R: Responder> Service for Chatbot<R> {
    async fn call(&self, call: Call) -> CallResult {
        let span = tracing::info_span!("call", otel.kind = "server", method = call.method);
        continue_trace(&span, call.traceparent.as_deref());
        let answered = async {
            match call.method.as_str() {
                "say" => self.say(call).await,
                "typing" => self.typing(call).await,
                _ => Err(CallFailure::no_such_method("The method does not exist. Call `say` or `typing`.")),
            }
        };
        answered.instrument(span).await
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, CallFailure> {
    json::read(data.get()).map_err(|error| CallFailure::refused(BAD_REQUEST, error.to_string()))
}

fn conversation(name: &str) -> Result<Conversation, CallFailure> {
    let bad = || CallFailure::refused(BAD_REQUEST, "`channel` must be a conversation, such as `chat:lobby`");
    Conversation::parse(name).ok_or_else(bad)
}

fn reply(value: &serde_json::Value) -> CallResult {
    to_raw_value(value).map_err(|error| CallFailure::refused(UNAVAILABLE, error.to_string()))
}

/// The error of a call whose publication failed.
fn publish_failure(failure: &Failure) -> CallFailure {
    if failure.is(ErrorCode::IdempotencyMismatch) {
        return CallFailure::refused(CONFLICT, "`id` belongs to a different message. Choose a new one.");
    }
    tracing::warn!(%failure, "the gateway did not accept an entry");
    let temporary = matches!(failure, Failure::NotDone { .. });
    // The caller gets only the text of the error table. The log contains the details.
    let reason = ErrorCode::by_name(failure.code()).map_or("No answer arrived in time.", |code| code.row().doc);
    CallFailure { code: UNAVAILABLE, message: format!("The gateway did not accept it. {reason}"), temporary }
}

/// 24 hexadecimal digits: 96 random bits.
fn random_id() -> String {
    format!("{:024x}", rand::random::<u128>() >> 32)
}

/// The id of a message: the caller's, or a random one. A call that is repeated with the same id is the same message.
///
/// The ids of callers are longer than those of streams, so no user can take the id of an answer.
fn message_id(chosen: Option<String>) -> Result<String, CallFailure> {
    let Some(id) = chosen else { return Ok(random_id()) };
    let is_valid = (32..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_valid { Ok(id) } else { Err(CallFailure::refused(BAD_REQUEST, "`id` must have 32 to 64 letters, digits and hyphens")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn the_data_of_calls_follows_the_json_rules() {
        check_members::<Say>(r#"{"channel":"chat:a","text":"hi","id":"i"}"#, &[]);
        check_members::<Typing>(r#"{"channel":"chat:a"}"#, &[]);
    }
}
