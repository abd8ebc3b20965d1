mod secret_files;

use super::{
    reader::keys_of,
    routes::{Route, RoutedService},
    sections::{ApiKey, Channel, TlsPair},
    *,
};
use gateway_core::channel::{
    AllowedData as CoreData,
    Grant::{Anyone, Authenticated, Nobody, Subscriber},
    Namespaces,
};
use gateway_core::stomp::StompConfig;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use std::{collections::HashMap, io::Write as _, time::Duration};

const STOMP: &str = include_str!("../../config/stomp.toml");
const DEV: &str = include_str!("../../config/dev.toml");

/// The keys of a settings file, each with the comment above it. Keys of examples in comments are included.
fn documented_in(toml: &str) -> Vec<(String, String)> {
    let (mut table, mut comment, mut all) = (String::new(), String::new(), Vec::new());
    for line in toml.lines() {
        let example = line.strip_prefix("#   ");
        let line = example.unwrap_or(line).trim();
        if let Some(name) = line.strip_prefix('[') {
            table = format!("{}.", name.trim_matches(['[', ']']));
            comment.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
        } else if let Some((key, _)) = line.split_once(" = ") {
            let table = if matches!(key, "workers" | "allow_insecure" | "api_keys") { "" } else { &table };
            all.push((format!("{table}{key}"), std::mem::take(&mut comment)));
        }
    }
    all
}

fn problems(toml: &str) -> Vec<Problem> {
    match Settings::from_toml(toml) {
        Ok(_) => panic!("accepted: {toml}"),
        Err(problems) => problems.iter().cloned().collect(),
    }
}

#[test]
fn the_default_file_documents_every_key_with_its_bounds_and_no_other_keys() {
    let file = documented_in(DEFAULTS);
    let mut expected = Settings::documented();
    expected.extend([("workers".into(), Some("0 to 63".into())), ("allow_insecure".into(), None), ("api_keys".into(), None)]);
    expected.extend(keys_of::<ApiKey>("api_keys"));
    expected.extend(keys_of::<TokenIssuer>("tokens.issuers"));
    expected.extend(keys_of::<Destination>("stomp.destinations"));
    expected.extend(keys_of::<TlsPair>("public.tls.pairs"));
    expected.extend(keys_of::<RoutedService>("services.chatbot").into_iter().filter(|(key, _)| !key.ends_with(".methods")));
    // The bounds of a namespace's keys are documented at channel_defaults, those of a method's keys at the service.
    let repeated = keys_of::<Channel>("namespaces.chat").into_iter().chain(keys_of::<Route>("services.chatbot.methods.say"));
    expected.extend(repeated.map(|(key, _)| (key, None)));
    for (key, range) in &expected {
        let (_, comment) = file.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key} is not in default.toml"));
        if let Some(range) = range {
            assert!(comment.contains(&format!("({range})")), "the comment of {key} lacks ({range}): {comment}");
        }
    }
    for (key, _) in &file {
        assert!(expected.iter().any(|(name, _)| name == key), "default.toml has {key}, which is no setting");
    }
    assert_eq!(file.len(), expected.len());
}

#[test]
fn the_commented_examples_have_the_default_values() {
    let all: Vec<_> = DEFAULTS.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    let settings = Settings::from_toml(&all.join("\n")).expect("valid");
    let left_out = Settings::from_toml("[services.chatbot.methods.say]\n[namespaces.chat]").expect("valid");
    let lines = |settings: &Settings, prefix: &str| -> Vec<String> {
        settings.effective().lines().filter(|line| line.starts_with(prefix)).map(|line| line.replacen(prefix, "", 1)).collect()
    };
    assert_eq!(lines(&settings, "services.chatbot."), lines(&left_out, "services.chatbot."));
    assert_eq!(lines(&left_out, "namespaces.chat."), lines(&left_out, "channel_defaults."));
    assert_eq!(settings.api_keys[0].name, "orders");
}

#[test]
fn the_settings_page_names_every_table() {
    let guide = include_str!("../../../docs/settings.md");
    for table in Settings::KEYS {
        assert!(guide.contains(&format!("`{table}`")), "docs/settings.md does not name {table}");
    }
}

#[test]
fn dev_settings_have_what_the_demo_and_the_scripts_use() {
    let settings = Settings::from_toml(DEV).expect("valid");
    assert_eq!(settings.tokens.hmac_secret.expose_secret(), "dev-secret");
    assert!(settings.tokens.anonymous && settings.demo.enabled && settings.demo.reserved_names == ["bot"]);
    assert_eq!((settings.api_keys[0].name.as_str(), settings.api_keys[0].key.expose_secret()), ("dev", "dev"));
    assert_eq!(settings.services["chatbot"].service.reach, Reach::Link);
    let namespaces = Namespaces::from(&settings);
    let of = |name: &str| {
        let options = namespaces.options(&name.parse().expect("a channel")).expect("configured");
        (options.retention.map(|kept| (kept.size, kept.ttl.as_secs())), options.subscribe, options.publish)
    };
    assert_eq!(of("chat:lobby"), (Some((1000, 86_400)), Anyone, Nobody));
    assert_eq!(of("stream:x"), (Some((2000, 300)), Anyone, Nobody));
    assert_eq!(of("news:world"), (Some((100, 3600)), Anyone, Nobody));
    assert_eq!(of("open:x"), (None, Anyone, Subscriber));
    assert_eq!(of("recover:x"), (Some((10_000, 3600)), Anyone, Subscriber));
    assert_eq!(of("#alice"), (Some((100, 168 * 3600)), Nobody, Nobody));
    assert_eq!(of("lobby"), (None, Nobody, Nobody));
    assert!(namespaces.options(&"unknown:x".parse().expect("a channel")).is_none());
}

