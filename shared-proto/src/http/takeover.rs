//! Hands the socket of a connection to another owner, behind the head of a response.

use actix_http::body::{BodySize, MessageBody};
use actix_http::error::DispatchError;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

type Enter<T> = Box<dyn FnOnce(T)>;

/// Lets a handler take the socket of its connection. Handlers find it in the data of the connection, `request.conn_data::<Takeover<T>>()`.
///
/// The reason is actix-http: it keeps 16 KiB of buffers for each response that does not end, and copies every piece of it.
pub struct Takeover<T>(Rc<Slot<T>>);

struct Slot<T> {
    enter: RefCell<Option<Enter<T>>>,
    /// Whether the head is in the library's write buffer.
    has_head: Cell<bool>,
}

impl<T> Clone for Takeover<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Takeover<T> {
    pub(super) fn new() -> Self {
        Self(Rc::new(Slot { enter: RefCell::default(), has_head: Cell::new(false) }))
    }

    /// The body of the response behind whose head the socket changes its owner. `enter` gets the socket once the head is written, and writes
    /// everything that follows. If the head cannot be written within the time limit, `enter` is dropped and the connection is closed.
    ///
    /// The response must announce that it ends with the connection: `force_close()`, and no chunks.
    pub fn body(&self, limit: Duration, enter: impl FnOnce(T) + 'static) -> TakeoverBody<T> {
        self.0.enter.replace(Some(Box::new(enter)));
        let takeover = self.clone();
        let timer = spawn_local(async move {
            sleep(limit).await;
            takeover.0.enter.take();
        });
        TakeoverBody { takeover: self.clone(), timer: timer.abort_handle() }
    }

    /// What gets the socket, now that the library's write buffer is empty. `None`: the connection goes on as it is. Fails after the time limit.
    pub(super) fn take(&self) -> io::Result<Option<Enter<T>>> {
        if !self.0.has_head.get() {
            return Ok(None);
        }
        self.0.enter.take().map(Some).ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

/// See [`Takeover::body`].
pub struct TakeoverBody<T: 'static> {
    takeover: Takeover<T>,
    timer: AbortHandle,
}

impl<T> MessageBody for TakeoverBody<T> {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    /// The library polls a body once the head is in its write buffer.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        let Slot { enter, has_head } = &*self.takeover.0;
        if enter.borrow().is_none() {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        has_head.set(true);
        Poll::Pending
    }
}

impl<T> Drop for TakeoverBody<T> {
    fn drop(&mut self) {
        self.timer.abort();
        self.takeover.0.enter.take();
    }
}

/// Ends the library's part of a connection whose socket was taken. It is no failure.
#[derive(Debug)]
pub(super) struct TakenOver;

impl TakenOver {
    /// Whether that is how the library's part ended.
    pub(super) fn is(error: &DispatchError) -> bool {
        matches!(error, DispatchError::Io(error) if matches!(error.get_ref(), Some(inner) if inner.is::<Self>()))
    }
}

impl fmt::Display for TakenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the socket has another owner")
    }
}

impl std::error::Error for TakenOver {}

impl From<TakenOver> for io::Error {
    fn from(taken: TakenOver) -> Self {
        Self::other(taken)
    }
}
