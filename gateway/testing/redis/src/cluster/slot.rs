//! The hash slot of a key.

/// Number of hash slots of a Redis Cluster.
pub(super) const SLOTS: u16 = 16384;

/// The hash slot of a key or a pub/sub channel. If the text between the first `{` and the next `}` is not empty, only that text is hashed.
pub fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag).filter(|tag| !tag.is_empty());
    crc16(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// The checksum CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_match_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!((slot("foo"), slot("{foo}.bar"), slot("x{foo}{bar}")), (12182, 12182, 12182));
        assert_eq!((slot("foo{}{bar}"), slot("{}")), (crc16(b"foo{}{bar}") % SLOTS, crc16(b"{}") % SLOTS));
    }
}
