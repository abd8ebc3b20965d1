//! `GET /events`: a stream for an EventSource.
//!
//! A browser gives a stream up for good after any other status than 200. So a request that may succeed later gets 200 and the time after which to
//! come back, and 4xx is for requests that would fail again.

use super::{StreamHost, event_query::EventQuery, host};
use crate::{
    api::ApiError,
    connection::{ChosenProtocol, Opening},
    transport::{Wire, websocket::Denial},
};
use actix_web::{HttpRequest, HttpResponse, http::Method};
use gateway_core::{
    event_source::{Decision, EventSourceStart, Rejection},
    model::{ErrorCode, Refusal},
    protocol::event_stream::append_retry,
};
use std::{rc::Rc, time::Duration};

const CONTENT_TYPE: &str = "text/event-stream";
/// Largest part of the time until a client comes back that is added to it at random.
const JITTER: f32 = 0.5;

/// Opens an event stream of one or several channels.
pub(super) async fn get(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let host = request.app_data::<Rc<StreamHost>>().ok_or(ErrorCode::Internal)?.clone();
    let client = host.check(&request)?;
    let EventQuery { channels, has_envelope, begin, token, is_return, is_ended } =
        EventQuery::read(request.query_string(), request.headers())?;
    if is_ended {
        return Ok(HttpResponse::NoContent().finish());
    }
    if request.method() == Method::HEAD {
        return Ok(host::head_of_stream(CONTENT_TYPE).finish());
    }
    let retry = host.retry.mul_f32(1.0 + JITTER * rand::random::<f32>());
    let headers = host.source.counted(request.headers());
    let token = token.or_else(|| headers.cookie(host.token_cookie.as_deref()?).map(Into::into)).unwrap_or_default();
    let start = EventSourceStart { channels, token, begin, has_envelope, is_return, retry };
    let permit = match host.admissions.admit(host.worker.hub.now(), client.address) {
        Ok(permit) => permit,
        Err(Denial { refusal, .. }) => return Ok(later(&host, &refusal, retry)),
    };
    let handshake = host.handshake(&request, &headers, client, ChosenProtocol::EventSource(Box::new(start)))?;
    let mut opening = Opening::new(host.worker.clone(), handshake);
    match opening.decide().await {
        Decision::Accepted => Ok(host.respond(&request, CONTENT_TYPE, move |io| {
            host::spawn(opening.into_connection(Wire::stream(io)), permit);
        })?),
        Decision::Rejected(Rejection::Later(refusal)) => Ok(later(&host, &refusal, retry)),
        Decision::Rejected(Rejection::NoReturn(refusal)) => {
            host.worker.hub.metrics().upgrade_refused(refusal.code);
            Ok(HttpResponse::NoContent().finish())
        }
        Decision::Rejected(Rejection::Problem(refusal)) => Err(refusal.into()),
    }
}

/// A stream that ends at once, so that the browser comes back.
fn later(host: &StreamHost, refusal: &Refusal, retry: Duration) -> HttpResponse {
    host.worker.hub.metrics().upgrade_refused(refusal.code);
    let mut body = Vec::new();
    append_retry(retry, &mut body);
    host::head_of_stream(CONTENT_TYPE).body(body)
}
