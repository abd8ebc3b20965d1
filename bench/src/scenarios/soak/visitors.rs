//! Honest clients: they come with a token, subscribe, call a service, and leave.

use super::bed::Bed;
use crate::{
    client::{
        Client, READ_SIZE,
        stream::{EventsRequest, SdkConnection, SdkStream, StreamClient},
    },
    http::Http,
    result::Result,
};
use serde_json::json;
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until, timeout_at},
};

/// Channels with presence and history.
const ROOMS: usize = 50;
/// Users of the tokens.
const USERS: usize = 2000;
/// Time between two requests with publications.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(200);

/// What the visitors of all cycles did.
#[derive(Default)]
pub(super) struct Visits {
    pub(super) done: Cell<usize>,
    pub(super) received: Cell<usize>,
    /// What went wrong first.
    pub(super) fault: Cell<Option<String>>,
}

impl Visits {
    fn has_received(&self) {
        self.received.set(self.received.get() + 1);
    }

    pub(super) fn failed(&self, what: &str, error: &dyn std::fmt::Display) {
        let first = self.fault.take().unwrap_or_else(|| format!("{what}: {error}"));
        self.fault.set(Some(first));
    }
}

/// Lets so many visitors come in the first third of the time. Each leaves at some time until `end`.
pub(super) fn invite(bed: &Rc<Bed>, visits: &Rc<Visits>, count: usize, end: Instant) {
    let begun = Instant::now();
    let time = end - begun;
    for turn in 0..count {
        let (bed, visits) = (bed.clone(), visits.clone());
        let comes = begun + time / 3 * turn as u32 / count as u32;
        // Spread over the second half: 7 is prime, so neighbours leave at different times.
        let leaves = begun + time / 2 + time / 2 * (turn * 7 % count) as u32 / count as u32;
        spawn_local(async move {
            sleep_until(comes).await;
            match visit(&bed, &visits, turn, leaves).await {
                Ok(()) => visits.done.set(visits.done.get() + 1),
                Err(error) => visits.failed("a visitor", &error),
            }
        });
    }
}

/// Six of ten visitors use WebSockets, two an EventSource, and two a stream of the SDK.
async fn visit(bed: &Bed, visits: &Visits, turn: usize, leaves: Instant) -> Result {
    let (endpoint, number) = (bed.endpoint(), bed.number());
    let room = format!("chat:room-{}", number % ROOMS);
    match turn % 10 {
        0..6 => {
            let mut client = Client::open(&endpoint, "/connection/websocket", number, None).await?;
            client.connect(&bed.token(number % USERS)).await?;
            client.subscribe(&room).await?;
            client.send(r#"{"id":3,"rpc":{"method":"chatbot.echo","data":"hello"}}"#).await?;
            client.expect(r#""rpc":"#).await?;
            let _ = timeout_at(leaves, client.receive_all(|_, _| visits.has_received())).await;
        }
        6..8 => {
            let request = EventsRequest { channels: &[room], ..EventsRequest::default() };
            let (client, _) = StreamClient::event_source(&endpoint, number, None, request).await?;
            stay(client, visits, leaves).await;
        }
        _ => {
            let connection = SdkConnection::open(&endpoint, SdkStream::Lines, number, None).await?;
            let (client, _) = connection.subscribe_at(&mut Http::open_at(&endpoint).await?, &room, "").await?;
            stay(client, visits, leaves).await;
        }
    }
    Ok(())
}

async fn stay(mut client: StreamClient, visits: &Visits, leaves: Instant) {
    let read_all = async { while client.read(READ_SIZE, |_, _| visits.has_received()).await.is_ok() {} };
    let _ = timeout_at(leaves, read_all).await;
}

/// Publishes one line into each room in each interval.
pub(super) async fn publish(bed: &Bed, visits: &Visits, end: Instant) {
    let publications: Vec<_> =
        (0..ROOMS).map(|room| json!({"channel": format!("chat:room-{room}"), "data": {"text": "x".repeat(100)}})).collect();
    let body = json!({ "publications": publications }).to_string();
    let all = async {
        let mut http = Http::open(bed.server.internal).await?;
        while Instant::now() < end {
            http.post("/v1/publications", &body).await?;
            sleep(PUBLISH_INTERVAL).await;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    if let Err(error) = all.await {
        visits.failed("a publish", &error);
    }
}
