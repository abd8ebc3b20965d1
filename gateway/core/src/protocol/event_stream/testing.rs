//! Reads an event stream as a client does (HTML standard, sections 9.2.5 and 9.2.6), one byte sequence at a time.

/// What a page gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type.
    pub kind: String,
    /// Its data.
    pub data: String,
    /// The id that a page sees with it.
    pub last_id: String,
}

/// What a client knows after a stream.
#[derive(Debug, Default)]
pub struct Read {
    /// The events, in their order.
    pub events: Vec<Event>,
    /// What the client sends when it connects again.
    pub last_id: String,
    /// After how many milliseconds it connects again.
    pub retry: Option<u64>,
    /// Number of comments.
    pub comments: usize,
}

/// Reads all of a stream.
pub fn read(bytes: &[u8]) -> Read {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut result, mut id, mut kind, mut data) = (Read::default(), String::new(), String::new(), String::new());
    for line in lines(text) {
        if line.is_empty() {
            result.last_id.clone_from(&id);
            let (kind, mut data) = (std::mem::take(&mut kind), std::mem::take(&mut data));
            if data.is_empty() {
                continue;
            }
            if data.ends_with('\n') {
                data.pop();
            }
            let kind = if kind.is_empty() { "message".to_owned() } else { kind };
            result.events.push(Event { kind, data, last_id: id.clone() });
        } else if line.starts_with(':') {
            result.comments += 1;
        } else {
            let (field, value) =
                line.split_once(':').map_or((line, ""), |(field, value)| (field, value.strip_prefix(' ').unwrap_or(value)));
            match field {
                "event" => value.clone_into(&mut kind),
                "data" => data.extend([value, "\n"]),
                "id" if !value.contains('\0') => value.clone_into(&mut id),
                "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => result.retry = value.parse().ok(),
                _ => panic!("the gateway writes no such line: {line:?}"),
            }
        }
    }
    result
}

/// The complete lines. What follows the last end of a line does not count.
fn lines(mut text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    while let Some(end) = text.find(['\r', '\n']) {
        let (line, rest) = text.split_at(end);
        lines.push(line);
        text = rest.strip_prefix("\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
    }
    lines
}