#[test]
fn stomp_settings_allow_what_a_simple_broker_allows() {
    use Refused::{Close, Message};
    let settings = Settings::from_toml(STOMP).expect("valid");
    assert_eq!(settings.stomp.limits.paths, ["/stomp", "/ws"]);
    assert!(!settings.tokens.anonymous && settings.services["chat"].service.reach == Reach::Webhook);
    let namespaces = Namespaces::from(&settings);
    let room = namespaces.options(&"rooms/1".parse().expect("a channel")).expect("configured");
    assert_eq!((room.subscribe, room.publish, room.data), (Authenticated, Authenticated, CoreData::Any));
    assert!(room.retention.is_some() && namespaces.personal.retention.is_some() && namespaces.personal.publish == Nobody);
    let rows: Vec<_> = settings.stomp.destinations.iter().map(|row| (row.head.prefix.as_str(), row.options.refused)).collect();
    assert_eq!(rows, [("/topic/", Close), ("/queue/", Close), ("/user/queue/", Close), ("/app/", Message), ("/app/hello", Message)]);
    assert_eq!(StompConfig::from(&settings).unknown_destination, gateway_core::stomp::UnknownDestination::Ignore);
}

#[test]
fn the_defaults_of_stomp_are_those_of_the_core() {
    let settings = Settings::from_toml("").expect("valid");
    assert_eq!(format!("{:?}", StompConfig::from(&settings)), format!("{:?}", StompConfig::default()));
}

