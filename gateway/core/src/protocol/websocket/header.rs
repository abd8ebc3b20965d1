//! Frame headers of clients (RFC 6455, section 5.2), checked byte by byte as they come.

use super::{Opcode, Violation};

/// Bytes of the longest header: two, a 64-bit length and the key.
pub(super) const MAX: usize = 14;

/// A header that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// The last fragment of its message.
    pub(super) last: bool,
    /// Bytes of payload; within the limit.
    pub(super) length: u32,
    pub(super) key: [u8; 4],
    /// Bytes of the header itself.
    pub(super) size: usize,
}

/// What has to be known of the frames before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// A fragmented message is under way.
    pub(super) continues: bool,
    /// Bytes it already has.
    pub(super) held: u32,
    /// Bytes it may have.
    pub(super) limit: u32,
}

impl Header {
    /// Reads a header from the first bytes of a frame; none while some are missing. What is wrong is told at the byte that shows it.
    pub(super) fn parse(bytes: &[u8], context: Context) -> Result<Option<Self>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (opcode, last) = first_byte(first, context.continues)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let short = second & 0x7F;
        if opcode.is_control() && usize::from(short) > Opcode::MAX_CONTROL_PAYLOAD {
            return Err(Violation::LongControl);
        }
        let Some((length, key_at)) = length(short, &bytes[2..])? else { return Ok(None) };
        let length = within_limit(opcode, length, context)?;
        let key = bytes.get(key_at..key_at + 4).and_then(|key| key.try_into().ok());
        Ok(key.map(|key| Self { opcode, last, length, key, size: key_at + 4 }))
    }
}

fn first_byte(byte: u8, continues: bool) -> Result<(Opcode, bool), Violation> {
    if byte & 0x70 != 0 {
        return Err(Violation::ReservedBits);
    }
    let opcode = Opcode::from_bits(byte & 0x0F).ok_or(Violation::ReservedOpcode(byte & 0x0F))?;
    let last = byte & 0x80 != 0;
    match opcode {
        Opcode::Continuation if !continues => Err(Violation::NothingToContinue),
        Opcode::Text | Opcode::Binary if continues => Err(Violation::Interleaved),
        control if control.is_control() && !last => Err(Violation::FragmentedControl),
        _ => Ok((opcode, last)),
    }
}

/// The payload's length and where the key begins; none while bytes of the length are missing.
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

fn within_limit(opcode: Opcode, length: u64, context: Context) -> Result<u32, Violation> {
    let room = if opcode.is_control() { u32::MAX } else { context.limit.saturating_sub(context.held) };
    u32::try_from(length).ok().filter(|length| *length <= room).ok_or(Violation::TooLarge { limit: context.limit })
}
