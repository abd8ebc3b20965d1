//! Where a stream of several channels is.

use super::{
    channel_list::{ChannelList, ListMark},
    event_id::{LastEventId, append_positions, longest},
};
use crate::model::{Position, lock};
use std::{
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};

/// Where a stream of several channels is, in what it has written. The forms of its channels share it, so each event's id has all positions. It
/// equals itself only.
#[derive(Clone, Debug)]
pub struct StreamPositions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mark: ListMark,
    positions: Mutex<Box<[Option<Position>]>>,
}

/// The ids of a stream could become too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The ids of this stream could have more than {} bytes, because its channels have had very many publications. Ask for fewer channels.",
    LastEventId::MAX
)]
pub struct IdsTooLong;

impl StreamPositions {
    /// A stream that has no position yet.
    pub fn new(channels: &ChannelList) -> Self {
        let positions = Mutex::new(vec![None; channels.len()].into());
        Self(Arc::new(Shared { mark: channels.mark(), positions }))
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        lock(&self.0.positions).len()
    }

    /// The position in the channel with this index.
    pub fn get(&self, index: usize) -> Option<Position> {
        lock(&self.0.positions).get(index).copied().flatten()
    }

    /// Sets the position in the channel with this index. What follows has it in its ids.
    pub fn set(&self, index: usize, position: Option<Position>) {
        if let Some(known) = lock(&self.0.positions).get_mut(index) {
            *known = position;
        }
    }

    /// The id of an event at these positions.
    pub fn id(&self) -> String {
        let mut id = Vec::with_capacity(LastEventId::MAX);
        append_positions(self.0.mark, &lock(&self.0.positions), &mut id);
        String::from_utf8_lossy(&id).into_owned()
    }

    /// Sets the position in the channel with this index, and appends the id of the event that brings the client there.
    pub(super) fn advance(&self, index: usize, position: Position, out: &mut Vec<u8>) {
        let mut positions = lock(&self.0.positions);
        if let Some(known) = positions.get_mut(index) {
            *known = Some(position);
        }
        append_positions(self.0.mark, &positions, out);
    }

    /// Whether the ids of the stream stay short enough.
    pub fn check_length(&self) -> Result<(), IdsTooLong> {
        if longest(&lock(&self.0.positions)) > LastEventId::MAX { Err(IdsTooLong) } else { Ok(()) }
    }
}

impl PartialEq for StreamPositions {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StreamPositions {}

impl Hash for StreamPositions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
