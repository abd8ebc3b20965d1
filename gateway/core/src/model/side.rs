//! Who made a subscription.

/// Decides what can be told about a subscription: the SDKs subscribe anew to what they asked for, and forget anything else that is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The frontend asked for it.
    Client,
    /// The gateway or a service made it.
    Server,
}
