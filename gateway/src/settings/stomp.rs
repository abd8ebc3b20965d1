//! The tables `[stomp]` and `[[stomp.destinations]]`, and what they become.

use super::{
    problem::Problems,
    reader::{Reader, Section, section},
    settings::Settings,
    types::choices::{DestinationKind, Refused, UnknownDestination},
    types::value::{ByteSize, KIB, MIB, ServiceRef},
};
use gateway_core::{
    protocol::stomp::ParserLimits,
    stomp::{
        AfterRefusal, CallTarget, DestinationRule, DestinationTable, InvalidTable, StompConfig, Target, TransactionLimits,
        UnknownDestination as Unknown,
    },
};

/// Most bytes of a path.
const PATH_BYTES: usize = 255;

const fn size(bytes: usize) -> ByteSize {
    ByteSize(bytes)
}

section! {
    /// `[stomp]`: STOMP connections, without their destinations.
    StompLimits {
        /// Paths of the endpoints. Empty: there is none.
        paths: Vec<String>,
        /// The cookie with the connection token. Empty: none.
        token_cookie: String,
        /// What happens to a frame whose destination has no row.
        unknown_destination: UnknownDestination,
        /// Largest number of headers of a frame.
        headers: usize = 10..=1000,
        /// Largest size of the command and the headers of a frame.
        header_bytes: ByteSize = size(KIB)..=size(64 * KIB),
        /// Largest body of a frame.
        body_size: ByteSize = size(KIB)..=size(16 * MIB),
        /// Limit of the subscriptions of a connection.
        max_subscriptions: usize = 1..=100_000,
        /// Limit of the open transactions of a connection.
        transactions: usize = 0..=1000,
        /// Limit of the frames of a transaction.
        transaction_frames: usize = 1..=100_000,
        /// Limit of the memory for the frames of all open transactions of a connection.
        transaction_bytes: ByteSize = size(KIB)..=size(64 * MIB),
    }

    /// What a row of `[[stomp.destinations]]` has to say.
    DestinationHead {
        /// What the destinations begin with.
        prefix: String,
        /// What they stand for.
        to: DestinationKind,
    }

    /// What a row of `[[stomp.destinations]]` may say.
    DestinationOptions {
        /// The namespace of the channels. Empty: the rest of the destination may name it.
        namespace: String,
        /// The service. None: the rest of the destination names it.
        service: ServiceRef,
        /// The method. Empty: the rest of the destination.
        method: String,
        /// Destination of the reply to a call. Empty: the reply goes nowhere.
        reply: String,
        /// What follows a refusal.
        refused: Refused,
        /// Whether clients may SEND.
        send: bool,
        /// Whether clients may SUBSCRIBE.
        subscribe: bool,
    }
}

/// `[stomp]`: STOMP connections.
#[derive(Clone, Debug)]
pub struct Stomp {
    /// Everything but the destinations.
    pub limits: StompLimits,
    /// The rows of the table of destinations. Empty: the built-in table.
    pub destinations: Vec<Destination>,
}

/// A row of `[[stomp.destinations]]`.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What it has to say.
    pub head: DestinationHead,
    /// What it may say.
    pub options: DestinationOptions,
}

const DESTINATIONS: &str = "destinations";

