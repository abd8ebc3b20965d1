//! The response to a refused upgrade request.

use super::Denial;
use actix_http::StatusCode;
use gateway_core::model::{ErrorCode, Retry};
use shared_proto::rest::Problem;
use std::io::Write;

/// Appends a complete HTTP response with a problem document (RFC 9457). The response announces that the connection will be closed.
pub fn answer(denial: &Denial, out: &mut Vec<u8>) {
    let code = denial.refusal.code;
    let row = code.row();
    let title = StatusCode::from_u16(row.http).ok().and_then(|status| status.canonical_reason()).unwrap_or("Refused");
    let problem = Problem {
        kind: "about:blank".into(),
        title: title.into(),
        status: row.http,
        code: row.name.into(),
        retryable: row.retry == Retry::Safe,
        detail: denial.refusal.detail.clone(),
        expected: None,
        retry_after_ms: denial.retry_after.map(|pause| pause.as_millis() as u64),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let retry = denial.retry_after.map(|pause| format!("Retry-After: {}\r\n", pause.as_secs() + u64::from(pause.subsec_nanos() > 0)));
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "HTTP/1.1 {} {title}\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n{}{}\r\n",
        row.http,
        body.len(),
        required_headers(code),
        retry.unwrap_or_default(),
    );
    out.extend_from_slice(&body);
}

/// The headers that HTTP requires in a response with this status.
fn required_headers(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ErrorCode::MethodNotAllowed => "Allow: GET\r\n",
        _ => "",
    }
}
