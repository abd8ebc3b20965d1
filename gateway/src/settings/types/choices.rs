//! Settings with a few named values.

use super::value::{Setting, choice};
use config::ValueKind;

choice! {
    /// Where publications are kept.
    BrokerKind {
        /// In this process, for one node only.
        Memory = "memory",
        /// In a Redis that the nodes of a cluster share.
        Redis = "redis",
    } "\"memory\" or \"redis\"";

    /// What a node does.
    NodeRole {
        /// It serves frontends and services.
        Full = "full",
        /// It serves services only, and has no listener for frontends.
        Api = "api",
    } "\"full\" or \"api\"";

    /// The lowest version of TLS that a listener speaks.
    TlsVersion {
        /// TLS 1.2 (RFC 5246).
        Tls12 = "1.2",
        /// TLS 1.3 (RFC 8446).
        Tls13 = "1.3",
    } "\"1.2\" or \"1.3\"";

    /// Something that must not be open to others than this machine.
    Insecurity {
        /// The demo page, which gives everybody a token for any user.
        Demo = "demo",
        /// A key of `dev.toml`.
        DevKey = "dev-key",
        /// An HMAC secret that is shorter than its hash.
        ShortSecret = "short-secret",
    } "\"demo\", \"dev-key\" or \"short-secret\"";

    /// What happens if a user has too many connections.
    OnExcess {
        /// A further one is refused.
        Refuse = "refuse",
        /// The oldest ends.
        EndOldest = "end-oldest",
    } "\"refuse\" or \"end-oldest\"";

    /// Which frontends have a permission in a channel. Services have all permissions.
    Grant {
        /// No frontend.
        Nobody = "nobody",
        /// Frontends with a subscription token for the channel.
        Token = "token",
        /// Subscribers of the channel.
        Subscriber = "subscriber",
        /// The users that the channel's name names.
        Named = "named",
        /// Frontends that are not anonymous.
        Authenticated = "authenticated",
        /// Every frontend.
        Anyone = "anyone",
    } "\"nobody\", \"token\", \"subscriber\", \"named\", \"authenticated\" or \"anyone\"";

    /// What publications may carry.
    AllowedData {
        /// Only JSON.
        Json = "json",
        /// JSON, text or bytes.
        Any = "any",
    } "\"json\" or \"any\"";

    /// What happens to a subscriber that reads too slowly.
    SlowConsumer {
        /// Its connection is closed with 3008. It reconnects and recovers.
        Disconnect = "disconnect",
        /// It gets only the newest publication of a channel.
        Latest = "latest",
    } "\"disconnect\" or \"latest\"";

    /// Which deltas a frontend may ask for.
    Delta {
        /// None.
        None = "none",
        /// Those in the format of Fossil.
        Fossil = "fossil",
    } "\"none\" or \"fossil\"";

    /// What a client receives after a recovery that failed (`recovered: false`).
    Unrecoverable {
        /// What is published from then on.
        Live = "live",
        /// First the missed publications that are still held.
        Replay = "replay",
    } "\"live\" or \"replay\"";

    /// What happens to a command if its guard is away.
    WhenAway {
        /// It is refused with a temporary error.
        Refuse = "refuse",
        /// It is carried out.
        Allow = "allow",
    } "\"refuse\" or \"allow\"";

    /// Who checks the token of a connect command, if a service decides about connections.
    TokenCheck {
        /// The gateway, before it asks the service.
        First = "first",
        /// Only the service.
        Never = "never",
    } "\"first\" or \"never\"";

    /// How the gateway reaches a service.
    Reach {
        /// Over the WebSockets that its instances keep open to the gateway.
        Link = "link",
        /// By HTTP requests.
        Webhook = "webhook",
        /// Only by a queue of events, from which its own program reads.
        Queue = "queue",
    } "\"link\", \"webhook\" or \"queue\"";

    /// How events reach a service.
    Events {
        /// At once, or not at all.
        Direct = "direct",
        /// Through a queue, which keeps them until the service has acknowledged them.
        Queue = "queue",
    } "\"direct\" or \"queue\"";

    /// Who takes events out of the queue of a service.
    Deliver {
        /// The gateways, which deliver them as `reach` says.
        Reach = "reach",
        /// A program of the service, which reads the streams in Redis.
        Stream = "stream",
    } "\"reach\" or \"stream\"";

    /// Which frontends may call a service.
    Callers {
        /// No frontend.
        Nobody = "nobody",
        /// Frontends that are not anonymous.
        Authenticated = "authenticated",
        /// Every frontend.
        Anyone = "anyone",
    } "\"nobody\", \"authenticated\" or \"anyone\"";

    /// What the destinations of STOMP clients stand for.
    DestinationKind {
        /// Channels.
        Channel = "channel",
        /// Queues of the user, in its personal channel.
        UserQueue = "user_queue",
        /// Calls of services.
        Call = "call",
        /// Events for services.
        Event = "event",
    } "\"channel\", \"user_queue\", \"call\" or \"event\"";

    /// What a STOMP client gets for a refused frame, and what happens to its connection.
    Refused {
        /// An ERROR. The connection is closed.
        Close = "close",
        /// An ERROR. The connection stays open.
        Stay = "stay",
        /// A MESSAGE in a queue of the user. The connection stays open.
        Message = "message",
    } "\"close\", \"stay\" or \"message\"";

    /// What happens to a STOMP frame whose destination is unknown.
    UnknownDestination {
        /// It is refused, and the connection is closed.
        Error = "error",
        /// It has no effect.
        Ignore = "ignore",
    } "\"error\" or \"ignore\"";

    /// Format of log lines.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    } "\"text\" or \"json\"";
}

impl Insecurity {
    /// The name in `allow_insecure`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::DevKey => "dev-key",
            Self::ShortSecret => "short-secret",
        }
    }
}

impl Setting for Vec<Insecurity> {
    const EXPECTED: &'static str = "a list of \"demo\", \"dev-key\" and \"short-secret\"; in a variable, separate them with commas";

    fn read(kind: &ValueKind) -> Option<Self> {
        Vec::<String>::read(kind)?.into_iter().map(|name| Insecurity::read(&ValueKind::String(name))).collect()
    }

    fn show(&self) -> String {
        format!("{:?}", self.iter().map(|each| each.name()).collect::<Vec<_>>())
    }
}
