//! Reads the frame headers of clients and checks them, including the size limit of a message (RFC 6455, section 5.2).

use super::{Opcode, Violation};

/// Size of the longest header in bytes: two bytes, a 64-bit length and the key.
pub(super) const MAX: usize = 14;

/// A valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// Whether it is the last fragment of its message.
    pub(super) last: bool,
    /// Size of the payload in bytes, within the limit.
    pub(super) length: u32,
    /// The mask of the payload.
    pub(super) key: [u8; 4],
    /// Size of the header in bytes.
    pub(super) size: usize,
}

/// The state after the frames before this one, and the limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageState {
    /// Whether a fragmented message has begun and not ended.
    pub(super) is_fragmented: bool,
    /// Bytes of its fragments so far.
    pub(super) received: u32,
    /// Bytes that a message may have.
    pub(super) limit: u32,
}

impl Header {
    /// Reads a header from the first bytes of a frame. `None` if bytes are missing. Fails at the first byte that shows a violation.
    pub(super) fn parse(bytes: &[u8], message: MessageState) -> Result<Option<Self>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (opcode, last) = first_byte(first, message.is_fragmented)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > Opcode::MAX_CONTROL_PAYLOAD {
            return Err(Violation::LongControl);
        }
        let Some((length, key_at)) = length(short, &bytes[2..])? else { return Ok(None) };
        let length = within_limit(opcode, length, message)?;
        let key = bytes.get(key_at..key_at + 4).and_then(|key| key.try_into().ok());
        Ok(key.map(|key| Self { opcode, last, length, key, size: key_at + 4 }))
    }
}

fn first_byte(byte: u8, is_fragmented: bool) -> Result<(Opcode, bool), Violation> {
    if byte & 0x70 != 0 {
        return Err(Violation::ReservedBits);
    }
    let opcode = Opcode::from_bits(byte & 0x0F).ok_or(Violation::ReservedOpcode(byte & 0x0F))?;
    let last = byte & 0x80 != 0;
    match opcode {
        Opcode::Continuation if !is_fragmented => Err(Violation::NothingToContinue),
        Opcode::Text | Opcode::Binary if is_fragmented => Err(Violation::Interleaved),
        control if control.is_control() && !last => Err(Violation::FragmentedControl),
        _ => Ok((opcode, last)),
    }
}

/// The size of the payload and the place of the key. `None` if bytes of the length are missing.
fn length(short: u8, extended: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let (length, at, least) = match short {
        126 => (extended.first_chunk().map(|bytes| u64::from(u16::from_be_bytes(*bytes))), 4, 126),
        127 => (extended.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)), 10, 0x1_0000),
        short => (Some(u64::from(short)), 2, 0),
    };
    match length {
        Some(length) if length > i64::MAX as u64 => Err(Violation::LengthOverflow),
        Some(length) if length < least => Err(Violation::LongLength),
        length => Ok(length.map(|length| (length, at))),
    }
}

fn within_limit(opcode: Opcode, length: u64, message: MessageState) -> Result<u32, Violation> {
    let available = if opcode.is_control() { u32::MAX } else { message.limit.saturating_sub(message.received) };
    u32::try_from(length).ok().filter(|length| *length <= available).ok_or(Violation::TooLarge { limit: message.limit })
}
