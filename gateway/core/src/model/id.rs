//! Ids that the gateway creates.

use std::{fmt, str::FromStr};

/// The id of one connection: 128 random bits, so that nobody can guess it. Its text form is 32 lower-case hex digits.
///
/// Kept as big-endian bytes, because a `u128` would be aligned to 16 bytes in every table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId([u8; 16]);

impl ConnectionId {
    /// A new id.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// A number that differs between connections. It spreads over time what many connections do.
    pub fn spread(self) -> u8 {
        self.0[0]
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A reply with presence has hundreds of ids, and `LowerHex` would take a fifth of its time.
        let digits = self.0.map(|byte| [byte >> 4, byte & 0xF].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        f.write_str(str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a connection id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a connection id: 32 lower-case hex digits")]
pub struct InvalidConnectionId;

impl FromStr for ConnectionId {
    type Err = InvalidConnectionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        digits.then(|| u128::from_str_radix(text, 16).ok().map(|id| Self(id.to_be_bytes()))).flatten().ok_or(InvalidConnectionId)
    }
}
