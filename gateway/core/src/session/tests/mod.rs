//! A session, talked to in JSON and answering in lines, so that the tests read like a conversation.

mod bad_input;
mod connect;
mod life;
mod order;
mod random;
mod request;
mod serve;
mod subscribe;

use super::*;
use crate::{
    channel::{ChannelOptions, Grant, Namespaces},
    model::{ConnectionId, Data, Epoch, ErrorCode, Position, Publication, Recovery, Refusal, Retention, Revocation, Tick, UserId},
    protocol::centrifuge,
};
use std::time::Duration;

const CLIENT: &str = "000102030405060708090a0b0c0d0e0f";

fn rules() -> Rules {
    let stored = Some(Retention { size: 10, ttl: Duration::from_secs(60) });
    let open = ChannelOptions {
        subscribe: Grant::Anyone,
        publish: Grant::Anyone,
        see_presence: Grant::Anyone,
        see_history: Grant::Anyone,
        ..ChannelOptions::default()
    };
    let chat = ChannelOptions {
        retention: stored,
        presence: true,
        join_leave: true,
        publish: Grant::Subscriber,
        see_presence: Grant::Subscriber,
        ..open.clone()
    };
    let vip = ChannelOptions { subscribe: Grant::Token, publish: Grant::Token, ..chat.clone() };
    let named = [("chat", chat), ("open", open), ("vip", vip), ("closed", ChannelOptions::default())];
    Rules {
        namespaces: Namespaces {
            defaults: Arc::default(),
            personal: Arc::new(ChannelOptions { retention: stored, see_history: Grant::Authenticated, ..ChannelOptions::default() }),
            named: named.into_iter().map(|(name, options)| (name.into(), Arc::new(options))).collect(),
        },
        node: "n1".into(),
        connect_timeout: Duration::from_secs(10),
        attach_timeout: Duration::from_secs(4),
        ping_interval: Duration::from_secs(25),
        pong_timeout: Duration::from_secs(8),
        expiry_grace: Duration::from_secs(20),
        max_subscriptions: 4,
        max_in_flight: 3,
        history_limit: 100,
    }
}

