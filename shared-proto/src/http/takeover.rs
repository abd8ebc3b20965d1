//! Hands the socket of a connection to another owner, behind the head of a response.

use actix_http::body::{BodySize, MessageBody};
use bytes::Bytes;
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

type Enter<T> = Box<dyn FnOnce(T)>;

/// Lets a handler take the socket of its connection. Handlers find it in the data of the connection, `request.conn_data::<Takeover<T>>()`.
///
/// The reason is actix-http: it keeps 16 KiB of buffers for each response that does not end, and copies every piece of it.
pub struct Takeover<T>(Rc<Cell<Option<Enter<T>>>>);

impl<T> Clone for Takeover<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Takeover<T> {
    pub(super) fn new() -> Self {
        Self(Rc::default())
    }

    /// The body of the response behind whose head the socket changes its owner. `enter` gets the socket once the head is written, and writes
    /// everything that follows. If the head cannot be written, `enter` is dropped.
    ///
    /// The response must announce that it ends with the connection: `force_close()`, and no chunks.
    pub fn body(&self, enter: impl FnOnce(T) + 'static) -> TakeoverBody<T> {
        TakeoverBody { takeover: self.clone(), enter: Some(Box::new(enter)) }
    }

    /// What gets the socket, if the head of the response is in the library's write buffer.
    pub(super) fn take(&self) -> Option<Enter<T>> {
        self.0.take()
    }
}

/// See [`Takeover::body`].
pub struct TakeoverBody<T: 'static> {
    takeover: Takeover<T>,
    /// Until the library has encoded the head.
    enter: Option<Enter<T>>,
}

impl<T> MessageBody for TakeoverBody<T> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    /// The library polls a body once the head is in its write buffer.
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(enter) = self.enter.take() {
            self.takeover.0.set(Some(enter));
        }
        Poll::Pending
    }
}

impl<T> Drop for TakeoverBody<T> {
    fn drop(&mut self) {
        self.takeover.0.take();
    }
}
