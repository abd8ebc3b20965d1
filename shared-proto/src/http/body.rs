//! Where a request's body ends (RFC 9112, section 6), as the HTTP library reads it.

/// The rest of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing is left: a head comes next.
    Ended,
    /// So many bytes.
    Length(u64),
    /// What remains in the chunked coding.
    Chunked(Chunks),
    /// All that comes. Either another protocol was agreed upon, or the HTTP library refuses the request and reads nothing after it.
    Unbounded,
}

impl Body {
    /// How many of `bytes`, from their front, belong to the body.
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

/// What one step through a chunked body found.
enum Step {
    /// So many bytes belong to it, and it goes on.
    Took(usize),
    /// One byte belongs to it: its last.
    Last,
    Malformed,
}

/// A place in a chunked body (RFC 9112, section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    place: Place,
    /// Of the chunk; while in its data: bytes that are left.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A chunk's line begins.
    Size,
    SizeRest,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A line of the trailer section begins, or the empty line that ends it.
    Trailer,
    TrailerRest,
    TrailerLf,
    LastLf,
}

impl Chunks {
    pub(super) const BEGIN: Self = Self { place: Place::Size, size: 0 };

    /// One step; `bytes` is not empty.
    fn step(&mut self, bytes: &[u8]) -> Step {
        let byte = bytes[0];
        self.place = match (self.place, byte) {
            (Place::Data, _) => return self.data(bytes.len()),
            (Place::LastLf, b'\n') => return Step::Last,
            (Place::Size, _) => match digit(byte) {
                Some(digit) => {
                    self.size = digit;
                    Place::SizeRest
                }
                None => return Step::Malformed,
            },
            (Place::SizeRest | Place::SizeSpace, b'\t' | b' ') => Place::SizeSpace,
            (Place::SizeRest | Place::SizeSpace, b';') => Place::Extension,
            (Place::SizeRest | Place::SizeSpace | Place::Extension, b'\r') => Place::SizeLf,
            (Place::SizeRest, _) => match (digit(byte), self.size.checked_mul(16)) {
                (Some(digit), Some(size)) => {
                    self.size = size + digit;
                    Place::SizeRest
                }
                _ => return Step::Malformed,
            },
            (Place::Extension, 0x00..=0x08 | 0x0A..=0x1F | 0x7F) => return Step::Malformed,
            (Place::Extension, _) => Place::Extension,
            (Place::SizeLf, b'\n') if self.size == 0 => Place::Trailer,
            (Place::SizeLf, b'\n') => Place::Data,
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size,
            (Place::Trailer, b'\r') => Place::LastLf,
            (Place::TrailerRest, b'\r') => Place::TrailerLf,
            (Place::Trailer | Place::TrailerRest, _) => Place::TrailerRest,
            (Place::TrailerLf, b'\n') => Place::Trailer,
            _ => return Step::Malformed,
        };
        Step::Took(1)
    }

    fn data(&mut self, available: usize) -> Step {
        let taken = available.min(usize::try_from(self.size).unwrap_or(usize::MAX));
        self.size -= taken as u64;
        if self.size == 0 {
            self.place = Place::DataCr;
        }
        Step::Took(taken)
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
