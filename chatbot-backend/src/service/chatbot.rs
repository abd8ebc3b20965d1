//! What all calls share, and the dispatch of calls.

use super::failures::{bad_reply, gateway_failure, name_of_bot, unavailable};
use super::input;
use crate::active_streams::ActiveStreams;
use crate::channel_io::ChannelIo;
use crate::responder::Responder;
use crate::settings::Bot;
use serde_json::json;
use serde_json::value::to_raw_value;
use shared_proto::client::link::{Answer, CallFailure, CallResult, Service};
use shared_proto::link::Call;
use shared_proto::name::equal_ignoring_case;
use shared_proto::process::telemetry::continue_trace;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// What all calls share.
#[derive(Debug)]
pub struct Shared<R> {
    pub(super) responder: R,
    pub(super) bot: Bot,
    pub(super) channel_io: OnceLock<Arc<ChannelIo>>,
    pub(super) active_streams: Arc<ActiveStreams>,
    /// One permit for each answer that may be written at the same time.
    pub(super) permits: Arc<Semaphore>,
    pub(super) answers: TaskTracker,
}

/// The service that answers calls.
#[derive(Debug)]
pub struct Chatbot<R>(pub(super) Arc<Shared<R>>);

impl<R> Clone for Chatbot<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
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

    async fn typing(&self, call: Call) -> CallResult {
        let typing: input::Typing = input::parse(&call.data)?;
        let conversation = input::conversation(&typing.channel)?;
        let from = self.author(call.user)?;
        self.channel_io()?.publish_typing(&conversation, &from).await.map_err(|failure| gateway_failure(&failure))?;
        reply(&json!({}))
    }

    pub(super) fn channel_io(&self) -> Result<&ChannelIo, CallFailure> {
        let channel_io = self.0.channel_io.get().map(|channel_io| &**channel_io);
        channel_io.ok_or_else(|| unavailable("I am starting. Try again in a moment."))
    }

    /// The user of a call. The bot's own name is refused.
    pub(super) fn author(&self, user: String) -> Result<String, CallFailure> {
        if equal_ignoring_case(&user, &self.0.bot.name) { Err(name_of_bot()) } else { Ok(user) }
    }
}

impl<R: Responder> Service for Chatbot<R> {
    async fn call(&self, call: Call) -> CallResult<Answer> {
        let span = tracing::info_span!("call", otel.kind = "server", method = call.method);
        continue_trace(&span, call.traceparent.as_deref());
        let answered = async {
            match call.method.as_str() {
                "say" => self.say(call).await,
                "stop" => self.stop(call).await,
                "typing" => self.typing(call).await,
                _ => Err(CallFailure::no_such_method("The method does not exist. Call `say`, `stop` or `typing`.")),
            }
        };
        answered.instrument(span).await.map(Into::into)
    }
}

pub(super) fn reply(value: &serde_json::Value) -> CallResult {
    to_raw_value(value).map_err(|error| bad_reply(&error))
}
