//! A gateway of one node: channels with history and keys, links, and the part of REST that the bot reads.

use actix_web::web::{self, Data, Path, Query};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::{SinkExt, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use shared_proto::link::{Publish, ToGateway};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Into this one nothing can be published.
pub(crate) const BROKEN: &str = "chat:broken";

#[derive(Default)]
struct Channels {
    /// Data and tags of each publication; the offset is the place plus one.
    held: BTreeMap<String, Vec<(Value, Value)>>,
    ephemeral: Vec<(String, Value)>,
    keys: HashMap<(String, String), (u64, Value)>,
}

type Calls = Arc<Mutex<HashMap<String, mpsc::Sender<(Value, oneshot::Sender<Value>)>>>>;

#[derive(Clone)]
pub(crate) struct FakeGateway {
    channels: Arc<Mutex<Channels>>,
    calls: Calls,
    /// What failed calls said.
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    pub(crate) rest: String,
    pub(crate) link: String,
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        let channels = Arc::<Mutex<Channels>>::default();
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
        let gateway = Self { channels, calls: Calls::default(), said: Arc::default(), rest, link };
        let accepting = gateway.clone();
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_web::rt::spawn(accepting.clone().serve(stream));
            }
        });
        gateway
    }

    /// Calls `method` on the instance and waits for its `reply` or `error`.
    pub(crate) async fn call(&self, instance: &str, method: &str, user: &str, data: Value) -> Value {
        let calls = timeout(SOON, async {
            loop {
                if let Some(calls) = self.calls.lock().expect("not poisoned").get(instance) {
                    return calls.clone();
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let (answer, answered) = oneshot::channel();
        let call = json!({"method": method, "data": data, "user": user, "connection": "c", "deadline_ms": 5000});
        calls.await.expect("linked").send((call, answer)).await.expect("linked");
        timeout(SOON, answered).await.expect("in time").expect("answered")
    }

    pub(crate) fn entries(&self, channel: &str) -> Vec<Value> {
        let channels = self.channels.lock().expect("not poisoned");
        channels.held.get(channel).into_iter().flatten().map(|(data, _)| data.clone()).collect()
    }

    pub(crate) fn ephemeral(&self) -> Vec<(String, Value)> {
        self.channels.lock().expect("not poisoned").ephemeral.clone()
    }

    /// Waits for an entry of a channel that fits.
    pub(crate) async fn until(&self, channel: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                if let Some(found) = self.entries(channel).into_iter().find(&fits) {
                    return found;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, looking).await.unwrap_or_else(|_| panic!("nothing fits in {channel}: {:?}", self.entries(channel)))
    }

    /// Waits until so many entries fit in all channels whose name begins so.
    pub(crate) async fn until_count(&self, prefix: &str, fits: impl Fn(&Value) -> bool, wanted: usize) {
        let counted = || {
            let channels = self.channels.lock().expect("not poisoned");
            let entries = channels.held.iter().filter(|(name, _)| name.starts_with(prefix)).flat_map(|(_, held)| held);
            entries.filter(|(data, _)| fits(data)).count()
        };
        let looking = async {
            while counted() < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, looking).await.unwrap_or_else(|_| panic!("{} of {wanted} fit in {prefix}*", counted()));
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
                            answered(&mut waiting, reply.id, json!({"reply": value(&reply.data)}));
                            continue;
                        }
                        ToGateway::Error(error) => {
                            self.said.lock().expect("not poisoned").push(error.message);
                            answered(&mut waiting, error.id, json!({"error": error.code}));
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
        if publish.channel == BROKEN {
            let error = json!({"code": "payload_too_large", "message": "OOM at 10.0.0.7:6379", "retryable": false});
            return json!({"nack": {"id": publish.id, "error": error}});
        }
        let mut channels = self.channels.lock().expect("not poisoned");
        let data = value(&publish.data);
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
        let held = channels.held.entry(publish.channel.clone()).or_default();
        held.push((data.clone(), json!(publish.tags)));
        let offset = held.len() as u64;
        channels.keys.insert(key, (offset, data));
        json!({"ack": {"id": publish.id, "epoch": "e", "offset": offset}})
    }
}

fn answered(waiting: &mut HashMap<u64, oneshot::Sender<Value>>, id: u64, answer: Value) {
    let _gone = waiting.remove(&id).expect("a call under way").send(answer);
}

fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("JSON")
}

async fn list(channels: Data<Mutex<Channels>>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let prefix = query["pattern"].trim_end_matches('*').to_owned();
    let channels = channels.lock().expect("not poisoned");
    let names = channels.held.iter().filter(|(name, _)| name.starts_with(&prefix));
    let each: Vec<Value> = names.map(|(name, held)| json!({"channel": name, "held": held.len()})).collect();
    HttpResponse::Ok().json(json!({ "channels": each }))
}

async fn history(channels: Data<Mutex<Channels>>, channel: Path<String>, query: Query<HashMap<String, String>>) -> HttpResponse {
    let channels = channels.lock().expect("not poisoned");
    let held = channels.held.get(&*channel).map(Vec::as_slice).unwrap_or_default();
    let since = query.get("since").and_then(|since| since.rsplit(':').next()?.parse::<u64>().ok()).unwrap_or(0);
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
    let each = held.iter().zip(1u64..).filter(|(_, offset)| *offset > since);
    let mut each: Vec<Value> =
        each.map(|((data, tags), offset)| json!({"offset": offset, "data": data, "tags": tags, "time": 0})).collect();
    if query.get("order").is_some_and(|order| order == "desc") {
        each.reverse();
    }
    each.truncate(limit);
    HttpResponse::Ok().json(json!({"epoch": "e", "offset": held.len(), "publications": each}))
}

async fn presence() -> HttpResponse {
    HttpResponse::Ok().json(json!({"clients": [{"user": "alice", "client": "1"}, {"user": "bob", "client": "2"}]}))
}
