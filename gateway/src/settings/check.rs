//! Checks names, and rules that concern several settings.
//!
//! - [`queue_rules`]: the queues of services; [`stomp_rules`]: STOMP, whose settings it also converts

mod queue_rules;
mod stomp_rules;

use super::{
    routes::RoutedService,
    sections::Service,
    settings::Settings,
    types::choices::{BrokerKind, Grant, NodeRole, Reach, TokenCheck},
    types::redis_url::RedisUrl,
    types::value::show_duration,
};
use gateway_core::model::{ChannelName, ServiceName};
use shared_proto::{name::check_user, process::settings::Problems};
use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
};

/// Longest name of a node or of an API key, in bytes.
pub const NAME_BYTES: usize = 64;
/// Largest name of a method, in bytes.
const METHOD_BYTES: usize = 255;
/// Largest number of pairs of a listener.
const TLS_PAIRS: usize = 64;
/// Largest number of `demo.reserved_names`.
const RESERVED_NAMES: usize = 100;

/// Adds a problem for every rule that the settings break.
pub(super) fn check(settings: &Settings, problems: &mut Problems) {
    names(settings, problems);
    listeners(settings, problems);
    tls(settings, problems);
    key_certificates(settings, problems);
    token_issuers(settings, problems);
    connection(settings, problems);
    link(settings, problems);
    idempotency(settings, problems);
    redis(settings, problems);
    queues(settings, problems);
    ingest(settings, problems);
    cluster(settings, problems);
    demo(settings, problems);
    services(settings, problems);
    queue_rules::check(settings, problems);
    named_users(settings, problems);
    guards(settings, problems);
    stomp_rules::check(settings, problems);
}

/// What is allowed and will cause faults.
pub(super) fn warnings(settings: &Settings) -> Problems {
    let mut warnings = Problems::default();
    let idle = settings.public.proxy_idle_timeout;
    let pings = [("connection.ping_interval", settings.connection.ping_interval), ("streams.heart_beat", settings.streams.heart_beat)];
    for (key, ping) in pings.into_iter().filter(|(_, ping)| !idle.is_zero() && idle < 2 * *ping) {
        let (idle, ping, enough) = (show_duration(idle), show_duration(ping), show_duration(2 * ping));
        let why = format!("the proxy closes connections after {idle}, and {key} is {ping}");
        let cure = format!("one late ping cuts a connection that works; raise it at the proxy to {enough}, or lower {key}");
        warnings.add("public.proxy_idle_timeout", format!("{why}: {cure}"));
    }
    unlimited_keys(settings, &mut warnings);
    warnings
}

/// Keys without scopes are convenient on one machine. Where others reach the listener, each of them opens everything.
fn unlimited_keys(settings: &Settings, warnings: &mut Problems) {
    if settings.internal.address.ip().is_loopback() {
        return;
    }
    let names: BTreeSet<_> = settings.api_keys.iter().filter(|key| key.scopes.0.is_none()).map(|key| &key.name).collect();
    for name in names {
        let what = format!("the key {name:?} has no scopes, so whoever has it may do everything");
        warnings.add("api_keys", format!("{what}: list in its scopes what its service needs, such as [\"publish:orders:*\"]"));
    }
}

fn listeners(settings: &Settings, problems: &mut Problems) {
    if settings.node.role == NodeRole::Api {
        if settings.broker.kind == BrokerKind::Memory {
            problems.add("node.role", "\"api\" needs broker.kind = \"redis\": without it no other node gets what services publish here");
        }
        return;
    }
    let (public, internal) = (settings.public.address, settings.internal.address);
    let covers = |one: IpAddr, other: IpAddr| one == other || (one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()));
    let same = covers(public.ip(), internal.ip()) || covers(internal.ip(), public.ip());
    if same && public.port() == internal.port() && public.port() != 0 {
        problems.add("internal.address", "must differ from public.address, because the internet must not reach the paths of services");
    }
}

/// A certificate stands for a key only if the listener asks for certificates.
pub(super) fn key_certificates(settings: &Settings, problems: &mut Problems) {
    let has_client_ca = !settings.internal.tls.pairs.is_empty() && !settings.internal.tls.client_ca_file.is_empty();
    for (at, _) in settings.api_keys.iter().enumerate().filter(|(_, key)| !has_client_ca && !key.certificate.is_empty()) {
        let why = "without internal.tls.client_ca_file nobody shows a certificate: set it, with a pair of the listener's own, or use a key";
        problems.add(format!("api_keys[{at}].certificate"), why);
    }
}

