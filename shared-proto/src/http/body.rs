//! Finds the end of a request's body (RFC 9112, section 6), in the same way as the HTTP library.

/// The rest of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The body is complete. The next bytes are a head.
    Ended,
    /// This number of bytes is left.
    Length(u64),
    /// The rest has the chunked coding.
    Chunked(ChunkedBody),
    /// All further bytes. Either the connection changes to another protocol, or the HTTP library refuses the request and reads nothing more.
    Unbounded,
}

impl Body {
    /// Returns how many of `bytes`, from the first one on, belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Ended => 0,
            Self::Unbounded => bytes.len(),
            Self::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                taken
            }
            Self::Chunked(chunks) => {
                let mut at = 0;
                while at < bytes.len() {
                    match chunks.step(&bytes[at..]) {
                        Step::Took(count) => at += count,
                        Step::Last => {
                            *self = Self::Ended;
                            return at + 1;
                        }
                        Step::Malformed => {
                            *self = Self::Unbounded;
                            return bytes.len();
                        }
                    }
                }
                at
            }
        }
    }
}

/// The result of one step through a chunked body.
enum Step {
    /// This number of bytes belongs to the body, which continues.
    Took(usize),
    /// One byte belongs to the body. It is the last one.
    Last,
    Malformed,
}

/// The rest of a body in the chunked coding (RFC 9112, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkedBody {
    state: ChunkState,
    /// The size of the current chunk. Within its data: the number of bytes that are left.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    /// The first digit of a chunk's size.
    Size,
    SizeRest,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The start of a trailer line, or of the empty line that ends the body.
    Trailer,
    TrailerRest,
    TrailerLf,
    LastLf,
}

impl ChunkedBody {
    pub(super) const START: Self = Self { state: ChunkState::Size, size: 0 };

    /// Takes one step. `bytes` must not be empty.
    fn step(&mut self, bytes: &[u8]) -> Step {
        let byte = bytes[0];
        self.state = match (self.state, byte) {
            (ChunkState::Data, _) => return self.data(bytes.len()),
            (ChunkState::LastLf, b'\n') => return Step::Last,
            (ChunkState::Size, _) => match digit(byte) {
                Some(digit) => {
                    self.size = digit;
                    ChunkState::SizeRest
                }
                None => return Step::Malformed,
            },
            (ChunkState::SizeRest | ChunkState::SizeSpace, b'\t' | b' ') => ChunkState::SizeSpace,
            (ChunkState::SizeRest | ChunkState::SizeSpace, b';') => ChunkState::Extension,
            (ChunkState::SizeRest | ChunkState::SizeSpace | ChunkState::Extension, b'\r') => ChunkState::SizeLf,
            (ChunkState::SizeRest, _) => match (digit(byte), self.size.checked_mul(16)) {
                (Some(digit), Some(size)) => {
                    self.size = size + digit;
                    ChunkState::SizeRest
                }
                _ => return Step::Malformed,
            },
            (ChunkState::Extension, 0x00..=0x08 | 0x0A..=0x1F | 0x7F) => return Step::Malformed,
            (ChunkState::Extension, _) => ChunkState::Extension,
            (ChunkState::SizeLf, b'\n') if self.size == 0 => ChunkState::Trailer,
            (ChunkState::SizeLf, b'\n') => ChunkState::Data,
            (ChunkState::DataCr, b'\r') => ChunkState::DataLf,
            (ChunkState::DataLf, b'\n') => ChunkState::Size,
            (ChunkState::Trailer, b'\r') => ChunkState::LastLf,
            (ChunkState::TrailerRest, b'\r') => ChunkState::TrailerLf,
            (ChunkState::Trailer | ChunkState::TrailerRest, _) => ChunkState::TrailerRest,
            (ChunkState::TrailerLf, b'\n') => ChunkState::Trailer,
            _ => return Step::Malformed,
        };
        Step::Took(1)
    }

    fn data(&mut self, available: usize) -> Step {
        let taken = available.min(usize::try_from(self.size).unwrap_or(usize::MAX));
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = ChunkState::DataCr;
        }
        Step::Took(taken)
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
