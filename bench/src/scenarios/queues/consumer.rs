//! A service that takes events from a queue, over a link or as a webhook, on the generator's thread.

use crate::{
    client::Client,
    result::Result,
    scenarios::calls::service,
    server::{Binaries, Kind, Server},
};
use shared_proto::{link::ToService, webhook::Message};
use std::{cell::RefCell, collections::HashMap, rc::Rc};
use tokio::task::{JoinHandle, spawn_local};

/// The service with the queue.
pub(super) const SERVICE: &str = "work";
/// Bytes of one read.
const READ_SIZE: usize = 256 * 1024;
/// Credit of the link.
const CREDIT: u32 = 60_000;

/// How the gateway reaches the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Reach {
    Link,
    Webhook,
}

/// An event as the service gets it.
pub(super) struct Event {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) key: String,
    /// JSON.
    pub(super) data: String,
}

/// What the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// Later perhaps.
    Failed,
}

/// What decides about each event.
pub(super) type Handle = Rc<dyn Fn(&Event) -> Verdict>;

/// A gateway, and the service that takes its events.
pub(super) struct Served {
    pub(super) server: Server,
    _webhook: service::Running,
    link: Option<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.abort();
        }
    }
}

impl Served {
    /// Starts a gateway with a queue for [`SERVICE`], and the service.
    pub(super) async fn start(binaries: &Binaries, reach: Reach, settings: &[(&str, &str)], handle: Handle) -> Result<Self> {
        let webhook = webhook(handle.clone()).await?;
        let url = webhook.url();
        let mut settings = settings.to_vec();
        settings.extend([("SERVICES__WORK__EVENTS", "queue"), ("LINK__HEARTBEAT", "10m")]);
        if reach == Reach::Webhook {
            settings.extend([("SERVICES__WORK__REACH", "webhook"), ("SERVICES__WORK__URLS", &url)]);
            settings.push(("SERVICES__WORK__SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        }
        let server = binaries.start(Kind::Gateway, &settings).await?;
        let link = match reach {
            Reach::Link => Some(link(&server, handle).await?),
            Reach::Webhook => None,
        };
        Ok(Self { server, _webhook: webhook, link })
    }
}

/// Opens a link of the service, which ends each event at once.
pub(super) async fn link(server: &Server, handle: Handle) -> Result<JoinHandle<()>> {
    let mut link = Client::open_authorized(server.internal, &format!("/v1/services/{SERVICE}/link")).await?;
    link.send(&format!(r#"{{"hello":{{"service":"{SERVICE}","instance":"bench","credit":{CREDIT}}}}}"#)).await?;
    let mut answers = Vec::new();
    // The first events may come with the welcome.
    let mut is_welcome = false;
    while !is_welcome {
        let read = link.read(READ_SIZE, |_, frame| {
            is_welcome |= frame.starts_with(br#"{"welcome""#);
            answers.extend(answer(frame, &handle));
        });
        read.await.map_err(|_| "the gateway closed the link before its welcome")?;
    }
    Ok(spawn_local(async move {
        loop {
            if !answers.is_empty() {
                answers.push(format!(r#"{{"credit":{{"n":{}}}}}"#, answers.len()).into_bytes());
            }
            let sent = link.send_all(&mut answers).await.is_ok();
            if !sent || link.read(READ_SIZE, |_, frame| answers.extend(answer(frame, &handle))).await.is_err() {
                break;
            }
        }
    }))
}

/// The frame that ends the event of a frame.
fn answer(frame: &[u8], handle: &Handle) -> Option<Vec<u8>> {
    let Ok(ToService::Event(event)) = serde_json::from_slice(frame) else { return None };
    let id = event.id.unwrap_or_default();
    let event = Event { id, attempt: event.attempt?, key: event.key.unwrap_or_default(), data: event.data.get().into() };
    let id = &event.id;
    Some(match handle(&event) {
        Verdict::Done => format!(r#"{{"done":{{"id":"{id}"}}}}"#).into_bytes(),
        Verdict::Failed => format!(r#"{{"failed":{{"id":"{id}","temporary":true}}}}"#).into_bytes(),
    })
}

async fn webhook(handle: Handle) -> Result<service::Running> {
    let response = |status: &str| -> Rc<[u8]> { format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes().into() };
    let [done, failed, bad] = ["200 OK", "503 Service Unavailable", "400 Bad Request"].map(response);
    service::Running::webhook_with(move |body| {
        let Ok(Message::Event(event)) = serde_json::from_slice(body) else { return bad.clone() };
        let (attempt, key) = (event.attempt.unwrap_or_default(), event.key.unwrap_or_default());
        match handle(&Event { id: event.id, attempt, key, data: event.data.get().into() }) {
            Verdict::Done => done.clone(),
            Verdict::Failed => failed.clone(),
        }
    })
    .await
}

/// Checks that the events of each key come once and in order. Their data has the member `n`, which grows with each event of a key.
#[derive(Default)]
pub(super) struct Order {
    pub(super) count: usize,
    last: HashMap<String, u64>,
    /// The first event that came twice or too early.
    pub(super) wrong: Option<String>,
}

impl Order {
    pub(super) fn take(&mut self, event: &Event) {
        let number = number(&event.data, "n").unwrap_or_default();
        let before = self.last.insert(event.key.clone(), number);
        if before.is_some_and(|before| before >= number) {
            self.wrong.get_or_insert_with(|| format!("{number} of {} came after {before:?}, attempt {}", event.key, event.attempt));
        }
        self.count += 1;
    }
}

/// A handler that records all events and accepts them.
pub(super) fn accept(order: &Rc<RefCell<Order>>) -> Handle {
    let order = order.clone();
    Rc::new(move |event| {
        order.borrow_mut().take(event);
        Verdict::Done
    })
}

/// A number in JSON without spaces.
pub(super) fn number(json: &str, member: &str) -> Option<u64> {
    let rest = json.split_once(&format!(r#""{member}":"#))?.1;
    rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}