fn tls(settings: &Settings, problems: &mut Problems) {
    for (listener, tls) in [("public", &settings.public.tls), ("internal", &settings.internal.tls)] {
        for (i, pair) in tls.pairs.iter().enumerate() {
            for (name, file) in [("cert_file", &pair.cert_file), ("key_file", &pair.key_file)] {
                if file.is_empty() {
                    problems.add(format!("{listener}.tls.pairs[{i}].{name}"), "expected the path of a PEM file");
                }
            }
        }
        if tls.pairs.len() > TLS_PAIRS {
            problems.add(format!("{listener}.tls.pairs"), format!("at most {TLS_PAIRS} pairs"));
        }
        if tls.pairs.is_empty() && !tls.client_ca_file.is_empty() {
            let cure = format!("add {listener}.tls.pairs, or leave it empty");
            problems.add(
                format!("{listener}.tls.client_ca_file"),
                format!("the listener has no TLS, so no client can show a certificate: {cure}"),
            );
        }
    }
}

fn names(settings: &Settings, problems: &mut Problems) {
    if !settings.node.name.is_empty() && !is_plain_name(&settings.node.name) {
        problems.add("node.name", format!("expected 1 to {NAME_BYTES} characters of A-Z a-z 0-9 . _ -; found {:?}", settings.node.name));
    }
    for name in settings.namespaces.keys() {
        if name.contains([':', '#']) || format!("{name}:x").parse::<ChannelName>().is_err() {
            problems.add(
                format!("namespaces.{name}"),
                "the name of a namespace must have only the characters of channel names, without ':' and '#'",
            );
        }
    }
    if settings.namespaces.keys().any(|name| name.starts_with('$')) {
        problems.add("namespaces", "names that begin with '$' are reserved for the gateway");
    }
    for name in settings.services.keys() {
        if let Err(error) = name.parse::<ServiceName>() {
            problems.add(format!("services.{name}"), format!("the name {error}"));
        }
    }
}

fn token_issuers(settings: &Settings, problems: &mut Problems) {
    let mut seen = HashSet::from([settings.tokens.issuer.as_str()]);
    for (i, issuer) in settings.token_issuers.iter().enumerate() {
        let mut problem = |key: &str, message: &str| problems.add(format!("tokens.issuers[{i}].{key}"), message);
        if issuer.issuer.is_empty() {
            problem("issuer", "is missing: set it to the iss of the tokens, exactly as it is there");
        } else if !seen.insert(&issuer.issuer) {
            problem("issuer", "is already the name of another issuer, or of tokens.issuer: each name belongs to one set of keys");
        }
        if issuer.audiences.iter().any(String::is_empty) {
            problem("audiences", "has an empty entry: remove it, or an empty list checks no audience");
        }
        if issuer.logout_audiences.iter().any(String::is_empty) {
            problem("logout_audiences", "has an empty entry: remove it, or an empty list means audiences");
        }
        match (issuer.backchannel_logout, issuer.logout_audiences.is_empty()) {
            (true, true) if issuer.audiences.is_empty() => {
                let why = "needs the audience of logout tokens: set it to the client id under which this gateway gets them";
                problem("logout_audiences", why);
            }
            (false, false) => problem("logout_audiences", "has no effect without backchannel_logout = true"),
            _ => {}
        }
        let has_fixed = !issuer.keys.is_empty() || !issuer.key_files.is_empty();
        match (has_fixed, &*issuer.jwks_url) {
            (false, "") => problem("keys", "has no key, so no token of this issuer is valid: set keys, key_files or jwks_url"),
            (true, "") | (false, _) => {}
            (true, _) => problem("jwks_url", "has the keys of this issuer, so remove keys and key_files, or remove jwks_url"),
        }
        if issuer.jwks_url.is_empty() && (!issuer.jwks_ca_file.is_empty() || issuer.jwks_allow_http) {
            problem("jwks_url", "is missing: set it, or remove jwks_ca_file and jwks_allow_http");
        }
    }
    let tokens = &settings.tokens;
    if tokens.jwks_timeout > tokens.jwks_interval {
        problems.add("tokens.jwks_timeout", "must be at most tokens.jwks_interval, so that one fetch ends before the next may begin");
    }
    if tokens.jwks_refresh < 2 * tokens.jwks_interval {
        problems.add("tokens.jwks_refresh", "must be at least twice tokens.jwks_interval, or no unknown key may cause a fetch");
    }
    if tokens.jwks_stale <= tokens.jwks_refresh {
        problems.add("tokens.jwks_stale", "must be longer than tokens.jwks_refresh, or keys end before the next ones are there");
    }
}

