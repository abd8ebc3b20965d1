//! The form of bytes in JSON: base64 with padding (RFC 4648, section 4).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Bytes as base64.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64. `None` if it is not valid base64 with padding.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
