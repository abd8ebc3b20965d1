//! What an HTTP answer means for the caller and for the target. Pure.

use super::super::call_types::{BadReply, BadReplyCause, CallError, CallResult, Reply};
use crate::outbound::Body;
use gateway_core::model::{Data, ErrorCode, Refusal};
use hyper::{
    StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use shared_proto::{json, webhook::META_HEADER};
use std::time::{Duration, SystemTime};

/// The media type of problem documents (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Longest pause that a target can ask for.
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// What to do about an answer that is not valid.
const TELL: &str = "Tell its developers";

/// An answer whose body has been read.
pub(super) struct HttpAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// What one try says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, perhaps with an error.
    Answers,
    /// It answered that it has no time now, so a call with a key may be sent again.
    Busy,
    /// It failed, perhaps after it took the request. Several failures in a row open its breaker.
    Fails,
    /// It failed before the request was sent, so the request may be sent again.
    Unreached,
}

impl Verdict {
    /// Whether surely no target got the request.
    pub(in crate::services) fn is_unsent(&self) -> bool {
        self.health == Health::Unreached
    }

    /// The pause that a busy target asked for.
    pub(in crate::services) fn pause(&self) -> Option<Duration> {
        match &self.result {
            Err(CallError::Refused(refusal)) => refusal.retry_after,
            _ => None,
        }
    }
}

/// The result of one try.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::services) struct Verdict {
    pub(in crate::services) result: CallResult,
    pub(super) health: Health,
    /// What operators should know and callers do not need, for the log.
    pub(super) remark: Option<String>,
    /// Whether the status is one of success, whatever the body.
    pub(in crate::services) is_success: bool,
}

/// The members of a problem document (RFC 9457) that the gateway reads. Any of them may be missing or have another type.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    title: Value,
    #[serde(default)]
    detail: Value,
    #[serde(default)]
    retryable: Value,
}

impl Verdict {
    /// What a complete answer means.
    pub(super) fn of(service: &str, answer: &HttpAnswer, now: SystemTime) -> Self {
        Self { is_success: answer.status.is_success(), ..Self::by_status(service, answer, now) }
    }

    fn by_status(service: &str, answer: &HttpAnswer, now: SystemTime) -> Self {
        let status = answer.status.as_u16();
        match status {
            429 => Self::busy(service, answer, now),
            503 if is_of_service(answer) => Self::busy(service, answer, now),
            // A proxy answers so. It may have passed the call on.
            502..=504 => {
                let detail = format!("{service} answered with the status {status}. It may have carried the call out.");
                let result = Err(Refusal::new(ErrorCode::Timeout, detail).into());
                Self { health: Health::Fails, remark: Some(format!("answered with the status {status}")), ..Self::fine(result) }
            }
            300..=399 => {
                Self::wrong_settings(service, format!("answered with the redirection {status}, which is not followed"), "Correct its URL")
            }
            _ if media_type(answer) == PROBLEM => match &answer.body {
                Body::Whole(body) => Self::fine(Err(own_error(service, status, body))),
                Body::TooLarge { limit } => Self::bad(service, format!("sent a problem document of {}", more_than(*limit)), TELL),
            },
            200..=299 => match &answer.body {
                Body::Whole(body) => Self::reply(service, answer, body),
                Body::TooLarge { limit } => {
                    Self::bad_reply(service, format!("sent a reply of {}", more_than(*limit)), TELL, BadReplyCause::TooLarge)
                }
            },
            401 | 403 => {
                Self::wrong_settings(service, format!("refused the gateway with the status {status}"), "Correct its secrets or headers")
            }
            404 | 405 => Self::wrong_settings(service, format!("does not know the URL: status {status}"), "Correct its URL"),
            _ => Self::bad(service, format!("answered with the status {status} without application/problem+json"), TELL),
        }
    }

    /// The answer is not what HTTP or the settings allow.
    pub(super) fn bad(service: &str, what: String, cure: &str) -> Self {
        Self::bad_reply(service, what, cure, BadReplyCause::Invalid)
    }

    /// The settings are wrong, so the target did not carry the call out.
    fn wrong_settings(service: &str, what: String, cure: &str) -> Self {
        Self::bad_reply(service, what, cure, BadReplyCause::WrongSettings)
    }

    fn bad_reply(service: &str, what: String, cure: &str, cause: BadReplyCause) -> Self {
        let detail = format!("{service} {what}. {cure}.");
        Self { remark: Some(what), ..Self::fine(Err(CallError::BadReply(BadReply { detail, cause }))) }
    }

