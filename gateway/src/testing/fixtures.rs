//! Values that tests of the broker use.

use crate::broker::{Delivery, IdempotencyKey, Mailbox, MailboxEntry, NewPublication, PublishIdentity};
use gateway_core::model::{ChannelName, ClientInfo, ConnectionId, Data, PageLimit, ProducerNumber, Publication, Retention, Tags, WorkerId};
use shared_proto::producer::Producer;
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

/// A page without bounds.
pub const ALL: PageLimit = PageLimit { entries: usize::MAX, bytes: usize::MAX };
/// Longer than any test.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A channel.
pub fn channel(name: &str) -> ChannelName {
    name.parse().expect("a valid channel name")
}

/// The data of a publication, from a value that serde can write.
pub fn data(value: impl serde::Serialize) -> Data {
    let raw = serde_json::value::to_raw_value(&value).expect("serializable");
    Data::parse(&raw).expect("shallow")
}

/// The JSON of a publication. Panics if it is text or bytes.
pub fn json(publication: &Publication) -> &str {
    publication.content.as_json().expect("JSON").get()
}

/// A worker.
pub fn worker(index: usize) -> WorkerId {
    WorkerId::new(index).expect("few workers")
}

/// A retention.
pub fn retention(size: u32, ttl: Duration) -> Retention {
    Retention { size, ttl }
}

/// A publication without a history.
pub fn ephemeral(value: impl serde::Serialize) -> NewPublication {
    NewPublication { content: data(value).into(), tags: Tags::new(), info: None, traceparent: None, retention: None, identity: None }
}

/// A publication for the history.
pub fn kept(value: impl serde::Serialize, retention: Retention) -> NewPublication {
    NewPublication { retention: Some(retention), ..ephemeral(value) }
}

/// An idempotency key of a request with this body.
pub fn key(scope: &str, key: &str, body: u8) -> PublishIdentity {
    PublishIdentity::Key(IdempotencyKey { scope: scope.into(), key: key.into(), fingerprint: [body; 32] })
}

/// The number of a producer's publish.
pub fn producer(id: &str, epoch: u64, seq: u64) -> PublishIdentity {
    PublishIdentity::Producer(ProducerNumber::new(Producer { id: id.into(), epoch, seq }).expect("a valid number"))
}

/// A connection of a user.
pub fn client(user: &str) -> Arc<ClientInfo> {
    let user = user.parse().expect("a valid user");
    Arc::new(ClientInfo { user, client: ConnectionId::random(), conn_info: None, chan_info: None })
}

/// A publication with this many bytes of data.
pub fn sized(offset: u64, bytes: usize) -> Arc<Publication> {
    let position = Some(gateway_core::model::Position { epoch: gateway_core::model::Epoch::parse("epoch000").expect("valid"), offset });
    let content = data("x".repeat(bytes.saturating_sub(2))).into();
    Arc::new(Publication { position, content, tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
}

/// The offset of a publication. 0 if it is not in the history.
pub fn offset(publication: &Publication) -> u64 {
    publication.position.map_or(0, |position| position.offset)
}

/// Takes all entries that are in a mailbox now.
pub fn taken(mailbox: &Mailbox) -> Vec<MailboxEntry> {
    let mut entries = Vec::new();
    let _ = mailbox.poll_take(&mut Context::from_waker(Waker::noop()), &mut entries);
    entries
}

/// The consumer of a mailbox, one entry at a time.
pub struct Inbox {
    mailbox: Arc<Mailbox>,
    entries: std::vec::IntoIter<MailboxEntry>,
}

impl Inbox {
    /// The only consumer of this mailbox.
    pub fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox), entries: Vec::new().into_iter() }
    }

    /// Waits for the next entry.
    pub async fn next(&mut self) -> MailboxEntry {
        loop {
            if let Some(entry) = self.entries.next() {
                return entry;
            }
            let mut entries = Vec::new();
            let taken = poll_fn(|cx| self.mailbox.poll_take(cx, &mut entries));
            tokio::time::timeout(Duration::from_secs(10), taken).await.expect("an entry arrives");
            self.entries = entries.into_iter();
        }
    }

    /// Waits for the next entry. Panics if it is not a publication.
    pub async fn publication(&mut self) -> (ChannelName, Arc<Publication>) {
        match self.next().await {
            MailboxEntry::Delivery(channel, Delivery::Publication(publication)) => (channel, publication),
            other => panic!("not a publication: {other:?}"),
        }
    }
}
