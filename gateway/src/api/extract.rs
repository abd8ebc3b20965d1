//! Extracts and checks the parts of requests that handlers need.

use super::problem::{ApiError, bad_request};
use crate::{
    auth::ApiKey,
    publish::{CallerKey, parse_channel},
    telemetry::TraceSpan,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header,
    web::{Bytes, PayloadConfig, ServiceConfig},
};
use gateway_core::model::{ChannelName, ConnectionId, ErrorCode, InvalidName, Refusal, ServiceName, UserId};
use serde::de::DeserializeOwned;
use shared_proto::{http::read_query, json, rest::is_identity};
use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    str::FromStr,
    sync::Arc,
};

/// The API key of the request.
#[derive(Clone, Debug)]
pub(super) struct Key(pub(super) Arc<ApiKey>);

impl FromRequest for Key {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| ErrorCode::Unauthorized.into()))
    }
}

/// The headers of a publish: API key, idempotency key and trace context.
pub(super) struct PublishHeaders {
    pub(super) api_key: Arc<ApiKey>,
    pub(super) key: Option<CallerKey>,
    pub(super) traceparent: Option<Box<str>>,
}

impl FromRequest for PublishHeaders {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let api_key = match Key::from_request(request, payload).into_inner() {
            Ok(Key(api_key)) => api_key,
            Err(error) => return ready(Err(error)),
        };
        let mut keys = request.headers().get_all("idempotency-key");
        let key = match (keys.next(), keys.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => CallerKey::new(api_key.name(), key.to_str().unwrap_or_default()).map(Some).map_err(ApiError),
            (Some(_), Some(_)) => Err(bad_request("There are several Idempotency-Key headers. Send only one.")),
        };
        ready(key.map(|key| Self { api_key, key, traceparent: request.extensions().get::<TraceSpan>().and_then(TraceSpan::traceparent) }))
    }
}

/// Maximum size of a body.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) bytes: usize,
    /// The setting that changes it.
    pub(crate) setting: Option<&'static str>,
}

/// Sets the limit of bodies for [`Json`].
pub(crate) fn limit_bodies(config: &mut ServiceConfig, limit: BodyLimit) {
    config.app_data(PayloadConfig::new(limit.bytes)).app_data(limit);
}

/// A JSON object in the body. Unknown fields are refused.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = check_headers(request);
        let limit = request.app_data::<BodyLimit>().copied().unwrap_or(BodyLimit { bytes: 0, setting: None });
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let body = body.await.map_err(|error| body_error(&error, limit))?;
            headers?;
            json::read_bytes(&body).map(Self).map_err(|error| bad_request(format!("The body is invalid: {error}.")))
        })
    }
}

fn check_headers(request: &HttpRequest) -> Result<(), ErrorCode> {
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(ErrorCode::UnsupportedMediaType);
    }
    let encodings = request.headers().get_all(header::CONTENT_ENCODING).map(header::HeaderValue::as_bytes);
    if is_identity(encodings) { Ok(()) } else { Err(ErrorCode::UnsupportedEncoding) }
}

fn body_error(error: &Error, BodyLimit { bytes, setting }: BodyLimit) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => {
            let cure = setting.map(|setting| format!(" Send less, or raise {setting}.")).unwrap_or_default();
            ApiError(Refusal::new(ErrorCode::PayloadTooLarge, format!("The body is larger than the limit of {bytes} bytes.{cure}")))
        }
        _ => bad_request("The body is incomplete."),
    }
}

/// Query parameters. Unknown names are refused.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_query(request.query_string()).map(Self).map_err(|error| bad_request(format!("The query is invalid: {error}."))))
    }
}

/// A type that is parsed from a segment of the path.
pub(super) trait InPath: Sized {
    /// The name of the segment in the pattern of the path.
    const SEGMENT: &'static str;

    fn parse(text: &str) -> Result<Self, Refusal>;
}

impl InPath for ChannelName {
    const SEGMENT: &'static str = "channel";

    fn parse(text: &str) -> Result<Self, Refusal> {
        parse_channel(text)
    }
}

fn name<T: FromStr<Err = InvalidName>>(what: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error| Refusal::new(ErrorCode::BadRequest, format!("The name of the {what} {error}.")))
}

impl InPath for UserId {
    const SEGMENT: &'static str = "user";

    fn parse(text: &str) -> Result<Self, Refusal> {
        name("user", text)
    }
}

impl InPath for ServiceName {
    const SEGMENT: &'static str = "service";

    fn parse(text: &str) -> Result<Self, Refusal> {
        name("service", text)
    }
}

impl InPath for ConnectionId {
    const SEGMENT: &'static str = "id";

    fn parse(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|error| Refusal::new(ErrorCode::BadRequest, format!("The last segment of the path {error}.")))
    }
}

/// Extracts an [`InPath`] from the path of a request.
pub(super) struct Named<T>(pub(super) T);

impl<T: InPath> FromRequest for Named<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (path, segment) = (request.uri().path(), request.match_info().query(T::SEGMENT));
        // The router has decoded everything except '%', '/' and '+', and has replaced invalid UTF-8 by U+FFFD.
        let checked = if path.contains('%') { decode(path).map(drop) } else { Ok(()) };
        ready(checked.and_then(|()| decode(segment)).and_then(|text| T::parse(&text).map_err(ApiError)).map(Self))
    }
}

/// Percent-decodes a path or a segment, once.
fn decode(segment: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).map(|d| d as u8);
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(bad_request("The path has a '%' without two hex digits after it."));
        };
        bytes.push(high << 4 | low);
    }
    String::from_utf8(bytes).map_err(|_| bad_request("The decoded path is not UTF-8."))
}