    /// The connection broke after the request began.
    pub(super) fn lost(service: &str, cause: String) -> Self {
        let detail = format!("{service} closed the connection during the call. It may have carried the call out.");
        Self { health: Health::Fails, remark: Some(cause), ..Self::fine(Err(Refusal::new(ErrorCode::Timeout, detail).into())) }
    }

    /// No request was sent.
    pub(super) fn not_sent(service: &str, cause: String) -> Self {
        let detail = format!("No target of {service} could be reached. Try again shortly.");
        let result = Err(Refusal::new(ErrorCode::ServiceUnavailable, detail).into());
        Self { health: Health::Unreached, remark: Some(cause), ..Self::fine(result) }
    }

    /// No request could be made.
    pub(super) fn not_made(refusal: Refusal) -> Self {
        Self::fine(Err(refusal.into()))
    }

    fn busy(service: &str, answer: &HttpAnswer, now: SystemTime) -> Self {
        let result = Err(overloaded(service, answer.status.as_u16(), retry_after(&answer.headers, now)));
        Self { health: Health::Busy, ..Self::fine(result) }
    }

    fn fine(result: CallResult) -> Self {
        Self { result, health: Health::Answers, remark: None, is_success: false }
    }

    fn reply(service: &str, answer: &HttpAnswer, body: &[u8]) -> Self {
        let Ok(meta) = meta(answer) else {
            return Self::bad(service, format!("sent a header {META_HEADER} that is not JSON"), TELL);
        };
        let reply = |data: Data| match Reply::with_meta(data, meta) {
            Ok(reply) => Self::fine(Ok(reply)),
            Err(error) => Self::bad(service, format!("sent a reply that {error}"), TELL),
        };
        if body.is_empty() {
            return reply(Data::null());
        }
        if answer.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Self::bad(service, "sent a compressed reply".into(), TELL);
        }
        let media_type = media_type(answer);
        if media_type != "application/json" && !(media_type.starts_with("application/") && media_type.ends_with("+json")) {
            return Self::bad(service, format!("sent a reply of the type {media_type:?}, not application/json"), TELL);
        }
        let Ok(raw) = serde_json::from_slice::<&RawValue>(body) else {
            return Self::bad(service, "sent a reply that is not JSON".into(), TELL);
        };
        match Data::parse(raw) {
            Ok(data) => reply(data),
            Err(error) => Self::bad(service, format!("sent a reply that {error}"), TELL),
        }
    }
}

/// The size of a body that was not read to its end.
fn more_than(limit: usize) -> String {
    format!("more than {limit} bytes, the limit")
}

/// The JSON of the header that replaces what is kept with the connection.
fn meta(answer: &HttpAnswer) -> serde_json::Result<Option<&RawValue>> {
    answer.headers.get(META_HEADER).map(|value| serde_json::from_slice(value.as_bytes())).transpose()
}

/// Whether a 503 is of the service itself, which then has not carried the call out. A proxy gives neither of these.
fn is_of_service(answer: &HttpAnswer) -> bool {
    answer.headers.contains_key(RETRY_AFTER) || media_type(answer) == PROBLEM
}

/// The `Content-Type` without parameters, in lower case; at most 80 bytes.
fn media_type(answer: &HttpAnswer) -> String {
    let text = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.truncate(80);
    essence
}

/// The pause that the target asks for: a number of seconds or a date (RFC 9110 section 10.2.3), at most [`PAUSE_MAX`].
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A date in the past asks for no pause.
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(PAUSE_MAX))
}

fn overloaded(service: &str, status: u16, pause: Option<Duration>) -> CallError {
    let refusal = |rest| Refusal::new(ErrorCode::Overloaded, format!("{service} is busy (status {status}).{rest}"));
    match pause {
        Some(pause) => refusal("").try_again_in(pause).into(),
        None => refusal(" Try again with a growing pause.").into(),
    }
}

fn own_error(service: &str, status: u16, body: &[u8]) -> CallError {
    let problem: Problem = match json::read_bytes(body) {
        Ok(problem) => problem,
        Err(error) => {
            return CallError::bad_reply(format!("The problem document of {service} is malformed: {error}. Tell its developers."));
        }
    };
    let code = problem.code.as_u64().unwrap_or_else(|| status.into());
    let text = [&problem.detail, &problem.title].into_iter().find_map(|member| member.as_str().filter(|text| !text.is_empty()));
    let message = text.map_or_else(|| format!("{service} answered with the status {status}."), ToOwned::to_owned);
    CallError::of_service(code, message, problem.retryable.as_bool().unwrap_or_default())
}

#[cfg(test)]
mod tests;
