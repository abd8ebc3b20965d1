//! Frontends that send events to services.

use crate::{
    client::{Client, Ended, Form, Framing, Transport},
    queues::{
        events::{EventName, How, Poison},
        plan::{Delivery, SECRET, Service},
    },
    tally::Count,
    world::World,
};
use ring::hmac;
use serde_json::{json, value::to_raw_value};
use shared_proto::{
    frontend::{Error, Message, Method, Rpc},
    json::base64,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout_at};

/// Time limit of one call. It is longer than the gateway's own deadline.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(200);
/// One event in this number is poisoned.
const POISONED: u32 = 150;

/// The manner of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Calls with idempotency keys, each repeated until it is accepted.
    RepeatedCalls,
    /// Calls, each once.
    Calls,
    /// Messages without an answer.
    Messages,
}

/// What a call came to.
enum Outcome {
    Accepted(String),
    /// It was not carried out.
    Refused,
    /// It may have been carried out.
    Unknown,
}

/// Sends events of one key until the run stops, with a pause of about `pause` after each.
pub(crate) async fn send_events(world: Arc<World>, service: &'static Service, manner: Manner, number: usize, pause: Duration) {
    let sender = Sender { key: world.queues().events.add_key(service), service, manner, world, number, connections: AtomicU32::new(0) };
    // An event that is not accepted yet. It is sent again over the next connection.
    let mut pending = None;
    while !sender.is_over(pending.is_some()) {
        let Ok(mut client) = sender.connect().await else {
            sleep(RETRY).await;
            continue;
        };
        // The connection broke.
        let _ = sender.run(&mut client, &mut pending, pause).await;
    }
}

struct Sender {
    world: Arc<World>,
    service: &'static Service,
    manner: Manner,
    key: String,
    number: usize,
    connections: AtomicU32,
}

/// An event that is repeated until it is accepted.
struct Pending {
    name: EventName,
    poison: Option<Poison>,
    /// Its idempotency key.
    id: String,
}

impl Sender {
    /// Whether to stop. An event that waits for its acceptance is repeated for longer.
    fn is_over(&self, is_pending: bool) -> bool {
        if is_pending { self.world.abort.is_cancelled() } else { self.world.stop.is_cancelled() }
    }

    async fn connect(&self) -> Result<Client, Ended> {
        self.connections.fetch_add(1, Relaxed);
        let (transport, form) = match self.number % 4 {
            0 => (Transport::Stream(Framing::Plain), Form::json(0)),
            1 => (Transport::WebSocket, Form::protobuf(0)),
            _ => (Transport::WebSocket, Form::json(0)),
        };
        // Idempotency keys belong to the user, so that they hold for all connections.
        Client::connect_with(&self.world, transport, form, Some(token(&self.key))).await
    }

    async fn run(&self, client: &mut Client, pending: &mut Option<Pending>, pause: Duration) -> Result<(), Ended> {
        let events = &self.world.queues().events;
        while !self.is_over(pending.is_some()) {
            match self.manner {
                Manner::Messages => self.send_message(client).await?,
                Manner::Calls => {
                    let (name, poison) = self.next(How::Call);
                    match self.call(client, &name, poison, "plain", None).await? {
                        Outcome::Accepted(id) => events.accepted(&name, &id, &self.world.tally),
                        Outcome::Refused => events.refused(&name),
                        Outcome::Unknown => {}
                    }
                }
                Manner::RepeatedCalls => {
                    let one = pending.get_or_insert_with(|| {
                        let (name, poison) = self.next(How::RepeatedCall);
                        Pending { name, poison, id: format!("{:016x}", rand::random::<u64>()) }
                    });
                    match self.call(client, &one.name, one.poison, "submit", Some(&one.id)).await? {
                        Outcome::Accepted(id) => {
                            events.accepted(&one.name, &id, &self.world.tally);
                            *pending = None;
                        }
                        Outcome::Refused | Outcome::Unknown => wait(client, RETRY).await?,
                    }
                }
            }
            wait(client, pause.mul_f64(rand::random_range(0.5..1.5))).await?;
            while *self.world.publishers_paused.borrow() && !self.is_over(false) {
                wait(client, RETRY).await?;
            }
        }
        Ok(())
    }

    fn next(&self, how: How) -> (EventName, Option<Poison>) {
        let may_become_dead_letter = self.service.delivery != Delivery::Streams;
        let poison = match rand::random_range(0..POISONED) {
            0 if may_become_dead_letter => Some(Poison::Refused),
            1 if may_become_dead_letter => Some(Poison::Failing),
            _ => None,
        };
        (self.world.queues().events.next(&self.key, how, poison), poison)
    }

    async fn send_message(&self, client: &mut Client) -> Result<(), Ended> {
        let name = self.world.queues().events.next(&self.key, How::Message(self.connections.load(Relaxed)), None);
        let message = json!({ "service": self.service.name, "data": { "key": name.key, "number": name.number } });
        client.send(Method::Send(Message { data: to_raw_value(&message).expect("it is JSON") })).await.map(|_| ())
    }

    async fn call(
        &self,
        client: &mut Client,
        name: &EventName,
        poison: Option<Poison>,
        method: &str,
        id: Option<&str>,
    ) -> Result<Outcome, Ended> {
        let data = json!({ "key": name.key, "number": name.number, "poison": poison.map(Poison::name), "id": id });
        let call = Rpc { method: format!("{}.{method}", self.service.name), data: to_raw_value(&data).expect("it is JSON") };
        let id = client.send(Method::Rpc(call)).await?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let frame = timeout_at(deadline, client.next()).await.map_err(|_| Ended::Broken)??;
            if frame.id != id {
                continue;
            }
            if let Some(error) = frame.error {
                return Ok(self.failed(name, &error));
            }
            let answer: serde_json::Value = frame.rpc.and_then(|answer| serde_json::from_str(answer.data.get()).ok()).unwrap_or_default();
            let Some(accepted) = answer["accepted"].as_str() else {
                self.world.tally.violation(Count::Other, 1, || format!("{name:?} was answered {answer}"));
                return Ok(Outcome::Unknown);
            };
            return Ok(Outcome::Accepted(accepted.to_owned()));
        }
    }

    fn failed(&self, name: &EventName, error: &Error) -> Outcome {
        match error.code {
            // timeout, outcome_unknown, idempotency_in_progress
            1001 | 1005 | 1008 => Outcome::Unknown,
            _ if error.temporary => Outcome::Refused,
            _ => {
                self.world.tally.violation(Count::Other, 1, || format!("{name:?} was answered {error:?}"));
                Outcome::Refused
            }
        }
    }
}

/// A token for this user, which does not expire.
fn token(user: &str) -> String {
    let claims = json!({ "sub": user, "exp": u32::MAX }).to_string();
    let signed = format!("{}.{}", base64::encode_url(br#"{"alg":"HS256"}"#), base64::encode_url(claims.as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", base64::encode_url(signature.as_ref()))
}

/// Waits for this time, and answers pings meanwhile.
async fn wait(client: &mut Client, time: Duration) -> Result<(), Ended> {
    let until = Instant::now() + time;
    while let Ok(frame) = timeout_at(until, client.next()).await {
        frame?;
    }
    Ok(())
}