fn connection(settings: &Settings, problems: &mut Problems) {
    let connection = &settings.connection;
    if connection.pong_timeout >= connection.ping_interval {
        problems.add("connection.pong_timeout", "must be shorter than connection.ping_interval");
    }
    if connection.outbox_bytes > connection.worker_outbox_bytes {
        problems.add("connection.worker_outbox_bytes", "must be at least connection.outbox_bytes");
    }
    if settings.limits.worker.work_bytes.bytes() < 4 * connection.message_size.bytes() {
        problems
            .add("limits.worker.work_bytes", "must be at least four times connection.message_size, so that it is no limit for one client");
    }
    let quarter = connection.outbox_bytes.bytes() / 4;
    if settings.recovery.page_bytes.bytes() > quarter {
        problems.add("recovery.page_bytes", "must be at most a quarter of connection.outbox_bytes, so that live messages fit too");
    }
    if settings.fan_out.batch_bytes.bytes() > quarter {
        problems.add("fan_out.batch_bytes", "must be at most a quarter of connection.outbox_bytes, so that one batch does not fill it");
    }
    data_size(settings, problems);
    if settings.drain.window > settings.drain.deadline {
        problems.add("drain.window", "must not be longer than drain.deadline");
    }
}

fn idempotency(settings: &Settings, problems: &mut Problems) {
    if settings.idempotency.answers_bytes.bytes() < settings.idempotency.answer_size.bytes() + 1024 {
        problems.add("idempotency.answers_bytes", "must be at least idempotency.answer_size plus 1KiB, so that every answer fits");
    }
}

fn link(settings: &Settings, problems: &mut Problems) {
    // In JSON the forwarded headers may be twice as long.
    let overhead = shared_proto::link::FRAME_OVERHEAD + 2 * settings.connection.header_bytes.bytes();
    if settings.link.message_size.bytes() < settings.connection.message_size.bytes() + overhead {
        let message = format!(
            "must be at least {} bytes above connection.message_size and twice connection.header_bytes, so that every call fits",
            shared_proto::link::FRAME_OVERHEAD
        );
        problems.add("link.message_size", message);
    }
}

/// Every publication must fit into each buffer on its way. Some buffers must have room for several.
fn data_size(settings: &Settings, problems: &mut Problems) {
    let bounds = [
        (settings.connection.outbox_bytes, 4, "a quarter of connection.outbox_bytes, so that one publication does not fill it"),
        (settings.fan_out.mailbox_bytes, 4, "a quarter of fan_out.mailbox_bytes, which is the share of one channel"),
        (settings.link.message_size, 2, "half of link.message_size, so that a frame has space for its other fields"),
    ];
    for (bound, part, why) in bounds {
        if settings.connection.data_size.bytes() > bound.bytes() / part {
            problems.add("connection.data_size", format!("must be at most {why}"));
        }
    }
}

fn redis(settings: &Settings, problems: &mut Problems) {
    let redis = &settings.redis;
    if !is_plain_name(&redis.prefix) {
        problems.add("redis.prefix", format!("expected 1 to {NAME_BYTES} characters of A-Z a-z 0-9 . _ -; found {:?}", redis.prefix));
    }
    if let RedisUrl::Several(all) = &redis.url {
        let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
        // An invalid name may be part of a password, so the message does not show it.
        if !names.iter().all(|name| is_plain_name(name)) {
            problems.add("redis.url", format!("expected a name for each URL, of 1 to {NAME_BYTES} characters of A-Z a-z 0-9 . _ -"));
        } else if names.len() < all.len() {
            problems.add("redis.url", "two servers have the same name");
        } else if names.len() < 2 {
            problems.add("redis.url", "expected a single URL, or at least two servers");
        }
    }
    if redis.response_timeout >= redis.deadline {
        problems.add("redis.response_timeout", "must be shorter than redis.deadline");
    }
}

fn ingest(settings: &Settings, problems: &mut Problems) {
    let ingest = &settings.ingest;
    if !ingest.channels.is_empty() && settings.broker.kind == BrokerKind::Memory {
        problems.add(
            "ingest.channels",
            "needs broker.kind = \"redis\", because services write into streams of Redis; leave it empty, or change the broker",
        );
    }
    for (i, pattern) in ingest.channels.iter().enumerate() {
        if pattern.is_empty() {
            problems.add(format!("ingest.channels[{i}]"), "an empty pattern matches no channel; \"*\" matches every channel");
        }
    }
}

fn queues(settings: &Settings, problems: &mut Problems) {
    let queues = &settings.queues;
    if queues.replicas > 0 && queues.replica_timeout >= settings.redis.response_timeout {
        problems.add("queues.replica_timeout", "must be shorter than redis.response_timeout, because the connection waits for the answer");
    }
    if queues.replicas > 0 && settings.broker.kind == BrokerKind::Memory {
        problems.add("queues.replicas", "needs broker.kind = \"redis\": the memory broker has no replicas; set it to 0");
    }
}

fn cluster(settings: &Settings, problems: &mut Problems) {
    let cluster = &settings.cluster;
    for (key, url, schemes) in
        [("cluster.link_url", &cluster.link_url, ["ws://", "wss://"]), ("cluster.public_url", &cluster.public_url, ["http://", "https://"])]
    {
        if !url.is_empty() && !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            problems.add(key, format!("expected \"{}host:port\"; found {url:?}", schemes[0]));
        }
    }
}

