//! Parses a request's head: finds its upgrade offers and the length of its body.

use super::body::{Body, ChunkedBody};
use actix_http::Uri;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Maximum number of header lines. The HTTP library has the same limit.
const MAX_LINES: usize = 96;

/// Replaces the name `upgrade`. Both have the same length.
const HIDDEN_NAME: &[u8; 7] = b"Ignored";

/// Hides upgrade offers from the HTTP library, except an offer of WebSocket at a path that accepts it. Does not change the length of the head.
/// Returns the body that follows the head.
pub(super) fn hide_upgrade(head: &mut [u8], accepts_websocket: &dyn Fn(&str) -> bool) -> Body {
    let Some((edits, body)) = parse(head, accepts_websocket) else { return Body::Unbounded };
    for edit in edits {
        match edit {
            Edit::Hide(name) => head[name].copy_from_slice(HIDDEN_NAME),
            Edit::Blank(part) => head[part].fill(b' '),
        }
    }
    body
}

/// Returns the end of the head that begins at 0: the index after its empty line. The first `from` bytes contain no end of the head.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line may begin before `from`.
    let mut at = from.saturating_sub(2);
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Whether the HTTP library will refuse a head with this beginning.
pub(super) fn is_malformed(beginning: &[u8]) -> bool {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    httparse::Request::new(&mut []).parse_with_uninit_headers(beginning, &mut lines).is_err()
}

/// A change of a head that keeps its length.
enum Edit {
    /// Replaces the name of an `Upgrade` header or an `upgrade` connection option.
    Hide(Range<usize>),
    /// Replaces protocols other than WebSocket by spaces.
    Blank(Range<usize>),
}

/// Returns the edits of a head and the body that follows it. `None` if the HTTP library will refuse the head.
fn parse(head: &[u8], accepts_websocket: &dyn Fn(&str) -> bool) -> Option<(Vec<Edit>, Body)> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut request = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(_)) = request.parse_with_uninit_headers(head, &mut lines) else { return None };
    let body = body(&request)?;
    let offers = Offers::of(&request, head);
    let is_path_accepted =
        || request.path.and_then(|target| target.parse::<Uri>().ok()).is_some_and(|target| accepts_websocket(target.path()));
    // HTTP/1.0 has no upgrades (RFC 9110, section 7.8).
    let accepted = offers.websocket.is_some() && request.version == Some(1) && !matches!(body, Body::Chunked(_)) && is_path_accepted();
    Some(match () {
        () if accepted => (offers.websocket_only(), Body::Unbounded),
        () if request.method == Some("CONNECT") => (offers.hidden(), Body::Unbounded),
        () => (offers.hidden(), body),
    })
}

fn body(request: &httparse::Request<'_, '_>) -> Option<Body> {
    let (mut length, mut chunked) = (None, false);
    for line in request.headers.iter() {
        let value = || std::str::from_utf8(line.value).ok().map(str::trim);
        if line.name.eq_ignore_ascii_case("content-length") {
            let number = value()?.parse::<u64>().ok()?;
            if length.replace(number).is_some() {
                return None;
            }
        } else if line.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !value()?.eq_ignore_ascii_case("chunked") {
                return None;
            }
            chunked = true;
        }
    }
    match (length, chunked) {
        (Some(_), true) => None,
        (None | Some(0), false) => Some(Body::Ended),
        (Some(length), false) => Some(Body::Length(length)),
        (None, true) => Some(Body::Chunked(ChunkedBody::START)),
    }
}

/// The byte ranges of a head that belong to upgrade offers.
#[derive(Default)]
struct Offers {
    /// Name and value of each `Upgrade` header.
    lines: Vec<(Range<usize>, Range<usize>)>,
    /// Each `upgrade` option of a `Connection` header.
    options: Vec<Range<usize>>,
    /// The first offered protocol that is `websocket`.
    websocket: Option<Range<usize>>,
}

impl Offers {
    fn of(request: &httparse::Request<'_, '_>, head: &[u8]) -> Self {
        let range = |part: &[u8]| {
            let start = part.as_ptr().addr() - head.as_ptr().addr();
            start..start + part.len()
        };
        let mut offers = Self::default();
        for line in request.headers.iter() {
            let elements = || line.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            if line.name.eq_ignore_ascii_case("upgrade") {
                offers.lines.push((range(line.name.as_bytes()), range(line.value)));
                let found = elements().find(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
                offers.websocket = offers.websocket.or_else(|| found.map(range));
            } else if line.name.eq_ignore_ascii_case("connection") {
                offers.options.extend(elements().filter(|option| option.eq_ignore_ascii_case(b"upgrade")).map(range));
            }
        }
        offers
    }

    /// The edits that hide all offers.
    fn hidden(self) -> Vec<Edit> {
        self.lines.into_iter().map(|(name, _)| name).chain(self.options).map(Edit::Hide).collect()
    }

    /// The edits that hide all offers except WebSocket. The HTTP library does not read lists of protocols.
    fn websocket_only(self) -> Vec<Edit> {
        let token = self.websocket.unwrap_or_default();
        let edits = |(name, value): (Range<usize>, Range<usize>)| {
            if value.start <= token.start && token.end <= value.end {
                vec![Edit::Blank(value.start..token.start), Edit::Blank(token.end..value.end)]
            } else {
                vec![Edit::Hide(name)]
            }
        };
        self.lines.into_iter().flat_map(edits).collect()
    }
}
