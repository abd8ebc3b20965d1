//! Bytes to messages, header first.

#![expect(clippy::mut_mut, reason = "the input is a cursor: what is taken off a slice has to keep the slice's own lifetime")]

use super::{
    Opcode, Violation,
    header::{self, Context, Header},
    is_close_code,
    mask::unmask,
};
use std::{mem, str};

/// What a client sent. Borrowed from the input where the frame lay whole in it, else from the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// An answer to our ping, or an unasked sign of life.
    Pong(&'a [u8]),
    /// The client's last frame: its code, none where it gave none, and its reason.
    Close(Option<u16>, &'a str),
}

/// Takes a client's frames apart as they come, in pieces of any size.
///
/// What RFC 6455 forbids, and a message above the limit, is refused at the byte that shows it: at the frame's header, before any
/// payload is kept, and for text at the first byte that is not UTF-8. A frame that lies whole in the input is unmasked in place and
/// nothing is allocated for it. While a message is incomplete the decoder holds what came of it: never more than the limit and one
/// control frame's payload.
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
#[derive(Debug)]
pub struct Decoder {
    /// The incomplete message, then the incomplete control frame within it.
    buffer: Vec<u8>,
    /// Bytes that a message may have.
    limit: u32,
    /// Bytes of `buffer` that belong to the message.
    held: u32,
    /// Of those, how many are known to be UTF-8.
    checked: u32,
    phase: Phase,
    /// Text or binary, while a message is under way.
    message: Option<Opcode>,
    /// See [`Decoder::take_whole`].
    whole: bool,
}

#[derive(Debug)]
enum Phase {
    /// The first bytes of a header.
    Header { bytes: [u8; header::MAX], have: u8 },
    /// A payload; its key is turned to the next byte.
    Payload { opcode: Opcode, last: bool, missing: u32, key: [u8; 4] },
    /// After a close frame or a violation: nothing counts any more.
    Closed,
}

/// How far the input led.
enum Step<'i> {
    /// It is used up.
    Starved,
    /// A frame, or a message of one frame, that lay whole in the input.
    Whole(Opcode, &'i [u8]),
    /// One that was put together in the buffer.
    Held(Opcode),
}

impl Phase {
    const START: Self = Self::Header { bytes: [0; header::MAX], have: 0 };
}

impl Decoder {
    /// A decoder for messages of at most `max_message` bytes, all fragments together.
    pub fn new(max_message: u32) -> Self {
        Self { buffer: Vec::new(), limit: max_message, held: 0, checked: 0, phase: Phase::START, message: None, whole: false }
    }

    /// Takes bytes off the front of `input` up to the next event. `Ok(None)` means that all of it was taken. To be called until then,
    /// also because that frees the memory of the event before. After a close frame or a violation input is taken and ignored.
    pub fn feed<'e, 'i: 'e>(&'e mut self, input: &mut &'i mut [u8]) -> Result<Option<Event<'e>>, Violation> {
        self.settle();
        let step = self.step(input);
        let Self { buffer, held, phase, .. } = self;
        let event = match step {
            Ok(Step::Starved) => return Ok(None),
            Ok(Step::Whole(opcode, payload)) => event(opcode, payload),
            Ok(Step::Held(opcode)) if opcode.is_control() => event(opcode, &buffer[*held as usize..]),
            Ok(Step::Held(opcode)) => event(opcode, buffer),
            Err(violation) => Err(violation),
        };
        if matches!(event, Err(_) | Ok(Event::Close(..))) {
            *phase = Phase::Closed;
        }
        event.map(Some)
    }

    /// Whether the rest of a frame or of a message has yet to come: what `message_timeout` watches.
    pub fn is_mid_message(&self) -> bool {
        match self.phase {
            Phase::Header { have, .. } => have > 0 || self.message.is_some(),
            Phase::Payload { .. } => true,
            Phase::Closed => false,
        }
    }

    /// Whether a message, or a control frame outside of one, has become whole since the last call: what is incomplete now began later.
    pub fn take_whole(&mut self) -> bool {
        mem::take(&mut self.whole)
    }

    /// Whether a close frame or a violation ended the stream.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Bytes of memory held for what is incomplete.
    pub fn buffered(&self) -> usize {
        self.buffer.capacity()
    }

    /// Forgets what the event before was borrowed from.
    fn settle(&mut self) {
        match (&self.phase, self.message) {
            (Phase::Payload { .. }, _) => {}
            (Phase::Header { .. }, Some(_)) => self.buffer.truncate(self.held as usize),
            _ => {
                self.buffer = Vec::new();
                (self.held, self.checked) = (0, 0);
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
                    Some(Step::Starved)
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
        let fresh = input.len().min(header::MAX - before);
        bytes[before..before + fresh].copy_from_slice(&input[..fresh]);
        let context = Context { continues: self.message.is_some(), held: self.held, limit: self.limit };
        let Some(header) = Header::parse(&bytes[..before + fresh], context)? else {
            *have += fresh as u8;
            take(input, fresh);
            return Ok(Some(Step::Starved));
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
            self.keep(opcode, chunk)?;
            return Ok(Some(Step::Starved));
        }
        self.phase = Phase::START;
        let earlier = if opcode.is_control() { self.buffer.len() - self.held as usize } else { self.buffer.len() };
        let ended = match opcode {
            control if control.is_control() => Some(control),
            _ if last => self.message.take(),
            _ => None,
        };
        self.whole |= self.message.is_none();
        match ended {
            Some(ended) if earlier == 0 => return Ok(Some(Step::Whole(ended, chunk))),
            _ => self.keep(opcode, chunk)?,
        }
        Ok(ended.map(Step::Held))
    }

    /// Puts a piece of an incomplete frame or message by.
    fn keep(&mut self, opcode: Opcode, chunk: &[u8]) -> Result<(), Violation> {
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
        self.held += chunk.len() as u32;
        // After the last fragment `message` is taken, and the whole text is checked as it becomes an event.
        if self.message == Some(Opcode::Text) { self.check() } else { Ok(()) }
    }

    /// Checks what came since the last check; a character cut at the end may still be completed.
    fn check(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.buffer[self.checked as usize..]) {
            Ok(_) => self.checked = self.held,
            Err(wrong) if wrong.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(cut) => self.checked += cut.valid_up_to() as u32,
        }
        Ok(())
    }
}

/// Takes the first `count` bytes off `input`.
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
