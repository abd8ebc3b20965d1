//! Reads the messages of a server and writes the frames of a client, as a client does. It uses none of the code that it tests.

use super::{ClientCommand, Frame, Framing, Version};

/// A frame as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Whether the WebSocket message was binary.
    pub is_binary: bool,
    /// The command. Empty for a heart-beat.
    pub command: String,
    /// The headers in their order, repeated ones included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The first header with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Reads WebSocket messages of a server, each of which has to be one frame or one heart-beat. The error says what is wrong.
pub fn read_messages(framing: Framing, version: Version, mut bytes: &[u8]) -> Result<Vec<Received>, String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (is_binary, payload) = read_message(&mut bytes)?;
        let frame = match framing {
            Framing::WebSocket => payload.to_vec(),
            Framing::SockJs => sockjs_frame(payload)?,
        };
        if !is_binary && str::from_utf8(&frame).is_err() {
            return Err("a text message is not UTF-8".into());
        }
        all.push(read_frame(version, is_binary, &frame)?);
    }
    Ok(all)
}

/// Splits off one WebSocket message.
fn read_message<'a>(bytes: &mut &'a [u8]) -> Result<(bool, &'a [u8]), String> {
    let (is_binary, length, rest) = match bytes {
        [opcode @ (0x81 | 0x82), 126, a, b, rest @ ..] => (*opcode == 0x82, usize::from(u16::from_be_bytes([*a, *b])), rest),
        [opcode @ (0x81 | 0x82), 127, 0, 0, 0, 0, a, b, c, d, rest @ ..] => {
            (*opcode == 0x82, u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest)
        }
        [opcode @ (0x81 | 0x82), length @ 0..=125, rest @ ..] => (*opcode == 0x82, usize::from(*length), rest),
        _ => return Err(format!("no header of a message: {}", bytes.escape_ascii())),
    };
    let (payload, rest) = rest.split_at_checked(length).ok_or("a message is cut")?;
    *bytes = rest;
    Ok((is_binary, payload))
}

fn sockjs_frame(payload: &[u8]) -> Result<Vec<u8>, String> {
    let array = payload.strip_prefix(b"a").ok_or("no SockJS message")?;
    let [text]: [String; 1] = serde_json::from_slice(array).map_err(|error| error.to_string())?;
    Ok(text.into_bytes())
}

fn read_frame(version: Version, is_binary: bool, frame: &[u8]) -> Result<Received, String> {
    if frame == b"\n" {
        return Ok(Received { is_binary, command: String::new(), headers: Vec::new(), body: Vec::new() });
    }
    let split = frame.windows(2).position(|pair| pair == b"\n\n").ok_or("no empty line")?;
    let head = String::from_utf8(frame[..split].to_vec()).map_err(|error| error.to_string())?;
    let mut lines = head.split('\n');
    let command = lines.next().unwrap_or_default().to_owned();
    let version = if command == "CONNECTED" { Version::V1_0 } else { version };
    let headers: Vec<_> = lines.map(|line| read_header(version, line)).collect::<Result<_, _>>()?;
    let (last, body) = frame[split + 2..].split_last().ok_or("no NUL")?;
    if *last != 0 {
        return Err("the last byte is not NUL".into());
    }
    let received = Received { is_binary, command, headers, body: body.to_vec() };
    match received.get("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) if length == received.body.len() => Ok(received),
        None if received.body.is_empty() => Ok(received),
        length => Err(format!("content-length {length:?} of {} bytes", received.body.len())),
    }
}

fn read_header(version: Version, line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("no colon: {line}"))?;
    if name.is_empty() || line.contains('\0') || (version > Version::V1_0 && value.contains(':')) {
        return Err(format!("a bad header: {line}"));
    }
    Ok((unescaped(version, name)?, unescaped(version, value)?))
}

fn unescaped(version: Version, text: &str) -> Result<String, String> {
    if version == Version::V1_0 {
        return Ok(text.to_owned());
    }
    let mut pieces = text.split('\\');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    while let Some(piece) = pieces.next() {
        match (piece.chars().next(), version) {
            (Some('n'), _) => out.push('\n'),
            (Some('c'), _) => out.push(':'),
            (Some('r'), Version::V1_2) => out.push('\r'),
            (None, _) => {
                // Two backslashes: the text after them is not escaped.
                out.push('\\');
                out.push_str(pieces.next().ok_or("a backslash at the end")?);
                continue;
            }
            _ => return Err(format!("an undefined escape: {text}")),
        }
        out.push_str(&piece[1..]);
    }
    Ok(out)
}

/// Appends a frame as a client of this version writes it, with `end` at the end of each line.
pub fn append_frame(version: Version, frame: &Frame, end: &str, out: &mut Vec<u8>) {
    let version = if frame.command == ClientCommand::Connect { Version::V1_0 } else { version };
    out.extend(frame.command.as_str().bytes().chain(end.bytes()));
    for (name, value) in frame.headers.iter() {
        out.extend(format!("{}:{}{end}", escaped(version, name), escaped(version, value)).bytes());
    }
    out.extend(end.bytes().chain(frame.body.iter().copied()).chain([0]));
}

fn escaped(version: Version, text: &str) -> String {
    match version {
        Version::V1_0 => text.to_owned(),
        Version::V1_1 => text.replace('\\', "\\\\").replace('\n', "\\n").replace(':', "\\c"),
        Version::V1_2 => text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace(':', "\\c"),
    }
}
