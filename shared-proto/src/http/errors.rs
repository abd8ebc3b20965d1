//! Connections that did not end in good order.

use super::deadline::HeadTimeout;
use actix_http::error::{DispatchError, ParseError};
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A directive for `tracing` filters: the HTTP library is not to log as errors what any client can cause. [`ConnectionErrors`] has what it would say.
pub const LOG_DIRECTIVE: &str = "actix_http::h1::dispatcher=off";

/// Between two lines of the log about the same cause.
const PAUSE: Duration = Duration::from_mins(1);

macro_rules! causes {
    ($($variant:ident, $text:literal, $doc:literal;)*) => {
        /// Why a connection did not end in good order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause { $(#[doc = $doc] $variant,)* }

        impl Cause {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As metrics and logs say it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means, for people.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

causes! {
    Malformed, "malformed", "What the client sent is no HTTP/1.1.";
    HeadTooLarge, "head_too_large", "The head of a request has more than 128 KiB, or 96 lines.";
    HeadTimeout, "head_timeout", "The head of a request did not come in time.";
    NoRoom, "no_room", "There were as many connections as are allowed; it was closed at once.";
    Broken, "broken", "The client or the network broke it off.";
    NotClosed, "not_closed", "The client did not close its side in time; it was cut.";
    Internal, "internal", "The service failed to answer.";
}

impl Cause {
    fn of(error: &DispatchError) -> Self {
        match error {
            DispatchError::Parse(ParseError::TooLarge) => Self::HeadTooLarge,
            DispatchError::Parse(ParseError::Io(error)) | DispatchError::Io(error) => Self::of_io(error),
            DispatchError::Parse(_) => Self::Malformed,
            DispatchError::DisconnectTimeout => Self::NotClosed,
            _ => Self::Internal,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        if HeadTimeout::is(error) { Self::HeadTimeout } else { Self::Broken }
    }
}

/// Counts of one listener.
#[derive(Debug)]
pub struct ConnectionErrors {
    listener: &'static str,
    seen: Mutex<[Seen; Cause::ALL.len()]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    count: u64,
    /// When it was logged last, and how many there were then.
    logged: Option<(Instant, u64)>,
}

impl ConnectionErrors {
    /// None yet. `listener`: its name in the log.
    pub fn new(listener: &'static str) -> Self {
        Self { listener, seen: Mutex::default() }
    }

    /// How many connections ended by each cause.
    pub fn counts(&self) -> impl Iterator<Item = (Cause, u64)> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Cause::ALL.iter().copied().zip(seen.map(|seen| seen.count))
    }

    /// The name in the log.
    pub fn listener(&self) -> &'static str {
        self.listener
    }

    pub(super) fn note_end(&self, error: &DispatchError) {
        self.note(Cause::of(error), error);
    }

    /// Counts one, and logs it unless the same cause was logged a moment ago.
    pub(super) fn note(&self, cause: Cause, error: &dyn fmt::Display) {
        let Some(count) = self.count(cause, Instant::now()) else { return };
        let (listener, cause_text) = (self.listener, cause.text());
        match cause {
            Cause::Internal => {
                tracing::warn!(listener, cause = cause_text, count, %error, "HTTP connections ended by an error of this service");
            }
            Cause::Broken | Cause::NotClosed => {
                tracing::debug!(listener, cause = cause_text, count, %error, "HTTP connections were broken off");
            }
            _ => tracing::info!(listener, cause = cause_text, count, %error, "HTTP connections were refused; logged once a minute"),
        }
    }

    /// How many are to be logged now, if any.
    fn count(&self, cause: Cause, now: Instant) -> Option<u64> {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = &mut all[cause as usize];
        seen.count += 1;
        let since = match seen.logged {
            Some((at, _)) if now.duration_since(at) < PAUSE => return None,
            Some((_, count)) => seen.count - count,
            None => seen.count,
        };
        seen.logged = Some((now, seen.count));
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_logged_once_a_minute_with_all_that_came_since() {
        let (errors, begun) = (ConnectionErrors::new("test"), Instant::now());
        let at = |seconds, cause| errors.count(cause, begun + Duration::from_secs(seconds));
        assert_eq!(at(0, Cause::Malformed), Some(1));
        assert_eq!((at(1, Cause::Malformed), at(59, Cause::Malformed)), (None, None));
        assert_eq!(at(2, Cause::NoRoom), Some(1), "another cause");
        assert_eq!(at(60, Cause::Malformed), Some(3));
        let counted: Vec<_> = errors.counts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Cause::Malformed, 4), (Cause::NoRoom, 1)]);
    }
}