/// A frontend, the services and the node around one session.
struct World {
    session: Session,
    now: Tick,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = rules();
        change(&mut rules);
        let id = CLIENT.parse().expect("a good id");
        Self { session: Session::new(id, Arc::new(rules), Tick(1000), 0.5), now: Tick(1000) }
    }

    /// An anonymous frontend that is connected, without subscriptions.
    fn anonymous() -> Self {
        Self::new().connected(Some(""))
    }

    /// Alice, connected, with her personal channel.
    fn alice() -> Self {
        Self::new().connected(Some("alice"))
    }

    fn connected(mut self, user: Option<&str>) -> Self {
        let user = user.unwrap_or_default();
        self.says(r#"{"id":1,"connect":{}}"#);
        let mut lines = self.done(1, identity(user));
        if !user.is_empty() {
            self.done(2, stored(&[]));
            lines = self.done(3, attached(0));
        }
        assert!(lines.iter().any(|line| line.starts_with(r#"{"id":1,"connect""#)), "{lines:?}");
        self
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        let mut actions = Vec::new();
        self.session.handle(self.now, input, &mut actions);
        actions.iter().map(line).collect()
    }

    /// The frontend sends a message.
    fn says(&mut self, message: &str) -> Vec<String> {
        let commands: Result<Vec<Command>, _> = centrifuge::decode(message).collect();
        let commands = commands.expect("good frames");
        commands.into_iter().flat_map(|command| self.input(Input::Command(command))).collect()
    }

    /// An operation ends.
    fn done(&mut self, op: u32, outcome: Outcome) -> Vec<String> {
        self.input(Input::Done(OpId(op), outcome))
    }

    /// A service or the node does something.
    fn serves(&mut self, command: ServerCommand) -> Vec<String> {
        self.input(Input::Server(command))
    }

    /// Time passes.
    fn after(&mut self, seconds: u64) -> Vec<String> {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.input(Input::Tick)
    }

    /// The frontend is subscribed to a channel, by the operation with this id.
    fn subscribed(mut self, channel: &str, op: u32) -> Self {
        let started = self.says(&format!(r#"{{"id":90,"subscribe":{{"channel":"{channel}"}}}}"#));
        assert_eq!(started, [format!("start {op}: attach {channel}")]);
        assert_eq!(self.done(op, attached(0)).last(), Some(&format!("live {channel}")));
        self
    }

    /// ... with a token that is good for so many seconds.
    fn subscribed_by_token(mut self, channel: &str, op: u32, seconds: u64) -> Self {
        self.says(&format!(r#"{{"id":90,"subscribe":{{"channel":"{channel}","token":"t"}}}}"#));
        self.done(op, authorized(Some(seconds)));
        assert_eq!(self.done(op + 1, attached(0)).last(), Some(&format!("live {channel}")));
        self
    }
}

/// An action in one line: what is sent as it is sent, the rest in words.
fn line(action: &Action) -> String {
    let mut out = Vec::new();
    match action {
        Action::Reply(id, reply) => centrifuge::encode_reply(*id, reply, &mut out),
        Action::Push(push) => centrifuge::encode_push(push, &mut out),
        Action::Start(id, op) => return format!("start {}: {}", id.0, words(op)),
        Action::Cancel(id) => return format!("cancel {}", id.0),
        Action::GoLive(channel) => return format!("live {channel}"),
        Action::Leave(channel) => return format!("leave {channel}"),
        Action::Identify(info) => return format!("identify {:?}", info.user),
        Action::Close(code, reason) => return format!("close {code} {reason}"),
    }
    String::from_utf8(out).expect("UTF-8")
}

fn words(op: &Op) -> String {
    match op {
        Op::Authenticate { token } => format!("authenticate {token:?}"),
        Op::Subscriptions { user, issued: None } => format!("read subscriptions of {user:?}"),
        Op::Subscriptions { user, issued: Some(at) } => format!("read subscriptions of {user:?} since {at}"),
        Op::Refresh { token } => format!("refresh {token:?}"),
        Op::Authorize { channel, token } => format!("authorize {channel} {token:?}"),
        Op::Attach(attach) => {
            let from = attach.recover.as_ref().map(|from| format!(" from {:?}:{}", from.epoch, from.offset)).unwrap_or_default();
            let joins = if attach.join_leave { " with joins" } else { "" };
            let shown = attach.info.chan_info.as_ref().map(|info| format!(" as {}", info.get())).unwrap_or_default();
            format!("attach {}{from}{joins}{shown}", attach.channel)
        }
        Op::Publish { channel, data } => format!("publish {channel} {}", data.get()),
        Op::Presence { channel } => format!("presence {channel}"),
        Op::PresenceStats { channel } => format!("presence stats {channel}"),
        Op::History { channel, since, limit, reverse } => format!("history {channel} {since:?} {limit} {reverse}"),
        Op::Call { method, data } => format!("call {method} {}", data.get()),
        Op::Event { service, data } => format!("event {service} {}", data.get()),
    }
}

fn error(id: u32, code: ErrorCode) -> String {
    refused(id, &code.into())
}

fn refused(id: u32, refusal: &Refusal) -> String {
    line(&Action::Reply(id, Reply::Error(refusal.clone())))
}

/// The codes of the errors among these lines, by command.
fn errors(lines: &[String]) -> Vec<(u32, u32)> {
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default() as u32;
    parsed.filter(|it| it.get("error").is_some()).map(|it| (number(&it["id"]), number(&it["error"]["code"]))).collect()
}

fn data(text: &str) -> Data {
    Data::parse(serde_json::from_str(text).expect("valid JSON")).expect("shallow")
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("a good name")
}

fn user(name: &str) -> UserId {
    name.parse().expect("a good name")
}

fn identity(name: &str) -> Outcome {
    Outcome::Authenticated(Box::new(Identity { user: user(name), issued: None, expires_in: None, info: None, channels: Vec::new() }))
}

/// What services subscribed the user to, and for how many seconds more.
fn stored(channels: &[(&str, Option<u64>)]) -> Outcome {
    let each =
        |(name, seconds): &(&str, Option<u64>)| ServerSubscription { channel: channel(name), expires_in: seconds.map(Duration::from_secs) };
    Outcome::Subscriptions(channels.iter().map(each).collect())
}

/// A service subscribes the user, perhaps for so many seconds.
fn subscribe_for(name: &str, seconds: Option<u64>) -> ServerCommand {
    ServerCommand::Subscribe { channel: channel(name), since: None, expires_in: seconds.map(Duration::from_secs) }
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::parse("abcd1234").expect("a good epoch"), offset }
}

fn attached(offset: u64) -> Outcome {
    Outcome::Attached(Attached { position: Some(position(offset)), recovery: Recovery::NotRequested, publications: Vec::new() })
}

fn recovered(offset: u64, recovery: Recovery, missed: &[u64]) -> Outcome {
    let publications = missed.iter().map(|&offset| publication(offset)).collect();
    Outcome::Attached(Attached { position: Some(position(offset)), recovery, publications })
}

fn publication(offset: u64) -> Arc<Publication> {
    let position = Some(position(offset));
    Arc::new(Publication { position, data: data("1"), tags: [].into(), info: None, time_ms: 0, traceparent: None })
}

fn authorized(seconds: Option<u64>) -> Outcome {
    Outcome::Authorized { info: None, expires_in: seconds.map(Duration::from_secs) }
}

fn failed(code: ErrorCode) -> Outcome {
    Outcome::Failed(code.into())
}

const POSITION: &str = r#""recoverable":true,"positioned":true,"epoch":"abcd1234","offset":"#;
