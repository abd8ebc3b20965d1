//! The tables of all error, disconnect and unsubscribe codes, with the representation of each in every interface.

use std::fmt;

/// Whether sending the same request again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again. Change it first.
    Never,
    /// The request was not carried out. It can be sent again later.
    Safe,
    /// It is unknown whether the request was carried out. It can be sent again only with the same idempotency key.
    SameKeyOnly,
}

/// One row of the error table.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// The error this row describes.
    pub code: ErrorCode,
    /// Name in problem documents and logs.
    pub name: &'static str,
    /// Code in the frontend protocol. Codes 100 to 399 are defined by the protocol, and several rows may share one. Codes from 400 on are
    /// Switchboard's.
    pub client: u32,
    /// HTTP status of the REST interface.
    pub http: u16,
    /// Whether a retry can help.
    pub retry: Retry,
    /// The error and what to do about it, for people.
    pub doc: &'static str,
}

macro_rules! errors {
    ($($variant:ident, $name:literal, $client:literal, $http:literal, $retry:ident, $doc:literal;)*) => {
        /// An error for a frontend or a service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $(#[doc = $doc] $variant,)* }

        /// Every error, in the order of its declaration.
        pub const ERRORS: &[ErrorRow] = &[$(ErrorRow {
            code: ErrorCode::$variant, name: $name, client: $client, http: $http, retry: Retry::$retry, doc: $doc,
        },)*];
    };
}

errors! {
    Internal, "internal", 100, 500, Safe, "The gateway failed. Try again. If the error repeats, read the gateway's log.";
    Unauthorized, "unauthorized", 101, 401, Never, "The credentials are missing or not accepted. Send a valid token or API key.";
    UnknownChannel, "unknown_channel", 102, 404, Never, "The channel's namespace is not configured. Check the part before the colon.";
    PermissionDenied, "permission_denied", 103, 403, Never, "The namespace's permissions do not allow this. Use a channel token or ask a service to do it.";
    NotFound, "not_found", 104, 404, Never, "Nothing has this name.";
    AlreadySubscribed, "already_subscribed", 105, 409, Never, "This connection is subscribed to the channel already.";
    LimitExceeded, "limit_exceeded", 106, 422, Never, "A configured limit would be exceeded.";
    BadRequest, "bad_request", 107, 400, Never, "The request is malformed. The detail names the place.";
    NotAvailable, "not_available", 108, 409, Never, "The channel's namespace has this feature switched off.";
    NoService, "no_service", 108, 404, Never, "No service has this name. An rpc names the service before the dot of its method. Declare the service under `services` in the settings.";
    TokenExpired, "token_expired", 109, 401, Never, "The token has expired. Get a new one and connect or subscribe again.";
    TooManyRequests, "too_many_requests", 111, 429, Safe, "Too many requests at once. Slow down and try again.";
    UnrecoverablePosition, "unrecoverable_position", 112, 409, Never, "The history does not contain everything after the given position. Load the current state, then subscribe without recovery.";
    ServiceUnavailable, "unavailable", 1000, 503, Safe, "The service or the store is unavailable, and the request was not carried out. Try again shortly.";
    Timeout, "timeout", 1001, 504, SameKeyOnly, "No answer arrived in time. The request may have been carried out.";
    Overloaded, "overloaded", 1002, 503, Safe, "The service is at its limit. Try again with increasing pauses.";
    BadReply, "bad_reply", 1004, 502, Never, "The service sent an invalid reply. Inform its developers.";
    OutcomeUnknown, "outcome_unknown", 1005, 504, SameKeyOnly, "The store did not confirm in time. Repeat the request with the same idempotency key, which the detail contains.";
    PayloadTooLarge, "payload_too_large", 1006, 413, Never, "The message is larger than the configured limit.";
    IdempotencyMismatch, "idempotency_mismatch", 1007, 422, Never, "This idempotency key was used for another request. Use a new key.";
    IdempotencyInProgress, "idempotency_in_progress", 1008, 409, Safe, "The first request with this idempotency key is still running. Ask again shortly.";
    ConnectionGone, "connection_gone", 1009, 410, Never, "The connection has ended and will not come back under this id.";
    MethodNotAllowed, "method_not_allowed", 1010, 405, Never, "This path does not support this method.";
    UpgradeRequired, "upgrade_required", 1011, 426, Never, "This path accepts only WebSocket, version 13. Send a WebSocket upgrade request.";
    OriginNotAllowed, "origin_not_allowed", 1012, 403, Never, "Pages of this origin may not connect. Add it to public.allowed_origins.";
    ConnectionLimit, "connection_limit", 1013, 503, Safe, "This node has reached its limit of connections. Try another node, or try later.";
    Draining, "draining", 1014, 503, Safe, "This node is shutting down. Connect again to reach another node.";
    UnsupportedMediaType, "unsupported_media_type", 1015, 415, Never, "The body must be JSON. Send it with Content-Type: application/json.";
    UnsupportedEncoding, "unsupported_encoding", 1016, 415, Never, "The body is compressed. Send it uncompressed, without Content-Encoding.";
    SequenceGap, "sequence_gap", 1017, 409, Never, "Publishes of this producer are missing before this one. Send them first, from the number `expected`.";
    ProducerFenced, "producer_fenced", 1018, 409, Never, "This producer has begun a higher epoch in the channel. Stop this process if another one took over; otherwise begin a higher epoch.";
    InvalidProducer, "invalid_producer", 1019, 422, Never, "This publish cannot have a producer. The detail names the reason.";
    AnswerTooLarge, "answer_too_large", 1020, 409, Never, "The call was carried out earlier, but its answer was too large to be kept (idempotency.answer_size) or passed on (connection.data_size). Do not call with another key: that would carry it out again. Ask the service for the result in another way.";
    MoreEntries, "more_entries", 1021, 409, Never, "More entries wait than the request names, so nothing was deleted. Look at the queue again, then repeat the request with its depth.";
    HostNotAllowed, "host_not_allowed", 1022, 421, Never, "This listener does not answer to the host of the request. Use one of its names, or add the name to public.hosts.";
}

