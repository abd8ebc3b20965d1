//! Refusals as problem documents (RFC 9457).

use actix_web::{
    HttpRequest, HttpResponse, Responder, ResponseError,
    body::BoxBody,
    http::{StatusCode, header},
};
use gateway_core::model::{ErrorCode, Refusal};
use std::fmt;

/// `Retry-After` of refusals that changed nothing and are temporary, in seconds, unless the refusal has a pause of its own.
const RETRY_AFTER: &str = "1";

/// A refusal as the error of a handler.
#[derive(Debug)]
pub struct ApiError(pub Refusal);

impl<T: Into<Refusal>> From<T> for ApiError {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.row().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        for header in headers_of(self.0.code) {
            response.insert_header(*header);
        }
        if let Some(seconds) = self.0.retry_after_seconds() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.body(serde_json::to_string(&self.0.problem()).unwrap_or_default())
    }
}

impl Responder for ApiError {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

/// The headers that belong to a refusal.
fn headers_of(code: ErrorCode) -> &'static [(&'static str, &'static str)] {
    match (code, code.row().http) {
        (_, 401) => &[("www-authenticate", "Bearer")],
        (_, 429 | 503) => &[("retry-after", RETRY_AFTER)],
        (ErrorCode::UpgradeRequired, _) => &[("upgrade", "websocket"), ("sec-websocket-version", "13")],
        (ErrorCode::UnsupportedEncoding, _) => &[("accept-encoding", "identity")],
        _ => &[],
    }
}

/// A refusal of a malformed request.
pub(super) fn bad_request(detail: impl Into<String>) -> ApiError {
    ApiError(Refusal::new(ErrorCode::BadRequest, detail))
}

/// Answers a path that does not exist.
pub(super) async fn no_such_path(request: HttpRequest) -> HttpResponse {
    let detail = format!("{} does not exist. /docs lists every path.", request.path());
    ApiError(Refusal::new(ErrorCode::NotFound, detail)).error_response()
}

/// Answers a method that the path does not support.
pub(super) fn method_not_allowed(allowed: &str) -> HttpResponse {
    let detail = format!("This path does not support this method. It supports {allowed}.");
    let mut response = ApiError(Refusal::new(ErrorCode::MethodNotAllowed, detail)).error_response();
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_title_of_a_document_is_the_phrase_of_its_status() {
        for row in shared_proto::errors::ERRORS {
            let phrase = StatusCode::from_u16(row.http).expect("a status").canonical_reason();
            assert_eq!(Some(&*Refusal::from(row.code).problem().title), phrase, "{}", row.name);
        }
    }

    #[test]
    fn a_known_pause_is_in_the_document_and_in_the_header() {
        let busy = || Refusal::new(ErrorCode::Overloaded, "Full.");
        for (refusal, header, member) in [(busy(), "1", None), (busy().try_again_in(Duration::from_millis(2500)), "3", Some(2500))] {
            assert_eq!(refusal.problem().retry_after_ms, member);
            let response = ApiError(refusal).error_response();
            assert_eq!(response.headers().get_all("retry-after").collect::<Vec<_>>(), [header]);
        }
    }
}
