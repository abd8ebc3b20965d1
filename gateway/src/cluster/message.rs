//! Messages between nodes: JSON, published in the channel of the receiving node.

use super::{inbox::RETENTION, types::DrainOrder};
use crate::broker::{PostOutcome, PostedCommands, mailbox::ConnectionSummary};
use gateway_core::model::{
    ClaimDigest, CommandTarget, Data, Epoch, Position, Retention, RevocableClaim, Revocation, ServerCommand, SessionKey, Unsubscribe,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared_proto::json::base64;
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// A request of node `from`.
    Request { id: u64, from: String, request: Request },
    /// The response of node `from` to request `id`.
    Response { id: u64, from: String, response: Response },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Carry out a command on the connections of the target.
    Command(Target, Command),
    /// List the connections of the target.
    Connections(Target),
    /// List the connections of a user, and watch it. Nodes of earlier versions do not know it.
    WatchUser(String),
    /// Count the subscribers of a channel.
    Subscribers(String),
    /// Post these commands to the session with this key.
    Post(Post),
    /// Find a part of a service, drain it, or end that.
    Drain(DrainOrder),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Response {
    Number(usize),
    Connections(Vec<Connection>),
    /// What became of posted commands.
    Posted(PostOutcome),
    /// The request failed; why.
    Failed(String),
}

impl Request {
    /// How long messages about it are kept, so that lost ones are read again. Commands of clients are not kept: they would fill the store, and a
    /// client whose commands are lost connects again.
    pub(super) fn retention(&self) -> Option<Retention> {
        if matches!(self, Self::Post(_)) { None } else { Some(RETENTION) }
    }
}

/// Commands for the session with this key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Post {
    session: String,
    commands: Commands,
}

/// The key and the commands are for the session alone.
impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Commands {
    Json(String),
    /// In base64.
    Protobuf(String),
}

impl Post {
    pub(super) fn new(key: SessionKey, commands: PostedCommands) -> Self {
        let commands = match commands {
            PostedCommands::Json(text) => Commands::Json(text.into()),
            PostedCommands::Protobuf(bytes) => Commands::Protobuf(base64::encode(&bytes)),
        };
        Self { session: key.reveal(), commands }
    }

