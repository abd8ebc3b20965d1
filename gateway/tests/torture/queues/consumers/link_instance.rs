//! An instance of a service, with a link to each node. It speaks plain frames, so that it can stop in the middle of everything.

use super::work::{self, End, Plan};
use crate::{
    node::KEY,
    queues::{life::ProcessState, plan::Service},
    tally::Count,
    world::World,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// Number of events that a node may send before it gets credit back.
const CREDIT: u32 = 16;
/// Time limit for connecting, and for each write.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before an instance connects again.
const PAUSE: Duration = Duration::from_millis(100);
/// A link without a frame or a ping for this time counts as broken.
const SILENCE: Duration = Duration::from_secs(6);

type Socket = WebSocketStream<TcpStream>;

/// Runs an instance. When the future is dropped, its links break, and it forgets the work that it has in hand.
pub(super) async fn run(world: Arc<World>, service: &'static Service, number: usize, state: ProcessState) {
    let mut links = JoinSet::new();
    for node in 0..world.nodes.len() {
        let (world, mut state) = (world.clone(), state.clone());
        links.spawn(async move {
            loop {
                state.thawed().await;
                if let Some(socket) = open(&world, service, number, node).await {
                    serve(&world, service, socket, state.clone()).await;
                }
                sleep(PAUSE).await;
            }
        });
    }
    links.join_next().await;
}

/// Opens a link to a node.
async fn open(world: &World, service: &Service, number: usize, node: usize) -> Option<Socket> {
    let url = world.nodes[node].rest(&format!("/v1/services/{}/link", service.name)).replacen("http://", "ws://", 1);
    let mut request = url.into_client_request().expect("it is a URL");
    request.headers_mut().insert("authorization", format!("Bearer {KEY}").parse().expect("it is a header"));
    let address = request.uri().authority().expect("it has an address").to_string();
    let opened = async {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
        let hello = json!({ "hello": { "service": service.name, "instance": format!("{}-{number}", service.name), "credit": CREDIT } });
        socket.send(Message::text(hello.to_string())).await.ok()?;
        Some(socket)
    };
    timeout(TIMEOUT, opened).await.ok()?
}

/// Serves a link until it breaks.
async fn serve(world: &Arc<World>, service: &'static Service, mut socket: Socket, mut state: ProcessState) {
    let (answers, mut answered) = mpsc::channel(CREDIT as usize);
    let mut tasks = JoinSet::new();
    loop {
        state.thawed().await;
        tokio::select! {
            message = timeout(SILENCE, socket.next()) => match message {
                Ok(Some(Ok(Message::Text(text)))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap_or_default();
                    if let Some(event) = frame.get("event") {
                        let plan = work::receive(world, service, event);
                        let id = event["id"].as_str().unwrap_or_default().to_owned();
                        tasks.spawn(process(world.clone(), state.clone(), plan, id, answers.clone()));
                    } else if let Some(error) = frame.get("error") {
                        // The node closes the link next.
                        if error["retryable"] != true {
                            world.tally.violation(Count::Other, 1, || format!("{}: the node closed a link: {error}", service.name));
                        }
                    }
                }
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(_)) | None) | Err(_) => return,
            },
            Some(frames) = answered.recv() => {
                let frames: Vec<Value> = frames;
                for frame in frames {
                    if !matches!(timeout(TIMEOUT, socket.send(Message::text(frame.to_string()))).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Works on an event, then hands the answer to the link.
async fn process(world: Arc<World>, mut state: ProcessState, plan: Plan, id: String, answers: mpsc::Sender<Vec<Value>>) {
    sleep(plan.takes).await;
    state.thawed().await;
    plan.finish(&world);
    let credit = json!({ "credit": { "n": 1 } });
    let pause = Some(rand::random_range(1..300)).filter(|_| rand::random());
    let frames = match plan.end {
        End::Done => vec![json!({ "done": { "id": id } }), credit],
        End::Failed => match pause {
            Some(pause) => vec![json!({ "failed": { "id": id, "temporary": true, "retry_after_ms": pause } }), credit],
            None => vec![json!({ "failed": { "id": id, "temporary": true } }), credit],
        },
        End::Refused => vec![json!({ "failed": { "id": id, "temporary": false } }), credit],
        End::Unanswered => vec![credit],
    };
    // The link may have ended.
    let _ = answers.send(frames).await;
}
