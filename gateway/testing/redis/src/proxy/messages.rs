//! Messages of channels among what a server sends.

/// What remains without the messages of a channel whose name holds this. No message may be cut in two, so little may be under way at a time.
pub(super) fn without(channel: &str, sent: &[u8]) -> Vec<u8> {
    let is_lost = |push: &&[u8]| holds(push, "message") && holds(push, channel);
    pushes(sent).into_iter().filter(|push| !is_lost(push)).flatten().copied().collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The parts of what came at once, each beginning with a push of RESP 3.
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
    fn messages_of_one_channel_are_left_out_and_all_else_stays() {
        let (ours, other, answer) =
            (">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n", ">3\r\n$7\r\nmessage\r\n$1\r\nd\r\n$1\r\n1\r\n", "+OK\r\n");
        let sent = [answer, ours, other, ours].concat();
        assert_eq!(without("$1\r\nc\r\n", sent.as_bytes()), [answer, other].concat().as_bytes());
        assert_eq!(without("absent", sent.as_bytes()), sent.as_bytes());
    }
}
