//! Checks the settings of STOMP, and converts them.

use super::super::{
    settings::Settings,
    stomp::Stomp,
    types::choices::{DestinationKind, UnknownDestination},
};
use gateway_core::{
    protocol::stomp::ParserLimits,
    stomp::{InvalidTable, StompConfig, TransactionLimits, UnknownDestination as Unknown},
};
use shared_proto::process::settings::Problems;

/// Most bytes of a path.
const PATH_BYTES: usize = 255;

impl From<&Settings> for StompConfig {
    /// The settings have been checked. Without the check, a table that is not valid becomes the built-in one.
    fn from(settings: &Settings) -> Self {
        let Stomp { limits, .. } = &settings.stomp;
        Self {
            destinations: settings.stomp.table().unwrap_or_default(),
            unknown_destination: match limits.unknown_destination {
                UnknownDestination::Error => Unknown::Error,
                UnknownDestination::Ignore => Unknown::Ignore,
            },
            limits: ParserLimits {
                headers: limits.headers,
                header_bytes: limits.header_bytes.bytes(),
                body_bytes: limits.body_size.bytes(),
            },
            max_subscriptions: limits.max_subscriptions,
            subscriptions_per_channel: limits.subscriptions_per_channel,
            max_in_flight: settings.connection.max_in_flight,
            transactions: TransactionLimits {
                open: limits.transactions,
                frames: limits.transaction_frames,
                bytes: limits.transaction_bytes.bytes(),
            },
            pong_timeout: settings.connection.pong_timeout,
            ..Self::default()
        }
    }
}

/// Adds a problem for every rule that the settings of STOMP break.
pub(super) fn check(settings: &Settings, problems: &mut Problems) {
    let Stomp { limits, destinations } = &settings.stomp;
    for (i, path) in limits.paths.iter().enumerate() {
        if let Some(why) = bad_path(path) {
            problems.add("stomp.paths", format!("{why}; found {path:?}"));
        } else if limits.paths.iter().take(i).any(|earlier| earlier == path) {
            problems.add("stomp.paths", format!("{path:?} occurs twice"));
        }
    }
    if !limits.token_cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        problems.add("stomp.token_cookie", format!("expected the name of a cookie, or \"\"; found {:?}", limits.token_cookie));
    }
    if !limits.token_cookie.is_empty() && settings.public.allowed_origins.iter().any(|origin| origin == "*") {
        let why = "must be empty while public.allowed_origins allows every page: any page could connect as the visitor; list the origins";
        problems.add("stomp.token_cookie", why);
    }
    let mut is_sound = true;
    let mut add = |i: usize, key: &str, message: String| {
        is_sound = false;
        problems.add(format!("stomp.destinations[{i}].{key}"), message);
    };
    for (i, row) in destinations.iter().enumerate() {
        row.misplaced().for_each(|(key, kind)| add(i, key, format!("only a row with {kind} has this setting")));
        let namespace = &row.options.namespace;
        if !namespace.is_empty() && row.head.to == DestinationKind::Channel && !settings.namespaces.contains_key(namespace) {
            add(i, "namespace", format!("no namespace is named {namespace:?}; add [namespaces.{namespace}], or correct the name"));
        }
        if let Some(name) = &row.options.service.0
            && !settings.services.contains_key(name.as_str())
        {
            add(i, "service", format!("no service is named {name:?}; add [services.{name}], or correct the name"));
        }
    }
    if let (true, Err(InvalidTable { row, problem })) = (is_sound, settings.stomp.table()) {
        problems.add(format!("stomp.destinations[{row}].{}", problem.setting()), problem.to_string());
    }
}

/// Why a path cannot be that of an endpoint.
fn bad_path(path: &str) -> Option<&'static str> {
    /// Paths of the public listener.
    const TAKEN: [&str; 4] = ["/livez", "/readyz", "/connection", "/demo"];
    let is_under = |taken: &str| path.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !path.starts_with('/') || path.ends_with('/') || path.contains("//") || path.len() > PATH_BYTES || !path.bytes().all(is_plain) {
        return Some("expected paths such as \"/stomp\": A-Z a-z 0-9 / - . _ ~, with a slash at the begin and none at the end");
    }
    TAKEN.iter().any(|taken| is_under(taken)).then_some("the gateway has other answers under this path; choose another one")
}
