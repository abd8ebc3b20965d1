//! The lines of an event stream.

use std::{io::Write as _, time::Duration};

/// Reason why writing cannot fail.
const INFALLIBLE: &str = "writing to a vector cannot fail";
/// Bytes at the beginning of a stream that do not count. A proxy that gathers a few kilobytes before it passes anything on passes on the first messages
/// with them.
pub const PADDING: usize = 2048;

/// A comment, which keeps a silent stream alive. Clients do not see it.
pub const HEART_BEAT: &[u8] = b":\n\n";

/// Appends an event. Each line of the data becomes a line of its own, whether it ends with CR, LF or both; a client reads all ends as LF. An
/// empty `id` makes the client forget its last one. Neither `id` nor `name` may contain line breaks or NUL.
pub fn append_event(id: Option<&str>, name: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    for (field, value) in [("id", id), ("event", name)] {
        if let Some(value) = value {
            append_field(field, value.as_bytes(), out);
        }
    }
    append_data(data, out);
}

/// Appends a comment of the size of [`PADDING`]. It is no block of its own yet.
pub fn append_padding(out: &mut Vec<u8>) {
    out.push(b':');
    out.resize(out.len() + PADDING, b' ');
    out.push(b'\n');
}

/// Appends what begins a stream: the padding, after which time a client connects again, and the id of the position where the stream begins.
pub fn append_opening(retry: Duration, id: Option<&str>, out: &mut Vec<u8>) {
    append_padding(out);
    append_retry_field(retry, out);
    if let Some(id) = id {
        append_field("id", id.as_bytes(), out);
    }
    out.push(b'\n');
}

/// Appends after which time a client connects again. It is all of a stream that is not served now.
pub fn append_retry(retry: Duration, out: &mut Vec<u8>) {
    append_retry_field(retry, out);
    out.push(b'\n');
}

fn append_retry_field(retry: Duration, out: &mut Vec<u8>) {
    writeln!(out, "retry: {}", retry.as_millis()).expect(INFALLIBLE);
}

/// Appends the data of an event, and ends the event.
pub(super) fn append_data(data: &[u8], out: &mut Vec<u8>) {
    out.reserve(data.len() + 16);
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let (line, after) = rest.split_at(end);
        append_field("data", line, out);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    append_field("data", rest, out);
    out.push(b'\n');
}

/// The space after the colon is no part of the value, and a value may begin with another one.
fn append_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.push(b'\n');
}
