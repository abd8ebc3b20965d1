//! The tables `[stomp]` and `[[stomp.destinations]]`.

use super::{
    reader::{Reader, Section, section},
    types::choices::{DestinationKind, Refused, UnknownDestination},
    types::value::{ByteSize, KIB, MIB, ServiceRef},
};
use gateway_core::stomp::{AfterRefusal, CallTarget, DestinationRule, DestinationTable, InvalidTable, Target};

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
        /// Limit of the subscriptions of a connection that get the same messages.
        subscriptions_per_channel: usize = 1..=1000,
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
        let destinations = reader.list(DESTINATIONS, None, None);
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

    #[cfg(test)]
    fn secrets() -> Vec<&'static str> {
        StompLimits::secrets()
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

    #[cfg(test)]
    fn secrets() -> Vec<&'static str> {
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
            refused: if is_call { Refused::Message } else { Refused::Close },
            send: kind != DestinationKind::UserQueue,
            subscribe: kind != DestinationKind::Event,
        }
    }
}

impl Destination {
    /// The settings that are set although rows of this kind have none, and the kind that has them.
    pub(super) fn misplaced(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
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
            Refused::Message => AfterRefusal::Message,
        };
        Self { prefix: head.prefix.as_str().into(), target, after_refusal, send: options.send, subscribe: options.subscribe }
    }
}

impl Stomp {
    /// The table of destinations.
    pub(super) fn table(&self) -> Result<DestinationTable, InvalidTable> {
        if self.destinations.is_empty() {
            return Ok(DestinationTable::default());
        }
        DestinationTable::new(self.destinations.iter().map(DestinationRule::from).collect())
    }
}
