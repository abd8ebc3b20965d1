//! One row of the table of destinations.

use crate::{
    model::{ChannelName, Refusal, ServiceName},
    stomp::refusal::bad_request,
};

/// Most bytes of a prefix, a method or a template.
const MAX: usize = 255;
/// In a template: the name of the service.
const SERVICE: &str = "{service}";
/// In a template: the name of the method.
const METHOD: &str = "{method}";

/// What a destination stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A channel: the rest of the destination is its name.
    Channel {
        /// The namespace, which is put before the rest with a colon; none: the rest may name one.
        namespace: Option<Box<str>>,
    },
    /// The publications in the user's personal channel that have the rest of the destination as their tag `queue`.
    UserQueue,
    /// A call to a service.
    Call(CallTarget),
    /// An event for a service: the rest of the destination is the service's name.
    Event {
        /// The service; none: the rest names it.
        service: Option<ServiceName>,
    },
}

/// Which method is called, and where the reply goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTarget {
    /// The service; none: the rest of the destination up to its first slash.
    pub service: Option<ServiceName>,
    /// The method; none: what is left of the rest. A row with a method is for one destination only: its prefix.
    pub method: Option<Box<str>>,
    /// Destination of the reply; `{service}` and `{method}` stand for the names. None: the reply goes nowhere.
    pub reply: Option<Box<str>>,
}

/// What a client gets for a refused SEND or SUBSCRIBE to a destination, and what happens to its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterRefusal {
    /// An ERROR, and the connection is closed, as STOMP prescribes.
    #[default]
    Close,
    /// An ERROR, and the connection stays open.
    Stay,
    /// A MESSAGE to its subscriptions to the user's queue `errors`, with the headers and the body of the ERROR. The connection stays open.
    Message,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationRule {
    /// What destinations of this row begin with: 1 to 255 visible ASCII characters.
    pub prefix: Box<str>,
    /// What they stand for.
    pub target: Target,
    /// What follows a refusal.
    pub after_refusal: AfterRefusal,
    /// Whether clients may SEND.
    pub send: bool,
    /// Whether clients may SUBSCRIBE.
    pub subscribe: bool,
}

/// Why a row is not valid. The text is about the value of [`Self::setting`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// The prefix is empty, too long, or has other characters.
    #[error("expected 1 to 255 visible ASCII characters; found {0:?}")]
    Prefix(Box<str>),
    /// Two rows have the same prefix.
    #[error("{0:?} is already the prefix of another row")]
    SamePrefix(Box<str>),
    /// No channel can have this namespace.
    #[error("no channel can be in the namespace {0:?}: use the characters of channel names, without ':' and '#'")]
    Namespace(Box<str>),
    /// The method has characters that no method has.
    #[error("expected 1 to 255 visible ASCII characters; found {0:?}")]
    Method(Box<str>),
    /// A row with a method needs a service.
    #[error("needs `service`, because a row with a method names both")]
    MethodAlone,
    /// The reply leads to no row for channels or for queues of users.
    #[error("expected a destination that a row with to = \"channel\" or to = \"user_queue\" matches; found {0:?}")]
    Reply(Box<str>),
    /// Clients can neither SEND nor SUBSCRIBE.
    #[error("send and subscribe are both false, so the row has no use; remove it")]
    Useless,
    /// A queue of a user takes no SEND, because only services write to users.
    #[error("must be false: only services send to users")]
    SendToUser,
    /// An event has no subscribers.
    #[error("must be false: an event has no answer and no subscribers")]
    SubscribeToEvent,
}

impl InvalidRule {
    /// The setting that is wrong.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Prefix(_) | Self::SamePrefix(_) => "prefix",
            Self::Namespace(_) => "namespace",
            Self::Method(_) | Self::MethodAlone => "method",
            Self::Reply(_) => "reply",
            Self::Useless | Self::SendToUser => "send",
            Self::SubscribeToEvent => "subscribe",
        }
    }
}

/// What the destination of a frame stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A channel.
    Channel(ChannelName),
    /// The queue of this name of the connection's user.
    UserQueue(Box<str>),
    /// A call.
    Call(Call),
    /// An event for this service.
    Event(ServiceName),
}

/// A call that a destination stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The service and the method, as [`Request::Rpc`](crate::protocol::Request::Rpc) has them.
    pub(crate) method: String,
    /// The destination of the reply.
    pub(crate) reply: Option<Box<str>>,
}

impl DestinationRule {
    /// A row for all destinations with this prefix.
    pub fn new(prefix: &str, target: Target) -> Self {
        let after_refusal = if matches!(target, Target::Call(_)) { AfterRefusal::Message } else { AfterRefusal::Close };
        let (send, subscribe) = (target != Target::UserQueue, !matches!(target, Target::Event { .. }));
        Self { prefix: prefix.into(), target, after_refusal, send, subscribe }
    }

