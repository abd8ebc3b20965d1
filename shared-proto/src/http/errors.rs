//! Counts and logs connections that end with an error.

use super::deadline::Late;
use actix_http::error::{DispatchError, ParseError};
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A module of the HTTP library that log filters switch off, because it logs an ERROR for faults that any client can cause.
/// [`ConnectionErrors`] logs these faults instead.
pub const SILENCED_TARGET: &str = "actix_http::h1::dispatcher";

/// Shortest time between two log lines about the same cause.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

macro_rules! causes {
    ($($variant:ident, $text:literal, $doc:literal;)*) => {
        /// Why a connection ended with an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause { $(#[doc = $doc] $variant,)* }

        impl Cause {
            /// All causes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The label in metrics and logs.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The meaning, for people.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

causes! {
    Malformed, "malformed", "The client sent something other than HTTP/1.1.";
    HeadTooLarge, "head_too_large", "The head of a request has more than 128 KiB or more than 96 lines.";
    HeadTimeout, "head_timeout", "The head of a request did not arrive in time.";
    BodyTimeout, "body_timeout", "The body of a request did not arrive in time.";
    ProxyHeader, "proxy_header", "The connection did not begin with a header of the PROXY protocol, or with a malformed one.";
    ProxyTimeout, "proxy_timeout", "The header of the PROXY protocol did not arrive within a second.";
    ProxyUntrusted, "proxy_untrusted", "The peer may not send a header of the PROXY protocol, because it is no trusted proxy.";
    TlsTimeout, "tls_timeout", "The TLS handshake did not begin, or did not end, in time.";
    TlsHandshake, "tls_handshake", "The TLS handshake failed: the client sent something else, has no version or algorithm in common, or refuses the certificate.";
    TlsCertificate, "tls_certificate", "The client has no valid certificate of an authority that `client_ca_file` names.";
    TlsNoRoom, "tls_no_room", "The connection waited in vain for a place among the TLS handshakes.";
    AcceptRate, "accept_rate", "There were too many new connections. The client got 503, or with TLS waited in vain.";
    ClientNoRoom, "client_no_room", "The client had as many connections as one client may have, so the connection was closed at once.";
    NoRoom, "no_room", "The limit of connections was reached, and no place became free in 10 ms, so the connection was closed.";
    Broken, "broken", "The client or the network broke the connection.";
    NotClosed, "not_closed", "The client did not close its side in time, so the connection was reset.";
    Internal, "internal", "The service failed to answer.";
}

/// Why a connection does not begin as it must.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The peer closed the connection before it sent anything, as some health checks do.
    Closed,
    /// Any other fault, with its description.
    Refused(Cause, String),
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
        match Late::of(error) {
            Some(Late::Head) => Self::HeadTimeout,
            Some(Late::Body) => Self::BodyTimeout,
            None => Self::Broken,
        }
    }
}

/// Counters of one listener's failed connections, by cause.
#[derive(Debug)]
pub struct ConnectionErrors {
    listener: &'static str,
    counters: Mutex<[Counter; Cause::ALL.len()]>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    count: u64,
    /// The time of the last log line, and the count at that time.
    logged: Option<(Instant, u64)>,
}

impl ConnectionErrors {
    /// Counters at zero. `listener` is the listener's name in metrics and logs.
    pub fn new(listener: &'static str) -> Self {
        Self { listener, counters: Mutex::default() }
    }

    /// The number of failed connections by cause.
    pub fn counts(&self) -> impl Iterator<Item = (Cause, u64)> {
        let counters = *self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        Cause::ALL.iter().copied().zip(counters.map(|counter| counter.count))
    }

    /// The listener's name in metrics and logs.
    pub fn listener(&self) -> &'static str {
        self.listener
    }

    pub(super) fn record_end(&self, error: &DispatchError) {
        self.record(Cause::of(error), error);
    }

    /// Counts a failed connection. Logs it unless the same cause was logged within the last minute.
    pub(super) fn record(&self, cause: Cause, error: &dyn fmt::Display) {
        let Some(count) = self.count(cause, Instant::now()) else { return };
        let (listener, cause_text) = (self.listener, cause.text());
        match cause {
            Cause::Internal => {
                tracing::warn!(listener, cause = cause_text, count, %error, "HTTP connections failed by an error of this service");
            }
            Cause::Broken | Cause::NotClosed => {
                tracing::debug!(listener, cause = cause_text, count, %error, "HTTP connections broke");
            }
            _ => tracing::info!(listener, cause = cause_text, count, %error, "HTTP connections were refused; logged once a minute"),
        }
    }

    /// Counts a failed connection. If a log line is due, returns the number of failures since the last one.
    fn count(&self, cause: Cause, now: Instant) -> Option<u64> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = &mut counters[cause as usize];
        counter.count += 1;
        let since = match counter.logged {
            Some((at, _)) if now.duration_since(at) < LOG_INTERVAL => return None,
            Some((_, count)) => counter.count - count,
            None => counter.count,
        };
        counter.logged = Some((now, counter.count));
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_logged_once_a_minute_with_the_number_of_failures() {
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