/// Settings with one bad value, its key, and a part of the message.
const BAD_VALUES: &[(&str, &str, &str)] = &[
    ("[connection]\nping = 1", "connection.ping", "unknown key"),
    ("nodes = 3", "nodes", "unknown key"),
    ("[namespaces.chat]\nhistory = 3", "namespaces.chat.history", "known keys here: history_size"),
    ("[connection]\nping_interval = 25", "connection.ping_interval", "\"10s\" (ms, s, m, h, d), \"1s\" to \"1h\"; found 25"),
    ("[connection]\nping_interval = \"25\"", "connection.ping_interval", "found \"25\""),
    ("[connection]\nping_interval = \"10ms\"", "connection.ping_interval", "\"1s\" to \"1h\"; found \"10ms\""),
    ("[connection]\nmessage_size = \"64kb\"", "connection.message_size", "(B, KiB, MiB, GiB)"),
    ("[connection]\nmessage_size = -1", "connection.message_size", "\"1KiB\" to \"16MiB\"; found -1"),
    ("[connection]\nmax_in_flight = 0", "connection.max_in_flight", "1 to 10000; found 0"),
    ("[connection]\nmax_in_flight = 1.5", "connection.max_in_flight", "a whole number"),
    ("workers = 64", "workers", "0 to 63"),
    ("allow_insecure = [\"demo\", \"everything\"]", "allow_insecure", "a list of \"demo\", \"dev-key\" and \"short-secret\""),
    ("allow_insecure = true", "allow_insecure", "a list of \"demo\""),
    ("allow_insecure = [\"Demo\"]", "allow_insecure", "a list of \"demo\""),
    ("[limits]\nrate = 1", "limits.rate", "known keys here: connection, user, address, accepts, worker, key"),
    ("[limits.connection]\ncommands_per_second = -1", "limits.connection.commands_per_second", "0 to 1000000; found -1"),
    ("[limits.connection]\ncommands_burst = 0", "limits.connection.commands_burst", "1 to 10000000; found 0"),
    ("[limits.connection]\nbytes_per_second = \"2GiB\"", "limits.connection.bytes_per_second", "\"0B\" to \"1GiB\"; found \"2GiB\""),
    ("[limits.connection]\nbytes_burst = 10", "limits.connection.bytes_burst", "\"1KiB\" to \"1GiB\"; found \"10B\""),
    ("[limits.user]\ncommands_per_second = \"x\"", "limits.user.commands_per_second", "a whole number"),
    ("[limits.user]\nconnections = -1", "limits.user.connections", "0 to 1000000; found -1"),
    ("[limits.user]\non_excess = \"kill\"", "limits.user.on_excess", "\"refuse\" or \"end-oldest\"; found \"kill\""),
    ("[limits.user]\ntable = 1", "limits.user.table", "1024 to 10000000; found 1"),
    ("[limits.key]\nrequests_per_second = 1000001", "limits.key.requests_per_second", "0 to 1000000; found 1000001"),
    ("[limits.address]\nhttp_connections = 0", "limits.address.http_connections", "1 to 1000000; found 0"),
    ("[limits.address]\nconnections = 0", "limits.address.connections", "1 to 10000000; found 0"),
    ("[limits.address]\nupgrades_per_second = 1.5", "limits.address.upgrades_per_second", "a whole number"),
    ("[limits.address]\nwrong_tokens_burst = 0", "limits.address.wrong_tokens_burst", "1 to 10000000; found 0"),
    ("[limits.accepts]\nper_second = -5", "limits.accepts.per_second", "0 to 1000000; found -5"),
    ("[limits.accepts]\nburst = 0", "limits.accepts.burst", "1 to 10000000; found 0"),
    ("[presence]\nshared_for = \"2m\"", "presence.shared_for", "\"0s\" to \"1m\"; found \"2m\""),
    ("[presence]\nshared_entries = 0", "presence.shared_entries", "1 to 100000000; found 0"),
    ("[limits.worker]\nwork_bytes = 1", "limits.worker.work_bytes", "\"1MiB\" to \"1024GiB\"; found \"1B\""),
    (
        "[limits.worker]\nwork_bytes = \"1MiB\"\n[connection]\nmessage_size = \"512KiB\"",
        "limits.worker.work_bytes",
        "four times connection.message_size",
    ),
    ("[limits.key]\nrequests_burst = 0", "limits.key.requests_burst", "1 to 10000000; found 0"),
    ("[limits.connection]\nconnect_size = 0", "limits.connection.connect_size", "\"1KiB\" to \"16MiB\"; found \"0B\""),
    ("public = 3", "public", "expected a table"),
    ("namespaces = 3", "namespaces", "expected a table"),
    ("api_keys = 3", "api_keys", "expected a list of tables"),
    ("[tokens]\nissuers = 3", "tokens.issuers", "expected a list of tables"),
    ("[[tokens.issuers]]\nkeys = [\"k\"]", "tokens.issuers[0].issuer", "set it to the iss of the tokens"),
    ("[[tokens.issuers]]\nissuer = \"i\"", "tokens.issuers[0].keys", "set keys, key_files or jwks_url"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\njwks_url = \"u\"", "tokens.issuers[0].jwks_url", "remove keys and key_files"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\njwks_allow_http = true", "tokens.issuers[0].jwks_url", "is missing: set it"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\njwks_ca_file = \"f\"", "tokens.issuers[0].jwks_url", "is missing: set it"),
    ("[[tokens.issuers]]\nissuer = \"i\"\njwks_url = 3", "tokens.issuers[0].jwks_url", "a string"),
    ("[tokens]\njwks_timeout = \"11s\"", "tokens.jwks_timeout", "at most tokens.jwks_interval"),
    ("[tokens]\njwks_timeout = \"99ms\"", "tokens.jwks_timeout", "\"100ms\" to \"1m\""),
    ("[tokens]\njwks_refresh = \"19s\"", "tokens.jwks_refresh", "at least twice tokens.jwks_interval"),
    ("[tokens]\njwks_interval = \"0s\"", "tokens.jwks_interval", "\"1s\" to \"1h\""),
    ("[tokens]\njwks_stale = \"10m\"", "tokens.jwks_stale", "longer than tokens.jwks_refresh"),
    ("[tokens]\njwks_size = \"2MiB\"", "tokens.jwks_size", "\"1KiB\" to \"1MiB\""),
    ("[tokens]\njwks_keys = 0", "tokens.jwks_keys", "1 to 1000"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\naudiences = [\"\"]", "tokens.issuers[0].audiences", "empty entry"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\nuser_claim = \"sub\"", "tokens.issuers[0].user_claim", "a JSON Pointer"),
    ("[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\njwks = \"k\"", "tokens.issuers[0].jwks", "unknown key"),
    (
        "[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\n[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]",
        "tokens.issuers[1].issuer",
        "already",
    ),
    ("[tokens]\nissuer = \"i\"\n[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]", "tokens.issuers[0].issuer", "of tokens.issuer"),
    (
        "[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\nbackchannel_logout = true",
        "tokens.issuers[0].logout_audiences",
        "set it to the client id",
    ),
    (
        "[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\nlogout_audiences = [\"c\"]",
        "tokens.issuers[0].logout_audiences",
        "backchannel_logout = true",
    ),
    (
        "[[tokens.issuers]]\nissuer = \"i\"\nkeys = [\"k\"]\nbackchannel_logout = true\nlogout_audiences = [\"\"]",
        "tokens.issuers[0].logout_audiences",
        "empty entry",
    ),
    ("[tokens]\nunbounded = \"no\"", "tokens.unbounded", "true or false"),
    ("[tokens]\nwhen_away = \"ask\"", "tokens.when_away", "\"refuse\" or \"allow\""),
    ("[tokens]\nlogouts_per_second = 0", "tokens.logouts_per_second", "1 to 10000"),
    ("[public]\naddress = \"localhost\"", "public.address", "an IP address and a port"),
    ("[demo]\nenabled = \"yes\"", "demo.enabled", "true or false"),
    ("[public]\nallowed_origins = [1]", "public.allowed_origins", "a list of strings"),
    ("[demo]\nreserved_names = \"b\\u0000t\"", "demo.reserved_names", "contains a control"),
    ("[demo]\nreserved_names = [1]", "demo.reserved_names", "a list of strings"),
    ("[demo]\nreserved_names = [\"\"]", "demo.reserved_names", "the user \"\" is empty"),
    ("[demo]\nreserved_names = [\"bot \"]", "demo.reserved_names", "ends with a space"),
    ("[telemetry]\nsample_ratio = 1.01", "telemetry.sample_ratio", "0.0 to 1.0"),
    ("[telemetry]\nsample_ratio = nan", "telemetry.sample_ratio", "0.0 to 1.0"),
    ("[telemetry]\nlog_format = \"xml\"", "telemetry.log_format", "\"text\" or \"json\""),
    ("[namespaces.chat]\nsubscribe = \"all\"", "namespaces.chat.subscribe", "\"nobody\", \"token\""),
    ("[namespaces.chat]\ndata = \"bytes\"", "namespaces.chat.data", "\"json\" or \"any\""),
    ("[personal]\ndata = 1", "personal.data", "\"json\" or \"any\""),
    ("[namespaces.\"a#b\"]", "namespaces.a#b", "without ':' and '#'"),
    ("[services.Bot]", "services.Bot", "a-z 0-9 _ -"),
    ("[connect]\nservice = \"door\"", "connect.service", "add [services.door]"),
    ("[connect]\nservice = \"The Door\"", "connect.service", "the name of a service"),
    ("[connect]\ntokens = \"never\"", "connect.tokens", "needs connect.service"),
    ("[connect]\ntokens = \"last\"", "connect.tokens", "\"first\" or \"never\""),
    ("[namespaces.chat]\nsubscribe_via = \"door\"", "namespaces.chat.subscribe_via", "add [services.door]"),
    ("[channel_defaults]\npublish_via = \"door\"", "channel_defaults.publish_via", "add [services.door]"),
    ("[channel_defaults]\nwhen_away = \"maybe\"", "channel_defaults.when_away", "\"refuse\" or \"allow\""),
    (
        "connection.message_size = \"64KiB\"\nlink.message_size = \"128KiB\"\n[connect]\nservice = \"door\"\n[services.door]",
        "link.message_size",
        "because of connect.service",
    ),
    ("[services.bot]\nreach = \"queue\"", "services.bot.reach", "\"queue\" needs broker.kind = \"redis\""),
    ("[services.bot]\nevents = \"queue\"\ndeliver = \"stream\"", "services.bot.deliver", "\"stream\" needs broker.kind = \"redis\""),
    ("[services.bot]\nevents = \"kafka\"", "services.bot.events", "\"direct\" or \"queue\""),
    ("[services.bot]\ndeliver = \"stream\"", "services.bot.deliver", "\"stream\" needs events = \"queue\""),
    ("[services.bot]\npartitions = 5", "services.bot.partitions", "only a service with events = \"queue\""),
    ("[services.bot]\nevents = \"queue\"\npartitions = 257", "services.bot.partitions", "1 to 256; found 257"),
    ("[services.bot]\ntries = 5", "services.bot.tries", "only a service with events = \"queue\""),
    ("[services.bot]\nvisibility = \"5s\"", "services.bot.visibility", "only a service with events = \"queue\""),
    ("[services.bot]\nreply = false", "services.bot.reply", "needs events = \"queue\""),
    ("[services.bot.methods.say]\nreply = false", "services.bot.methods.say.reply", "needs events = \"queue\""),
    (
        "[services.bot]\nevents = \"queue\"\n[services.bot.methods.say]\nreply = false\nidempotency = \"/id\"",
        "services.bot.methods.say.idempotency",
        "needs order = \"none\" or a member of the data",
    ),
    ("[services.bot]\nexpires_after = \"1m\"", "services.bot.expires_after", "only a service with events = \"queue\""),
    ("[services.bot]\nevents = \"queue\"\nretry_min = \"6m\"", "services.bot.retry_min", "must not be longer than retry_max"),
    (
        "[services.bot]\nreach = \"webhook\"\nurls = [\"http://h/\"]\nevents = \"queue\"\nvisibility = \"5s\"",
        "services.bot.visibility",
        "set that, and leave this out",
    ),
    (
        "broker.kind = \"redis\"\n[services.bot]\nreach = \"queue\"\nevents = \"direct\"",
        "services.bot.events",
        "expected \"queue\"; found \"direct\"",
    ),
    ("broker.kind = \"redis\"\n[services.bot]\nreach = \"queue\"\ndeliver = \"reach\"", "services.bot.deliver", "expected \"stream\""),
    ("broker.kind = \"redis\"\n[services.bot]\nreach = \"queue\"\nreply = true", "services.bot.reply", "expected false; found true"),
    (
        "broker.kind = \"redis\"\n[services.bot]\nreach = \"queue\"\n[services.bot.methods.say]\nreply = true",
        "services.bot.methods.say.reply",
        "nobody answers calls",
    ),
    ("broker.kind = \"redis\"\n[services.bot]\nreach = \"queue\"\ntries = 5", "services.bot.tries", "no effect with deliver = \"stream\""),
    (
        "broker.kind = \"redis\"\nconnect.service = \"bot\"\nlink.message_size = \"2MiB\"\n[services.bot]\nreach = \"queue\"",
        "connect.service",
        "answers no questions",
    ),
    ("[services.bot]\nreach = \"webhook\"", "services.bot.urls", "at least one URL"),
    ("[services.bot]\nurls = [\"http://h\"]", "services.bot.urls", "only a service with reach = \"webhook\""),
    ("[services.bot]\nsecrets = [\"hush\"]", "services.bot.secrets", "only a service with reach"),
    ("[services.bot]\nheaders = { a = \"hush\" }", "services.bot.headers", "only a service with reach"),
    ("[services.bot]\nca_file = \"a\"", "services.bot.ca_file", "only a service with reach"),
    ("[services.bot]\ncert_file = \"a\"", "services.bot.cert_file", "only a service with reach"),
    ("[services.bot]\nkey_file = \"a\"", "services.bot.key_file", "only a service with reach"),
    ("[services.bot]\nlifecycle_events = [\"connected\"]", "services.bot.lifecycle_events", "or events = \"queue\""),
    ("[services.bot]\nurls = 7", "services.bot.urls", "a list of URLs"),
    ("[services.bot]\norder = \"room\"", "services.bot.order", "\"connection\", \"none\" or a JSON Pointer such as \"/room\""),
    ("[services.bot]\nidempotency = \"/~2\"", "services.bot.idempotency", "a JSON Pointer such as \"/id\""),
    ("[services.bot]\ncallers = \"token\"", "services.bot.callers", "\"authenticated\" or \"anyone\""),
    ("[services.bot.methods.say]\ncallers = 1", "services.bot.methods.say.callers", "\"authenticated\" or \"anyone\""),
    ("[services.bot.methods.say]\nreach = \"link\"", "services.bot.methods.say.reach", "known keys here: call_timeout"),
    ("[services.bot.methods.\"sä\"]", "services.bot.methods.sä", "1 to 255 visible ASCII characters"),
    ("[services.bot]\nmethods = 7", "services.bot.methods", "expected a table"),
    ("[services.bot]\nsecrets = [7]", "services.bot.secrets", "a list of strings"),
    ("[services.bot]\nheaders = [\"a: b\"]", "services.bot.headers", "a table of strings by name; found something else"),
    ("[services.bot]\nheaders = { a = 7 }", "services.bot.headers", "a table of strings by name; found something else"),
    ("[namespaces.\"$node\"]", "namespaces", "reserved for the gateway"),
    ("[ingest]\nchannels = [\"a\"]", "ingest.channels", "needs broker.kind = \"redis\""),
    ("broker.kind = \"redis\"\n[ingest]\nchannels = [\"a\", \"\"]", "ingest.channels[1]", "\"*\" matches every channel"),
    ("[ingest]\npartitions = 0", "ingest.partitions", "1 to 256; found 0"),
    ("[queues]\nwindow = 0", "queues.window", "1 to 100000; found 0"),
    (
        "broker.kind = \"redis\"\n[queues]\nreplicas = 1\nreplica_timeout = \"2s\"",
        "queues.replica_timeout",
        "shorter than redis.response_timeout",
    ),
    ("[queues]\nreplicas = 1", "queues.replicas", "set it to 0"),
    ("[cluster]\nlink_url = \"http://h\"", "cluster.link_url", "ws://host:port"),
    ("[cluster]\npublic_url = \"ws://h\"", "cluster.public_url", "http://host:port"),
    ("[redis]\nurl = [\"redis://a\"]", "redis.url", "a table of URLs by name"),
    ("[redis]\nurl = { a = 1 }", "redis.url", "a table of URLs by name"),
    ("[redis.url]\na = \"redis://a\"", "redis.url", "at least two servers"),
    ("[redis]\nurl = {}", "redis.url", "expected"),
    ("[redis.url]\n\"a b\" = \"redis://a\"\nc = \"redis://c\"", "redis.url", "a name for each URL, of 1 to 64"),
    ("[redis]\nurl = \"a=redis://a redis://b\"", "redis.url", "a name for each URL, of 1 to 64"),
    ("[redis]\nurl = \"a=redis://a a=redis://b\"", "redis.url", "the same name"),
    ("[redis]\nprefix = \"a b\"", "redis.prefix", "1 to 64"),
    ("[redis]\nresponse_timeout = \"9s\"", "redis.response_timeout", "shorter than redis.deadline"),
    ("[broker]\nkind = \"kafka\"", "broker.kind", "\"memory\" or \"redis\""),
    ("[[api_keys]]\nname = 1\nkey = \"k\"", "api_keys[0].name", "expected a string"),
    ("[[api_keys]]\nname = \"a\"\nkey = \"k\"\nscopes = [1]", "api_keys[0].scopes", "a list of scopes such as"),
    (
        "[[api_keys]]\nname = \"a\"\nkey = \"k\"\nscope = [\"read\"]",
        "api_keys[0].scope",
        "known keys here: name, key, key_hash, certificate, scopes",
    ),
    ("[node]\nname = \"a b\"", "node.name", "A-Z a-z 0-9"),
    ("[idempotency]\nanswer_size = \"1MiB\"\nanswers_bytes = \"1MiB\"", "idempotency.answers_bytes", "idempotency.answer_size plus 1KiB"),
    ("[recovery]\npage_bytes = \"65KiB\"", "recovery.page_bytes", "a quarter of connection.outbox_bytes"),
    ("[fan_out]\nbatch_bytes = \"65KiB\"", "fan_out.batch_bytes", "a quarter of connection.outbox_bytes"),
    ("[connection]\npong_timeout = \"25s\"", "connection.pong_timeout", "connection.ping_interval"),
    (
        "[connection]\noutbox_bytes = \"256MiB\"\nworker_outbox_bytes = \"255MiB\"",
        "connection.worker_outbox_bytes",
        "connection.outbox_bytes",
    ),
    ("[personal]\nsubscribe = \"anyone\"", "personal.subscribe", "unknown key"),
    ("[personal]\nsee_history = \"named\"", "personal.see_history", "add one such as [namespaces.dialog]"),
    ("[channel_defaults]\nsubscribe = \"named\"", "channel_defaults.subscribe", "add one such as [namespaces.dialog]"),
    ("[public.tls]\npairs = [{ cert_file = \"c\" }]", "public.tls.pairs[0].key_file", "is missing"),
    ("[public.tls]\npairs = [{ cert_file = \"\", key_file = \"k\" }]", "public.tls.pairs[0].cert_file", "the path of a PEM file"),
    ("[internal.tls]\npairs = [{ cert_file = \"c\", key_file = \"k\", name = \"n\" }]", "internal.tls.pairs[0].name", "unknown key"),
    ("[internal.tls]\npairs = 7", "internal.tls.pairs", "written as [[internal.tls.pairs]]"),
    ("[public.tls]\nmin_version = 1.3", "public.tls.min_version", "\"1.2\" or \"1.3\""),
    ("[public.tls]\nmin_version = \"1.1\"", "public.tls.min_version", "\"1.2\" or \"1.3\""),
    ("[public.tls]\nhandshake_timeout = \"10ms\"", "public.tls.handshake_timeout", "\"100ms\" to \"1m\""),
    ("[public.tls]\nhandshakes = 0", "public.tls.handshakes", "1 to 100000"),
    ("[public.tls]\ncertificate = \"c\"", "public.tls.certificate", "known keys here: min_version"),
    ("[public]\ntls = true", "public.tls", "expected a table"),
    ("[[api_keys]]\nname = \"a\"\ncertificate = \"a.b\"", "api_keys[0].certificate", "nobody shows a certificate"),
    ("[internal.tls]\nclient_ca_file = \"ca\"", "internal.tls.client_ca_file", "add internal.tls.pairs, or leave it empty"),
    ("[internal]\naddress = \"127.0.0.1:8000\"", "internal.address", "must differ from public.address"),
    ("[public]\naddress = \"[::]:8001\"", "internal.address", "must differ from public.address"),
    ("[connection]\nmessage_size = \"1MiB\"", "link.message_size", "4096 bytes above connection.message_size"),
    ("[node]\nrole = \"rest\"", "node.role", "\"full\" or \"api\""),
    ("[node]\nrole = \"api\"", "node.role", "needs broker.kind = \"redis\""),
    ("[drain]\nwindow = \"31s\"", "drain.window", "drain.deadline"),
    ("[connection]\ndata_size = \"65KiB\"", "connection.data_size", "a quarter of connection.outbox_bytes"),
    (
        "connection.outbox_bytes = \"2MiB\"\nconnection.data_size = \"257KiB\"\nfan_out.mailbox_bytes = \"1MiB\"",
        "connection.data_size",
        "a quarter of fan_out.mailbox_bytes",
    ),
    ("[link]\nmessage_size = \"127KiB\"", "connection.data_size", "half of link.message_size"),
    ("[stomp]\npath = \"/a\"", "stomp.path", "known keys here: paths"),
    ("[stomp]\npaths = [\"stomp\"]", "stomp.paths", "such as \"/stomp\""),
    ("[stomp]\npaths = [\"/stomp/\"]", "stomp.paths", "none at the end"),
    ("[stomp]\npaths = [\"/a{b}\"]", "stomp.paths", "A-Z a-z 0-9"),
    ("[stomp]\npaths = [\"/\"]", "stomp.paths", "none at the end"),
    ("[stomp]\npaths = [\"/a\", \"/a\"]", "stomp.paths", "occurs twice"),
    ("[stomp]\npaths = [\"/connection/websocket\"]", "stomp.paths", "choose another one"),
    ("[stomp]\npaths = [\"/livez\"]", "stomp.paths", "choose another one"),
    ("[public]\nallowed_origins = [\"*\"]\n[stomp]\ntoken_cookie = \"a\"", "stomp.token_cookie", "list the origins"),
    ("[stomp]\ntoken_cookie = \"a b\"", "stomp.token_cookie", "the name of a cookie"),
    ("[stomp]\nunknown_destination = \"drop\"", "stomp.unknown_destination", "\"error\" or \"ignore\""),
    ("[stomp]\ndestinations = [1]", "stomp.destinations[0]", "a table of settings"),
    ("[[stomp.destinations]]\nto = \"channel\"", "stomp.destinations[0].prefix", "is missing"),
    ("[[stomp.destinations]]\nprefix = \"/a/\"", "stomp.destinations[0].to", "is missing"),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"topic\"", "stomp.destinations[0].to", "\"user_queue\", \"call\""),
    ("[[stomp.destinations]]\nprefix = \"\"\nto = \"channel\"", "stomp.destinations[0].prefix", "1 to 255 visible"),
    ("[[stomp.destinations]]\nprefix = \"/ä/\"\nto = \"channel\"", "stomp.destinations[0].prefix", "1 to 255 visible"),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\n[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"event\"",
        "stomp.destinations[1].prefix",
        "already the prefix of another row",
    ),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nrefuse = \"stay\"", "stomp.destinations[0].refuse", "unknown key"),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nrefused = \"no\"",
        "stomp.destinations[0].refused",
        "\"stay\" or \"message\"",
    ),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nnamespace = \"chat\"",
        "stomp.destinations[0].namespace",
        "add [namespaces.chat]",
    ),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"event\"\nnamespace = \"chat\"", "stomp.destinations[0].namespace", "only a row"),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nservice = \"chat\"\n[services.chat]",
        "stomp.destinations[0].service",
        "only a row",
    ),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"event\"\nservice = \"chat\"",
        "stomp.destinations[0].service",
        "add [services.chat]",
    ),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nmethod = \"m\"",
        "stomp.destinations[0].method",
        "only a row with to = \"call\"",
    ),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"call\"\nmethod = \"m\"\nreply = \"\"",
        "stomp.destinations[0].method",
        "needs `service`",
    ),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"call\"", "stomp.destinations[0].reply", "found \"/user/queue/{service}/{method}\""),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"channel\"\nreply = \"/a/b\"", "stomp.destinations[0].reply", "only a row"),
    (
        "[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"user_queue\"\nsend = true",
        "stomp.destinations[0].send",
        "only services send to users",
    ),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"event\"\nsubscribe = true", "stomp.destinations[0].subscribe", "no subscribers"),
    ("[[stomp.destinations]]\nprefix = \"/a/\"\nto = \"event\"\nsend = false", "stomp.destinations[0].send", "has no use"),
];

