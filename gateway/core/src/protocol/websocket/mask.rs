//! Removes the mask of client frames (RFC 6455, section 5.3).

/// Applies `key` to `bytes` in place, sixteen bytes at a time, so that the compiler uses vector instructions.
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let wide = u128::from_ne_bytes(std::array::from_fn(|i| key[i % 4]));
    let (blocks, tail) = bytes.as_chunks_mut::<16>();
    for block in blocks {
        *block = (u128::from_ne_bytes(*block) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
