//! The calls that frontends make: `say` and `typing`.

use crate::brain::{Brain, Line, Thought};
use crate::conversation::{Conversation, Reason};
use crate::desk::Desk;
use crate::settings::Bot;
use crate::stream::Speech;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use shared_proto::client::Failure;
use shared_proto::client::link::{CallFailure, CallResult, Service};
use shared_proto::errors::ErrorCode;
use shared_proto::json::Object;
use shared_proto::link::Call;
use shared_proto::process::telemetry::continue_trace;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The call's data is not what the method takes.
const BAD_REQUEST: u32 = 400;
/// The user may not do this.
const FORBIDDEN: u32 = 403;
/// The line's id stands for another line.
const CONFLICT: u32 = 409;
/// Too many answers stream.
const BUSY: u32 = 429;
/// The gateway did not take what was to be published.
const NOT_TAKEN: u32 = 503;

/// Streams that this instance speaks now.
#[derive(Debug, Default)]
pub struct Running {
    streams: Mutex<HashMap<String, (Conversation, CancellationToken)>>,
}

impl Running {
    /// Whether this instance speaks in the stream `id`.
    pub fn is_own(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Stops those of one conversation, or all.
    pub fn stop(&self, only: Option<&Conversation>) {
        for (_, stop) in self.lock().values().filter(|(conversation, _)| only.is_none_or(|only| only == conversation)) {
            stop.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Conversation, CancellationToken)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream is listed in [`Running`] for as long as this lives.
struct Listed<'a> {
    running: &'a Running,
    id: String,
    stop: CancellationToken,
}

impl<'a> Listed<'a> {
    fn new(running: &'a Running, id: &str, conversation: &Conversation) -> Self {
        let stop = CancellationToken::new();
        running.lock().insert(id.to_owned(), (conversation.clone(), stop.clone()));
        Self { running, id: id.to_owned(), stop }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

/// What all calls share.
#[derive(Debug)]
pub struct Shared<B> {
    brain: B,
    bot: Bot,
    desk: OnceLock<Arc<Desk>>,
    running: Arc<Running>,
    room: Arc<Semaphore>,
    answers: TaskTracker,
}

/// The chat bot as its links see it.
#[derive(Debug)]
pub struct Chatbot<B>(Arc<Shared<B>>);

impl<B> Clone for Chatbot<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    channel: String,
    text: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    channel: String,
}

impl<B: Brain> Chatbot<B> {
    /// A bot with this brain. It answers calls once it is [seated](Self::seat).
    pub fn new(brain: B, bot: Bot) -> Self {
        let room = Arc::new(Semaphore::new(bot.streams));
        let (desk, running, answers) = (OnceLock::new(), Arc::default(), TaskTracker::new());
        Self(Arc::new(Shared { brain, bot, desk, running, room, answers }))
    }

    /// Gives the bot its desk, which needs the links that in turn need the bot. Only the first one counts.
    pub fn seat(&self, desk: Arc<Desk>) {
        self.0.desk.get_or_init(|| desk);
    }

    /// The streams that this instance speaks.
    pub fn running(&self) -> Arc<Running> {
        self.0.running.clone()
    }

    /// Waits until no answer is under way.
    pub async fn finished(&self) {
        self.0.answers.close();
        self.0.answers.wait().await;
    }

    async fn say(&self, call: Call) -> CallResult {
        let say: Say = parse(&call.data)?;
        let conversation = conversation(&say.channel)?;
        let line = self.line(call.user, say.text)?;
        let id = message_id(say.id)?;
        if let Some(objection) = self.0.brain.objection(&line) {
            return Err(objection);
        }
        let room = self.0.room.clone().try_acquire_owned().ok();
        let wants_none = matches!(self.0.brain.answer(&line, &crate::brain::Facts::Nothing), Thought::Stop | Thought::Silence);
        if room.is_none() && !wants_none {
            return Err(CallFailure::temporary(BUSY, "I am speaking in too many places at once. Try again shortly."));
        }
        let (told, taken) = oneshot::channel();
        let answering = self.clone().answer(id.clone(), conversation, line, told, room);
        self.0.answers.spawn(answering.instrument(tracing::info_span!("answer")));
        match taken.await {
            Ok(Ok(())) => reply(&json!({ "message": id })),
            Ok(Err(failure)) => Err(not_taken(&failure)),
            Err(_) => Err(CallFailure::temporary(NOT_TAKEN, "I was interrupted. Try again.")),
        }
    }

    /// Adds the line, tells the caller, and then answers, whether or not the caller still waits.
    async fn answer(
        self,
        id: String,
        conversation: Conversation,
        line: Line,
        told: oneshot::Sender<Result<(), Failure>>,
        _room: Option<OwnedSemaphorePermit>,
    ) {
        let Ok(desk) = self.desk() else { return };
        let added = desk.line(&conversation, &id, &line).await;
        let failed = added.is_err();
        // Who does not wait any more has left; the line stands all the same.
        let _left = told.send(added);
        if failed {
            return;
        }
        let facts = desk.facts(self.0.brain.needs(&line), &conversation, &id).await;
        let outcome = match self.0.brain.answer(&line, &facts) {
            Thought::Silence => Ok(()),
            Thought::Stop => self.stop(desk, &conversation).await,
            Thought::Speak(steps) => {
                desk.bot_types(&conversation).await;
                let stream = format!("{:024x}", rand::random::<u128>() >> 32);
                let listed = Listed::new(&self.0.running, &stream, &conversation);
                Speech { desk, id: &stream, line: &id, conversation: &conversation, stop: &listed.stop }.hold(steps).await
            }
        };
        if let Err(failure) = outcome {
            tracing::warn!(%failure, %conversation, "an answer was not given");
        }
    }

    /// Stops what the bot says in a conversation, whichever instance says it.
    async fn stop(&self, desk: &Desk, conversation: &Conversation) -> Result<(), Failure> {
        self.0.running.stop(Some(conversation));
        for id in desk.open_streams(conversation).await? {
            if !self.0.running.is_own(&id) {
                desk.end(conversation, &id, Reason::Aborted).await?;
                desk.finish_for_another(conversation, &id).await?;
            }
        }
        Ok(())
    }

    async fn typing(&self, call: Call) -> CallResult {
        let typing: Typing = parse(&call.data)?;
        let conversation = conversation(&typing.channel)?;
        let from = self.speaker(call.user)?;
        self.desk()?.typing(&conversation, &from).await.map_err(|failure| not_taken(&failure))?;
        reply(&json!({}))
    }

    fn desk(&self) -> Result<&Desk, CallFailure> {
        let desk = self.0.desk.get().map(|desk| &**desk);
        desk.ok_or_else(|| CallFailure::temporary(NOT_TAKEN, "I am just starting. Try again."))
    }

    fn line(&self, user: String, text: String) -> Result<Line, CallFailure> {
        let limit = self.0.bot.text_limit;
        if text.trim().is_empty() || text.len() > limit {
            return Err(CallFailure::refused(BAD_REQUEST, format!("`text` must have 1 to {limit} bytes and not only blanks")));
        }
        Ok(Line { from: self.speaker(user)?, text })
    }

    /// Nobody speaks under the bot's name.
    fn speaker(&self, user: String) -> Result<String, CallFailure> {
        if user.eq_ignore_ascii_case(&self.0.bot.name) {
            return Err(CallFailure::refused(FORBIDDEN, "That name is the bot's own. Sign in under another one."));
        }
        Ok(user)
    }
}

impl<B: Brain> Service for Chatbot<B> {
    async fn call(&self, call: Call) -> CallResult {
        let span = tracing::info_span!("call", otel.kind = "server", method = call.method);
        continue_trace(&span, call.traceparent.as_deref());
        let answered = async {
            match call.method.as_str() {
                "say" => self.say(call).await,
                "typing" => self.typing(call).await,
                _ => Err(CallFailure::no_such_method("The methods are `say` and `typing`.")),
            }
        };
        answered.instrument(span).await
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, CallFailure> {
    serde_json::from_str(data.get()).map(|Object(it)| it).map_err(|error| CallFailure::refused(BAD_REQUEST, error.to_string()))
}

fn conversation(name: &str) -> Result<Conversation, CallFailure> {
    let bad = || CallFailure::refused(BAD_REQUEST, "`channel` must be a conversation, as `chat:lobby`");
    Conversation::parse(name).ok_or_else(bad)
}

fn reply(value: &serde_json::Value) -> CallResult {
    to_raw_value(value).map_err(|error| CallFailure::refused(NOT_TAKEN, error.to_string()))
}

fn not_taken(failure: &Failure) -> CallFailure {
    if failure.is(ErrorCode::IdempotencyMismatch) {
        return CallFailure::refused(CONFLICT, "`id` has been used for another line");
    }
    tracing::warn!(%failure, "a line was not taken");
    let temporary = matches!(failure, Failure::NotDone { .. });
    // The error table's words; what the gateway or the network said beyond them is for the log.
    let why = ErrorCode::by_name(failure.code()).map_or("No answer came in time.", |code| code.row().doc);
    CallFailure { code: NOT_TAKEN, message: format!("The gateway did not take it. {why}"), temporary }
}

/// The same call sent again under its id is the same line.
///
/// Ids that callers choose are longer than those of streams: nobody's line takes the place of an answer.
fn message_id(chosen: Option<String>) -> Result<String, CallFailure> {
    let Some(id) = chosen else { return Ok(format!("{:024x}", rand::random::<u128>() >> 32)) };
    let fits = (32..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(id) } else { Err(CallFailure::refused(BAD_REQUEST, "`id` must have 32 to 64 letters, digits and hyphens")) }
}
