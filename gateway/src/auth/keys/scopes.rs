//! Scopes of API keys, and how the settings write them.

use gateway_core::{
    channel::Glob,
    model::{ChannelName, ServiceName},
};
use std::{fmt, str::FromStr};

/// A group of requests that a key may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Publish into channels, over REST and over links.
    Publish,
    /// Read histories, positions and numbers of subscribers; list channels and nodes.
    Read,
    /// See who is in a channel.
    Presence,
    /// Connections and subscriptions of users.
    Users,
    /// Single connections.
    Connections,
    /// Make tokens of users invalid.
    Revoke,
    /// Open the links of one service.
    Link,
    /// Queues of services, and ingest.
    Queues,
    /// Services, drains; delete histories.
    Admin,
}

/// What may follow the name of a scope.
enum Qualifier {
    /// A pattern of channels; without it, all channels.
    Channels,
    /// The name of a service.
    Service,
    Nothing,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 9] =
        [Self::Publish, Self::Read, Self::Presence, Self::Users, Self::Connections, Self::Revoke, Self::Link, Self::Queues, Self::Admin];

    /// The name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Presence => "presence",
            Self::Users => "users",
            Self::Connections => "connections",
            Self::Revoke => "revoke",
            Self::Link => "link",
            Self::Queues => "queues",
            Self::Admin => "admin",
        }
    }

    fn qualifier(self) -> Qualifier {
        match self {
            Self::Publish | Self::Read | Self::Presence => Qualifier::Channels,
            Self::Link => Qualifier::Service,
            Self::Users | Self::Connections | Self::Revoke | Self::Queues | Self::Admin => Qualifier::Nothing,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One entry of `scopes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// Everything of a scope.
    All(Scope),
    /// A scope, in the channels that match.
    Channels(Scope, Glob),
    /// The links of a service.
    Link(ServiceName),
}

impl Permit {
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::All(scope) | Self::Channels(scope, _) => *scope,
            Self::Link(_) => Scope::Link,
        }
    }

    /// Whether it permits `scope` for a channel, or for everything that a pattern of channels matches.
    pub(super) fn covers(&self, scope: Scope, channels: &str) -> bool {
        match self {
            Self::All(own) => *own == scope,
            // It has no `?`, so each wildcard of the other pattern is part of what a `*` stands for.
            Self::Channels(own, pattern) => *own == scope && pattern.matches(channels),
            Self::Link(_) => false,
        }
    }
}

/// The first `:` ends the name of the scope, so a pattern may have more of them.
impl FromStr for Permit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let Some(scope) = Scope::ALL.into_iter().find(|scope| scope.name() == name) else {
            let scopes = "publish, read, presence (each also with channels, such as publish:chat:*), users, connections, revoke, link:<service>, \
                          queues, admin";
            return Err(format!("{text:?} is no scope; the scopes are {scopes}"));
        };
        match (scope.qualifier(), rest) {
            (Qualifier::Channels | Qualifier::Nothing, None) => Ok(Self::All(scope)),
            (Qualifier::Channels, Some(pattern)) => {
                let pattern = channels(pattern).map_err(|why| format!("the channels of {text:?} {why}"))?;
                Ok(Self::Channels(scope, pattern))
            }
            (Qualifier::Service, rest) => {
                let service = rest.unwrap_or_default().parse();
                service
                    .map(Self::Link)
                    .map_err(|error| format!("the service of {text:?} {error}; write link:<service>, such as link:chatbot"))
            }
            (Qualifier::Nothing, Some(_)) => Err(format!("{text:?} has a ':', but this scope has no parts; write {name:?}")),
        }
    }
}

/// A pattern is a name in which `*` stands for any characters. `?` is refused: it is a wildcard in requests that list channels.
fn channels(pattern: &str) -> Result<Glob, String> {
    if pattern.contains('?') {
        return Err("contain a '?'; write '*', which stands for any characters".into());
    }
    let name: Result<ChannelName, _> = pattern.parse();
    name.map(|name| Glob::new(&name)).map_err(|error| format!("are no pattern such as chat:*: the name {error}"))
}
