//! The ids of events.
//!
//! With one channel an id is `epoch-offset`. With several it has all positions: the mark of the [`ChannelList`], then each channel's epoch and
//! offset, with `.` between the channels. Offsets there are digits of base64url without leading zeros, so 0 is none of them. A channel without a
//! position has nothing. The id of an `end` event ends with `~end`, and need not have a position.
//!
//! Ids have no characters but `A-Za-z0-9._~-`, and at most [`LastEventId::MAX`] bytes: browsers ask in advance (CORS preflight) before they send
//! others to another origin.

use super::channel_list::{ChannelList, DIGITS, ListMark};
use crate::model::{Epoch, Position};
use std::io::Write as _;

/// What ends the id of an `end` event.
const END: &str = "~end";
/// Reason why writing cannot fail.
const INFALLIBLE: &str = "writing to a vector cannot fail";
/// Bytes of an epoch.
const EPOCH: usize = 8;
/// An id has room for offsets of this many digits, even if they are smaller when the stream begins.
const EXPECTED_DIGITS: usize = 6;

/// What the id of the last event says that a client has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastEventId {
    /// Whether the event was an `end`.
    pub is_end: bool,
    /// Where the client was.
    pub positions: LastPositions,
}

/// Where a client was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastPositions {
    /// For each channel of the request, in its order. `None`: the id has no position of the channel.
    Of(Box<[Option<Position>]>),
    /// The id belongs to another list of channels.
    OfOtherChannels,
}

/// A text that cannot be the id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEventId {
    /// It is too long.
    #[error("The last event id has more than {} bytes. Send back the id of an event, or none.", LastEventId::MAX)]
    TooLong,
    /// It has not the form of an id.
    #[error("The last event id has not the form of the gateway's ids. Send back the id of an event, or none.")]
    Malformed,
}

impl LastEventId {
    /// Most bytes of an id.
    pub const MAX: usize = 128;

    /// Reads the id of an event for a request with these channels.
    pub fn parse(text: &str, channels: &ChannelList) -> Result<Self, BadEventId> {
        if text.len() > Self::MAX {
            return Err(BadEventId::TooLong);
        }
        let (id, is_end) = text.strip_suffix(END).map_or((text, false), |id| (id, true));
        let positions = match (parse_position(id), parse_several(id)) {
            (Some(at), _) if channels.len() == 1 => LastPositions::Of([Some(at)].into()),
            (None, Some((mark, positions))) if mark == channels.mark().0 && positions.len() == channels.len() => {
                LastPositions::Of(positions.into())
            }
            (Some(_), _) | (None, Some(_)) => LastPositions::OfOtherChannels,
            (None, None) if id.is_empty() && is_end => LastPositions::OfOtherChannels,
            (None, None) => return Err(BadEventId::Malformed),
        };
        Ok(Self { is_end, positions })
    }
}

/// The id of an `end` event after the event with this id. An empty one stands for none.
pub fn end_id(id: &str) -> String {
    [id, END].concat()
}

/// The id of a position in a stream of one channel.
pub fn position_id(Position { epoch, offset }: Position) -> String {
    format!("{epoch}-{offset}")
}

/// Appends the id of a position in a stream of one channel.
pub(super) fn append_position(Position { epoch, offset }: Position, out: &mut Vec<u8>) {
    write!(out, "{epoch}-{offset}").expect(INFALLIBLE);
}

/// Appends the id of a stream of several channels.
pub(super) fn append_positions(mark: ListMark, positions: &[Option<Position>], out: &mut Vec<u8>) {
    out.extend_from_slice(&mark.0);
    for (index, position) in positions.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if let Some(Position { epoch, offset }) = position {
            out.extend_from_slice(epoch.as_str().as_bytes());
            out.extend((0..digits(*offset)).rev().map(|place| DIGITS[(offset >> (6 * place) & 63) as usize]));
        }
    }
}

/// Length of the longest id that a stream of several channels can reach from here: with [`EXPECTED_DIGITS`], or with one digit more than now.
pub(super) fn longest(positions: &[Option<Position>]) -> usize {
    let each = positions.iter().flatten().map(|at| EPOCH + EXPECTED_DIGITS.max(digits(at.offset) as usize + 1));
    ListMark::LENGTH + each.sum::<usize>() + positions.len().saturating_sub(1) + END.len()
}

/// Number of digits of an offset.
fn digits(offset: u64) -> u32 {
    (u64::BITS - offset.leading_zeros()).div_ceil(6)
}

fn parse_position(id: &str) -> Option<Position> {
    let (epoch, digits) = id.split_once('-')?;
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let offset = digits.parse().ok().filter(|_| is_number)?;
    Some(Position { epoch: Epoch::parse(epoch)?, offset })
}

/// Reads the id of several channels: its mark and its positions.
fn parse_several(id: &str) -> Option<(&[u8], Vec<Option<Position>>)> {
    let (mark, positions) = id.split_at_checked(ListMark::LENGTH)?;
    let is_mark = mark.bytes().all(|digit| value(digit).is_some());
    let positions = positions.split('.').map(parse_part).collect::<Result<Vec<_>, _>>().ok()?;
    (is_mark && (2..=ChannelList::MAX).contains(&positions.len())).then_some((mark.as_bytes(), positions))
}

fn parse_part(part: &str) -> Result<Option<Position>, BadEventId> {
    if part.is_empty() {
        return Ok(None);
    }
    let parts = part.split_at_checked(EPOCH).and_then(|(epoch, digits)| Some((Epoch::parse(epoch)?, parse_offset(digits)?)));
    parts.map(|(epoch, offset)| Some(Position { epoch, offset })).ok_or(BadEventId::Malformed)
}

fn parse_offset(digits: &str) -> Option<u64> {
    let mut offset = 0u64;
    for (index, digit) in digits.bytes().enumerate() {
        let digit = value(digit).filter(|digit| index > 0 || *digit > 0)?;
        offset = offset.checked_mul(64)?.checked_add(digit)?;
    }
    Some(offset)
}

/// The value of a digit of base64url.
fn value(digit: u8) -> Option<u64> {
    DIGITS.iter().position(|each| *each == digit).map(|value| value as u64)
}
