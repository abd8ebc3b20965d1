//! The invariant of headers of the PROXY protocol.

use shared_proto::http::testing::proxy_header;

/// Checks that a header is found where it ends, whatever follows it and however it arrives.
pub fn check(data: &[u8]) {
    let whole = proxy_header(data);
    if let Ok(Some((length, _))) = whole {
        assert!((1..=data.len()).contains(&length), "{length} of {}", data.len());
        assert_eq!(proxy_header(&data[..length]), whole, "what follows a header changes nothing");
    }
    for end in 0..data.len() {
        match (proxy_header(&data[..end]), &whole) {
            // More is needed.
            (Ok(None), _) => {}
            (early, _) => return assert_eq!(early, whole, "after {end} bytes"),
        }
    }
}