    /// Checks the row by itself.
    pub(super) fn check(&self) -> Result<(), InvalidRule> {
        if !is_visible(&self.prefix) {
            return Err(InvalidRule::Prefix(self.prefix.clone()));
        }
        if !self.send && !self.subscribe {
            return Err(InvalidRule::Useless);
        }
        match &self.target {
            Target::Channel { namespace: Some(name) }
                if name.contains([':', '#']) || format!("{name}:x").parse::<ChannelName>().is_err() =>
            {
                Err(InvalidRule::Namespace(name.clone()))
            }
            Target::UserQueue if self.send => Err(InvalidRule::SendToUser),
            Target::Event { .. } if self.subscribe => Err(InvalidRule::SubscribeToEvent),
            Target::Call(CallTarget { method: Some(method), .. }) if !is_visible(method) => Err(InvalidRule::Method(method.clone())),
            Target::Call(CallTarget { service: None, method: Some(_), .. }) => Err(InvalidRule::MethodAlone),
            _ => Ok(()),
        }
    }

    /// The rest of a destination of this row. `None`: the row is for others.
    pub(super) fn rest<'a>(&self, destination: &'a str) -> Option<&'a str> {
        let rest = destination.strip_prefix(&*self.prefix)?;
        let is_exact = matches!(&self.target, Target::Call(CallTarget { method: Some(_), .. }));
        (!is_exact || rest.is_empty()).then_some(rest)
    }

    /// What the destination with this rest stands for.
    pub(super) fn resolve(&self, destination: &str, rest: &str) -> Result<Destination, Refusal> {
        match &self.target {
            Target::Channel { namespace } => channel(destination, namespace.as_deref(), rest).map(Destination::Channel),
            Target::UserQueue => queue(destination, rest).map(Destination::UserQueue),
            Target::Call(target) => target.resolve(destination, rest).map(Destination::Call),
            Target::Event { service: Some(service) } if rest.is_empty() => Ok(Destination::Event(service.clone())),
            Target::Event { service: Some(_) } => {
                Err(bad_request(format!("The destination {destination} has more than its prefix {}. Leave out the rest.", self.prefix)))
            }
            Target::Event { service: None } => service(destination, rest).map(Destination::Event),
        }
    }
}

impl CallTarget {
    fn resolve(&self, destination: &str, rest: &str) -> Result<Call, Refusal> {
        let (service, method) = match (&self.service, &self.method) {
            (Some(service), Some(method)) => (service.clone(), &**method),
            (Some(service), None) => (service.clone(), rest),
            (None, _) => {
                let why = "it has to name a service and a method, with a slash between them";
                let none = || bad_request(format!("The destination {destination} stands for no call: {why}."));
                let (name, method) = rest.split_once('/').ok_or_else(none)?;
                (service(destination, name)?, method)
            }
        };
        if !is_visible(method) {
            return Err(bad_request(format!("The destination {destination} has no method of 1 to 255 visible ASCII characters.")));
        }
        let reply = self.reply.as_deref().map(|template| fill(template, &service, method));
        Ok(Call { method: format!("{service}.{method}"), reply })
    }

    /// A reply destination, for the check of the template.
    pub(super) fn sample_reply(&self) -> Option<Box<str>> {
        self.reply.as_deref().map(|template| fill(template, "s", "m"))
    }
}

/// The names may contain braces, so what is put in is not searched.
fn fill(template: &str, service: &str, method: &str) -> Box<str> {
    let mut parts = template.split(METHOD).map(|part| part.replace(SERVICE, service));
    let first = parts.next().unwrap_or_default();
    parts.fold(first, |filled, part| filled + method + &part).into()
}

/// The channel of a destination. What a channel's name cannot hold is refused.
fn channel(destination: &str, namespace: Option<&str>, rest: &str) -> Result<ChannelName, Refusal> {
    if rest.starts_with('#') {
        let detail = format!("The destination {destination} names a personal channel. SUBSCRIBE to a queue of the user instead.");
        return Err(bad_request(detail));
    }
    let name = namespace.map(|namespace| format!("{namespace}:{rest}"));
    let name = name.as_deref().unwrap_or(rest);
    name.parse().map_err(|why| bad_request(format!("The destination {destination:?} stands for no channel: the name {name:?} {why}.")))
}

/// The queue of a destination. `%2F` stands for a slash, as in Spring.
fn queue(destination: &str, rest: &str) -> Result<Box<str>, Refusal> {
    let name = rest.replace("%2F", "/").replace("%2f", "/");
    if name.is_empty() || name.len() > MAX || name.chars().any(char::is_control) {
        let why = "it has to end with a name of 1 to 255 bytes, without control characters";
        return Err(bad_request(format!("The destination {destination:?} stands for no queue: {why}.")));
    }
    Ok(name.into())
}

fn service(destination: &str, name: &str) -> Result<ServiceName, Refusal> {
    name.parse().map_err(|why| bad_request(format!("The destination {destination} names no service: {name:?} {why}.")))
}

fn is_visible(text: &str) -> bool {
    (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
