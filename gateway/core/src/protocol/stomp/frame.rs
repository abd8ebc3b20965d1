//! The frames of clients.

/// A frame of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the client wants.
    pub command: ClientCommand,
    /// The headers.
    pub headers: Headers,
    /// The body. Only SEND can have one.
    pub body: Vec<u8>,
}

/// A command of clients (STOMP 1.2, "Client Frames").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientCommand {
    /// CONNECT, or STOMP, which means the same.
    Connect,
    /// SEND.
    Send,
    /// SUBSCRIBE.
    Subscribe,
    /// UNSUBSCRIBE.
    Unsubscribe,
    /// ACK.
    Ack,
    /// NACK.
    Nack,
    /// BEGIN.
    Begin,
    /// COMMIT.
    Commit,
    /// ABORT.
    Abort,
    /// DISCONNECT.
    Disconnect,
}

impl ClientCommand {
    const ALL: [Self; 10] = [
        Self::Connect,
        Self::Send,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Ack,
        Self::Nack,
        Self::Begin,
        Self::Commit,
        Self::Abort,
        Self::Disconnect,
    ];

    /// The name in frames.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Abort => "ABORT",
            Self::Disconnect => "DISCONNECT",
        }
    }

    /// The command with this name. Names are in upper case.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        Self::names().find(|(known, _)| known.as_bytes() == name).map(|(_, command)| command)
    }

    /// Whether the first line of a frame can begin so.
    pub(super) fn can_begin_with(start: &[u8]) -> bool {
        let name = start.strip_suffix(b"\r").filter(|name| Self::parse(name).is_some());
        name.is_some() || Self::names().any(|(known, _)| known.as_bytes().starts_with(start))
    }

    fn names() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().map(|command| (command.as_str(), command)).chain([("STOMP", Self::Connect)])
    }
}

impl std::fmt::Display for ClientCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The headers of a frame in their order, unescaped. Of a repeated header only the first is kept (STOMP 1.2, "Repeated Header Entries").
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Box<str>)>);

/// Shows names only, because a value may be a secret.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl Headers {
    /// The value of a header. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The headers without blanks around names and values, as clients of 1.0 write them.
    pub(super) fn trimmed(&self) -> Self {
        self.iter().map(|(name, value)| (trim(name), trim(value))).collect()
    }

    /// Bytes that it holds in memory.
    pub(super) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<(Box<str>, Box<str>)>() + self.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }

    /// Adds a header, unless there is one with this name.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.push((name.into(), value.into()));
        }
    }
}

/// Removes the blanks at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        let mut all = Self::default();
        headers.into_iter().for_each(|(name, value)| all.add(name, value));
        all
    }
}