#[test]
fn the_problem_of_every_bad_value_names_its_key() {
    let names = format!("[demo]\nreserved_names = [{}]", "\"a\", ".repeat(101));
    let names = (&*names, "demo.reserved_names", "up to 100 names; found 101");
    for (toml, key, fragment) in BAD_VALUES.iter().copied().chain([names]) {
        let problems = problems(toml);
        assert_eq!(problems.len(), 1, "{toml}: {problems:?}");
        assert_eq!(problems[0].key, key, "{toml}");
        assert!(problems[0].message.contains(fragment), "{toml}: {}", problems[0].message);
    }
}

/// Sets every key whose table has a fixed name, in a file and by a variable.
#[test]
fn every_key_refuses_values_outside_its_bounds_or_of_another_type() {
    let assert_refused = |key: &str, value: &str, fragment: &str| {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let text = if table.is_empty() { format!("{name} = {value}") } else { format!("[{table}]\n{name} = {value}") };
        let found = problems(&text);
        let of_key: Vec<_> = found.iter().filter(|problem| problem.key == key).collect();
        assert!(found.len() == 1 && of_key.len() == 1 && of_key[0].message.contains(fragment), "{text}: {found:?}");
        if value.starts_with(['[', '{']) {
            return;
        }
        let variable = format!("GATEWAY__{}", key.replace('.', "__").to_uppercase());
        let variables = Some(HashMap::from([(variable.clone(), value.trim_matches('"').to_owned())]));
        let message = Settings::load(&Layers { variables, ..Layers::default() }).expect_err(&variable).to_string();
        assert!(message.contains(&format!("{key}: ")) && message.contains(fragment), "{variable}: {message}");
    };
    let mut keys = Settings::documented();
    keys.push(("workers".into(), Some("0 to 63".into())));
    for (key, range) in keys {
        assert_refused(&key, "{ a = 1 }", "expected");
        let Some(range) = range else { continue };
        let (first, last) = range.split_once(" to ").expect("from and to");
        let digits = |text: &str| text.find(|c: char| c.is_ascii_digit()).expect("a number");
        // A number above the upper bound, and zero if the lower bound is above zero.
        let mut above = last.to_owned();
        above.insert(digits(last), '9');
        assert_refused(&key, &above, &range);
        let number: String = first.chars().filter(char::is_ascii_digit).collect();
        if number != "0" && number != "00" {
            assert_refused(&key, &first.replacen(&number, "0", 1), &range);
        }
        assert_refused(&key, "\"many\"", &range);
        assert_refused(&key, "[1]", &range);
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found =
        problems("x = 1\n[connection]\nping_interval = 1\nwrite_timeout = true\n[namespaces.a]\ny = 1\n[namespaces.b]\npresence = 2");
    let mut keys: Vec<_> = found.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["connection.ping_interval", "connection.write_timeout", "namespaces.a.y", "namespaces.b.presence", "x"]);
}

