//! Tests of sessions: a frontend sends JSON, and each action becomes one line of text.

mod bad_input;
mod capabilities;
mod command_order;
mod connect;
mod guards;
mod lifetime;
mod permitted_channels;
mod random;
mod request;
mod secrets;
mod server_commands;
mod state_tables;
mod subscribe;

use super::*;
use crate::{
    channel::{ChannelOptions, Grant, Guard, Namespaces, WhenAway},
    limits::{Limit, Rate, TrafficRates},
    model::{
        ChannelName, ClaimDigest, ConnectionId, Data, Epoch, ErrorCode, Meta, MetaChange, Position, Publication, Recovery, Refusal,
        Retention, RevocableClaim, RevocableClaims, RevocableToken, Revocation, ServerCommand, Tick, UserId, WallClock,
    },
    protocol::{
        Command, Reply,
        centrifuge::{Codec, Commands, Payload},
    },
};
use std::{sync::Arc, time::Duration};

const CLIENT: &str = "000102030405060708090a0b0c0d0e0f";

fn start(now: Tick, first_ping: f32) -> SessionStart {
    SessionStart {
        clock: WallClock { tick: now, unix_ms: 1_700_000_000_000 },
        first_ping,
        ping_form: PingForm::Message,
        server_side: ServerSide::Subscribes,
    }
}

fn config() -> SessionConfig {
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
    let guard = |name: &str| Some(Guard { service: name.parse().expect("valid"), when_away: WhenAway::Refuse });
    let guarded = ChannelOptions { subscribe_via: guard("door"), publish_via: guard("censor"), ..chat.clone() };
    let vip = ChannelOptions { subscribe: Grant::Token, publish: Grant::Token, ..chat.clone() };
    let named = [("chat", chat), ("open", open), ("vip", vip), ("guarded", guarded), ("closed", ChannelOptions::default())];
    SessionConfig {
        namespaces: Namespaces {
            defaults: Arc::default(),
            personal: Arc::new(ChannelOptions { retention: stored, see_history: Grant::Authenticated, ..ChannelOptions::default() }),
            named: named.into_iter().map(|(name, options)| (name.into(), Arc::new(options))).collect(),
        },
        node: "n1".into(),
        connect_timeout: Duration::from_secs(10),
        attach_timeout: Duration::from_secs(4),
        ping_interval: Duration::from_secs(25),
        stream_ping_interval: Duration::from_secs(15),
        pong_timeout: Duration::from_secs(8),
        expiry_grace: Duration::from_secs(20),
        max_subscriptions: 4,
        max_in_flight: 3,
        history_limit: 100,
        rates: TrafficRates::default(),
        user_rates: None,
    }
}

/// A session with a clock that the test advances. Inputs return the session's actions as lines of text.
struct TestSession {
    session: Session,
    now: Tick,
}

