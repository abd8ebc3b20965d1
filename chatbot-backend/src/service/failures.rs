//! The errors of calls.

use crate::channel_io::LineFailure;
use shared_proto::client::Failure;
use shared_proto::client::link::CallFailure;
use shared_proto::errors::ErrorCode;

/// The data of the call is invalid.
const BAD_REQUEST: u32 = 400;
/// The user may not do this.
const FORBIDDEN: u32 = 403;
/// The id belongs to a different message.
const CONFLICT: u32 = 409;
/// Too many answers are being written.
const BUSY: u32 = 429;
/// The gateway did not accept the publication, or did not answer.
const UNAVAILABLE: u32 = 503;

pub(super) fn bad_request(message: impl Into<String>) -> CallFailure {
    CallFailure::refused(BAD_REQUEST, message)
}

pub(super) fn name_of_bot() -> CallFailure {
    CallFailure::refused(FORBIDDEN, "This name belongs to the bot. Sign in with another name.")
}

pub(super) fn busy() -> CallFailure {
    CallFailure::temporary(BUSY, "I am writing too many answers. Try again in a moment.")
}

pub(super) fn unavailable(message: impl Into<String>) -> CallFailure {
    CallFailure::temporary(UNAVAILABLE, message)
}

/// The answer to a call has no valid JSON.
pub(super) fn bad_reply(error: &serde_json::Error) -> CallFailure {
    CallFailure::refused(UNAVAILABLE, error.to_string())
}

/// The error of a call whose publication or read failed.
pub(super) fn gateway_failure(failure: &Failure) -> CallFailure {
    tracing::warn!(%failure, "the gateway did not accept a request");
    let temporary = matches!(failure, Failure::NotDone { .. });
    // The caller gets only the text of the error table. The log contains the details.
    let reason = ErrorCode::by_name(failure.code()).map_or("No answer arrived in time.", |code| code.row().doc);
    CallFailure { code: UNAVAILABLE, message: format!("The gateway did not accept it. {reason}"), temporary }
}

/// The error of a call whose message was not published.
pub(super) fn line_failure(failure: &LineFailure) -> CallFailure {
    match failure {
        LineFailure::NotPublished(failure) => gateway_failure(failure),
        LineFailure::OtherMessage => CallFailure::refused(CONFLICT, "`id` belongs to a different message. Choose a new one."),
        LineFailure::OutOfReach => CallFailure::refused(
            CONFLICT,
            "`id` belongs to an earlier message that I can no longer read. Look whether the conversation has yours before you choose a new `id`.",
        ),
        LineFailure::Unreadable(failure) => {
            tracing::warn!(%failure, "a message with the id of a stored one could not be compared with it");
            unavailable("I could not read whether this message is stored already. Try again with the same `id`.")
        }
    }
}
