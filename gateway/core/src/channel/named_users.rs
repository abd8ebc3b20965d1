//! Users that the name of a channel names: `dialog:alice,bob`.
//!
//! Behind the namespace are the users, sorted by their bytes and separated by commas. In a user, each byte that the name of a channel cannot have,
//! and `,` and `~`, is `~` and two hex digits in capitals: `auth0|7` is `auth0~7C7`. So the same users always have the same channel.

use crate::model::{ChannelName, UserId};
use std::{borrow::Cow, fmt::Write as _};

/// Why a channel does not name users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsers {
    /// A part between commas is not the form of a user.
    #[error(
        "has a part that is no user: write each byte other than A-Z a-z 0-9 _ - . : / @ = + ! $ & ( ) ' * of a user as ~ and two hex digits \
         in capitals"
    )]
    NotAUser,
    /// The users are not in their order, or one occurs twice.
    #[error("has its users twice or in another order: sort them by their bytes, as in {0}")]
    Order(Box<str>),
}

/// Checks that the name of a channel names users.
pub(super) fn check_users(channel: &ChannelName) -> Result<(), InvalidUsers> {
    let mut users: Vec<_> = parts(channel).collect();
    if !users.iter().all(|part| is_user(part)) {
        return Err(InvalidUsers::NotAUser);
    }
    if users.is_sorted_by(|one, next| one < next) {
        return Ok(());
    }
    users.sort_unstable();
    users.dedup();
    let namespace = channel.namespace().map(|namespace| format!("{namespace}:"));
    Err(InvalidUsers::Order(format!("{}{}", namespace.unwrap_or_default(), users.join(",")).into()))
}

/// Whether the name of a channel names this user.
pub(super) fn names(channel: &ChannelName, user: &UserId) -> bool {
    let written = written(user);
    !user.is_anonymous() && parts(channel).any(|part| part == written)
}

/// What is behind the namespace, between commas.
fn parts(channel: &ChannelName) -> impl Iterator<Item = &str> {
    let users = channel.namespace().and_then(|namespace| channel.as_str().get(namespace.len() + 1..));
    users.unwrap_or(channel.as_str()).split(',')
}

/// A user as a channel names it.
fn written(user: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/@=+!$&()'*".contains(&byte);
    if user.bytes().all(is_plain) {
        return user.into();
    }
    let mut out = String::with_capacity(user.len() + 8);
    for byte in user.bytes() {
        if is_plain(byte) {
            out.push(byte.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "~{byte:02X}");
        }
    }
    out.into()
}

fn is_user(part: &str) -> bool {
    let user = read(part).and_then(|user| user.parse::<UserId>().ok());
    user.is_some_and(|user| !user.is_anonymous() && written(&user) == part)
}

/// The user that a part stands for.
fn read(part: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::with_capacity(part.len()), part.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        (out, rest) = if *first == b'~' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            (out, &after[2..])
        } else {
            out.push(*first);
            (out, after)
        };
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn channel(name: &str) -> ChannelName {
        name.parse().expect("a good name")
    }

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    #[test]
    fn a_channel_names_users_in_their_order() {
        for good in [
            "dialog:alice",
            "dialog:alice,bob",
            "dialog:Bob,alice",
            "dialog:a,a.b,aa",
            "dialog:urn:x:1,z",
            "dialog:auth0~7C7,a~2Cb",
            "dialog:J~C3~BCrgen",
        ] {
            assert_eq!(check_users(&channel(good)), Ok(()), "{good}");
        }
        for (bad, right) in [
            ("dialog:bob,alice", "dialog:alice,bob"),
            ("dialog:alice,alice", "dialog:alice"),
            ("dialog:c,a,b,a", "dialog:a,b,c"),
            ("dialog:alice,Bob", "dialog:Bob,alice"),
        ] {
            assert_eq!(check_users(&channel(bad)), Err(InvalidUsers::Order(right.into())), "{bad}");
            assert_eq!(check_users(&channel(right)), Ok(()), "{right}");
        }
        for bad in [
            "dialog:,",
            "dialog:,alice",
            "dialog:alice,",
            "dialog:alice,,bob",
            "dialog:a~",
            "dialog:a~2",
            "dialog:a~2c",
            "dialog:a~+C",
            "dialog:a~zz",
            "dialog:~61lice",
            "dialog:a~C3",
            "dialog:a~0Ab",
            "dialog:..",
            "dialog:~20a",
        ] {
            assert_eq!(check_users(&channel(bad)), Err(InvalidUsers::NotAUser), "{bad}");
        }
    }

    #[test]
    fn only_the_users_in_the_name_are_named() {
        let dialog = channel("dialog:alice,auth0~7C7,b~2Cc,dialog");
        for (id, expected) in [
            ("alice", true),
            ("auth0|7", true),
            ("b,c", true),
            ("dialog", true),
            ("", false),
            ("b", false),
            ("c", false),
            ("Alice", false),
            ("alic", false),
            ("auth0~7C7", false),
            ("alice,auth0~7C7", false),
        ] {
            assert_eq!(names(&dialog, &user(id)), expected, "{id}");
        }
    }

    proptest! {
        #[test]
        fn every_set_of_users_has_one_channel_that_names_exactly_these(ids in prop::collection::btree_set("[ -~äß🦀]{1,12}", 1..5), other in "[ -~äß🦀]{1,12}") {
            let users: Vec<UserId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
            prop_assume!(!users.is_empty());
            let parts: BTreeSet<_> = users.iter().map(|user| written(user).into_owned()).collect();
            prop_assert_eq!(parts.len(), users.len(), "no two users are written alike");
            let name = format!("dialog:{}", parts.into_iter().collect::<Vec<_>>().join(","));
            prop_assume!(name.len() <= 255);
            let channel = channel(&name);
            prop_assert_eq!(check_users(&channel), Ok(()));
            prop_assert!(users.iter().all(|user| names(&channel, user)));
            if let Ok(other) = other.parse::<UserId>() {
                prop_assert_eq!(names(&channel, &other), users.contains(&other));
            }
        }

        #[test]
        fn no_name_makes_the_check_panic(name in "dialog:[A-Za-c,~0-9:.]{1,20}") {
            let channel = channel(&name);
            if check_users(&channel).is_ok() {
                let parts: Vec<_> = parts(&channel).map(|part| read(part).expect("checked")).collect();
                prop_assert!(parts.iter().all(|id| names(&channel, &user(id))));
            }
        }
    }
}
