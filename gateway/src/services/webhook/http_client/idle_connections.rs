//! Connections that wait for their next request.

use super::super::targets::TargetIndex;
use bytes::Bytes;
use gateway_core::model::lock;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    runtime::{self, Handle},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Sends the requests of one connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// The idle connections of one service. A request gets one of its own runtime only: another runtime may be busy, and a wake-up across threads
/// costs as much as the request.
pub(super) struct IdleConnections {
    keep_alive: Duration,
    /// Places for further idle connections.
    places: Arc<Semaphore>,
    /// Closes connections that are idle for too long. Workers end before it.
    runtime: Handle,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Oldest first.
    queues: HashMap<(runtime::Id, TargetIndex), VecDeque<IdleConnection>>,
    /// Whether a task closes those that are idle for too long.
    is_watched: bool,
}

struct IdleConnection {
    sender: Sender,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl IdleConnections {
    /// `limit`: how many connections are kept. Needs a runtime.
    pub(super) fn new(limit: usize, keep_alive: Duration) -> Self {
        Self { keep_alive, places: Arc::new(Semaphore::new(limit)), runtime: Handle::current(), idle: Mutex::default() }
    }

    /// The newest idle connection to a target.
    pub(super) fn take(&self, target: TargetIndex) -> Option<Sender> {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        let queue = idle.queues.get_mut(&(Handle::current().id(), target))?;
        std::iter::from_fn(|| queue.pop_back()).find(|idle| now < idle.until && idle.sender.is_ready()).map(|idle| idle.sender)
    }

    /// Keeps a connection for the next request to the same target. Closes it if too many are idle.
    pub(super) fn put(self: &Arc<Self>, target: TargetIndex, sender: Sender) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let until = Instant::now() + self.keep_alive;
        let mut idle = lock(&self.idle);
        idle.queues.entry((Handle::current().id(), target)).or_default().push_back(IdleConnection { sender, until, _place: place });
        if !idle.is_watched {
            idle.is_watched = true;
            self.runtime.spawn(Arc::clone(self).watch(until));
        }
    }

    /// Closes each connection when its time is over, until there is none. `next`: when that can be first.
    async fn watch(self: Arc<Self>, mut next: Instant) {
        loop {
            sleep_until(next).await;
            match lock(&self.idle).close_expired(Instant::now()) {
                Some(first) => next = first,
                None => return,
            }
        }
    }
}

impl Idle {
    /// Returns when the next one ends.
    fn close_expired(&mut self, now: Instant) -> Option<Instant> {
        for queue in self.queues.values_mut() {
            let expired = queue.iter().take_while(|idle| idle.until <= now).count();
            queue.drain(..expired);
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        let next = self.queues.values().filter_map(|queue| queue.front()).map(|idle| idle.until).min();
        self.is_watched = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, DuplexStream};

    const KEEP_ALIVE: Duration = Duration::from_secs(4);

    /// A connection, and the end of the target.
    async fn connection() -> (Sender, DuplexStream) {
        let (near, far) = tokio::io::duplex(64);
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.expect("no bytes yet");
        tokio::spawn(connection);
        sender.ready().await.expect("open");
        (sender, far)
    }

    async fn is_closed(far: &mut DuplexStream) -> bool {
        tokio::task::yield_now().await;
        tokio::time::timeout(Duration::from_nanos(1), far.read_u8()).await.is_ok_and(|read| read.is_err())
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_connection_to_the_target_is_used_first() {
        let idle = Arc::new(IdleConnections::new(9, KEEP_ALIVE));
        let (first, _first) = connection().await;
        let (second, second_end) = connection().await;
        idle.put(0, first);
        idle.put(0, second);
        assert!(idle.take(1).is_none(), "another target");
        drop(second_end);
        tokio::task::yield_now().await;
        assert!(idle.take(0).is_some_and(|sender| sender.is_ready()), "the target has closed the newer one");
        assert!(idle.take(0).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_closes_when_it_was_idle_for_its_time() {
        let idle = Arc::new(IdleConnections::new(9, KEEP_ALIVE));
        let (first, mut first_end) = connection().await;
        let (second, mut second_end) = connection().await;
        idle.put(0, first);
        tokio::time::sleep(KEEP_ALIVE / 2).await;
        idle.put(1, second);
        tokio::time::sleep(KEEP_ALIVE * 3 / 4).await;
        assert_eq!((is_closed(&mut first_end).await, is_closed(&mut second_end).await), (true, false));
        tokio::time::sleep(KEEP_ALIVE / 2).await;
        assert!(is_closed(&mut second_end).await && !lock(&idle.idle).is_watched);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_connections_are_kept_than_the_limit() {
        let idle = Arc::new(IdleConnections::new(1, KEEP_ALIVE));
        let (first, _first) = connection().await;
        let (second, mut second_end) = connection().await;
        idle.put(0, first);
        idle.put(1, second);
        assert!(is_closed(&mut second_end).await);
        assert!(idle.take(0).is_some());
        let (third, _third) = connection().await;
        idle.put(1, third);
        assert!(idle.take(1).is_some(), "the place is free again");
    }

    #[test]
    fn a_request_gets_no_connection_of_another_runtime() {
        let runtimes = [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));
        let idle = runtimes[0].block_on(async { Arc::new(IdleConnections::new(9, KEEP_ALIVE)) });
        let _end = runtimes[0].block_on(async {
            let (sender, end) = connection().await;
            idle.put(0, sender);
            end
        });
        assert!(runtimes[1].block_on(async { idle.take(0) }).is_none());
        assert!(runtimes[0].block_on(async { idle.take(0) }).is_some());
    }
}