#[test]
fn a_later_layer_overrides_an_earlier_one_and_a_problem_names_its_layer() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "[connection]\nping_interval = \"30s\"\npong_timeout = \"3s\"\nmax_in_flight = 7\n[namespaces.My-chat]\n")
        .expect("written");
    let variables = |pairs: &[(&str, &str)]| Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
    let flags = [("connection.max_in_flight".to_owned(), "9".to_owned())];
    let layers = Layers {
        file: Some(file.path()),
        variables: variables(&[
            ("GATEWAY__CONNECTION__PONG_TIMEOUT", "4s"),
            ("GATEWAY__CONNECTION__MAX_IN_FLIGHT", "8"),
            ("GATEWAY__TOKENS__HMAC_SECRET", "00123"),
            ("GATEWAY__API_KEYS", "a=x=1, b=y, c=z publish:c:*  read"),
            ("GATEWAY__PUBLIC__ALLOWED_ORIGINS", "https://a.example, https://b.example"),
            ("GATEWAY__BROKER__KIND", ""),
            ("GATEWAY__REDIS__URL", "a=redis://h1 b=redis://h2"),
            ("GATEWAY_OTHER", "ignored"),
            ("GATEWAY__NAMESPACES__NEWS__PRESENCE", "true"),
        ]),
        flags: &flags,
    };
    let settings = Settings::load(&layers).expect("valid");
    let connection = &settings.connection;
    assert_eq!((connection.ping_interval.as_secs(), connection.pong_timeout.as_secs(), connection.max_in_flight), (30, 4, 9));
    assert_eq!(settings.tokens.hmac_secret.expose_secret(), "00123");
    let keys: Vec<_> = settings.api_keys.iter().map(|key| (key.name.as_str(), key.key.expose_secret())).collect();
    assert_eq!(keys, [("a", "x=1"), ("b", "y"), ("c", "z")]);
    let scopes: Vec<_> = settings.api_keys.iter().map(|key| key.scopes.0.as_deref().map(<[String]>::len)).collect();
    assert_eq!(scopes, [None, None, Some(2)]);
    assert!(settings.effective().contains("api_keys: \"c\", which may do [\"publish:c:*\", \"read\"]"));
    assert_eq!(settings.public.allowed_origins, ["https://a.example", "https://b.example"]);
    assert!(settings.effective().contains("redis.url = { a = (a secret), b = (a secret) }"));
    assert!(settings.namespaces.contains_key("My-chat") && settings.namespaces["news"].presence);

    let wrong = Layers { variables: variables(&[("GATEWAY__CONNECTION__PONG_TIMEOUT", "4")]), ..layers.clone() };
    assert!(Settings::load(&wrong).expect_err("no unit").to_string().contains("connection.pong_timeout: "));
    assert!(Settings::load(&wrong).expect_err("no unit").to_string().contains("(in the environment)"));
    let stray = Layers { variables: variables(&[("GATEWAY__TOKENS__SECRET", "hush")]), ..layers };
    let message = Settings::load(&stray).expect_err("stray").to_string();
    assert!(message.contains("tokens.secret: unknown key") && !message.contains("hush"));
}

