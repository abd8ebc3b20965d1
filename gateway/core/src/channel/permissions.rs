//! Who may do what in a channel. The decision depends on the channel's options, the user, and the connection's subscription to the channel.

use super::{
    capabilities::{Capabilities, Capability},
    named_users,
    options::{ChannelOptions, Grant},
};
use crate::model::{ChannelName, ErrorCode, Refusal, UserId};

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

impl From<Permission> for Capability {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Publish => Self::Publish,
            Permission::SeePresence => Self::Presence,
            Permission::SeeHistory => Self::History,
        }
    }
}

/// Who wants to do something in a channel.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The user; empty for anonymous.
    pub user: &'a UserId,
    /// What the connection token allows. `None`: it does not say, and only the options count.
    pub capabilities: Option<&'a Capabilities>,
}

impl Requester<'_> {
    /// Why this is denied to the frontend in a channel.
    pub fn denial(self, channel: &ChannelName, capability: Capability) -> Refusal {
        if self.is_capable(channel, capability) {
            ErrorCode::PermissionDenied.into()
        } else {
            let detail = format!("the capabilities of the connection token do not allow to {} here", capability.verb());
            Refusal::new(ErrorCode::PermissionDenied, detail)
        }
    }

    fn is_capable(self, channel: &ChannelName, capability: Capability) -> bool {
        self.capabilities.is_none_or(|all| all.allow(channel, capability))
    }
}

/// Whether a frontend may subscribe to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeAccess {
    /// Yes.
    Granted,
    /// Yes. The connection token takes the place of a subscription token.
    ByCapability,
    /// Yes, if the token that it sent is valid.
    WithToken,
    /// No.
    Denied,
}

/// Decides whether a frontend may subscribe to `channel`.
///
/// A valid token opens every channel to which frontends may subscribe at all. The owner of a personal channel needs no grant. Nobody else may
/// subscribe to it, whatever the options say. A connection token with capabilities is a subscription token where the options ask for one, and allows
/// nothing else.
pub fn subscribe_access(options: &ChannelOptions, channel: &ChannelName, requester: Requester<'_>, has_token: bool) -> SubscribeAccess {
    if !requester.is_capable(channel, Capability::Subscribe) {
        return SubscribeAccess::Denied;
    }
    let user = requester.user;
    match (channel.owner(), options.subscribe) {
        (Some(owner), _) if owner == user.as_str() => SubscribeAccess::Granted,
        (Some(_), _) | (None, Grant::Nobody) => SubscribeAccess::Denied,
        (None, _) if has_token => SubscribeAccess::WithToken,
        (None, Grant::Token | Grant::Subscriber) if requester.capabilities.is_some() => SubscribeAccess::ByCapability,
        (None, grant) if grants(grant, channel, user, SubscriptionStatus::NotSubscribed) => SubscribeAccess::Granted,
        (None, _) => SubscribeAccess::Denied,
    }
}

/// Whether a frontend has `permission` in `channel`. In a personal channel only the owner can have it, and only if the options grant it. A connection
/// token with capabilities is a subscription token where the options ask for one, and allows nothing else.
pub fn is_permitted(
    permission: Permission,
    options: &ChannelOptions,
    channel: &ChannelName,
    requester: Requester<'_>,
    status: SubscriptionStatus,
) -> bool {
    let grant = match permission {
        Permission::Publish => options.publish,
        Permission::SeePresence => options.see_presence,
        Permission::SeeHistory => options.see_history,
    };
    let by_capability = grant == Grant::Token && requester.capabilities.is_some();
    channel.is_of(requester.user)
        && requester.is_capable(channel, permission.into())
        && (by_capability || grants(grant, channel, requester.user, status))
}

/// Whether a subscription may stay after the connection got a token with these capabilities. What services and the gateway itself give is no matter of
/// tokens.
pub fn may_stay(channel: &ChannelName, capabilities: Option<&Capabilities>, by_capability: bool) -> bool {
    capabilities.map_or(!by_capability, |all| all.allow(channel, Capability::Subscribe))
}

