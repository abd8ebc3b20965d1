//! Settings whose value is one of a few words.

use super::value::choice;

choice! {
    /// Where publications live.
    BrokerKind {
        /// In this process: one node only.
        Memory = "memory",
        /// In a Redis that the nodes of a cluster share.
        Redis = "redis",
    } "\"memory\" or \"redis\"";

    /// Who may do something in a channel. A service may always.
    Grant {
        /// No frontend.
        Nobody = "nobody",
        /// Who has a subscription token for the channel.
        Token = "token",
        /// Who is subscribed.
        Subscriber = "subscriber",
        /// Who is not anonymous.
        Authenticated = "authenticated",
        /// Everyone.
        Anyone = "anyone",
    } "\"nobody\", \"token\", \"subscriber\", \"authenticated\" or \"anyone\"";

    /// What happens to a subscriber that reads too slowly.
    SlowConsumer {
        /// Closed with 3008; it reconnects and recovers.
        Disconnect = "disconnect",
        /// Keeps only the newest publication per channel.
        Latest = "latest",
    } "\"disconnect\" or \"latest\"";

    /// How a service is reached.
    Reach {
        /// Over the WebSockets that its instances hold open to the gateway.
        Link = "link",
        /// By HTTP requests to it.
        Webhook = "webhook",
        /// Through a queue that it reads.
        Queue = "queue",
    } "\"link\", \"webhook\" or \"queue\"";

    /// Which calls of a service keep their order.
    CallOrder {
        /// Those of one connection.
        Connection = "connection",
        /// None.
        None = "none",
    } "\"connection\" or \"none\"";

    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object in a line.
        Json = "json",
    } "\"text\" or \"json\"";
}