#[test]
fn a_problem_of_a_file_names_the_file_and_quotes_nothing() {
    let missing = Layers { file: Some("/nowhere/gateway.toml".as_ref()), ..Layers::default() };
    assert!(Settings::load(&missing).expect_err("missing").to_string().contains("/nowhere/gateway.toml: cannot be read"));
    let message = Problems::to_string(&Settings::from_toml("[tokens]\nhmac_secret = \"hush").expect_err("no end"));
    assert!(message.contains("line 2") && !message.contains("hush"), "{message}");
}

#[test]
fn no_log_shows_a_secret() {
    let text = "[tokens]\nhmac_secret = \"hush-1\"\n[redis.url]\na = \"redis://:hush-2@h\"\nb = \"redis://:hush-4@h\"\n[[api_keys]]\nname = \"a\"\nkey = \"hush-3\"";
    let settings = Settings::from_toml(text).expect("valid");
    let shown = settings.effective();
    assert!(!shown.contains("hush") && !format!("{settings:?}").contains("hush"));
    assert!(shown.contains("tokens.hmac_secret = (a secret)") && shown.contains("api_keys: \"a\"") && shown.contains("workers = 0"));
    let wrong = Settings::from_toml("[tokens]\nhmac_secret = 12345").expect_err("a number");
    assert!(!wrong.to_string().contains("12345"));
}

