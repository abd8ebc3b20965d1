//! The limits of the settings, as those who keep them take them.

use crate::{
    auth::TrustedProxies,
    limits::{AddressLimits, Addresses, KeyRates, UserConnections},
    settings::{self, Settings},
};
use gateway_core::limits::{Rate, TrafficRates, UserRates};
use std::sync::Arc;

/// Size of a subscribe command with a token, in bytes.
const RETURN_BYTES: usize = 2048;

/// What one connection may send.
pub(super) fn of_connections(settings: &Settings) -> TrafficRates {
    traffic(settings, &settings.limits.connection.traffic())
}

/// What all connections of a user may send together.
pub(super) fn of_users(settings: &Settings) -> Option<UserRates> {
    UserRates::new(traffic(settings, &settings.limits.user.traffic()), settings.limits.user.table)
}

/// A client that comes back with all its subscriptions fits on top of each burst.
fn traffic(settings: &Settings, limits: &settings::Traffic) -> TrafficRates {
    let connection = &settings.connection;
    let return_cost = TrafficRates::cost_of_return(connection.max_subscriptions, settings.recovery.page_entries);
    let return_bytes = connection.message_size.bytes() + connection.max_subscriptions * RETURN_BYTES;
    TrafficRates {
        commands: Rate::new(limits.commands_per_second.into(), u64::from(limits.commands_burst) + return_cost),
        bytes: Rate::new(limits.bytes_per_second as u64, (limits.bytes_burst + return_bytes) as u64),
    }
}

/// What the clients of one address may do. The proxies are exempt: many clients are behind each.
pub(super) fn of_addresses(settings: &Settings, proxies: &Arc<TrustedProxies>) -> Addresses {
    let limits = &settings.limits.address;
    let limits = AddressLimits {
        http_connections: limits.http_connections,
        connections: limits.connections,
        upgrades: Rate::new(limits.upgrades_per_second.into(), limits.upgrades_burst.into()),
        wrong_tokens: Rate::per_minute(limits.wrong_tokens_per_minute.into(), limits.wrong_tokens_burst.into()),
        table: limits.table,
    };
    let proxies = proxies.clone();
    Addresses::new(limits, Arc::new(move |address| proxies.contains(address)))
}

/// How many requests services may send with their API keys.
pub(super) fn of_keys(settings: &Settings) -> KeyRates {
    let limits = &settings.limits.key;
    let rate = Rate::new(limits.requests_per_second.into(), limits.requests_burst.into());
    KeyRates::new(rate, settings.api_keys.iter().map(|key| key.name.as_str()))
}

/// New connections of the listener for frontends.
pub(super) fn of_accepts(settings: &Settings) -> Option<Rate> {
    let limits = &settings.limits.accepts;
    Rate::new(limits.per_second.into(), limits.burst.into())
}

/// How many open connections a user may have.
pub(super) fn of_users_connections(settings: &Settings) -> UserConnections {
    let user = &settings.limits.user;
    UserConnections { limit: user.connections, on_excess: user.on_excess }
}
