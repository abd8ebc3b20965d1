//! Errors as problem documents (RFC 9457), from the shared error table.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use shared_proto::errors::{ErrorCode, Retry};
use std::fmt;

/// An error for a caller.
#[derive(Debug)]
pub(super) struct Problem {
    code: ErrorCode,
    detail: String,
}

impl Problem {
    /// `detail` names the error and what to do about it.
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.row().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let row = self.code.row();
        let status = self.status_code();
        let body = shared_proto::rest::Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: row.http,
            code: row.name.to_owned(),
            retryable: row.retry != Retry::Never,
            detail: self.detail.clone(),
            expected: None,
            retry_after_ms: None,
        };
        let mut response = HttpResponse::build(status);
        if row.retry == Retry::Safe {
            response.insert_header(("Retry-After", "1"));
        }
        if self.code == ErrorCode::UnsupportedEncoding {
            response.insert_header(("Accept-Encoding", "identity"));
        }
        response.content_type("application/problem+json").json(body)
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}
