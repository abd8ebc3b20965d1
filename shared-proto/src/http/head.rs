//! A request's head: what it offers to upgrade to, and where its body ends.

use super::body::{Body, Chunks};
use actix_http::Uri;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Header lines at most: as many as the HTTP library takes.
const LINES: usize = 96;

/// What stands in the place of a name that is to be overlooked. It has as many letters.
const OVERLOOKED: &[u8; 7] = b"Ignored";

/// Hides an offered upgrade from the HTTP library, unless the offer is WebSocket and `websocket` says that the path speaks it. Keeps the length of
/// the head. Returns the body that follows.
pub(super) fn settle(head: &mut [u8], websocket: &dyn Fn(&str) -> bool) -> Body {
    let Some((edits, body)) = read(head, websocket) else { return Body::Unbounded };
    for edit in edits {
        match edit {
            Edit::Overlook(name) => head[name].copy_from_slice(OVERLOOKED),
            Edit::Blank(part) => head[part].fill(b' '),
        }
    }
    body
}

/// Where a head ends that begins at 0 and is known not to end before `from`: behind its empty line.
pub(super) fn end(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line may have begun before.
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

/// Whether the HTTP library will refuse the head that begins so.
pub(super) fn is_malformed(beginning: &[u8]) -> bool {
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    httparse::Request::new(&mut []).parse_with_uninit_headers(beginning, &mut lines).is_err()
}

/// A change of a head that keeps its length.
enum Edit {
    /// Of a header named `Upgrade`, or a connection option of that name.
    Overlook(Range<usize>),
    /// Of what else is offered beside WebSocket.
    Blank(Range<usize>),
}

/// None where the HTTP library refuses the head, too.
fn read(head: &[u8], websocket: &dyn Fn(&str) -> bool) -> Option<(Vec<Edit>, Body)> {
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut request = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(_)) = request.parse_with_uninit_headers(head, &mut lines) else { return None };
    let body = body(&request)?;
    let offers = Offers::of(&request, head);
    let speaks = || request.path.and_then(|target| target.parse::<Uri>().ok()).is_some_and(|target| websocket(target.path()));
    // HTTP/1.0 knows no upgrades (RFC 9110, section 7.8).
    let accepted = offers.websocket.is_some() && request.version == Some(1) && !matches!(body, Body::Chunked(_)) && speaks();
    Some(match () {
        () if accepted => (offers.websocket_alone(), Body::Unbounded),
        () if request.method == Some("CONNECT") => (offers.overlooked(), Body::Unbounded),
        () => (offers.overlooked(), body),
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
        (None, true) => Some(Body::Chunked(Chunks::BEGIN)),
    }
}

/// Where a head offers an upgrade.
#[derive(Default)]
struct Offers {
    /// Name and value of each header `Upgrade`.
    lines: Vec<(Range<usize>, Range<usize>)>,
    /// Each connection option `upgrade`.
    options: Vec<Range<usize>>,
    /// The first `websocket` among what is offered.
    websocket: Option<Range<usize>>,
}

impl Offers {
    fn of(request: &httparse::Request<'_, '_>, head: &[u8]) -> Self {
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr() - head.as_ptr().addr();
            start..start + part.len()
        };
        let mut offers = Self::default();
        for line in request.headers.iter() {
            let elements = || line.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            if line.name.eq_ignore_ascii_case("upgrade") {
                offers.lines.push((place(line.name.as_bytes()), place(line.value)));
                let found = elements().find(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
                offers.websocket = offers.websocket.or_else(|| found.map(place));
            } else if line.name.eq_ignore_ascii_case("connection") {
                offers.options.extend(elements().filter(|option| option.eq_ignore_ascii_case(b"upgrade")).map(place));
            }
        }
        offers
    }

    /// For a request that is to be served as if nothing had been offered.
    fn overlooked(self) -> Vec<Edit> {
        self.lines.into_iter().map(|(name, _)| name).chain(self.options).map(Edit::Overlook).collect()
    }

    /// For a request whose only offer is to be WebSocket: the HTTP library reads no lists.
    fn websocket_alone(self) -> Vec<Edit> {
        let token = self.websocket.unwrap_or_default();
        let alone = |(name, value): (Range<usize>, Range<usize>)| {
            if value.start <= token.start && token.end <= value.end {
                vec![Edit::Blank(value.start..token.start), Edit::Blank(token.end..value.end)]
            } else {
                vec![Edit::Overlook(name)]
            }
        };
        self.lines.into_iter().flat_map(alone).collect()
    }
}