#[test]
fn a_service_that_is_only_reached_by_its_queue_needs_no_other_settings() {
    let toml = "broker.kind = \"redis\"\n[services.log]\nreach = \"queue\"\nlifecycle_events = [\"connected\"]\n[services.log.methods.add]\nexpires_after = \"1m\"";
    let settings = Settings::from_toml(toml).expect("valid");
    let RoutedService { service, route, methods } = &settings.services["log"];
    assert_eq!((service.events, service.deliver, route.reply, methods["add"].reply), (Events::Queue, Deliver::Stream, false, false));
    assert!(settings.effective().contains("services.log.methods.add.reply = false"));
}

#[test]
fn an_idle_timeout_of_proxies_below_two_pings_is_a_warning() {
    for (idle, ping, warns) in
        [("0s", "25s", false), ("60s", "25s", false), ("50s", "25s", false), ("49s", "25s", true), ("60s", "31s", true)]
    {
        let toml = format!("[public]\nproxy_idle_timeout = \"{idle}\"\n[connection]\nping_interval = \"{ping}\"");
        let warnings = Settings::from_toml(&toml).expect("valid").warnings();
        let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), usize::from(warns), "{toml}: {texts:?}");
        assert!(texts.iter().all(|text| text.starts_with("public.proxy_idle_timeout: ") && text.contains("raise it at the proxy to")));
    }
    let toml = "[public]\nproxy_idle_timeout = \"40s\"\n[connection]\nping_interval = \"10s\"\n[streams]\nheart_beat = \"30s\"";
    let warnings = Settings::from_toml(toml).expect("valid").warnings();
    assert!(warnings.iter().all(|warning| warning.to_string().ends_with("or lower streams.heart_beat")) && warnings.iter().count() == 1);
}

