//! Reads the frames of a client from a stream of bytes (STOMP 1.2, "STOMP Frames").

use super::{BadFrame, ClientCommand, Frame, Headers, Version, escape::unescape, frame::trim};
use std::{fmt, mem};

/// Most bytes of the first line of a frame, with its end.
const COMMAND_LINE: usize = 34;

/// Bounds of a frame. Bytes are counted as they were sent, before escapes are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Most headers, repeated ones included.
    pub headers: usize,
    /// Most bytes of command and headers, with the empty line.
    pub header_bytes: usize,
    /// Most bytes of the body.
    pub body_bytes: usize,
}

impl ParserLimits {
    /// The bounds before CONNECT: 100 headers, 16 KiB, no body.
    pub const fn before_connect() -> Self {
        Self { headers: 100, header_bytes: 16 << 10, body_bytes: 0 }
    }
}

/// Reads the frames of a client from a stream of bytes. A WebSocket message can contain several frames, and a frame can come in several messages.
///
/// It accepts CRLF in every version, and line ends and NUL bytes between frames. It refuses what is wrong at the first byte that shows it. It
/// holds the bytes that were pushed and not returned yet; once [`Self::next`] has returned `None`, these are less than one frame within the
/// limits. Between frames it holds no memory.
///
/// ```
/// use gateway_core::protocol::stomp::{BadFrame, ClientCommand, Parser, ParserLimits, Version};
///
/// let mut parser = Parser::new(ParserLimits { headers: 100, header_bytes: 16 << 10, body_bytes: 64 << 10 });
/// parser.push(b"CONNECT\naccept-version:1.2\n\n\0\nSEND\ndestination:/topic/a\\c");
/// assert_eq!(parser.next()?.map(|frame| frame.command), Some(ClientCommand::Connect));
/// parser.set_version(Version::V1_2);
/// assert_eq!(parser.next()?, None);
/// parser.push(b"b\n\nhello\0");
/// let frame = parser.next()?.ok_or(BadFrame::NotUtf8)?;
/// assert_eq!((frame.headers.get("destination"), &frame.body[..]), (Some("/topic/a:b"), &b"hello"[..]));
/// # Ok::<(), BadFrame>(())
/// ```
pub struct Parser {
    limits: ParserLimits,
    /// `None` before CONNECT.
    version: Option<Version>,
    buffer: Vec<u8>,
    /// How many bytes of `buffer` were read.
    at: usize,
    /// How many bytes after `at` are known to contain no end of a line, or of the body.
    scanned: usize,
    state: State,
}

enum State {
    Between,
    Headers(Head),
    Body(Head),
}

/// Command and headers of the frame that is being read.
struct Head {
    command: ClientCommand,
    headers: Headers,
    /// Headers so far, repeated ones included.
    count: usize,
    /// Bytes so far.
    bytes: usize,
}

/// What a part of the parser did.
enum Progress {
    /// It came to this state, and there can be more to read.
    Goes(State),
    /// Bytes are missing in this state.
    Waits(State),
    /// The frame is complete.
    Done(Frame),
}

