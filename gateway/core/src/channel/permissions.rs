//! Who may do what: decided by the channel's options, the user, and how the connection stands to the channel. Nothing else is asked.

use super::{ChannelOptions, Grant};
use crate::model::{ChannelName, UserId};

/// How a connection stands to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not subscribed.
    Stranger,
    /// Subscribed by its own wish alone.
    Subscriber,
    /// Subscribed by a token, or by the server on its behalf.
    Vouched,
}

/// What a frontend wants to do in a channel, beside subscribing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Publish.
    Publish,
    /// See who is there, or how many.
    SeePresence,
    /// Read the stream.
    SeeHistory,
}

/// Whether a connection may subscribe by its own wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Granted,
    /// It may if the token that it sent is good.
    AfterToken,
    /// It may not.
    Denied,
}

/// Whether `user` may subscribe to `channel`.
///
/// A good token opens every channel that frontends may subscribe to at all. A personal channel is its owner's, who needs no grant, and
/// nobody else's whatever the options say.
pub fn admission(options: &ChannelOptions, channel: &ChannelName, user: &UserId, has_token: bool) -> Admission {
    match (channel.owner(), options.subscribe) {
        (Some(owner), _) if owner == user.as_str() => Admission::Granted,
        (Some(_), _) | (None, Grant::Nobody) => Admission::Denied,
        (None, _) if has_token => Admission::AfterToken,
        (None, grant) if grants(grant, user, Standing::Stranger) => Admission::Granted,
        (None, _) => Admission::Denied,
    }
}

/// Whether `user` may do `act` in `channel`. In a personal channel only its owner, and only what the options grant.
pub fn may(act: Act, options: &ChannelOptions, channel: &ChannelName, user: &UserId, standing: Standing) -> bool {
    let grant = match act {
        Act::Publish => options.publish,
        Act::SeePresence => options.see_presence,
        Act::SeeHistory => options.see_history,
    };
    channel.is_of(user) && grants(grant, user, standing)
}

fn grants(grant: Grant, user: &UserId, standing: Standing) -> bool {
    match grant {
        Grant::Nobody => false,
        Grant::Token => standing == Standing::Vouched,
        Grant::Subscriber => standing != Standing::Stranger,
        Grant::Authenticated => !user.is_anonymous(),
        Grant::Anyone => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Admission::{AfterToken, Denied, Granted};
    use Standing::{Stranger, Subscriber, Vouched};

    const GRANTS: [Grant; 5] = [Grant::Nobody, Grant::Token, Grant::Subscriber, Grant::Authenticated, Grant::Anyone];

    fn channel(name: &str) -> ChannelName {
        name.parse().expect("a good name")
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    #[test]
    fn subscribing_needs_the_grant_or_a_good_token() {
        for (grant, anonymous, known, with_token) in [
            (Grant::Nobody, Denied, Denied, Denied),
            (Grant::Token, Denied, Denied, AfterToken),
            (Grant::Subscriber, Denied, Denied, AfterToken),
            (Grant::Authenticated, Denied, Granted, AfterToken),
            (Grant::Anyone, Granted, Granted, AfterToken),
        ] {
            let options = ChannelOptions { subscribe: grant, ..ChannelOptions::default() };
            assert_eq!(admission(&options, &channel("a:b"), &user(""), false), anonymous, "{grant:?}");
            assert_eq!(admission(&options, &channel("a:b"), &user("alice"), false), known, "{grant:?}");
            assert_eq!(admission(&options, &channel("a:b"), &user(""), true), with_token, "{grant:?}");
        }
    }

    #[test]
    fn a_personal_channel_is_its_owners_alone() {
        for subscribe in GRANTS {
            let options = ChannelOptions { subscribe, publish: Grant::Anyone, ..ChannelOptions::default() };
            assert_eq!(admission(&options, &channel("#alice"), &user("alice"), false), Granted);
            for stranger in ["bob", ""] {
                assert_eq!(admission(&options, &channel("#alice"), &user(stranger), true), Denied, "even with a token");
                assert!(!may(Act::Publish, &options, &channel("#alice"), &user(stranger), Vouched));
            }
            assert!(may(Act::Publish, &options, &channel("#alice"), &user("alice"), Vouched));
        }
        assert!(!may(Act::Publish, &ChannelOptions::default(), &channel("#alice"), &user("alice"), Vouched), "nor without a grant");
    }

    #[test]
    fn each_act_has_a_grant_of_its_own() {
        for (grant, allowed) in [
            (Grant::Nobody, [false, false, false]),
            (Grant::Token, [false, false, true]),
            (Grant::Subscriber, [false, true, true]),
            (Grant::Anyone, [true, true, true]),
        ] {
            let only = |act| match act {
                Act::Publish => ChannelOptions { publish: grant, ..ChannelOptions::default() },
                Act::SeePresence => ChannelOptions { see_presence: grant, ..ChannelOptions::default() },
                Act::SeeHistory => ChannelOptions { see_history: grant, ..ChannelOptions::default() },
            };
            for act in [Act::Publish, Act::SeePresence, Act::SeeHistory] {
                for (standing, expected) in [Stranger, Subscriber, Vouched].into_iter().zip(allowed) {
                    assert_eq!(may(act, &only(act), &channel("c"), &user(""), standing), expected, "{grant:?} {act:?} {standing:?}");
                }
                for other in [Act::Publish, Act::SeePresence, Act::SeeHistory].into_iter().filter(|&other| other != act) {
                    assert!(!may(other, &only(act), &channel("c"), &user("alice"), Vouched), "{act:?} is not {other:?}");
                }
            }
        }
        let authenticated = ChannelOptions { publish: Grant::Authenticated, ..ChannelOptions::default() };
        assert!(may(Act::Publish, &authenticated, &channel("c"), &user("alice"), Stranger));
        assert!(!may(Act::Publish, &authenticated, &channel("c"), &user(""), Vouched));
    }
}
