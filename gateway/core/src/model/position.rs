//! Positions in the stream of a channel.

use std::fmt;

/// The name of one timeline of a channel: eight random letters or digits. Epochs have no order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch([u8; 8]);

impl Epoch {
    /// The name of a new timeline.
    pub fn random() -> Self {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        Self(std::array::from_fn(|_| LETTERS[rand::random_range(0..LETTERS.len())]))
    }

    /// Reads an epoch. `None` if the text is not one that a gateway can have created.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 8] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A position in a channel: after the publication with this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The epoch in which the offset counts.
    pub epoch: Epoch,
    /// Offset of the publication before the position; 0 before the first publication.
    pub offset: u64,
}

/// Consecutive positions of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The epoch in which the offsets count.
    pub epoch: Epoch,
    /// The first offset.
    pub first: u64,
    /// The last offset.
    pub last: u64,
}

impl Span {
    /// The last position.
    pub fn end(self) -> Position {
        Position { epoch: self.epoch, offset: self.last }
    }
}

impl From<Position> for Span {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch, first: position.offset, last: position.offset }
    }
}
