//! Finds and removes pub/sub messages in the data of a server.

/// Removes the pub/sub messages of channels whose name contains `channel` from `sent`. A message that is split between two calls
/// is not found, so a test must keep little data in flight.
pub(super) fn without(channel: &str, sent: &[u8]) -> Vec<u8> {
    let is_lost = |push: &&[u8]| holds(push, "message") && holds(push, channel);
    pushes(sent).into_iter().filter(|push| !is_lost(push)).flatten().copied().collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Splits `bytes` before each push of RESP 3 with three elements. The first part may begin with other answers.
fn pushes(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(next) = bytes.windows(4).skip(1).position(|window| window == b">3\r\n") {
        let (part, rest) = bytes.split_at(next + 1);
        parts.push(part);
        bytes = rest;
    }
    parts.push(bytes);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_the_channel_are_removed() {
        let (ours, other, answer) =
            (">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n", ">3\r\n$7\r\nmessage\r\n$1\r\nd\r\n$1\r\n1\r\n", "+OK\r\n");
        let sent = [answer, ours, other, ours].concat();
        assert_eq!(without("$1\r\nc\r\n", sent.as_bytes()), [answer, other].concat().as_bytes());
        assert_eq!(without("absent", sent.as_bytes()), sent.as_bytes());
    }
}
