//! The names of all limits.

use super::Resource;

macro_rules! limits {
    ($($variant:ident, $text:literal, $doc:literal;)*) => {
        /// A limit of the settings `limits`, for the metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $(#[doc = $doc] $variant,)* }

        impl Limit {
            /// All limits, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The text of the label.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it limits, for people.
            pub fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

limits! {
    ConnectionCommands, "connection_commands", "Commands of one connection (`limits.connection.commands_per_second`).";
    ConnectionBytes, "connection_bytes", "Bytes from one connection (`limits.connection.bytes_per_second`).";
    UserCommands, "user_commands", "Commands of all connections of a user on this node (`limits.user.commands_per_second`).";
    UserBytes, "user_bytes", "Bytes from all connections of a user on this node (`limits.user.bytes_per_second`).";
    Accepts, "accepts", "New connections of the listener for frontends that got 503 (`limits.accepts.per_second`).";
    AddressUpgrades, "address_upgrades", "Upgrades and requests for streams from one address (`limits.address.upgrades_per_second`).";
    AddressWrongTokens, "address_wrong_tokens", "Upgrades and requests for streams from an address that sent too many tokens that are not valid (`limits.address.wrong_tokens_per_minute`).";
    AddressConnections, "address_connections", "Open connections of one address (`limits.address.connections`).";
    UserConnections, "user_connections", "Open connections of a user on all nodes (`limits.user.connections`).";
    KeyRequests, "key_requests", "Requests with one API key, by its name (`limits.key.requests_per_second`).";
    WorkBudget, "work_budget", "Memory of a worker for what its clients have begun (`limits.worker.work_bytes`).";
    MessageBeforeConnect, "message_before_connect", "Size of a message before the connection is connected (`limits.connection.connect_size`).";
}

impl Limit {
    /// The limit of one connection.
    pub fn of_connection(of: Resource) -> Self {
        match of {
            Resource::Commands => Self::ConnectionCommands,
            Resource::Bytes => Self::ConnectionBytes,
        }
    }

    /// The limit of all connections of a user.
    pub fn of_user(of: Resource) -> Self {
        match of {
            Resource::Commands => Self::UserCommands,
            Resource::Bytes => Self::UserBytes,
        }
    }
}
