//! The body of an answer, with a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// The body of an answer.
pub(crate) enum Body {
    Whole(Bytes),
    /// It was not read to its end.
    TooLarge {
        /// In bytes.
        limit: usize,
    },
}

/// Reads a body, but no further than the limit, in bytes.
pub(crate) async fn read_body(mut body: Incoming, limit: usize) -> Result<Body, hyper::Error> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(Body::TooLarge { limit });
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        if whole.len() + chunk.len() > limit {
            return Ok(Body::TooLarge { limit });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Body::Whole(whole.freeze()))
}
