//! Client-side and server-side subscriptions.

/// Who made a subscription. When the server ends one, an SDK subscribes again if its frontend had asked for the channel; otherwise it forgets the
/// subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionSide {
    /// The frontend asked for it.
    Client,
    /// The gateway or a service made it.
    Server,
}
