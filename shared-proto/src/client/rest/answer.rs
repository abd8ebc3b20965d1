//! Reads the response to a request, and classifies failures.

use crate::client::Failure;
use crate::link::LinkError;
use crate::rest::Problem;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use hyper_util::client::legacy::Error as ClientError;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Maximum size of a response in bytes. The largest page of history is smaller.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

pub(super) async fn read<T: DeserializeOwned>(response: Response<Incoming>, read_only: bool) -> Result<T, Failure> {
    let status = response.status();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = body_of(response.into_body()).await.map_err(|detail| unanswered(detail, read_only))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| unanswered(format!("unexpected response body: {error}"), read_only));
    }
    Err(match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Failure::named(link_error(problem), retry_after),
        Err(_) => classify_status(status, retry_after),
    })
}

/// A problem document and an error on a link say the same.
fn link_error(problem: Problem) -> LinkError {
    let Problem { code, detail: message, retryable, expected, retry_after_ms, .. } = problem;
    LinkError { code, message, retryable, expected, retry_after_ms }
}

async fn body_of(mut incoming: Incoming) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(chunk) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(format!("the response is larger than {ANSWER_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Classifies a response without a problem document. A proxy sent it and not the gateway, so the gateway may have carried out the request.
fn classify_status(status: StatusCode, retry_after: Option<Duration>) -> Failure {
    let code = format!("http_{}", status.as_u16());
    let detail = format!("answered {status} without a problem document");
    if status == StatusCode::TOO_MANY_REQUESTS { Failure::NotDone { code, detail, retry_after } } else { Failure::Unknown { code, detail } }
}

/// Classifies a request without a response.
pub(super) fn classify(error: &ClientError, read_only: bool) -> Failure {
    if error.is_connect() { Failure::unreachable(root_cause(error)) } else { unanswered(root_cause(error), read_only) }
}

/// The failure of a request without a valid response. A read changes nothing, so it can always be repeated.
pub(super) fn unanswered(detail: String, read_only: bool) -> Failure {
    if read_only { Failure::unreachable(detail) } else { Failure::no_answer(detail) }
}

fn root_cause(error: &ClientError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