/// The keys of a table that is made of others.
const fn joined<const N: usize>(first: &[&'static str], second: &[&'static str]) -> [&'static str; N] {
    let mut keys = [DESTINATIONS; N];
    let mut at = 0;
    while at < first.len() + second.len() {
        keys[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    keys
}

const STOMP_KEYS: [&str; StompLimits::KEYS.len() + 1] = joined(StompLimits::KEYS, &[DESTINATIONS]);
const ROW_KEYS: [&str; DestinationHead::KEYS.len() + DestinationOptions::KEYS.len()] =
    joined(DestinationHead::KEYS, DestinationOptions::KEYS);

impl Section for Stomp {
    const KEYS: &'static [&'static str] = &STOMP_KEYS;

    fn read(reader: &mut Reader<'_>, fallback: Option<&Self>) -> Option<Self> {
        let limits = StompLimits::read(reader, fallback.map(|fallback| &fallback.limits));
        let destinations = reader.list(DESTINATIONS);
        Some(Self { limits: limits?, destinations: destinations? })
    }

    fn show(&self, prefix: &str, lines: &mut Vec<String>) {
        self.limits.show(prefix, lines);
        self.destinations.iter().enumerate().for_each(|(i, row)| row.show(&format!("{prefix}{DESTINATIONS}[{i}]."), lines));
    }

    #[cfg(test)]
    fn ranges() -> Vec<(&'static str, String)> {
        StompLimits::ranges()
    }
}

impl Section for Destination {
    const KEYS: &'static [&'static str] = &ROW_KEYS;

    fn read(reader: &mut Reader<'_>, _: Option<&Self>) -> Option<Self> {
        let head = DestinationHead::read(reader, None);
        let defaults = DestinationOptions::of(head.as_ref().map_or(DestinationKind::Channel, |head| head.to));
        let options = DestinationOptions::read(reader, Some(&defaults));
        Some(Self { head: head?, options: options? })
    }

    fn show(&self, prefix: &str, lines: &mut Vec<String>) {
        self.head.show(prefix, lines);
        self.options.show(prefix, lines);
    }

    #[cfg(test)]
    fn ranges() -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl DestinationOptions {
    /// The defaults of a row for this kind.
    fn of(kind: DestinationKind) -> Self {
        let is_call = kind == DestinationKind::Call;
        Self {
            namespace: String::new(),
            service: ServiceRef(None),
            method: String::new(),
            reply: if is_call { "/user/queue/{service}/{method}".into() } else { String::new() },
            refused: if is_call { Refused::Stay } else { Refused::Close },
            send: kind != DestinationKind::UserQueue,
            subscribe: kind != DestinationKind::Event,
        }
    }
}

impl Destination {
    /// The settings that are set although rows of this kind have none, and the kind that has them.
    fn misplaced(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        use DestinationKind::{Call, Channel, Event};
        let Self { head: DestinationHead { to, .. }, options } = self;
        let all = [
            ("namespace", !options.namespace.is_empty(), *to == Channel, "to = \"channel\""),
            ("service", options.service.0.is_some(), matches!(to, Call | Event), "to = \"call\" or to = \"event\""),
            ("method", !options.method.is_empty(), *to == Call, "to = \"call\""),
            ("reply", !options.reply.is_empty(), *to == Call, "to = \"call\""),
        ];
        all.into_iter().filter_map(|(key, is_set, has_it, kind)| (is_set && !has_it).then_some((key, kind)))
    }
}

impl From<&Destination> for DestinationRule {
    fn from(Destination { head, options }: &Destination) -> Self {
        let text = |text: &String| (!text.is_empty()).then(|| text.as_str().into());
        let service = options.service.0.clone();
        let target = match head.to {
            DestinationKind::Channel => Target::Channel { namespace: text(&options.namespace) },
            DestinationKind::UserQueue => Target::UserQueue,
            DestinationKind::Call => Target::Call(CallTarget { service, method: text(&options.method), reply: text(&options.reply) }),
            DestinationKind::Event => Target::Event { service },
        };
        let after_refusal = match options.refused {
            Refused::Close => AfterRefusal::Close,
            Refused::Stay => AfterRefusal::Stay,
        };
        Self { prefix: head.prefix.as_str().into(), target, after_refusal, send: options.send, subscribe: options.subscribe }
    }
}

impl Stomp {
    fn table(&self) -> Result<DestinationTable, InvalidTable> {
        if self.destinations.is_empty() {
            return Ok(DestinationTable::default());
        }
        DestinationTable::new(self.destinations.iter().map(DestinationRule::from).collect())
    }
}

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
    let mut is_sound = true;
    let mut add = |i: usize, key: &str, message: String| {
        is_sound = false;
        problems.add(format!("stomp.{DESTINATIONS}[{i}].{key}"), message);
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
        problems.add(format!("stomp.{DESTINATIONS}[{row}].{}", problem.setting()), problem.to_string());
    }
}

/// Why a path cannot be that of an endpoint.
fn bad_path(path: &str) -> Option<&'static str> {
    /// Paths of the public listener.
    const TAKEN: [&str; 4] = ["/livez", "/readyz", "/connection", "/demo"];
    let is_under = |taken: &&str| path.strip_prefix(*taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !path.starts_with('/') || path.ends_with('/') || path.contains("//") || path.len() > PATH_BYTES || !path.bytes().all(is_plain) {
        return Some("expected paths such as \"/stomp\": A-Z a-z 0-9 / - . _ ~, with a slash at the begin and none at the end");
    }
    TAKEN.iter().any(|taken| is_under(&taken)).then_some("the gateway has other answers under this path; choose another one")
}
