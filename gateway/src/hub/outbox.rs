//! What a connection has still to send, and what it has still to be told.

use super::batch::Batch;
use crate::model::{ChannelName, ServerCommand, Tick};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::Waker,
};

/// A queued batch.
#[derive(Debug)]
pub struct Frame {
    batch: Rc<Batch>,
    /// The channel whose publications it carries, for [`crate::channel::SlowConsumer::Latest`]; none for anything else.
    channel: Option<SlotKey>,
    queued: Tick,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        (*self.batch).as_ref()
    }
}

/// Names a channel within its hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotKey(pub(super) std::num::NonZeroU32);

/// Notices that may wait until the connection's task runs; one that has more is too slow.
const NOTICES: usize = 1024;

/// What the hub tells a connection's task.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A service or the node wants something.
    Server(ServerCommand),
    /// A stream was lost in part.
    Lost(ChannelName),
    /// A deadline may have passed.
    Tick,
    /// The node stops.
    Leave(Leave),
}

/// When a connection leaves a node that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// As soon as no operation of its session is in flight.
    WhenIdle,
    /// At once.
    Now,
}

/// What a writer did to the queue.
pub struct Written<R> {
    /// The writer's own answer.
    pub result: R,
    /// Bytes of the frames that it removed.
    pub freed: usize,
    /// Whether it wrote part of the frame that is now the first.
    pub begun: bool,
}

/// Why nothing more is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The connection's own limit.
    Connection,
    /// The limit of all connections of the worker.
    Worker,
}

/// The connection's task owns one reference, the hub the other.
pub struct Outbox {
    frames: RefCell<VecDeque<Frame>>,
    notices: RefCell<Vec<Notice>>,
    waker: Cell<Option<Waker>>,
    bytes: Cell<usize>,
    limit: usize,
    overflow: Cell<Option<Overflow>>,
    /// Whether the first frame has been written in part.
    begun: Cell<bool>,
}

impl Outbox {
    /// An outbox for at most `limit` bytes. While it [has room](Self::has_room) it takes one frame of any size, so that none is too large
    /// for good.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            frames: RefCell::default(),
            notices: RefCell::default(),
            waker: Cell::new(None),
            bytes: Cell::new(0),
            limit,
            overflow: Cell::new(None),
            begun: Cell::new(false),
        })
    }

    /// Bytes that wait take, about.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Whether no more than half of the limit waits: then reads of history may go on, and commands be taken.
    pub fn has_room(&self) -> bool {
        self.bytes.get() <= self.limit / 2
    }

    /// The limit that was exceeded, if one was: the connection has to end with 3008.
    pub fn overflow(&self) -> Option<Overflow> {
        self.overflow.get()
    }

    /// When the oldest frame that waits was queued.
    pub fn oldest(&self) -> Option<Tick> {
        self.frames.borrow().front().map(|frame| frame.queued)
    }

    /// Queues a batch that belongs to no channel.
    pub fn push(&self, now: Tick, batch: Rc<Batch>) {
        self.queue(now, batch, None);
    }

    /// Queues publications of a channel; false if the outbox is full.
    pub(super) fn push_channel(&self, now: Tick, batch: Rc<Batch>, channel: SlotKey) -> bool {
        self.queue(now, batch, Some(channel))
    }

    fn queue(&self, now: Tick, batch: Rc<Batch>, channel: Option<SlotKey>) -> bool {
        if self.overflow.get().is_some() {
            return false;
        }
        let bytes = self.bytes.get() + batch.cost();
        let overflow = if bytes > self.limit && !self.has_room() {
            Some(Overflow::Connection)
        } else if batch.over_budget() && self.bytes.get() > 0 {
            Some(Overflow::Worker)
        } else {
            None
        };
        self.wake();
        if overflow.is_some() {
            if channel.is_none() {
                self.overflow.set(overflow);
            }
            return false;
        }
        self.bytes.set(bytes);
        self.frames.borrow_mut().push_back(Frame { batch, channel, queued: now });
        true
    }

    /// Drops everything of a channel that is not being written, to make room for what is newer. Answers how many frames went.
    pub(super) fn drop_channel(&self, channel: SlotKey) -> usize {
        let mut frames = self.frames.borrow_mut();
        let (before, begun) = (frames.len(), self.begun.get());
        let (mut index, mut freed) = (0, 0);
        frames.retain(|frame| {
            let keep = (index == 0 && begun) || frame.channel != Some(channel);
            index += 1;
            freed += if keep { 0 } else { frame.batch.cost() };
            keep
        });
        self.bytes.set(self.bytes.get() - freed);
        before - frames.len()
    }

    /// Marks the connection as too slow.
    pub(super) fn fail(&self, overflow: Overflow) {
        if self.overflow.get().is_none() {
            self.overflow.set(Some(overflow));
        }
        self.wake();
    }

    /// Drops every frame that has not begun, and ends with this one: a close.
    pub fn finish(&self, now: Tick, close: Rc<Batch>) {
        let mut frames = self.frames.borrow_mut();
        frames.truncate(usize::from(self.begun.get()));
        let left = frames.front().map_or(0, |frame| frame.batch.cost());
        self.bytes.set(left + close.cost());
        frames.push_back(Frame { batch: close, channel: None, queued: now });
    }

    /// Appends a close behind everything that waits.
    pub fn close(&self, now: Tick, close: Rc<Batch>) {
        self.bytes.set(self.bytes.get() + close.cost());
        self.frames.borrow_mut().push_back(Frame { batch: close, channel: None, queued: now });
    }

    /// Lends the queue to a writer, which removes the frames that it has written whole.
    pub fn write<R>(&self, write: impl FnOnce(&mut VecDeque<Frame>) -> Written<R>) -> R {
        let mut frames = self.frames.borrow_mut();
        let before = frames.len();
        let written = write(&mut frames);
        self.bytes.set(self.bytes.get() - written.freed - (before - frames.len()) * Batch::OVERHEAD);
        self.begun.set(written.begun);
        if frames.is_empty() && frames.capacity() > 0 {
            *frames = VecDeque::new();
        }
        written.result
    }

    /// Tells the connection something.
    pub(super) fn notify(&self, notice: Notice) {
        let full = {
            let mut notices = self.notices.borrow_mut();
            let full = notices.len() >= NOTICES;
            if !full {
                notices.push(notice);
            }
            full
        };
        if full {
            self.fail(Overflow::Connection);
        }
        self.wake();
    }

    /// All notices that wait.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.notices.take()
    }

    /// The connection's task, to be woken when something is queued.
    pub fn register(&self, waker: &Waker) {
        let current = self.waker.take();
        let same = current.filter(|current| current.will_wake(waker));
        self.waker.set(Some(same.unwrap_or_else(|| waker.clone())));
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