fn grants(grant: Grant, channel: &ChannelName, user: &UserId, status: SubscriptionStatus) -> bool {
    match grant {
        Grant::Nobody => false,
        Grant::Token => status == SubscriptionStatus::Authorized,
        Grant::Subscriber => status != SubscriptionStatus::NotSubscribed,
        Grant::Named => named_users::names(channel, user),
        Grant::Authenticated => !user.is_anonymous(),
        Grant::Anyone => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubscribeAccess::{ByCapability, Denied, Granted, WithToken};
    use SubscriptionStatus::{Authorized, NotSubscribed, Subscribed};
    use proptest::prelude::*;

    const GRANTS: [Grant; 6] = [Grant::Nobody, Grant::Token, Grant::Subscriber, Grant::Named, Grant::Authenticated, Grant::Anyone];
    const PERMISSIONS: [Permission; 3] = [Permission::Publish, Permission::SeePresence, Permission::SeeHistory];

    fn channel(name: &str) -> ChannelName {
        name.parse().expect("a good name")
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    fn by(user: &UserId) -> Requester<'_> {
        Requester { user, capabilities: None }
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
            assert_eq!(subscribe_access(&options, &channel("a:b"), by(&user("")), false), anonymous, "{grant:?}");
            assert_eq!(subscribe_access(&options, &channel("a:b"), by(&user("alice")), false), known, "{grant:?}");
            assert_eq!(subscribe_access(&options, &channel("a:b"), by(&user("")), true), with_token, "{grant:?}");
        }
    }

    #[test]
    fn only_the_owner_has_access_to_a_personal_channel() {
        for subscribe in GRANTS {
            let options = ChannelOptions { subscribe, publish: Grant::Anyone, ..ChannelOptions::default() };
            assert_eq!(subscribe_access(&options, &channel("#alice"), by(&user("alice")), false), Granted);
            for other in ["bob", ""] {
                assert_eq!(subscribe_access(&options, &channel("#alice"), by(&user(other)), true), Denied, "even with a token");
                assert!(!is_permitted(Permission::Publish, &options, &channel("#alice"), by(&user(other)), Authorized));
            }
            assert!(is_permitted(Permission::Publish, &options, &channel("#alice"), by(&user("alice")), Authorized));
        }
        assert!(
            !is_permitted(Permission::Publish, &ChannelOptions::default(), &channel("#alice"), by(&user("alice")), Authorized),
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
                        is_permitted(permission, &only(permission), &channel("c"), by(&user("")), status),
                        expected,
                        "{grant:?} {permission:?} {status:?}"
                    );
                }
                for other in PERMISSIONS.into_iter().filter(|&other| other != permission) {
                    assert!(
                        !is_permitted(other, &only(permission), &channel("c"), by(&user("alice")), Authorized),
                        "{permission:?} is not {other:?}"
                    );
                }
            }
        }
        let authenticated = ChannelOptions { publish: Grant::Authenticated, ..ChannelOptions::default() };
        assert!(is_permitted(Permission::Publish, &authenticated, &channel("c"), by(&user("alice")), NotSubscribed));
        assert!(!is_permitted(Permission::Publish, &authenticated, &channel("c"), by(&user("")), Authorized));
    }

    #[test]
    fn named_users_have_access() {
        let options = ChannelOptions { subscribe: Grant::Named, publish: Grant::Named, ..ChannelOptions::default() };
        let dialog = channel("dialog:alice,bob");
        for (id, named) in [("alice", true), ("bob", true), ("carol", false), ("", false)] {
            let (user, access) = (user(id), if named { Granted } else { Denied });
            assert_eq!(subscribe_access(&options, &dialog, by(&user), false), access, "{id}");
            assert_eq!(subscribe_access(&options, &dialog, by(&user), true), WithToken, "{id}");
            assert_eq!(is_permitted(Permission::Publish, &options, &dialog, by(&user), NotSubscribed), named, "{id}");
        }
    }

    /// Any channel, user and state of a connection, and any grant.
    fn case() -> impl Strategy<Value = (ChannelName, UserId, SubscriptionStatus, Grant)> {
        let names = prop::sample::select(vec!["dialog:alice,bob", "dialog:bob", "a:b", "c", "#alice", "#bob"]);
        let statuses = prop::sample::select(vec![NotSubscribed, Subscribed, Authorized]);
        (names, prop::sample::select(vec!["alice", ""]), statuses, prop::sample::select(GRANTS.to_vec()))
            .prop_map(|(name, id, status, grant)| (channel(name), user(id), status, grant))
    }

    fn capabilities(claim: &str) -> Capabilities {
        Capabilities::parse(serde_json::from_str(claim).expect("JSON")).expect("valid")
    }

    proptest! {
        #[test]
        fn capabilities_stand_for_subscription_tokens_and_never_allow_more((channel, user, status, grant) in case(), has_token: bool) {
            let options =
                ChannelOptions { subscribe: grant, publish: grant, see_presence: grant, see_history: grant, ..ChannelOptions::default() };
            let all = capabilities(r#"{"*":["subscribe","publish","presence","history"]}"#);
            let with = |capabilities| Requester { user: &user, capabilities };
            let subscribe = |capabilities, has_token| subscribe_access(&options, &channel, with(capabilities), has_token);
            // Where the options do not ask for a token, it changes nothing; where they do, it is one.
            let asks = matches!(grant, Grant::Token | Grant::Subscriber) && channel.owner().is_none();
            let expected = if asks && !has_token { ByCapability } else { subscribe(None, has_token) };
            prop_assert_eq!(subscribe(Some(&all), has_token), expected);
            prop_assert!(subscribe(None, true) != Denied || expected == Denied, "never more than a token allows");
            for permission in PERMISSIONS {
                let permitted = |capabilities, status| is_permitted(permission, &options, &channel, with(capabilities), status);
                let like = if grant == Grant::Token { Authorized } else { status };
                prop_assert_eq!(permitted(Some(&all), status), permitted(None, like), "{:?}", permission);
            }
        }

        #[test]
        fn what_capabilities_do_not_name_is_denied((channel, user, status, grant) in case(), has_token: bool, claimed in 0..16_usize) {
            let options =
                ChannelOptions { subscribe: grant, publish: grant, see_presence: grant, see_history: grant, ..ChannelOptions::default() };
            let names: Vec<_> = Capability::ALL.into_iter().enumerate().filter(|(at, _)| claimed >> at & 1 == 1).map(|(_, each)| each.name()).collect();
            let some = capabilities(&format!("{{\"{channel}\":{names:?},\"other:*\":[\"subscribe\",\"publish\",\"presence\",\"history\"]}}"));
            let all = capabilities(r#"{"*":["subscribe","publish","presence","history"]}"#);
            let with = |capabilities| Requester { user: &user, capabilities: Some(capabilities) };
            let access = subscribe_access(&options, &channel, with(&some), has_token);
            let expected = if names.contains(&"subscribe") { subscribe_access(&options, &channel, with(&all), has_token) } else { Denied };
            prop_assert_eq!(access, expected);
            for (permission, name) in PERMISSIONS.into_iter().zip(["publish", "presence", "history"]) {
                let expected = names.contains(&name) && is_permitted(permission, &options, &channel, with(&all), status);
                prop_assert_eq!(is_permitted(permission, &options, &channel, with(&some), status), expected, "{:?}", permission);
            }
        }
    }
}
