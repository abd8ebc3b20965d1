//! What the tests of this module share.

use super::{Delivery, IdempotencyKey, Mailbox, NewPublication, Post};
use gateway_core::model::{ChannelName, ClientInfo, ConnectionId, Data, PageLimit, Publication, Retention, Tags, WorkerId};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

pub(super) const ALL: PageLimit = PageLimit { entries: usize::MAX, bytes: usize::MAX };
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn channel(name: &str) -> ChannelName {
    name.parse().expect("a valid channel name")
}

pub(super) fn data(value: impl serde::Serialize) -> Data {
    let raw = serde_json::value::to_raw_value(&value).expect("serializable");
    Data::parse(&raw).expect("shallow")
}

pub(super) fn worker(index: usize) -> WorkerId {
    WorkerId::new(index).expect("few workers")
}

pub(super) fn retention(size: u32, ttl: Duration) -> Retention {
    Retention { size, ttl }
}

pub(super) fn ephemeral(value: impl serde::Serialize) -> NewPublication {
    NewPublication { data: data(value), tags: Tags::new(), info: None, traceparent: None, retention: None, idempotency: None }
}

pub(super) fn kept(value: impl serde::Serialize, retention: Retention) -> NewPublication {
    NewPublication { retention: Some(retention), ..ephemeral(value) }
}

pub(super) fn key(scope: &str, key: &str, body: u8) -> IdempotencyKey {
    IdempotencyKey { scope: scope.into(), key: key.into(), fingerprint: [body; 32] }
}

pub(super) fn client(user: &str) -> Arc<ClientInfo> {
    let user = user.parse().expect("a valid user");
    Arc::new(ClientInfo { user, client: ConnectionId::random(), conn_info: None, chan_info: None })
}

/// A publication with so many bytes of data.
pub(super) fn sized(offset: u64, bytes: usize) -> Arc<Publication> {
    let position = Some(gateway_core::model::Position { epoch: gateway_core::model::Epoch::parse("epoch000").expect("valid"), offset });
    let data = data("x".repeat(bytes.saturating_sub(2)));
    Arc::new(Publication { position, data, tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
}

pub(super) fn offset(publication: &Publication) -> u64 {
    publication.position.map_or(0, |position| position.offset)
}

/// What waits in a mailbox now.
pub(super) fn taken(mailbox: &Mailbox) -> Vec<Post> {
    let mut posts = Vec::new();
    let _ = mailbox.poll_take(&mut Context::from_waker(Waker::noop()), &mut posts);
    posts
}

/// The consumer of a mailbox, one post at a time.
pub(super) struct Inbox {
    mailbox: Arc<Mailbox>,
    posts: std::vec::IntoIter<Post>,
}

impl Inbox {
    pub(super) fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self { mailbox: Arc::clone(mailbox), posts: Vec::new().into_iter() }
    }

    /// The next post, however long it takes a store to send it.
    pub(super) async fn next(&mut self) -> Post {
        loop {
            if let Some(post) = self.posts.next() {
                return post;
            }
            let mut posts = Vec::new();
            let taken = poll_fn(|cx| self.mailbox.poll_take(cx, &mut posts));
            tokio::time::timeout(Duration::from_secs(10), taken).await.expect("a post arrives");
            self.posts = posts.into_iter();
        }
    }

    pub(super) async fn publication(&mut self) -> (ChannelName, Arc<Publication>) {
        match self.next().await {
            Post::Delivery(channel, Delivery::Publication(publication)) => (channel, publication),
            other => panic!("not a publication: {other:?}"),
        }
    }
}
