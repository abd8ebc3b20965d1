//! Label values of metrics. All are known at compile time.

use gateway_core::{
    limits::Limit,
    model::{Disconnect, ErrorCode},
};
use shared_proto::errors::{DISCONNECTS, ERRORS};

/// A type whose values are the label values of a series.
pub trait Label: Copy {
    /// Number of values.
    const LEN: usize;
    /// Index of the value, below [`Self::LEN`].
    fn index(self) -> usize;
    /// The texts of a value, one for each label of the series.
    fn values(index: usize) -> Vec<String>;
}

macro_rules! labels {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident, $text:literal, $doc:literal;)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $(#[doc = $doc] $variant,)* }

        impl $name {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The text of the label.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl Label for $name {
            const LEN: usize = Self::ALL.len();

            fn index(self) -> usize {
                self as usize
            }

            fn values(index: usize) -> Vec<String> {
                vec![Self::ALL[index].text().to_owned()]
            }
        }
    )*};
}

labels! {
    /// Commands of the frontend protocol.
    CommandKind {
        Connect, "connect", "Begins a connection.";
        Subscribe, "subscribe", "Subscribes to a channel.";
        Unsubscribe, "unsubscribe", "Unsubscribes from a channel.";
        Publish, "publish", "Publishes into a channel.";
        Presence, "presence", "Lists the subscribers of a channel.";
        PresenceStats, "presence_stats", "Counts the subscribers of a channel.";
        History, "history", "Reads a page of a channel's history.";
        Rpc, "rpc", "Calls a service.";
        Send, "send", "Sends an event to a service.";
        Refresh, "refresh", "Brings a new connection token.";
        SubRefresh, "sub_refresh", "Brings a new subscription token.";
        Ping, "ping", "Requests an empty reply.";
        Pong, "pong", "Answers a ping of the gateway.";
    }

    /// Why a delivery was not made.
    DropCause {
        OutboxFull, "outbox_full", "The connection's outbox was full, and the connection is being closed.";
        OutboxReplaced, "outbox_replaced", "A newer publication replaced it (`latest`).";
        WorkerOutboxesFull, "worker_outboxes_full", "All outboxes of the worker together reached their limit, and the connection is being closed.";
        AtMostOnce, "at_most_once", "A channel without a history lost publications between the broker and the worker. The loss counts once; its subscribers are informed.";
        Duplicate, "duplicate", "The worker had delivered the publication before. It counts once for each worker.";
        JoinLeaveSuppressed, "join_leave_suppressed", "The channel has too many subscribers for joins and leaves. Each join and leave counts once.";
        NoQueue, "no_queue", "A message of a service had no queue, or the STOMP connection had no subscription to it; or the error of a call had none to `/user/queue/errors`.";
        ConnectionClosed, "connection_closed", "The connection was ending, or ended before the delivery was written.";
    }

    /// The action taken on a full outbox.
    OverflowPolicy {
        Disconnect, "disconnect", "The connection was closed with 3008.";
        Latest, "latest", "All but the newest publication of the channel were dropped.";
    }

    /// What became of a request with commands for the session of a stream, on the node that has the session.
    PostResult {
        Taken, "taken", "The session took the commands.";
        Gone, "gone", "There was no such session: it had ended, or the key was wrong.";
        Late, "late", "The request had ended before the worker saw the commands. None was taken.";
        Full, "full", "Too many commands waited for the session (`streams.queue_bytes`). None was taken.";
    }

    /// Why cookies and passwords of a request did not count.
    IgnoredCredentials {
        NoPage, "no_page", "The request does not tell which page caused it: it has neither `Origin` nor `Sec-Fetch-Site: same-origin`.";
        AnyOrigin, "any_origin", "Every origin is allowed (`public.allowed_origins = [\"*\"]`).";
    }

    /// What became of a new token of an open connection, or of a subscription token, whose revocation could not be looked up.
    UncheckedToken {
        Accepted, "accepted", "It was accepted (`tokens.when_away`).";
        Refused, "refused", "It was refused with a temporary error.";
    }

    /// What became of a logout token.
    LogoutResult {
        Done, "done", "The session or the user was logged out.";
        Repeated, "repeated", "It was refused, because it had come before.";
        Invalid, "invalid", "It was refused.";
        TooMany, "too_many", "It was refused unchecked, because too many came (`tokens.logouts_per_second`).";
        Failed, "failed", "The revocation was not stored, or did not reach all nodes. The issuer may send it again.";
    }

    /// How a connection ended without a close code of the frontend protocol.
    TransportEnd {
        PeerClosed, "peer_closed", "The peer closed it with a close frame.";
        PeerGone, "peer_gone", "The peer ended the stream without a close frame.";
        Reset, "reset", "The network or the peer reset it.";
        ProtocolViolation, "protocol_violation", "The peer violated RFC 6455.";
        InvalidText, "invalid_text", "The peer sent text that is not UTF-8.";
        TooLarge, "too_large", "The peer sent a message above the limit.";
        MessageTimeout, "message_timeout", "A message was not complete in time.";
        WorkBudget, "work_budget", "The memory of the worker for what clients have begun was spent, and this connection used most of it.";
        WriteTimeout, "write_timeout", "The peer read nothing for too long.";
        Panicked, "panicked", "Its task panicked.";
        Other, "other", "A service closed it with its own code, or any other end.";
    }

    /// Counters without labels.
    Count {
        ConnectionsOpened, "connections_opened", "See the series.";
        PublicationsIn, "publications_in", "See the series.";
        Deliveries, "deliveries", "See the series.";
        FanOutBatches, "fan_out_batches", "See the series.";
        Backfills, "backfills", "See the series.";
        Forks, "forks", "See the series.";
        RecoveriesFromMemory, "recoveries_from_memory", "See the series.";
        AuditLosses, "audit_losses", "See the series.";
        GapsLost, "gaps_lost", "See the series.";
        StompGapsUntold, "stomp_gaps_untold", "See the series.";
        BytesIn, "bytes_in", "See the series.";
        BytesOut, "bytes_out", "See the series.";
        FramesIn, "frames_in", "See the series.";
        FramesOut, "frames_out", "See the series.";
    }

    /// Gauges without labels.
    Level {
        ConnectionsOpen, "connections_open", "See the series.";
        SubscriptionsOpen, "subscriptions_open", "See the series.";
        ChannelsOpen, "channels_open", "See the series.";
        TasksOpen, "tasks_open", "See the series.";
        OutboxBytes, "outbox_bytes", "See the series.";
    }
}