/// Without what the client sent: it may be a secret.
impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser").field("version", &self.version).field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Parser {
    /// A parser before CONNECT, with [`ParserLimits::before_connect`]. `limits` are those after [`Self::set_version`].
    pub fn new(limits: ParserLimits) -> Self {
        Self { limits, version: None, buffer: Vec::new(), at: 0, scanned: 0, state: State::Between }
    }

    /// Sets the version that was agreed upon. It has to be called after CONNECT, before the next frame is read.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Adds bytes of the client. [`Self::next`] has to be called until it returns `None`.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame. `None`: bytes are missing. After an error the input has no meaning, and is not kept.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and continues after more input")]
    pub fn next(&mut self) -> Result<Option<Frame>, BadFrame> {
        let result = self.read();
        match result {
            Ok(Some(_)) => {}
            Ok(None) if self.at == 0 => {}
            Ok(None) => {
                self.buffer.drain(..self.at);
                self.buffer.shrink_to_fit();
                self.at = 0;
            }
            Err(_) => *self = Self { version: self.version, ..Self::new(self.limits) },
        }
        if self.buffer.len() == self.at {
            (self.buffer, self.at) = (Vec::new(), 0);
        }
        result
    }

    /// Whether it has bytes of a frame that [`Self::next`] has not returned.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty() || !matches!(self.state, State::Between)
    }

    /// Bytes that it holds in memory.
    pub fn buffered(&self) -> usize {
        let head = match &self.state {
            State::Between => 0,
            State::Headers(head) | State::Body(head) => head.headers.memory(),
        };
        self.buffer.capacity() + head
    }

    fn read(&mut self) -> Result<Option<Frame>, BadFrame> {
        loop {
            let progress = match mem::replace(&mut self.state, State::Between) {
                State::Between => self.read_command()?,
                State::Headers(head) => self.read_header(head)?,
                State::Body(head) => self.read_body(head)?,
            };
            match progress {
                Progress::Goes(state) => self.state = state,
                Progress::Waits(state) => {
                    self.state = state;
                    return Ok(None);
                }
                Progress::Done(frame) => return Ok(Some(frame)),
            }
        }
    }

    fn read_command(&mut self) -> Result<Progress, BadFrame> {
        self.skip_between_frames()?;
        let rest = self.rest();
        let window = rest.get(..COMMAND_LINE).unwrap_or(rest);
        let Some(end) = window.iter().position(|byte| matches!(byte, b'\n' | 0)) else {
            let possible = window.len() < COMMAND_LINE && ClientCommand::can_begin_with(window);
            // A carriage return can be the first half of a line end between frames.
            let waits = possible || window == b"\r";
            return if waits { Ok(Progress::Waits(State::Between)) } else { Err(BadFrame::unknown_command(window)) };
        };
        let (line, ends_frame) = (window.get(..end).unwrap_or_default(), window.get(end) == Some(&0));
        let name = line.strip_suffix(b"\r").unwrap_or(line);
        let command = ClientCommand::parse(name).ok_or_else(|| BadFrame::unknown_command(name))?;
        if ends_frame {
            return Err(BadFrame::UnfinishedHead);
        }
        if self.version.is_none() && command != ClientCommand::Connect {
            return Err(BadFrame::NotConnected(command));
        }
        self.consume(end + 1);
        Ok(Progress::Goes(State::Headers(Head { command, headers: Headers::default(), count: 0, bytes: end + 1 })))
    }

    fn skip_between_frames(&mut self) -> Result<(), BadFrame> {
        let rest = self.rest();
        let skipped = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n' | 0)).unwrap_or(rest.len());
        let ends = rest.get(..skipped).unwrap_or_default();
        if ends.windows(2).any(|pair| pair.first() == Some(&b'\r') && pair.last() != Some(&b'\n')) {
            return Err(BadFrame::LoneCarriageReturn);
        }
        let half = usize::from(ends.last() == Some(&b'\r'));
        if half == 1 && skipped < rest.len() {
            return Err(BadFrame::LoneCarriageReturn);
        }
        self.consume(skipped - half);
        Ok(())
    }

    fn read_header(&mut self, mut head: Head) -> Result<Progress, BadFrame> {
        let limits = self.limits();
        let rest = self.rest();
        let available = limits.header_bytes.saturating_sub(head.bytes);
        let window = rest.get(..available).unwrap_or(rest);
        let Some(end) = find(window, self.scanned, |byte| matches!(byte, b'\n' | 0)) else {
            if rest.len() >= available {
                return Err(BadFrame::LongHead(limits.header_bytes));
            }
            self.scanned = window.len();
            return Ok(Progress::Waits(State::Headers(head)));
        };
        if window.get(end) == Some(&0) {
            return Err(BadFrame::UnfinishedHead);
        }
        let line = window.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.consume(end + 1);
            return Ok(Progress::Goes(State::Body(head)));
        }
        head.count += 1;
        if head.count > limits.headers {
            return Err(BadFrame::ManyHeaders(limits.headers));
        }
        self.add_header(&mut head, line)?;
        head.bytes += end + 1;
        self.consume(end + 1);
        Ok(Progress::Goes(State::Headers(head)))
    }

    fn add_header(&self, head: &mut Head, line: &[u8]) -> Result<(), BadFrame> {
        if line.contains(&b'\r') {
            return Err(BadFrame::LoneCarriageReturn);
        }
        let line = str::from_utf8(line).map_err(|_| BadFrame::NotUtf8)?;
        let version = self.version.filter(|_| head.command != ClientCommand::Connect).unwrap_or(Version::V1_0);
        let is_name = |name: &str| !if version == Version::V1_0 { trim(name) } else { name }.is_empty();
        let (name, value) = line.split_once(':').filter(|(name, _)| is_name(name)).ok_or(BadFrame::BadHeader)?;
        head.headers.add(&unescape(version, name)?, &unescape(version, value)?);
        Ok(())
    }

    fn read_body(&mut self, head: Head) -> Result<Progress, BadFrame> {
        let end = if head.command == ClientCommand::Send {
            self.end_of_body(&head.headers)?
        } else {
            match self.rest().first() {
                Some(0) => Some(0),
                Some(_) => return Err(BadFrame::UnexpectedBody(head.command)),
                None => None,
            }
        };
        let Some(end) = end else { return Ok(Progress::Waits(State::Body(head))) };
        let body = self.rest().get(..end).unwrap_or_default().to_vec();
        self.consume(end + 1);
        let is_padded = match head.command {
            ClientCommand::Connect => head.headers.get("accept-version").is_none(),
            _ => self.version == Some(Version::V1_0),
        };
        let headers = if is_padded { head.headers.trimmed() } else { head.headers };
        Ok(Progress::Done(Frame { command: head.command, headers, body }))
    }

    /// The place of the NUL byte after the body. `None`: bytes are missing.
    fn end_of_body(&mut self, headers: &Headers) -> Result<Option<usize>, BadFrame> {
        let limit = self.limits().body_bytes;
        let rest = self.rest();
        if let Some(length) = headers.get("content-length") {
            let length = content_length(length)?;
            if length > limit {
                return Err(BadFrame::LongBody(limit));
            }
            return match rest.get(length) {
                Some(0) => Ok(Some(length)),
                Some(_) => Err(BadFrame::WrongContentLength),
                None => Ok(None),
            };
        }
        let end = find(rest, self.scanned, |byte| byte == 0);
        if end.unwrap_or(rest.len()) > limit {
            return Err(BadFrame::LongBody(limit));
        }
        self.scanned = rest.len();
        Ok(end)
    }

    fn limits(&self) -> ParserLimits {
        if self.version.is_some() { self.limits } else { ParserLimits::before_connect() }
    }

    /// The bytes that were not read.
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        self.scanned = 0;
    }
}

/// The first place from `start` on with such a byte.
fn find(bytes: &[u8], start: usize, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let found = bytes.get(start..)?.iter().position(|byte| is_it(*byte))?;
    Some(start + found)
}

/// The value of a `content-length` header. A number that is too large is cut.
fn content_length(value: &str) -> Result<usize, BadFrame> {
    let value = trim(value);
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadFrame::BadContentLength);
    }
    Ok(value.parse().unwrap_or(usize::MAX))
}
