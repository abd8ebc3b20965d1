//! The fields of the messages to clients: their names in JSON and their numbers in Protobuf.
//!
//! Names and numbers are those of `client.proto` of <https://github.com/centrifugal/protocol>.

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name in JSON. It needs no escapes.
    pub(super) name: &'static str,
    /// Its number in Protobuf.
    pub(super) number: u32,
}

const fn field(number: u32, name: &'static str) -> Field {
    Field { name, number }
}

macro_rules! messages {
    ($($(#[$doc:meta])* $message:ident { $($constant:ident = $number:literal $name:literal),* $(,)? })*) => {
        $($(#[$doc])* pub(super) mod $message {
            use super::{Field, field};
            $(pub(in super::super) const $constant: Field = field($number, $name);)*
        })*

        #[cfg(test)]
        const ALL: &[(&str, &[Field])] = &[$((stringify!($message), &[$($message::$constant),*])),*];
    };
}

messages! {
    /// `Reply`.
    reply {
        ID = 1 "id", ERROR = 2 "error", PUSH = 4 "push", CONNECT = 5 "connect", SUBSCRIBE = 6 "subscribe", UNSUBSCRIBE = 7 "unsubscribe",
        PUBLISH = 8 "publish", PRESENCE = 9 "presence", PRESENCE_STATS = 10 "presence_stats", HISTORY = 11 "history", PING = 12 "ping",
        RPC = 13 "rpc", REFRESH = 14 "refresh", SUB_REFRESH = 15 "sub_refresh",
    }
    /// `Error`.
    error { CODE = 1 "code", MESSAGE = 2 "message", TEMPORARY = 3 "temporary" }
    /// `Push`.
    push {
        ID = 1 "id", CHANNEL = 2 "channel", PUB = 4 "pub", JOIN = 5 "join", LEAVE = 6 "leave", UNSUBSCRIBE = 7 "unsubscribe",
        MESSAGE = 8 "message", SUBSCRIBE = 9 "subscribe", DISCONNECT = 11 "disconnect",
    }
    /// `Disconnect`, a push.
    disconnect { CODE = 1 "code", REASON = 2 "reason" }
    /// `ClientInfo`.
    client_info { USER = 1 "user", CLIENT = 2 "client", CONN_INFO = 3 "conn_info", CHAN_INFO = 4 "chan_info" }
    /// `Publication`.
    publication { DATA = 4 "data", INFO = 5 "info", OFFSET = 6 "offset", TAGS = 7 "tags", DELTA = 8 "delta", TIME = 9 "time" }
    /// `Join` and `Leave`.
    presence_event { INFO = 1 "info" }
    /// `Unsubscribe`.
    unsubscribe { CODE = 2 "code", REASON = 3 "reason" }
    /// `Subscribe`, a push.
    subscribe_push { RECOVERABLE = 1 "recoverable", EPOCH = 4 "epoch", OFFSET = 5 "offset", POSITIONED = 6 "positioned" }
    /// `Message`, a push.
    message { DATA = 1 "data" }
    /// `ConnectResult`.
    connect_result {
        CLIENT = 1 "client", VERSION = 2 "version", EXPIRES = 3 "expires", TTL = 4 "ttl", DATA = 5 "data", SUBS = 6 "subs", PING = 7 "ping", PONG = 8 "pong",
        SESSION = 9 "session", NODE = 10 "node", TIME = 11 "time",
    }
    /// `SubscribeResult`.
    subscribe_result {
        EXPIRES = 1 "expires", TTL = 2 "ttl", RECOVERABLE = 3 "recoverable", EPOCH = 6 "epoch", PUBLICATIONS = 7 "publications",
        RECOVERED = 8 "recovered", OFFSET = 9 "offset", POSITIONED = 10 "positioned", DATA = 11 "data", WAS_RECOVERING = 12 "was_recovering", DELTA = 13 "delta",
        ID = 14 "id",
    }
    /// `PresenceResult`.
    presence_result { PRESENCE = 1 "presence" }
    /// `PresenceStatsResult`.
    presence_stats_result { NUM_CLIENTS = 1 "num_clients", NUM_USERS = 2 "num_users" }
    /// `HistoryResult`.
    history_result { PUBLICATIONS = 1 "publications", EPOCH = 2 "epoch", OFFSET = 3 "offset" }
    /// `RPCResult`.
    rpc_result { DATA = 1 "data" }
    /// `RefreshResult`.
    refresh_result { CLIENT = 1 "client", VERSION = 2 "version", EXPIRES = 3 "expires", TTL = 4 "ttl" }
    /// `SubRefreshResult`.
    sub_refresh_result { EXPIRES = 1 "expires", TTL = 2 "ttl" }
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn each_message_has_each_name_and_number_once_and_no_name_needs_escapes() {
        for (message, fields) in ALL {
            let names: BTreeSet<_> = fields.iter().map(|field| field.name).collect();
            let numbers: BTreeSet<_> = fields.iter().map(|field| field.number).collect();
            assert_eq!((names.len(), numbers.len()), (fields.len(), fields.len()), "{message}");
            assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')), "{message}");
        }
    }
}
