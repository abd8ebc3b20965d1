//! The answer to a call, as the broker keeps it.

use crate::services::call_types::{BadReply, BadReplyCause, CallError, CallResult};
use bytes::Bytes;
use gateway_core::model::{Data, ErrorCode, Refusal, Retry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What an answer means for a repeat of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The service got the call and answered. A repeat gets this answer.
    Done(Bytes),
    /// The same, but its answer is too large to be kept or passed on.
    DoneTooLarge(Bytes),
    /// The call was not carried out. A repeat is a first call again.
    Ended,
    /// The call may still run.
    MayRun,
}

/// JSON, like frames of a link. It has no `meta`: a repeat changes nothing of its connection.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Reply {
        data: Box<RawValue>,
    },
    Error {
        code: u32,
        message: String,
    },
    /// The service got the call, and its answer was invalid.
    BadReply {
        detail: String,
    },
    TooLarge,
}

impl Outcome {
    /// `size`: the largest answer that is kept, in bytes.
    pub(super) fn of(answer: &CallResult, size: usize) -> Self {
        let kept = match answer {
            Ok(reply) => Kept::Reply { data: reply.data.raw().to_owned() },
            Err(CallError::Service { code, message, temporary: false }) => Kept::Error { code: *code, message: message.clone() },
            Err(CallError::BadReply(BadReply { cause, detail })) => match cause {
                BadReplyCause::Invalid => Kept::BadReply { detail: detail.clone() },
                BadReplyCause::TooLarge => return Self::DoneTooLarge(encode(&Kept::TooLarge)),
                BadReplyCause::WrongSettings => return Self::Ended,
            },
            Err(CallError::Refused(refusal)) if refusal.code.row().retry == Retry::SameKeyOnly => return Self::MayRun,
            Err(CallError::Service { temporary: true, .. } | CallError::Refused(_)) => return Self::Ended,
        };
        match encode(&kept) {
            bytes if bytes.len() <= size => Self::Done(bytes),
            _ => Self::DoneTooLarge(encode(&Kept::TooLarge)),
        }
    }
}

/// The answer to a repeat.
pub(super) fn read(kept: &[u8]) -> CallResult {
    let Ok(kept) = serde_json::from_slice(kept) else {
        return Err(
            Refusal::new(ErrorCode::Internal, "The kept answer to this call has the form of another version of the gateway.").into()
        );
    };
    match kept {
        Kept::Reply { data } => match Data::parse(&data) {
            Ok(data) => Ok(data.into()),
            Err(error) => Err(CallError::bad_reply(format!("The kept reply {error}."))),
        },
        Kept::BadReply { detail } => Err(CallError::bad_reply(detail)),
        Kept::Error { code, message } => Err(CallError::Service { code, message, temporary: false }),
        Kept::TooLarge => Err(Refusal::from(ErrorCode::AnswerTooLarge).into()),
    }
}

fn encode(kept: &Kept) -> Bytes {
    // Strings, numbers and valid JSON: serialising cannot fail.
    serde_json::to_vec(kept).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::call_types::Reply;
    use gateway_core::model::MetaChange;

    fn service_error(message: &str, temporary: bool) -> CallResult {
        Err(CallError::Service { code: 601, message: message.into(), temporary })
    }

    #[test]
    fn what_a_service_answered_is_kept_and_read_back() {
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        let deep = Data::parse(serde_json::from_str::<&RawValue>(&deep).expect("JSON")).expect("the deepest allowed");
        let bad = Err(CallError::bad_reply("The reply is \"bad\"."));
        for answer in [Ok(Data::null().into()), Ok(deep.into()), bad, service_error("sold \"out\"\n", false)] {
            let Outcome::Done(kept) = Outcome::of(&answer, 1024) else { panic!("{answer:?}") };
            assert_eq!(read(&kept), answer);
        }
        assert!(matches!(read(b"{\"later\":1}"), Err(CallError::Refused(refusal)) if refusal.code == ErrorCode::Internal));
    }

    #[test]
    fn a_repeat_changes_nothing_of_its_connection() {
        let answer = Ok(Reply { data: Data::null(), meta: MetaChange::Set(None) });
        let Outcome::Done(kept) = Outcome::of(&answer, 1024) else { panic!("{answer:?}") };
        assert_eq!(read(&kept), Ok(Data::null().into()));
        assert_eq!(read(br#"{"reply":{"data":null,"meta":[1]}}"#), Ok(Data::null().into()), "of an earlier version");
    }

    #[test]
    fn an_answer_above_the_limit_leaves_a_mark() {
        let text = |length: usize| format!("\"{}\"", "x".repeat(length));
        let reply = |length| Ok(Data::parse(serde_json::from_str::<&RawValue>(&text(length)).expect("JSON")).expect("shallow").into());
        let fits = 1024 - "{\"reply\":{\"data\":\"\"}}".len();
        assert!(matches!(Outcome::of(&reply(fits), 1024), Outcome::Done(kept) if kept.len() == 1024));
        let Outcome::DoneTooLarge(kept) = Outcome::of(&reply(fits + 1), 1024) else { panic!("it is too large") };
        assert!(matches!(read(&kept), Err(CallError::Refused(refusal)) if refusal.code == ErrorCode::AnswerTooLarge));
        assert!(matches!(Outcome::of(&service_error(&"x".repeat(1024), false), 1024), Outcome::DoneTooLarge(_)));
        assert_eq!(Outcome::of(&Err(CallError::reply_too_large("65537 bytes")), 1024), Outcome::DoneTooLarge(kept));
    }

    #[test]
    fn only_what_may_have_been_carried_out_stays_open() {
        use ErrorCode::{Internal, Overloaded, ServiceUnavailable, Timeout, TooManyRequests};
        let unknown_url = BadReply { detail: "status 404".into(), cause: BadReplyCause::WrongSettings };
        for (code, outcome) in [
            (Timeout, Outcome::MayRun),
            (ServiceUnavailable, Outcome::Ended),
            (Overloaded, Outcome::Ended),
            (TooManyRequests, Outcome::Ended),
            (Internal, Outcome::Ended),
        ] {
            assert_eq!(Outcome::of(&Err(Refusal::from(code).into()), 1024), outcome, "{code}");
        }
        assert_eq!(Outcome::of(&service_error("busy", true), 1024), Outcome::Ended);
        assert_eq!(Outcome::of(&Err(CallError::BadReply(unknown_url)), 1024), Outcome::Ended);
    }
}
