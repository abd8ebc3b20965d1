//! Writes the frames of a server: not masked, not fragmented, appended to a buffer.

use super::Opcode;

/// Size of the longest header that [`header`] writes, in bytes.
pub const MAX_HEADER: usize = 10;

/// Bytes that a close reason may have: the payload of a control frame without the code.
pub const MAX_REASON: usize = Opcode::MAX_CONTROL_PAYLOAD - 2;

/// Size of the header before a payload of `length` bytes.
pub const fn header_size(length: usize) -> usize {
    match length {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => MAX_HEADER,
    }
}

/// Appends the header of a frame. The caller appends the payload of `length` bytes.
pub fn header(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Appends a text message.
pub fn text(payload: &str, out: &mut Vec<u8>) {
    frame(Opcode::Text, payload.as_bytes(), out);
}

/// Appends a binary message.
pub fn binary(payload: &[u8], out: &mut Vec<u8>) {
    frame(Opcode::Binary, payload, out);
}

/// Appends a ping with at most the first 125 bytes of the payload.
pub fn ping(payload: &[u8], out: &mut Vec<u8>) {
    frame(Opcode::Ping, control(payload), out);
}

/// Appends a pong with at most the first 125 bytes of the payload. The payload of a valid ping is never longer.
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    frame(Opcode::Pong, control(payload), out);
}

/// Appends a close frame. Without a code the reason is not sent. A reason longer than [`MAX_REASON`] bytes is cut between two characters.
pub fn close(code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
    let Some(code) = code else { return header(Opcode::Close, 0, out) };
    let end = (0..=MAX_REASON.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
    let reason = &reason[..end];
    header(Opcode::Close, 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

fn frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER + payload.len());
    header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(Opcode::MAX_CONTROL_PAYLOAD)]
}