#[test]
fn a_node_without_a_name_gets_a_random_one() {
    let name = || Settings::from_toml("").expect("valid").node.name;
    assert!(name().len() > 5 && name() != name());
    assert_eq!(Settings::from_toml("[node]\nname = \"a-1\"").expect("valid").node.name, "a-1");
}

proptest! {
    #[test]
    fn durations_and_sizes_read_back_as_written(millis in 0u64..1 << 45, bytes in 0usize..1 << 45) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[0-9]{0,25}[a-zA-Zäµ ]{0,4}") {
        let _ = (parse_duration(&text), text.parse::<ByteSize>());
    }
}

#[test]
fn keys_that_may_do_everything_are_a_warning_where_others_reach_the_listener() {
    let key = |name: &str, key: &str, more: &str| format!("[[api_keys]]\nname = \"{name}\"\nkey = \"{key}\"\n{more}\n");
    let keys = [key("a", "1", ""), key("a", "2", ""), key("b", "3", "scopes = [\"read\"]"), key("c", "4", "")].concat();
    let warnings = |address: &str| -> Vec<String> {
        let settings = Settings::from_toml(&format!("{keys}[internal]\naddress = \"{address}:8001\"")).expect("valid");
        settings.warnings().iter().map(ToString::to_string).collect()
    };
    let open = warnings("0.0.0.0");
    assert!(open.len() == 2 && open[0].starts_with("api_keys: the key \"a\" has no scopes") && open[1].contains("\"c\""), "{open:?}");
    assert_eq!((warnings("127.0.0.1").len(), warnings("[::1]").len(), warnings("192.0.2.1").len()), (0, 0, 2));
}
