//! The body and the headers of a request.

use super::{
    super::{
        call_types::{CallRequest, EventMessage},
        lifecycle::event::Lifecycle,
    },
    signature::Signer,
    target_url::TargetUrl,
};
use bytes::Bytes;
use gateway_core::model::{Data, ErrorCode, Refusal};
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, USER_AGENT},
};
use shared_proto::{
    link,
    webhook::{self, Message},
};
use std::time::{Duration, SystemTime};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const TIMEOUT: HeaderName = HeaderName::from_static("request-timeout-ms");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const AGENT: &str = concat!("switchboard/", env!("CARGO_PKG_VERSION"));

/// Headers of the connection and of the body, which only the HTTP client sets.
const OF_HTTP: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "accept-encoding",
];

/// Whether the settings cannot set this header.
pub(super) fn is_own(name: &HeaderName) -> bool {
    let own = [CONTENT_TYPE, ACCEPT, ID, TIMESTAMP, SIGNATURE, TIMEOUT, TRACEPARENT];
    own.contains(name) || OF_HTTP.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

/// A call or an event on its way. All tries have the same id and body.
pub(in crate::services) struct Outbound {
    id: String,
    /// The method of a call, or the kind of an event.
    pub(super) method: Box<str>,
    body: Bytes,
    /// Whether the service recognises a repeat by a key.
    pub(super) has_key: bool,
    traceparent: Option<HeaderValue>,
}

/// A new id of a call or an event.
pub(in crate::services) fn new_event_id() -> String {
    format!("msg_{:032x}", rand::random::<u128>())
}

impl Outbound {
    pub(super) fn call(call: CallRequest<'_>) -> Self {
        let has_key = call.idempotency_key.is_some();
        let message = |id: &str, data: Data| {
            Message::Call(webhook::Call {
                id: id.into(),
                method: call.method.into(),
                data: data.into(),
                user: call.caller.user.to_string(),
                connection: call.caller.connection.to_string(),
                meta: call.caller.meta(),
                order_key: call.order_key.map(|key| key.text().as_ref().into()),
                idempotency_key: call.idempotency_key.map(Into::into),
                request: call.request,
            })
        };
        let outbound = Self::new(call.method, call.caller.traceparent.as_deref(), |id| message(id, call.data));
        Self { has_key, ..outbound }
    }

    pub(super) fn event(event: EventMessage<'_>) -> Self {
        let traceparent = event.caller.traceparent.clone();
        Self::new(webhook::MESSAGE, traceparent.as_deref(), |id| {
            Message::Event(webhook::Event {
                id: id.into(),
                kind: webhook::MESSAGE.into(),
                method: None,
                attempt: None,
                partition: None,
                key: None,
                generation: None,
                time: None,
                data: event.data.into(),
                user: event.caller.user.to_string(),
                connection: event.caller.connection.to_string(),
                meta: event.caller.meta(),
                request: event.request,
            })
        })
    }

    /// An event from a queue. All its deliveries have its id.
    pub(in crate::services) fn queued(event: link::Event) -> Self {
        let method = match event.kind.as_str() {
            webhook::MESSAGE => webhook::MESSAGE.into(),
            webhook::CALL => event.method.clone().unwrap_or_default(),
            _ => webhook::LIFECYCLE.to_owned(),
        };
        let link::Event {
            id,
            kind,
            method: of_call,
            attempt,
            partition,
            key,
            generation,
            time,
            data,
            user,
            connection,
            meta,
            traceparent,
            request,
        } = event;
        let id = id.unwrap_or_default();
        let event = webhook::Event {
            id: id.clone(),
            kind,
            method: of_call,
            attempt,
            partition,
            key,
            generation,
            time,
            data,
            user,
            connection,
            meta,
            request,
        };
        Self::with_id(id, &method, traceparent.as_deref(), |_| Message::Event(event))
    }

    /// Lifecycle events, in one request.
    pub(in crate::services) fn events(events: &[Lifecycle]) -> Self {
        Self::new(webhook::LIFECYCLE, None, |_| Message::Events(events.iter().map(Into::into).collect()))
    }

    fn new(method: &str, traceparent: Option<&str>, message: impl FnOnce(&str) -> Message) -> Self {
        Self::with_id(new_event_id(), method, traceparent, message)
    }

    fn with_id(id: String, method: &str, traceparent: Option<&str>, message: impl FnOnce(&str) -> Message) -> Self {
        let body = serde_json::to_vec(&message(&id)).unwrap_or_default().into();
        Self { method: method.into(), body, has_key: false, traceparent: traceparent.and_then(|text| text.try_into().ok()), id }
    }

    /// The request of one try, to this target. `left` is the time that is left for the answer.
    pub(super) fn request(
        &self,
        url: &TargetUrl,
        configured: &HeaderMap,
        signer: &Signer,
        now: SystemTime,
        left: Duration,
    ) -> Result<Request<Full<Bytes>>, Refusal> {
        let invalid = |_: InvalidHeaderValue| Refusal::from(ErrorCode::Internal);
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let mut headers = HeaderMap::with_capacity(configured.len() + 9);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.extend(configured.iter().map(|(name, value)| (name.clone(), value.clone())));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        headers.insert(HOST, url.endpoint.header.clone());
        headers.insert(ID, self.id.as_str().try_into().map_err(invalid)?);
        headers.insert(TIMESTAMP, seconds.as_str().try_into().map_err(invalid)?);
        if let Some(signature) = signer.sign(&self.id, &seconds, &self.body) {
            headers.insert(SIGNATURE, signature.as_str().try_into().map_err(invalid)?);
        }
        headers.insert(TIMEOUT, HeaderValue::from(left.as_millis() as u64));
        if let Some(traceparent) = &self.traceparent {
            headers.insert(TRACEPARENT, traceparent.clone());
        }
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.path(&self.method)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