impl ErrorCode {
    /// This error's row of the table.
    pub fn row(self) -> &'static ErrorRow {
        &ERRORS[self as usize]
    }

    /// The row with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        ERRORS.iter().find(|row| row.name == name).map(|row| row.code)
    }

    /// Whether the official SDKs retry by themselves (`temporary` in the frontend protocol).
    pub fn temporary(self) -> bool {
        self.row().retry == Retry::Safe
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// One row of the tables of disconnect and unsubscribe codes.
#[derive(Clone, Copy, Debug)]
pub struct CodeRow {
    /// The code on the wire.
    pub code: u16,
    /// The short reason that is sent with the code.
    pub reason: &'static str,
    /// The meaning, for people.
    pub doc: &'static str,
}

macro_rules! codes {
    ($(#[$meta:meta])* $enum:ident, $table:ident; $($variant:ident = $code:literal, $reason:literal, $doc:literal;)*) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum { $(#[doc = $doc] $variant,)* }

        impl $enum {
            /// All codes, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// The code on the wire.
            pub fn code(self) -> u16 { self.row().code }
            /// The short reason that is sent with the code.
            pub fn reason(self) -> &'static str { self.row().reason }
            /// This code's row of the table.
            pub fn row(self) -> &'static CodeRow { &$table[self as usize] }
        }

        /// All rows, in the order of declaration.
        pub const $table: &[CodeRow] = &[$(CodeRow { code: $code, reason: $reason, doc: $doc },)*];
    };
}

codes! {
    /// Why the gateway closes a connection. The code is the WebSocket close code. SDKs reconnect after 3000 to 3499, but not after 3500 to 3999.
    Disconnect, DISCONNECTS;
    Shutdown = 3001, "shutdown", "The node is shutting down; the SDK reconnects to another one.";
    Expired = 3005, "connection expired", "The connection's token expired and was not refreshed in time.";
    Slow = 3008, "slow", "The client read too slowly and its outbox was full. After reconnecting it recovers what it missed.";
    InsufficientState = 3010, "insufficient state", "Publications of a server-side subscription were lost. After reconnecting the client learns what is missing.";
    ForceReconnect = 3011, "force reconnect", "A service requested that this connection reconnects.";
    NoPong = 3012, "no pong", "The client did not answer a ping in time.";
    TooManyRequests = 3013, "too many requests", "The client sent too many commands or bytes, and went on after they were refused, or the gateway could not refuse them because they expect no reply.";
    InvalidToken = 3500, "invalid token", "The token is malformed, has a wrong signature, or does not meet another requirement.";
    BadRequest = 3501, "bad request", "The client sent an invalid frame.";
    Stale = 3502, "stale", "The connect command did not arrive in time.";
    ForceDisconnect = 3503, "force disconnect", "A service closed this connection for good.";
    ConnectionLimit = 3504, "connection limit", "The user has as many connections as `limits.user.connections` allows, and this is one too many, or with `on_excess = \"end-oldest\"` the oldest.";
    ChannelLimit = 3505, "channel limit", "The connection's token names more channels than a connection may have.";
    InappropriateProtocol = 3506, "inappropriate protocol", "The client sent a message in another encoding than the one that the upgrade chose.";
}

impl Disconnect {
    /// Whether the SDK may reconnect after this code.
    pub fn reconnect(self) -> bool {
        self.code() < 3500
    }
}

codes! {
    /// Why the gateway ended a subscription. After codes from 2500 on, the SDK subscribes again by itself. The SDKs use codes below 2000 themselves.
    Unsubscribe, UNSUBSCRIBES;
    Server = 2000, "server unsubscribe", "A service ended the subscription.";
    NotAllowed = 2001, "not allowed", "The new token of the connection no longer allows the subscription.";
    InsufficientState = 2500, "insufficient state", "Publications were lost, or a new epoch began. The SDK subscribes again and recovers what the history still contains.";
    Expired = 2501, "subscription expired", "The subscription's token expired and was not refreshed in time.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn rows_are_unique_and_in_the_order_of_their_codes() {
        let mut names = HashSet::new();
        let mut codes = HashMap::new();
        for row in ERRORS {
            assert_eq!(row.code.row().name, row.name);
            assert_eq!(ErrorCode::by_name(row.name), Some(row.code));
            assert!(names.insert(row.name), "{} occurs twice", row.name);
            let first = codes.insert(row.client, row.retry);
            assert!(first.is_none() || row.client < 400, "{} occurs twice", row.client);
            assert_eq!(first.unwrap_or(row.retry), row.retry, "rows with the same code must agree about retries: {}", row.client);
        }
        let mut codes: HashSet<_> = codes.into_keys().collect();
        for table in [DISCONNECTS, UNSUBSCRIBES] {
            for row in table {
                assert!(row.reason.len() <= 123, "a close reason holds 123 bytes");
                assert!(codes.insert(u32::from(row.code)), "{} occurs twice", row.code);
            }
        }
    }
}
