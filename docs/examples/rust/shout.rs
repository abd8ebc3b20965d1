//! The service shout: answers calls over a link to each gateway node, and publishes over the same links.

use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared_proto::client::Failure;
use shared_proto::client::link::{Answer, CallFailure, CallResult, Config, Link, Publication, Publisher, Service};
use shared_proto::errors::ErrorCode;

use shared_proto::link::Call;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{env, error::Error};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const MAX_STREAMS: usize = 64;
const TIME_TO_PUBLISH: Duration = Duration::from_secs(10);
const TIME_TO_STOP: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What the service does. Clones are the same service.
#[derive(Clone)]
struct Shout {
    /// It needs the links, and the links need the service, so it is set last.
    publisher: Arc<OnceLock<Publisher>>,
    streams: TaskTracker,
    permits: Arc<Semaphore>,
    stopping: CancellationToken,
}

/// The data of a call.
#[derive(Deserialize)]
struct Input {
    text: String,
    id: Option<String>,
}

impl Input {
    /// Returns the text in capitals, and the id.
    fn read(call: &Call) -> Result<(String, String), CallFailure> {
        let bad = |why: String| CallFailure::refused(400, why);
        let input: Self = shared_proto::json::read(call.data.get()).map_err(|error| bad(error.to_string()))?;
        if !(1..=1000).contains(&input.text.chars().count()) {
            return Err(bad("text must have 1 to 1000 characters".into()));
        }
        let id = input.id.unwrap_or_else(random_id);
        if !(1..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(bad("id must have 1 to 64 letters, digits and hyphens".into()));
        }
        Ok((input.text.to_uppercase(), id))
    }
}

impl Service for Shout {
    /// The client drops this future when nobody waits for the answer any more: after a cancel, or at the deadline.
    async fn call(&self, call: Call) -> CallResult<Answer> {
        let answer = match call.method.as_str() {
            "say" => self.say(Input::read(&call)?, call.user).await?,
            "stream" => self.stream(Input::read(&call)?.0)?,
            _ => return Err(CallFailure::no_such_method("the methods are say and stream")),
        };
        to_raw_value(&answer).map(Into::into).map_err(|error| CallFailure::refused(500, error.to_string()))
    }
}

impl Shout {
    async fn say(&self, (text, id): (String, String), user: String) -> Result<Value, CallFailure> {
        let publication = json!({ "id": id, "from": user, "text": text });
        match self.publish("news:shouts", &publication, format!("say-{id}")).await {
            Ok(()) => Ok(json!({ "text": text })),
            Err(failure) if failure.is(ErrorCode::IdempotencyMismatch) => Err(CallFailure::refused(409, "the id belongs to another text")),
            Err(Failure::Refused { detail, .. }) => Err(CallFailure::refused(500, detail)),
            Err(failure) => Err(CallFailure::temporary(503, failure.to_string())),
        }
    }

    fn stream(&self, text: String) -> Result<Value, CallFailure> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| CallFailure::temporary(429, "too many streams"))?;
        let channel = format!("stream:{}", random_id());
        self.streams.spawn(self.clone().write(channel.clone(), text, permit));
        Ok(json!({ "channel": channel }))
    }

    async fn write(self, channel: String, text: String, _permit: OwnedSemaphorePermit) {
        let parts = text.split_inclusive(' ').enumerate().map(|(seq, word)| json!({ "kind": "part", "seq": seq, "text": word }));
        let end = json!({ "kind": "end", "reason": "done" });
        for (number, entry) in parts.chain([end]).enumerate() {
            if let Err(failure) = self.publish(&channel, &entry, format!("{channel}-{number}")).await {
                eprintln!("{channel} is not complete: {failure}");
                return;
            }
            // A pause, but none when the service stops.
            let _stopping = timeout(PAUSE, self.stopping.cancelled()).await;
        }
    }

    /// Publishes over any link until a node has stored it; once, because every attempt has the same key.
    async fn publish(&self, channel: &str, entry: &impl Serialize, key: String) -> Result<(), Failure> {
        let publisher = self.publisher.get().ok_or_else(|| Failure::unreachable("the service is starting"))?;
        let publication = Publication::new(channel, entry).map_err(|error| Failure::refused(ErrorCode::BadRequest, error.to_string()))?;
        publisher.publish(publication.with_idempotency_key(key), TIME_TO_PUBLISH).await.map(drop)
    }
}

fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let urls = env::var("SWITCHBOARD_URLS").unwrap_or_else(|_| "ws://127.0.0.1:8001".into());
    let key = env::var("SWITCHBOARD_API_KEY").unwrap_or_else(|_| "dev".into());
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shout = Shout {
        publisher: Arc::default(),
        streams: TaskTracker::new(),
        permits: Arc::new(Semaphore::new(MAX_STREAMS)),
        stopping: CancellationToken::new(),
    };
    let config = Config::new("shout", urls.split(',').map(str::to_owned).collect(), key);
    let link = Link::start(config, shout.clone())?;
    shout.publisher.get_or_init(|| link.publisher());

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shout.stopping.cancel();
    shout.streams.close();
    let _late = timeout(TIME_TO_STOP, async { tokio::join!(link.drain(TIME_TO_STOP), shout.streams.wait()) }).await;
    link.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
