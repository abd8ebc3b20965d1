//! Which close codes a peer may send. The codes that the gateway sends are in `shared_proto::errors`.

/// Whether a peer may send this close code (RFC 6455, section 7.4, and codes registered later). 1004 has no meaning. 1005, 1006 and 1015 are never
/// sent. Applications may use all codes from 3000 on.
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