impl TransportEnd {
    /// The close code; 0 if no close frame is exchanged.
    pub fn code(self) -> u16 {
        match self {
            Self::PeerClosed => 1000,
            Self::ProtocolViolation => 1002,
            Self::InvalidText => 1007,
            Self::TooLarge => 1009,
            Self::MessageTimeout => 1008,
            Self::WorkBudget => 1013,
            Self::PeerGone | Self::Reset | Self::WriteTimeout | Self::Panicked | Self::Other => 0,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It ended with a disconnect code of the frontend protocol.
    Disconnect(Disconnect),
    /// It ended in another way.
    Transport(TransportEnd),
}

impl Closed {
    /// The end that belongs to a close code of the gateway; [`TransportEnd::Other`] if the code is not in the table.
    pub fn with_code(code: u16) -> Self {
        Disconnect::ALL
            .iter()
            .find(|disconnect| disconnect.code() == code)
            .map_or(Self::Transport(TransportEnd::Other), |it| Self::Disconnect(*it))
    }
}

impl Label for Limit {
    const LEN: usize = Self::ALL.len();

    fn index(self) -> usize {
        self as usize
    }

    fn values(index: usize) -> Vec<String> {
        vec![Self::ALL[index].text().to_owned()]
    }
}

impl Label for Closed {
    const LEN: usize = DISCONNECTS.len() + TransportEnd::LEN;

    fn index(self) -> usize {
        match self {
            Self::Disconnect(disconnect) => disconnect as usize,
            Self::Transport(end) => DISCONNECTS.len() + end.index(),
        }
    }

    fn values(index: usize) -> Vec<String> {
        if let Some(row) = DISCONNECTS.get(index) {
            return vec![row.code.to_string(), row.reason.replace(' ', "_")];
        }
        let end = TransportEnd::ALL[index - DISCONNECTS.len()];
        vec![end.code().to_string(), end.text().to_owned()]
    }
}

impl Label for ErrorCode {
    const LEN: usize = ERRORS.len();

    fn index(self) -> usize {
        self as usize
    }

    fn values(index: usize) -> Vec<String> {
        vec![ERRORS[index].name.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disconnect_code_is_known() {
        assert_eq!(Disconnect::ALL.len(), DISCONNECTS.len());
        for (i, row) in DISCONNECTS.iter().enumerate() {
            assert_eq!(Closed::with_code(row.code).index(), i, "{}", row.code);
        }
        assert_eq!(Closed::with_code(4000), Closed::Transport(TransportEnd::Other));
    }
}
