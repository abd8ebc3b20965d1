//! Who may do what in a channel. The decision depends on the channel's options, the user, and the connection's subscription to the channel.

use super::{ChannelOptions, Grant};
use crate::model::{ChannelName, UserId};

/// Whether and how a connection is subscribed to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// Not subscribed.
    NotSubscribed,
    /// The frontend subscribed without a token.
    Subscribed,
    /// A token allowed the subscription, or the server made it.
    Authorized,
}

/// What a frontend may be permitted to do in a channel. Subscribing has a rule of its own: [`subscribe_access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Publish.
    Publish,
    /// Read presence, or its numbers.
    SeePresence,
    /// Read the history.
    SeeHistory,
}

/// Whether a frontend may subscribe to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeAccess {
    /// Yes.
    Granted,
    /// Yes, if the token that it sent is valid.
    WithToken,
    /// No.
    Denied,
}

/// Decides whether `user` may subscribe to `channel`.
///
/// A valid token opens every channel to which frontends may subscribe at all. The owner of a personal channel needs no grant. Nobody else may
/// subscribe to it, whatever the options say.
pub fn subscribe_access(options: &ChannelOptions, channel: &ChannelName, user: &UserId, has_token: bool) -> SubscribeAccess {
    match (channel.owner(), options.subscribe) {
        (Some(owner), _) if owner == user.as_str() => SubscribeAccess::Granted,
        (Some(_), _) | (None, Grant::Nobody) => SubscribeAccess::Denied,
        (None, _) if has_token => SubscribeAccess::WithToken,
        (None, grant) if grants(grant, user, SubscriptionStatus::NotSubscribed) => SubscribeAccess::Granted,
        (None, _) => SubscribeAccess::Denied,
    }
}

/// Whether `user` has `permission` in `channel`. In a personal channel only the owner can have it, and only if the options grant it.
pub fn is_permitted(
    permission: Permission,
    options: &ChannelOptions,
    channel: &ChannelName,
    user: &UserId,
    status: SubscriptionStatus,
) -> bool {
    let grant = match permission {
        Permission::Publish => options.publish,
        Permission::SeePresence => options.see_presence,
        Permission::SeeHistory => options.see_history,
    };
    channel.is_of(user) && grants(grant, user, status)
}

fn grants(grant: Grant, user: &UserId, status: SubscriptionStatus) -> bool {
    match grant {
        Grant::Nobody => false,
        Grant::Token => status == SubscriptionStatus::Authorized,
        Grant::Subscriber => status != SubscriptionStatus::NotSubscribed,
        Grant::Authenticated => !user.is_anonymous(),
        Grant::Anyone => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubscribeAccess::{Denied, Granted, WithToken};
    use SubscriptionStatus::{Authorized, NotSubscribed, Subscribed};

    const GRANTS: [Grant; 5] = [Grant::Nobody, Grant::Token, Grant::Subscriber, Grant::Authenticated, Grant::Anyone];
    const PERMISSIONS: [Permission; 3] = [Permission::Publish, Permission::SeePresence, Permission::SeeHistory];

    fn channel(name: &str) -> ChannelName {
        name.parse().expect("a good name")
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    #[test]
    fn subscribing_needs_the_grant_or_a_token() {
        for (grant, anonymous, known, with_token) in [
            (Grant::Nobody, Denied, Denied, Denied),
            (Grant::Token, Denied, Denied, WithToken),
            (Grant::Subscriber, Denied, Denied, WithToken),
            (Grant::Authenticated, Denied, Granted, WithToken),
            (Grant::Anyone, Granted, Granted, WithToken),
        ] {
            let options = ChannelOptions { subscribe: grant, ..ChannelOptions::default() };
            assert_eq!(subscribe_access(&options, &channel("a:b"), &user(""), false), anonymous, "{grant:?}");
            assert_eq!(subscribe_access(&options, &channel("a:b"), &user("alice"), false), known, "{grant:?}");
            assert_eq!(subscribe_access(&options, &channel("a:b"), &user(""), true), with_token, "{grant:?}");
        }
    }

    #[test]
    fn only_the_owner_has_access_to_a_personal_channel() {
        for subscribe in GRANTS {
            let options = ChannelOptions { subscribe, publish: Grant::Anyone, ..ChannelOptions::default() };
            assert_eq!(subscribe_access(&options, &channel("#alice"), &user("alice"), false), Granted);
            for other in ["bob", ""] {
                assert_eq!(subscribe_access(&options, &channel("#alice"), &user(other), true), Denied, "even with a token");
                assert!(!is_permitted(Permission::Publish, &options, &channel("#alice"), &user(other), Authorized));
            }
            assert!(is_permitted(Permission::Publish, &options, &channel("#alice"), &user("alice"), Authorized));
        }
        assert!(
            !is_permitted(Permission::Publish, &ChannelOptions::default(), &channel("#alice"), &user("alice"), Authorized),
            "the owner needs the grant too"
        );
    }

    #[test]
    fn each_permission_has_its_own_grant() {
        for (grant, allowed) in [
            (Grant::Nobody, [false, false, false]),
            (Grant::Token, [false, false, true]),
            (Grant::Subscriber, [false, true, true]),
            (Grant::Anyone, [true, true, true]),
        ] {
            let only = |permission| match permission {
                Permission::Publish => ChannelOptions { publish: grant, ..ChannelOptions::default() },
                Permission::SeePresence => ChannelOptions { see_presence: grant, ..ChannelOptions::default() },
                Permission::SeeHistory => ChannelOptions { see_history: grant, ..ChannelOptions::default() },
            };
            for permission in PERMISSIONS {
                for (status, expected) in [NotSubscribed, Subscribed, Authorized].into_iter().zip(allowed) {
                    assert_eq!(
                        is_permitted(permission, &only(permission), &channel("c"), &user(""), status),
                        expected,
                        "{grant:?} {permission:?} {status:?}"
                    );
                }
                for other in PERMISSIONS.into_iter().filter(|&other| other != permission) {
                    assert!(
                        !is_permitted(other, &only(permission), &channel("c"), &user("alice"), Authorized),
                        "{permission:?} is not {other:?}"
                    );
                }
            }
        }
        let authenticated = ChannelOptions { publish: Grant::Authenticated, ..ChannelOptions::default() };
        assert!(is_permitted(Permission::Publish, &authenticated, &channel("c"), &user("alice"), NotSubscribed));
        assert!(!is_permitted(Permission::Publish, &authenticated, &channel("c"), &user(""), Authorized));
    }
}
