//! Names of channels, users and services. A value of these types is always a valid name.

use shared_proto::name::{check_channel, check_service, check_user};
use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr, sync::Arc};

pub use shared_proto::name::InvalidName;

macro_rules! name {
    ($(#[$meta:meta])* $type:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl Deref for $type {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(&*self.0, f) }
        }
    };
}

name! {
    /// The name of a channel; [`check_channel`] has the rules.
    ChannelName
}
name! {
    /// The id of a user; [`check_user`] has the rules. Empty for anonymous connections.
    UserId
}
name! {
    /// The name of a service; [`check_service`] has the rules.
    ServiceName
}

impl ChannelName {
    /// The personal channel of a user. `None` for anonymous.
    pub fn personal(user: &UserId) -> Option<Self> {
        (!user.is_empty()).then(|| Self(format!("#{user}").into()))
    }

    /// The part before the first `:`. `None` without a `:`, and for a personal channel.
    pub fn namespace(&self) -> Option<&str> {
        let parts = if self.owner().is_some() { None } else { self.0.split_once(':') };
        parts.map(|(namespace, _)| namespace)
    }

    /// The user whose personal channel this is.
    pub fn owner(&self) -> Option<&str> {
        self.0.strip_prefix('#')
    }

    /// Whether this user may have access to it. Only the owner has access to a personal channel.
    pub fn is_of(&self, user: &UserId) -> bool {
        self.owner().is_none_or(|owner| owner == user.as_str())
    }
}

impl FromStr for ChannelName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        check_channel(name)?;
        Ok(Self(name.into()))
    }
}

impl UserId {
    /// The id of an anonymous connection.
    pub fn anonymous() -> Self {
        Self(Arc::from(""))
    }

    /// Whether the connection is anonymous.
    pub fn is_anonymous(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for UserId {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        if name.is_empty() {
            return Ok(Self::anonymous());
        }
        check_user(name)?;
        Ok(Self(name.into()))
    }
}

impl FromStr for ServiceName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        check_service(name)?;
        Ok(Self(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_have_the_documented_forms_only() {
        for good in ["news", "chat:lobby", "#alice", "#a@b.c", "a:b:c", &"x".repeat(255)] {
            assert_eq!(good.parse::<ChannelName>().as_ref().map(ChannelName::as_str), Ok(good));
        }
        let character = |name: &str| matches!(name.parse::<ChannelName>(), Err(InvalidName::Character(_)));
        for bad in ["a b", "ä", "a\nb", "{a}", "a#b", "a|b"] {
            assert!(character(bad), "{bad:?}");
        }
        for (bad, why) in [
            ("", InvalidName::Empty),
            ("#", InvalidName::Empty),
            (&*"x".repeat(256), InvalidName::TooLong(255)),
            (".", InvalidName::Dots),
            ("..", InvalidName::Dots),
            ("#.", InvalidName::Dots),
            ("#..", InvalidName::Dots),
            (":a", InvalidName::EmptyPart),
            ("a:", InvalidName::EmptyPart),
            ("# a", InvalidName::Space),
            ("#a\n", InvalidName::Invisible),
        ] {
            assert_eq!(bad.parse::<ChannelName>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn every_user_has_a_valid_personal_channel() {
        let long = "u".repeat(254);
        for user in ["alice", "a@b.c", "f:realm:name", "#a", "auth0|ü {x} *", &long] {
            let user: UserId = user.parse().expect("valid");
            let channel = ChannelName::personal(&user).expect("not anonymous");
            assert_eq!(channel.parse::<ChannelName>(), Ok(channel.clone()));
            assert_eq!((channel.owner(), channel.namespace()), (Some(user.as_str()), None));
            assert!(channel.is_of(&user) && !channel.is_of(&UserId::anonymous()));
        }
        assert_eq!(ChannelName::personal(&UserId::anonymous()), None);
        assert_eq!("..".parse::<UserId>(), Err(InvalidName::Dots));
    }

    #[test]
    fn user_ids_are_compared_byte_by_byte() {
        let channel = |user: &str| ChannelName::personal(&user.parse().expect("valid"));
        for (one, other) in [("Alice", "alice"), ("j\u{fc}rgen", "ju\u{308}rgen"), ("a b", "a\u{a0}b")] {
            assert_ne!(channel(one), channel(other));
        }
    }
}