impl TestSession {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SessionConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        Self::begin(config, start(Tick(1000), 0.5))
    }

    /// A session that is pinged with control frames.
    fn pinged_by_frames() -> Self {
        Self::begin(config(), SessionStart { ping_form: PingForm::ControlFrame, ..start(Tick(1000), 0.5) })
    }

    fn begin(config: SessionConfig, start: SessionStart) -> Self {
        let id = CLIENT.parse().expect("valid");
        Self { session: Session::new(id, Arc::new(config), start), now: start.clock.tick }
    }

    /// Connects without a user. The session has no subscriptions.
    fn anonymous() -> Self {
        Self::new().connected(Some(""))
    }

    /// Connects the user alice, who is subscribed to the personal channel.
    fn alice() -> Self {
        Self::new().connected(Some("alice"))
    }

    fn connected(mut self, user: Option<&str>) -> Self {
        let user = user.unwrap_or_default();
        self.send(r#"{"id":1,"connect":{}}"#);
        let mut lines = self.complete(1, identity(user));
        if !user.is_empty() {
            self.complete(2, stored(&[]));
            lines = self.complete(3, attached(0));
        }
        assert!(lines.iter().any(|line| line.starts_with(r#"{"id":1,"connect""#)), "{lines:?}");
        self
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        let mut actions = Vec::new();
        self.session.handle(self.now, input, &mut actions);
        // Without claims, a refresh replaces nothing.
        actions.iter().filter(|action| !matches!(action, Action::ReplaceToken(None))).map(line).collect()
    }

    /// Passes the commands of a frontend's message to the session.
    fn send(&mut self, message: &str) -> Vec<String> {
        let commands: Result<Vec<Command>, _> = decode(message).collect();
        let commands = commands.expect("valid frames");
        commands.into_iter().flat_map(|command| self.input(Input::Command(command))).collect()
    }

    /// Completes an operation.
    fn complete(&mut self, op: u32, outcome: Outcome) -> Vec<String> {
        self.input(Input::Done(OpId(op), outcome))
    }

    /// Passes a command of a service or of the node to the session.
    fn send_server_command(&mut self, command: ServerCommand) -> Vec<String> {
        self.input(Input::Server(command))
    }

    /// Advances the clock and triggers the timer.
    fn advance(&mut self, seconds: u64) -> Vec<String> {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.input(Input::Timer)
    }

    /// Subscribes to a channel; `op` is the id of the attach.
    fn subscribed(mut self, channel: &str, op: u32) -> Self {
        let started = self.send(&format!(r#"{{"id":90,"subscribe":{{"channel":"{channel}"}}}}"#));
        assert_eq!(started, [format!("start {op}: attach {channel}")]);
        assert_eq!(self.complete(op, attached(0)).last(), Some(&format!("go live {channel}")));
        self
    }

    /// Subscribes with a token that is valid for `seconds`; `op` is the id of the check.
    fn subscribed_by_token(mut self, channel: &str, op: u32, seconds: u64) -> Self {
        self.send(&format!(r#"{{"id":90,"subscribe":{{"channel":"{channel}","token":"t"}}}}"#));
        self.complete(op, authorized(Some(seconds)));
        assert_eq!(self.complete(op + 1, attached(0)).last(), Some(&format!("go live {channel}")));
        self
    }
}

/// The commands of a frontend's message.
fn decode(message: &str) -> Commands<'_> {
    Codec::Json.decode(Payload::Text(message)).expect("JSON is text")
}

/// Formats an action as one line: replies and pushes as JSON, other actions as text.
fn line(action: &Action) -> String {
    let mut out = Vec::new();
    match action {
        Action::Reply(id, reply) => Codec::Json.append_reply(*id, reply, &mut out),
        Action::Push(push) => Codec::Json.append_push(push, &mut out),
        Action::Start(id, op) => return format!("start {}: {}", id.0, describe(op)),
        Action::ControlPing => return "ping".into(),
        Action::Cancel(id) => return format!("cancel {}", id.0),
        Action::GoLive(channel) => return format!("go live {channel}"),
        Action::Detach(channel, _) => return format!("detach {channel}"),
        Action::Limited(limit) => return format!("limited {}", limit.text()),
        Action::SetMeta(meta) => return format!("meta {}", meta.as_ref().map_or("none", |meta| meta.raw().get())),
        Action::Register(info, claims) => return format!("register {:?}{}", info.user, by(claims.as_deref())),
        Action::ReplaceToken(claims) => return format!("replace token{}", by(claims.as_deref())),
        Action::Close(code, reason) => return format!("close {code} {reason}"),
    }
    String::from_utf8(out).expect("UTF-8")
}

/// Formats a token or channel, and the data of the application.
fn asked(what: &str, data: Option<&Data>) -> String {
    data.map_or_else(|| format!("{what:?}"), |data| format!("{what:?} with {}", data.get()))
}

/// Formats the claims by which a token can be revoked, in the form `by sid, jti`.
fn by(claims: Option<&RevocableClaims>) -> String {
    let names: Vec<_> = claims.iter().flat_map(|claims| claims.iter()).map(|(claim, _)| claim.name()).collect();
    if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) }
}

/// The claims of a token of a session.
fn claims(sid: &str, jti: &str) -> Option<Box<RevocableClaims>> {
    let mut claims = RevocableClaims::default();
    for (claim, value) in [(RevocableClaim::Session, sid), (RevocableClaim::Token, jti)] {
        claims.set(claim, ClaimDigest::new("", claim, value));
    }
    claims.boxed()
}

/// Formats an operation as text.
fn describe(op: &Op) -> String {
    match op {
        Op::Authenticate(question) => format!("authenticate {}", asked(question.token.expose(), question.data.as_ref())),
        Op::AskConnect(question) => format!("ask again {}", asked(question.token.expose(), question.data.as_ref())),
        Op::AskSubscribe { channel, data, within, occasion } => {
            let again = if *occasion == Occasion::Renewal { "again " } else { "" };
            format!("ask {again}about {} within {within:?}", asked(channel, data.as_ref()))
        }
        Op::Subscriptions(RevocableToken { user, issued, claims }) => {
            let since = issued.map(|at| format!(" since {at}")).unwrap_or_default();
            format!("read subscriptions of {user:?}{since}{}", by(claims.as_deref()))
        }
        Op::Refresh { token } => format!("refresh {:?}", token.expose()),
        Op::Authorize { channel, token } => format!("authorize {channel} {:?}", token.expose()),
        Op::Attach(attach) => {
            let from = attach.recover.as_ref().map(|from| format!(" from {:?}:{}", from.epoch, from.offset)).unwrap_or_default();
            let joins = if attach.join_leave { " with joins" } else { "" };
            let shown = attach.info.chan_info.as_ref().map(|info| format!(" as {}", info.get())).unwrap_or_default();
            format!("attach {}{from}{joins}{shown}", attach.channel)
        }
        Op::Publish { channel, content, .. } => format!("publish {channel} {}", String::from_utf8_lossy(content.as_bytes())),
        Op::PublishReply { channel, content, .. } => format!("publish reply {channel} {}", String::from_utf8_lossy(content.as_bytes())),
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

/// Returns the ids and error codes of the refused commands.
fn errors(lines: &[String]) -> Vec<(u32, u32)> {
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default() as u32;
    parsed.filter(|it| it.get("error").is_some()).map(|it| (number(&it["id"]), number(&it["error"]["code"]))).collect()
}

fn data(text: &str) -> Data {
    Data::parse(serde_json::from_str(text).expect("valid JSON")).expect("shallow")
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("valid")
}

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

/// What a token says that names nothing but its user.
fn identity_of(user: UserId) -> Identity {
    Identity {
        user,
        issued: None,
        claims: None,
        expires_in: None,
        info: None,
        meta: None,
        channels: Vec::new(),
        capabilities: None,
        permit: None,
    }
}

fn identity(name: &str) -> Outcome {
    Outcome::Authenticated(Box::new(identity_of(user(name))))
}

/// An identity that a service named. Its answer is valid for `seconds`.
fn named_by_service(name: &str, seconds: Option<u64>) -> Outcome {
    let question = ConnectQuestion { token: "t".into(), data: None };
    let permit = ConnectPermit {
        named_by: NamedBy::Service,
        meta: None,
        data: None,
        channels: Vec::new(),
        renewal: seconds.map(|seconds| (Duration::from_secs(seconds), question)),
    };
    let (user, issued) = (user(name), Some(1_700_000_000));
    Outcome::Authenticated(Box::new(Identity { issued, permit: Some(permit), ..identity_of(user) }))
}

/// A guard allows a subscription for `seconds`.
fn allowed(seconds: Option<u64>) -> Outcome {
    Outcome::Allowed(Box::new(SubscribePermit { expires_in: seconds.map(Duration::from_secs), ..SubscribePermit::default() }))
}

/// The outcome of [`Op::Subscriptions`]: channels, and the seconds until they expire.
fn stored(channels: &[(&str, Option<u64>)]) -> Outcome {
    let each =
        |(name, seconds): &(&str, Option<u64>)| ServerSubscription { channel: channel(name), expires_in: seconds.map(Duration::from_secs) };
    Outcome::Subscriptions(channels.iter().map(each).collect())
}

/// The command that subscribes to a channel. The subscription expires after `seconds`; `None`: it does not expire.
fn subscribe_for(name: &str, seconds: Option<u64>) -> ServerCommand {
    ServerCommand::Subscribe { channel: channel(name), since: None, expires_in: seconds.map(Duration::from_secs) }
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::parse("abcd1234").expect("valid"), offset }
}

fn attached(offset: u64) -> Outcome {
    Outcome::Attached(Attached { position: Some(position(offset)), ..Attached::default() })
}

fn recovered(offset: u64, recovery: Recovery, missed: &[u64]) -> Outcome {
    let publications = missed.iter().map(|&offset| publication(offset)).collect();
    Outcome::Attached(Attached { position: Some(position(offset)), recovery, publications, ..Attached::default() })
}

fn publication(offset: u64) -> Arc<Publication> {
    let position = Some(position(offset));
    Arc::new(Publication { position, content: data("1").into(), tags: [].into(), info: None, time_ms: 0, traceparent: None })
}

fn authorized(seconds: Option<u64>) -> Outcome {
    Outcome::Authorized { info: None, expires_in: seconds.map(Duration::from_secs) }
}

fn called(reply: &str) -> Outcome {
    Outcome::Called { data: data(reply), meta: MetaChange::Keep }
}

fn failed(code: ErrorCode) -> Outcome {
    Outcome::Failed(code.into())
}

const POSITION: &str = r#""recoverable":true,"positioned":true,"epoch":"abcd1234","offset":"#;