fn demo(settings: &Settings, problems: &mut Problems) {
    let names = &settings.demo.reserved_names;
    if names.len() > RESERVED_NAMES {
        problems.add("demo.reserved_names", format!("expected up to {RESERVED_NAMES} names; found {}", names.len()));
    }
    for name in names {
        if let Err(error) = check_user(name) {
            problems.add("demo.reserved_names", format!("the user {name:?} {error}"));
        }
    }
}

fn services(settings: &Settings, problems: &mut Problems) {
    for (name, RoutedService { service, methods, .. }) in &settings.services {
        let key = |key: &str| format!("services.{name}.{key}");
        match service.reach {
            Reach::Link | Reach::Queue => {
                for of in of_webhooks(service) {
                    problems.add(key(of), "only a service with reach = \"webhook\" has this setting");
                }
            }
            Reach::Webhook if service.urls.0.is_empty() => problems.add(key("urls"), "a webhook needs at least one URL"),
            Reach::Webhook => {}
        }
        for method in methods.keys() {
            if method.len() > METHOD_BYTES || !method.bytes().all(|b| b.is_ascii_graphic()) {
                problems.add(
                    format!("services.{name}.methods.{method}"),
                    format!("the name of a method has 1 to {METHOD_BYTES} visible ASCII characters"),
                );
            }
        }
    }
}

/// Only channels of a namespace name users. Personal channels have an owner.
fn named_users(settings: &Settings, problems: &mut Problems) {
    let (defaults, personal) = (&settings.channel_defaults, &settings.personal);
    for (key, grant) in [
        ("channel_defaults.subscribe", defaults.subscribe),
        ("channel_defaults.publish", defaults.publish),
        ("channel_defaults.see_presence", defaults.see_presence),
        ("channel_defaults.see_history", defaults.see_history),
        ("personal.publish", personal.publish),
        ("personal.see_presence", personal.see_presence),
        ("personal.see_history", personal.see_history),
    ] {
        if grant == Grant::Named {
            problems
                .add(key, "\"named\" is for namespaces, whose channels name users behind the colon; add one such as [namespaces.dialog]");
        }
    }
}

/// A service that decides must exist, and answer.
fn guards(settings: &Settings, problems: &mut Problems) {
    let namespaces = settings.namespaces.iter().map(|(name, channel)| (format!("namespaces.{name}"), channel));
    let channels = namespaces.chain([("channel_defaults".to_owned(), &settings.channel_defaults)]);
    let of_channels = channels.flat_map(|(table, channel)| {
        [(format!("{table}.subscribe_via"), &channel.subscribe_via), (format!("{table}.publish_via"), &channel.publish_via)]
    });
    for (key, service) in of_channels.chain([("connect.service".to_owned(), &settings.connect.service)]) {
        match service.0.as_ref().map(|name| (name, settings.services.get(name.as_str()))) {
            Some((name, None)) => problems.add(key, format!("no service is named {name:?}; add [services.{name}], or correct the name")),
            Some((name, Some(found))) if found.service.reach == Reach::Queue => {
                problems.add(key, format!("{name} has reach = \"queue\" and answers no questions; name a service with links or a webhook"));
            }
            _ => {}
        }
    }
    let question = 2 * settings.connection.message_size.bytes() + shared_proto::link::FRAME_OVERHEAD;
    if settings.connect.service.0.is_some() && settings.link.message_size.bytes() < question {
        let why = "so that a question with a token and its claims fits";
        problems.add("link.message_size", format!("must be at least {question} bytes, because of connect.service, {why}"));
    }
    if settings.connect.service.0.is_none() && settings.connect.tokens == TokenCheck::Never {
        problems.add("connect.tokens", "\"never\" needs connect.service, because nobody would check the tokens");
    }
}

/// The settings of a webhook that are set.
fn of_webhooks(service: &Service) -> impl Iterator<Item = &'static str> {
    let set = [
        ("urls", !service.urls.0.is_empty()),
        ("secrets", !service.secrets.0.is_empty()),
        ("headers", !service.headers.0.is_empty()),
        ("ca_file", !service.ca_file.is_empty()),
        ("cert_file", !service.cert_file.is_empty()),
        ("key_file", !service.key_file.is_empty()),
    ];
    set.into_iter().filter_map(|(name, is_set)| is_set.then_some(name))
}

/// Whether this can be the name of a node or of an API key.
pub fn is_plain_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Makes a name from the host's name and random digits. Several nodes may run on one host, so the host's name is not enough.
pub(super) fn random_node_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let host = host.trim().get(..NAME_BYTES - 5).unwrap_or(host.trim());
    let host = if is_plain_name(host) { host } else { "node" };
    format!("{host}-{:04x}", rand::random::<u16>())
}
