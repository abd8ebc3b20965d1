//! The kinds of lifecycle events, and sets of them.

/// A kind of lifecycle event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleKind {
    /// A frontend connected.
    Connected,
    /// A connection ended.
    Disconnected,
    /// A connection subscribed to a channel.
    Subscribed,
    /// A connection's subscription to a channel ended.
    Unsubscribed,
    /// A channel got its first subscriber in the cluster.
    Occupied,
    /// A channel lost its last subscriber in the cluster.
    Vacated,
}

impl LifecycleKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Connected, Self::Disconnected, Self::Subscribed, Self::Unsubscribed, Self::Occupied, Self::Vacated];

    /// Its name in `hello.events`, in the settings and in `event.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Occupied => "occupied",
            Self::Vacated => "vacated",
        }
    }

    /// The names of all kinds, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// The set of kinds that a service or an instance wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interests(u8);

impl Interests {
    pub(in crate::services) fn only(kind: LifecycleKind) -> Self {
        Self(1 << kind as u8)
    }

    /// The kinds with these names, or the first unknown name.
    pub fn parse(names: &[String]) -> Result<Self, &str> {
        names.iter().try_fold(Self::default(), |all, name| {
            let kind = LifecycleKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(name.as_str())?;
            Ok(all.union(Self::only(kind)))
        })
    }

    pub(in crate::services) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::services) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(in crate::services) fn bits(self) -> u8 {
        self.0
    }
}
