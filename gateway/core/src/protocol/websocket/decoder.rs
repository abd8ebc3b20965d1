//! Reads messages from the bytes of a client. `header.rs` checks each frame header, including the size limit.

#![expect(clippy::mut_mut, reason = "the input is a cursor: a part that is taken from the slice keeps the lifetime of the slice")]

use super::{
    Opcode, Violation,
    header::{self, Header, MessageState},
    is_close_code,
    mask::unmask,
};
use std::{fmt, mem, str};

/// What a client sent. It borrows from the input if the input contained the whole frame, otherwise from the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete text message.
    Text(&'a str),
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A ping. The reply is a pong with the same payload.
    Ping(&'a [u8]),
    /// The reply to a ping of the gateway, or a sign of life that nobody asked for.
    Pong(&'a [u8]),
    /// The last frame of the client, with its code, if any, and its reason.
    Close(Option<u16>, &'a str),
}

/// Reads frames from input in pieces of any size.
///
/// It refuses a violation of RFC 6455 or of the limit at the first byte that shows it. Most violations show in the header, before any payload is
/// buffered; text that is not UTF-8 shows at its first bad byte. A frame that is complete in the input is unmasked in place, without an
/// allocation. The decoder buffers an incomplete message, never more bytes than the limit and the payload of one control frame.
///
/// ```
/// use gateway_core::protocol::websocket::{Decoder, Event};
///
/// let mut bytes = *b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0";
/// let (mut decoder, mut input, mut seen) = (Decoder::new(1024), &mut bytes[..], Vec::new());
/// while let Some(event) = decoder.feed(&mut input)? {
///     seen.push(format!("{event:?}"));
/// }
/// assert_eq!(seen, [format!("{:?}", Event::Text("hi")), format!("{:?}", Event::Ping(b""))]);
/// # Ok::<(), gateway_core::protocol::websocket::Violation>(())
/// ```
pub struct Decoder {
    /// The incomplete message, followed by the incomplete control frame between its fragments.
    buffer: Vec<u8>,
    /// Largest size of a message in bytes.
    limit: u32,
    /// How many bytes of `buffer` belong to the message.
    received: u32,
    /// How many bytes of the message, from the first on, are known to be valid UTF-8.
    checked: u32,
    phase: Phase,
    /// Text or binary, while a message is incomplete.
    message: Option<Opcode>,
    /// See [`Decoder::take_completed`].
    completed: bool,
    /// See [`Decoder::ignore_messages`].
    ignores_messages: bool,
}

enum Phase {
    /// The first bytes of a header have arrived.
    Header { bytes: [u8; header::MAX], have: u8 },
    /// Bytes of a payload are missing. The key is rotated to the next of them.
    Payload { opcode: Opcode, last: bool, missing: u32, key: [u8; 4] },
    /// After a close frame or a violation. All input is ignored.
    Closed,
}

/// The result of reading from the input.
enum Step<'i> {
    /// The input is used up.
    NeedInput,
    /// A message or control frame is complete in the input.
    Borrowed(Opcode, &'i [u8]),
    /// A message or control frame is complete in the buffer.
    Buffered(Opcode),
}

/// Without what the client sent: it may be a secret.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("limit", &self.limit).field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Phase {
    const START: Self = Self::Header { bytes: [0; header::MAX], have: 0 };
}

impl Decoder {
    /// A decoder for messages of at most `max_message` bytes, the sum of all fragments.
    pub fn new(max_message: u32) -> Self {
        let (buffer, phase, completed, ignores_messages) = (Vec::new(), Phase::START, false, false);
        Self { buffer, limit: max_message, received: 0, checked: 0, phase, message: None, completed, ignores_messages }
    }

    /// Sets the largest size of a message, in bytes. It applies to headers that are not read yet, and is never lowered.
    pub fn allow_messages(&mut self, of_size: u32) {
        self.limit = self.limit.max(of_size);
    }

    /// Frees the incomplete message. From now on only control frames are events; messages are read without keeping or checking their content.
    pub fn ignore_messages(&mut self) {
        if !mem::replace(&mut self.ignores_messages, true) {
            self.buffer.drain(..self.received as usize);
            self.buffer.shrink_to_fit();
            (self.received, self.checked) = (0, 0);
        }
    }

    /// Takes bytes from the front of `input` until an event is complete, and returns the event. Returns `Ok(None)` when all input is taken
    /// and no event is complete. Call it until it returns `Ok(None)`, because each call frees the memory of the event before. After a close
    /// frame or a violation, it takes all input and ignores it.
    pub fn feed<'e, 'i: 'e>(&'e mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'e>>, Violation> {
        self.release();
        let step = self.step(input);
        let Self { buffer, received, phase, .. } = self;
        let event = match step {
            Ok(Step::NeedInput) => return Ok(None),
            Ok(Step::Borrowed(opcode, payload)) => event(opcode, payload),
            Ok(Step::Buffered(opcode)) if opcode.is_control() => event(opcode, &buffer[*received as usize..]),
            Ok(Step::Buffered(opcode)) => event(opcode, buffer),
            Err(violation) => Err(violation),
        };
        if matches!(event, Err(_) | Ok(Event::Close(..))) {
            *phase = Phase::Closed;
        }
        event.map(Some)
    }

    /// Whether a frame or a message is incomplete. `message_timeout` limits this time.
    pub fn is_mid_message(&self) -> bool {
        match self.phase {
            Phase::Header { have, .. } => have > 0 || self.message.is_some(),
            Phase::Payload { .. } => true,
            Phase::Closed => false,
        }
    }

    /// Whether a message, or a control frame outside of a message, was completed since the last call. If so, an incomplete frame or message began
    /// after the last call.
    pub fn take_completed(&mut self) -> bool {
        mem::take(&mut self.completed)
    }

    /// Whether a close frame or a violation ended the stream.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Bytes of memory that the buffer uses.
    pub fn buffered(&self) -> usize {
        self.buffer.capacity()
    }

    /// Removes the last event from the buffer.
    fn release(&mut self) {
        match (&self.phase, self.message) {
            (Phase::Payload { .. }, _) => {}
            (Phase::Header { .. }, Some(_)) => self.buffer.truncate(self.received as usize),
            _ => {
                self.buffer = Vec::new();
                (self.received, self.checked) = (0, 0);
            }
        }
    }

    fn step<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Step<'i>, Violation> {
        loop {
            let step = match &self.phase {
                Phase::Header { .. } => self.header(input)?,
                Phase::Payload { .. } => self.payload(input)?,
                Phase::Closed => {
                    *input = &mut [];
                    Some(Step::NeedInput)
                }
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    fn header<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Step<'i>>, Violation> {
        let Phase::Header { bytes, have } = &mut self.phase else { return Ok(None) };
        let before = usize::from(*have);
        let added = input.len().min(header::MAX - before);
        bytes[before..before + added].copy_from_slice(&input[..added]);
        let message = MessageState { is_fragmented: self.message.is_some(), received: self.received, limit: self.limit };
        let Some(header) = Header::parse(&bytes[..before + added], message)? else {
            *have += added as u8;
            take(input, added);
            return Ok(Some(Step::NeedInput));
        };
        take(input, header.size - before);
        if matches!(header.opcode, Opcode::Text | Opcode::Binary) {
            self.message = Some(header.opcode);
        }
        self.phase = Phase::Payload { opcode: header.opcode, last: header.last, missing: header.length, key: header.key };
        Ok(None)
    }

    fn payload<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Step<'i>>, Violation> {
        let Phase::Payload { opcode, last, missing, key } = &mut self.phase else { return Ok(None) };
        let (opcode, last) = (*opcode, *last);
        let chunk = take(input, input.len().min(*missing as usize));
        unmask(chunk, *key);
        key.rotate_left(chunk.len() % 4);
        *missing -= chunk.len() as u32;
        if *missing > 0 {
            self.append(opcode, chunk)?;
            return Ok(Some(Step::NeedInput));
        }
        self.phase = Phase::START;
        let earlier = if opcode.is_control() { self.buffer.len() - self.received as usize } else { self.buffer.len() };
        let ended = match opcode {
            control if control.is_control() => Some(control),
            _ if last => self.message.take().filter(|_| !self.ignores_messages),
            _ => None,
        };
        self.completed |= self.message.is_none();
        match ended {
            Some(ended) if earlier == 0 => return Ok(Some(Step::Borrowed(ended, chunk))),
            _ => self.append(opcode, chunk)?,
        }
        Ok(ended.map(Step::Buffered))
    }

    /// Buffers a piece of an incomplete frame or message.
    fn append(&mut self, opcode: Opcode, chunk: &[u8]) -> Result<(), Violation> {
        if self.ignores_messages && !opcode.is_control() {
            return Ok(());
        }
        let needed = self.buffer.len() + chunk.len();
        if needed > self.buffer.capacity() {
            let most = self.limit as usize + Opcode::MAX_CONTROL_PAYLOAD;
            let target = needed.max((2 * self.buffer.capacity()).min(most));
            self.buffer.reserve_exact(target - self.buffer.len());
        }
        self.buffer.extend_from_slice(chunk);
        if opcode.is_control() {
            return Ok(());
        }
        self.received += chunk.len() as u32;
        // After the last fragment `message` is none. Then the whole text is checked when it becomes an event.
        if self.message == Some(Opcode::Text) { self.check_utf8() } else { Ok(()) }
    }

    /// Checks the text that arrived since the last check. It may end within a character.
    fn check_utf8(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.buffer[self.checked as usize..]) {
            Ok(_) => self.checked = self.received,
            Err(wrong) if wrong.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(cut) => self.checked += cut.valid_up_to() as u32,
        }
        Ok(())
    }
}

/// Takes the first `count` bytes from `input`.
fn take<'i>(input: &mut &'i mut [u8], count: usize) -> &'i mut [u8] {
    let (taken, rest) = mem::take(input).split_at_mut(count);
    *input = rest;
    taken
}

fn event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, Violation> {
    Ok(match opcode {
        Opcode::Text => Event::Text(text(payload)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => return close(payload),
    })
}

fn close(payload: &[u8]) -> Result<Event<'_>, Violation> {
    match payload {
        [] => Ok(Event::Close(None, "")),
        [_] => Err(Violation::ShortClose),
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            code if is_close_code(code) => Ok(Event::Close(Some(code), text(reason)?)),
            code => Err(Violation::CloseCode(code)),
        },
    }
}

fn text(bytes: &[u8]) -> Result<&str, Violation> {
    str::from_utf8(bytes).map_err(|_| Violation::NotUtf8)
}
