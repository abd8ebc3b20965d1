//! Placeholder.
#![allow(missing_docs)]
pub fn encode_text(payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(payload);
}
