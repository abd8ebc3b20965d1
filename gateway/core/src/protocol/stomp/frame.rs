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
        let named = Self::ALL.into_iter().find(|command| command.as_str().as_bytes() == name);
        named.or_else(|| (name == b"STOMP").then_some(Self::Connect))
    }
}

/// The headers of a frame in their order, unescaped. Of a repeated header only the first is kept (STOMP 1.2, "Repeated Header Entries").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Box<str>)>);

impl Headers {
    /// The value of a header. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Adds a header, unless there is one with this name.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.push((name.into(), value.into()));
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        let mut all = Self::default();
        headers.into_iter().for_each(|(name, value)| all.add(name, value));
        all
    }
}