    pub(super) fn into_model(self) -> Option<(SessionKey, PostedCommands)> {
        let commands = match self.commands {
            Commands::Json(text) => PostedCommands::Json(text.into()),
            Commands::Protobuf(text) => PostedCommands::Protobuf(base64::decode(&text)?.into()),
        };
        Some((self.session.parse().ok()?, commands))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Connection(String),
    User(String),
    /// The name of a claim, and a digest. Nodes of earlier versions do not know it.
    Claim(String, String),
}

/// [`ServerCommand`] on the wire. Its data is a string, so that it may be nested as deeply as the data of a publication.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    Disconnect {
        code: u16,
        reason: String,
    },
    /// Nodes of earlier versions do not know it.
    Revoke {
        until: u64,
        code: u16,
        reason: String,
    },
    Subscribe {
        channel: String,
        since: Option<(String, u64)>,
        expires_in_ms: Option<u64>,
    },
    Unsubscribe {
        channel: String,
        code: u16,
    },
    Message(String),
    /// A message with a queue. Nodes of earlier versions do not know it.
    QueueMessage {
        data: String,
        queue: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Connection {
    id: String,
    user: String,
    channels: Vec<String>,
    since_ms: u64,
    /// The microseconds that `since_ms` lacks. Nodes of earlier versions do not send them.
    #[serde(default)]
    since_rest_us: u64,
    /// Nodes of earlier versions do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

impl From<&CommandTarget> for Target {
    fn from(target: &CommandTarget) -> Self {
        match target {
            CommandTarget::Connection(id) => Self::Connection(id.to_string()),
            CommandTarget::User(user) => Self::User(user.to_string()),
            CommandTarget::Claim(claim, digest) => Self::Claim(claim.name().into(), digest.to_string()),
        }
    }
}

impl Target {
    /// Returns `None` if a newer version sent a target that this version does not know.
    pub(super) fn into_model(self) -> Option<CommandTarget> {
        Some(match self {
            Self::Connection(id) => CommandTarget::Connection(id.parse().ok()?),
            Self::User(user) => CommandTarget::User(user.parse().ok()?),
            Self::Claim(claim, digest) => CommandTarget::Claim(RevocableClaim::of_name(&claim)?, ClaimDigest::parse(&digest)?),
        })
    }
}

impl From<&ServerCommand> for Command {
    fn from(command: &ServerCommand) -> Self {
        match command {
            ServerCommand::Disconnect { code, reason } => Self::Disconnect { code: *code, reason: reason.to_string() },
            ServerCommand::Revoke(revocation) => {
                let Revocation { until, code, reason } = &**revocation;
                Self::Revoke { until: *until, code: *code, reason: reason.to_string() }
            }
            ServerCommand::Subscribe { channel, since, expires_in } => Self::Subscribe {
                channel: channel.to_string(),
                since: since.map(|at| (at.epoch.to_string(), at.offset)),
                expires_in_ms: expires_in.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            },
            ServerCommand::Unsubscribe { channel, code } => Self::Unsubscribe { channel: channel.to_string(), code: code.code() },
            ServerCommand::Message { data, queue: None } => Self::Message(data.get().to_owned()),
            ServerCommand::Message { data, queue: Some(queue) } => {
                Self::QueueMessage { data: data.get().to_owned(), queue: queue.to_string() }
            }
        }
    }
}

impl Command {
    /// Returns `None` in the cases of [`Target::into_model`].
    pub(super) fn into_model(self) -> Option<ServerCommand> {
        Some(match self {
            Self::Disconnect { code, reason } => ServerCommand::Disconnect { code, reason: reason.into() },
            Self::Revoke { until, code, reason } => ServerCommand::Revoke(Arc::new(Revocation { until, code, reason: reason.into() })),
            Self::Subscribe { channel, since, expires_in_ms } => {
                let since = match since {
                    Some((epoch, offset)) => Some(Position { epoch: Epoch::parse(&epoch)?, offset }),
                    None => None,
                };
                ServerCommand::Subscribe { channel: channel.parse().ok()?, since, expires_in: expires_in_ms.map(Duration::from_millis) }
            }
            Self::Unsubscribe { channel, code } => {
                let code = Unsubscribe::ALL.iter().copied().find(|known| known.code() == code)?;
                ServerCommand::Unsubscribe { channel: channel.parse().ok()?, code }
            }
            Self::Message(data) => ServerCommand::Message { data: parse_data(data)?, queue: None },
            Self::QueueMessage { data, queue } => ServerCommand::Message { data: parse_data(data)?, queue: Some(queue.into()) },
        })
    }
}

fn parse_data(text: String) -> Option<Data> {
    Data::parse(&RawValue::from_string(text).ok()?).ok()
}

impl From<&ConnectionSummary> for Connection {
    fn from(connection: &ConnectionSummary) -> Self {
        Self {
            id: connection.id.to_string(),
            user: connection.user.to_string(),
            channels: connection.channels.iter().map(ToString::to_string).collect(),
            since_ms: connection.since_us / 1000,
            since_rest_us: connection.since_us % 1000,
            address: connection.address,
        }
    }
}

impl Connection {
    /// Returns `None` in the cases of [`Target::into_model`].
    pub(super) fn into_model(self) -> Option<ConnectionSummary> {
        let channels = self.channels.iter().map(|channel| channel.parse().ok()).collect::<Option<_>>()?;
        let (id, user) = (self.id.parse().ok()?, self.user.parse().ok()?);
        let since_us = self.since_ms.saturating_mul(1000).saturating_add(self.since_rest_us);
        Some(ConnectionSummary { id, user, channels, since_us, address: self.address })
    }
}

impl Message {
    pub(super) fn parse(data: &Data) -> Option<Self> {
        serde_json::from_str(data.get()).ok()
    }

    pub(super) fn to_data(&self) -> Data {
        // Strings, numbers and options: serialising cannot fail, and the nesting is shallow.
        serde_json::value::to_raw_value(self).ok().and_then(|raw| Data::parse(&raw).ok()).unwrap_or_else(Data::null)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::types::{DrainAction, DrainPart},
        *,
    };
    use gateway_core::model::{ConnectionId, WorkerId};

    fn sent(request: Request) -> Request {
        let message = Message::Request { id: 7, from: "n1".into(), request };
        match Message::parse(&message.to_data()) {
            Some(Message::Request { id: 7, from, request }) if from == "n1" => request,
            other => panic!("received {other:?}"),
        }
    }

    #[test]
    fn commands_arrive_as_they_were_sent() {
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        let deep = Data::parse(&RawValue::from_string(deep).expect("JSON")).expect("the deepest allowed");
        let at = Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 3 };
        for command in [
            ServerCommand::Disconnect { code: 3503, reason: "a \"reason\"".into() },
            ServerCommand::Revoke(Arc::new(Revocation { until: Revocation::ALWAYS, code: 3503, reason: "a \"reason\"".into() })),
            ServerCommand::Subscribe { channel: "a:b".parse().expect("valid"), since: Some(at), expires_in: Some(Duration::from_secs(9)) },
            ServerCommand::Subscribe { channel: "a:b".parse().expect("valid"), since: None, expires_in: None },
            ServerCommand::Unsubscribe { channel: "#alice".parse().expect("valid"), code: Unsubscribe::Server },
            ServerCommand::Message { data: deep.clone(), queue: None },
            ServerCommand::Message { data: deep, queue: Some("mail".into()) },
        ] {
            let claim = CommandTarget::Claim(RevocableClaim::Session, ClaimDigest::new("i", RevocableClaim::Session, "s"));
            for target in [CommandTarget::Connection(ConnectionId::random()), CommandTarget::User("a".parse().expect("valid")), claim] {
                let request = sent(Request::Command(Target::from(&target), Command::from(&command)));
                let Request::Command(to, what) = request else { panic!("{request:?}") };
                assert_eq!(format!("{:?}", to.into_model()), format!("{:?}", Some(target)));
                assert_eq!(format!("{:?}", what.into_model()), format!("{:?}", Some(&command)));
            }
        }
    }

    #[test]
    fn orders_arrive_as_they_were_sent() {
        for (part, action) in [
            (DrainPart::Instance("bot-1".into()), DrainAction::Find),
            (DrainPart::Instance("bot-1".into()), DrainAction::Drain),
            (DrainPart::Target("http://h/ 1".into()), DrainAction::Undrain),
        ] {
            let order = DrainOrder { service: "bot".into(), part, action };
            let request = sent(Request::Drain(order.clone()));
            assert!(matches!(&request, Request::Drain(received) if *received == order), "{request:?}");
        }
    }

    #[test]
    fn posts_arrive_as_they_were_sent_and_stay_hidden() {
        let key = SessionKey::random(WorkerId::FIRST);
        for commands in [PostedCommands::Json("{\"id\":1}\n{\"a\":\"\u{2028}\"}".into()), PostedCommands::Protobuf([0, 255, 10].into())] {
            let request = sent(Request::Post(Post::new(key, commands.clone())));
            assert!(!format!("{request:?}").contains(&key.reveal()));
            let Request::Post(post) = request else { panic!("{request:?}") };
            assert_eq!(post.into_model(), Some((key, commands)));
        }
    }

    #[test]
    fn unknown_messages_are_not_parsed() {
        for data in ["null", "{\"ask\":{}}", "{\"later\":1}"] {
            let raw = RawValue::from_string(data.into()).expect("JSON");
            assert!(Message::parse(&Data::parse(&raw).expect("shallow")).is_none(), "{data}");
        }
        assert!(Target::User("a\n".into()).into_model().is_none());
        let digest = ClaimDigest::new("i", RevocableClaim::Token, "j").to_string();
        assert!(
            Target::Claim("exp".into(), digest).into_model().is_none() && Target::Claim("jti".into(), "x".into()).into_model().is_none()
        );
        assert!(Command::Unsubscribe { channel: "a".into(), code: 1 }.into_model().is_none());
    }
}
