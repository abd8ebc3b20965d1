//! A fake gateway node: channels with history and idempotency keys, links, and the REST requests that the bot sends.

use actix_web::web::{self, Data, Path, Query};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared_proto::link::{Publish, ToGateway};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// The connection of all calls.
pub(crate) const CONNECTION: &str = "c";

/// Publishing into this channel fails.
pub(crate) const BROKEN_CHANNEL: &str = "chat:broken";

struct Channels {
    /// Data and tags of each publication, by channel. The offset is the index plus one.
    stored: BTreeMap<String, Vec<(Value, Value)>>,
    ephemeral: Vec<(String, Value)>,
    keys: HashMap<(String, String), (u64, Value)>,
    /// User and connection of everybody who is in each conversation. `None`: the presence cannot be read.
    present: Option<Vec<(&'static str, &'static str)>>,
    /// Whether the history of conversations can be read.
    history_works: bool,
}

/// The error of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) message: String,
    pub(crate) temporary: bool,
}

type Calls = Arc<Mutex<HashMap<String, mpsc::Sender<(Value, oneshot::Sender<Value>)>>>>;

#[derive(Clone)]
pub(crate) struct FakeGateway {
    channels: Arc<Mutex<Channels>>,
    calls: Calls,
    errors: Arc<Mutex<Vec<CallError>>>,
    pub(crate) rest: String,
    pub(crate) link: String,
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        let channels = Arc::new(Mutex::new(Channels {
            stored: BTreeMap::new(),
            ephemeral: Vec::new(),
            keys: HashMap::new(),
            present: Some(vec![("alice", CONNECTION), ("bob", "b")]),
            history_works: true,
        }));
        let shared = Data::from(channels.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/v1/channels", web::get().to(list))
                .route("/v1/channels/{channel}/publications", web::get().to(history))
                .route("/v1/channels/{channel}/presence", web::get().to(presence))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let rest = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let link = format!("ws://{}", listener.local_addr().expect("bound"));
        let gateway = Self { channels, calls: Calls::default(), errors: Arc::default(), rest, link };
        let accepting = gateway.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_web::rt::spawn(accepting.clone().serve(stream));
            }
        });
        gateway
    }

    /// Calls `method` on this instance and waits for its `reply` or `error`.
    pub(crate) async fn call(&self, instance: &str, method: &str, user: &str, data: Value) -> Value {
        let calls = timeout(TIMEOUT, async {
            loop {
                if let Some(calls) = self.calls.lock().expect("not poisoned").get(instance) {
                    return calls.clone();
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let (answer, answered) = oneshot::channel();
        let call = json!({"method": method, "data": data, "user": user, "connection": CONNECTION, "deadline_ms": 5000});
        calls.await.expect("linked").send((call, answer)).await.expect("linked");
        timeout(TIMEOUT, answered).await.expect("in time").expect("answered")
    }

    /// Sets user and connection of everybody who is in each conversation. `None`: the presence cannot be read.
    pub(crate) fn set_present(&self, present: Option<&[(&'static str, &'static str)]>) {
        self.channels.lock().expect("not poisoned").present = present.map(<[_]>::to_vec);
    }

    /// Sets whether the history of conversations can be read.
    pub(crate) fn set_history_works(&self, works: bool) {
        self.channels.lock().expect("not poisoned").history_works = works;
    }

    /// The errors of failed calls so far.
    pub(crate) fn errors(&self) -> Vec<CallError> {
        self.errors.lock().expect("not poisoned").clone()
    }

    /// Stores an entry as another instance of the bot does.
    pub(crate) fn store(&self, channel: &str, key: &str, data: &Value) {
        let frame = json!({"publish": {"id": 0, "channel": channel, "data": data, "idempotency_key": key}});
        let ToGateway::Publish(publish) = serde_json::from_value(frame).expect("a frame of the protocol") else { panic!("a publish") };
        assert!(self.publish(&publish)["ack"].is_object(), "{key} is taken");
    }

    pub(crate) fn entries(&self, channel: &str) -> Vec<Value> {
        let channels = self.channels.lock().expect("not poisoned");
        channels.stored.get(channel).into_iter().flatten().map(|(data, _)| data.clone()).collect()
    }

    pub(crate) fn ephemeral(&self) -> Vec<(String, Value)> {
        self.channels.lock().expect("not poisoned").ephemeral.clone()
    }

    /// Waits for an entry in the channel for which `matches` is true.
    pub(crate) async fn wait_for(&self, channel: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                if let Some(found) = self.entries(channel).into_iter().find(&matches) {
                    return found;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TIMEOUT, search).await.unwrap_or_else(|_| panic!("nothing matches in {channel}: {:?}", self.entries(channel)))
    }

    /// Waits for `expected` matching entries in all channels with this prefix.
    pub(crate) async fn wait_for_count(&self, prefix: &str, matches: impl Fn(&Value) -> bool, expected: usize) {
        let count = || {
            let channels = self.channels.lock().expect("not poisoned");
            let entries = channels.stored.iter().filter(|(name, _)| name.starts_with(prefix)).flat_map(|(_, stored)| stored);
            entries.filter(|(data, _)| matches(data)).count()
        };
        let search = async {
            while count() < expected {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TIMEOUT, search).await.unwrap_or_else(|_| panic!("{} of {expected} match in {prefix}*", count()));
    }

    async fn serve(self, stream: TcpStream) {
        let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
        let Some(Ok(Message::Text(text))) = socket.next().await else { return };
        let Ok(ToGateway::Hello(hello)) = serde_json::from_str(text.as_str()) else { return };
        let limits = json!({"message_size": 65536, "publishes_in_flight": 64, "heartbeat": 30});
        let welcome = json!({"welcome": {"node": "a", "peers": [], "limits": limits}});
        let _gone = socket.send(Message::text(welcome.to_string())).await;
        let (calls, mut to_call) = mpsc::channel(8);
        self.calls.lock().expect("not poisoned").insert(hello.instance, calls);
        let mut waiting: HashMap<u64, oneshot::Sender<Value>> = HashMap::new();
        let mut next = 1u64;
        loop {
            tokio::select! {
                Some((mut call, answer)) = to_call.recv() => {
                    call["id"] = json!(next);
                    waiting.insert(next, answer);
                    next += 1;
                    let _gone = socket.send(Message::text(json!({"call": call}).to_string())).await;
                }
                message = socket.next() => {
                    let Some(Ok(message)) = message else { return };
                    let Message::Text(text) = message else { continue };
                    let answer = match serde_json::from_str(text.as_str()).expect("a frame of the protocol") {
                        ToGateway::Publish(publish) => self.publish(&publish),
                        ToGateway::Reply(reply) => {
                            finish_call(&mut waiting, reply.id, json!({"reply": to_value(&reply.data)}));
                            continue;
                        }
                        ToGateway::Error(error) => {
                            let failed = CallError { message: error.message, temporary: error.temporary };
                            self.errors.lock().expect("not poisoned").push(failed);
                            finish_call(&mut waiting, error.id, json!({"error": error.code}));
                            continue;
                        }
                        _ => continue,
                    };
                    let _gone = socket.send(Message::text(answer.to_string())).await;
                }
            }
        }
    }

    fn publish(&self, publish: &Publish) -> Value {
        if publish.channel == BROKEN_CHANNEL {
            let error = json!({"code": "payload_too_large", "message": "OOM at 10.0.0.7:6379", "retryable": false});
            return json!({"nack": {"id": publish.id, "error": error}});
        }
        let mut channels = self.channels.lock().expect("not poisoned");
        let data = to_value(publish.data.as_ref().expect("JSON"));
        if publish.ephemeral {
            channels.ephemeral.push((publish.channel.clone(), data));
            return json!({"ack": {"id": publish.id}});
        }
        let key = (publish.channel.clone(), publish.idempotency_key.clone().expect("a key"));
        if let Some((offset, body)) = channels.keys.get(&key) {
            if *body == data {
                return json!({"ack": {"id": publish.id, "epoch": "e", "offset": offset}});
            }
            let error = json!({"code": "idempotency_mismatch", "message": "", "retryable": false});
            return json!({"nack": {"id": publish.id, "error": error}});
        }
        let stored = channels.stored.entry(publish.channel.clone()).or_default();
        stored.push((data.clone(), json!(publish.tags)));
        let offset = stored.len() as u64;
        channels.keys.insert(key, (offset, data));
        json!({"ack": {"id": publish.id, "epoch": "e", "offset": offset}})
    }
}

fn finish_call(waiting: &mut HashMap<u64, oneshot::Sender<Value>>, id: u64, answer: Value) {
    let _gone = waiting.remove(&id).expect("a call in flight").send(answer);
}

fn to_value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("JSON")
}

async fn list(channels: Data<Mutex<Channels>>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let prefix = query["pattern"].trim_end_matches('*').to_owned();
    let channels = channels.lock().expect("not poisoned");
    let names = channels.stored.iter().filter(|(name, _)| name.starts_with(&prefix));
    let each: Vec<Value> = names.map(|(name, stored)| json!({"channel": name, "held": stored.len()})).collect();
    HttpResponse::Ok().json(json!({ "channels": each }))
}

async fn history(channels: Data<Mutex<Channels>>, channel: Path<String>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let channels = channels.lock().expect("not poisoned");
    if channel.starts_with("chat:") && !channels.history_works {
        return unavailable();
    }
    let stored = channels.stored.get(&*channel).map(Vec::as_slice).unwrap_or_default();
    let since = query.get("since").and_then(|since| since.rsplit(':').next()?.parse::<u64>().ok());
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    let newest_first = query.get("order").is_some_and(|order| order == "desc");
    let is_in_page = |offset: u64| since.is_none_or(|since| if newest_first { offset < since } else { offset > since });
    let each = stored.iter().zip(1u64..).filter(|(_, offset)| is_in_page(*offset));
    let mut each: Vec<Value> =
        each.map(|((data, tags), offset)| json!({"offset": offset, "data": data, "tags": tags, "time": 0})).collect();
    if newest_first {
        each.reverse();
    }
    each.truncate(limit);
    HttpResponse::Ok().json(json!({"epoch": "e", "offset": stored.len(), "publications": each}))
}

async fn presence(channels: Data<Mutex<Channels>>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let Some(present) = channels.lock().expect("not poisoned").present.clone() else { return unavailable() };
    if query.get("stats").is_some_and(|stats| stats == "true") {
        let users: HashSet<_> = present.iter().map(|(user, _)| user).collect();
        return HttpResponse::Ok().json(json!({"clients": present.len(), "users": users.len()}));
    }
    let clients: Vec<Value> = present.iter().map(|(user, client)| json!({"user": user, "client": client})).collect();
    HttpResponse::Ok().json(json!({ "clients": clients }))
}

fn unavailable() -> HttpResponse {
    let problem =
        json!({"type": "about:blank", "title": "", "status": 503, "code": "unavailable", "retryable": true, "detail": "OOM at 10.0.0.7"});
    HttpResponse::ServiceUnavailable().json(problem)
}
