//! What channels, users and services may be called: the same everywhere a name enters. Names are compared byte by byte; nothing normalises them.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use std::fmt;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// Nothing there.
    Empty,
    /// Longer than so many bytes.
    TooLong(usize),
    /// A character that is none of these.
    Character(&'static str),
    /// In a user: a control, format, separator or unassigned character.
    Invisible,
    /// In a user: a space at an end.
    Space,
    /// `.` or `..`: a URL cannot hold them as a part of its path.
    Dots,
    /// Nothing before or after the colon.
    EmptyPart,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong(most) => return write!(f, "is longer than {most} bytes"),
            Self::Character(allowed) => return write!(f, "holds a character other than {allowed}"),
            Self::Invisible => "holds a control, format, separator or unassigned character",
            Self::Space => "begins or ends with a space",
            Self::Dots => "is '.' or '..', which no path can hold",
            Self::EmptyPart => "has nothing before or after its first ':'",
        })
    }
}

impl std::error::Error for InvalidName {}

/// Bytes of a channel's name at most.
const CHANNEL: usize = 255;
/// Of a user's: a personal channel is one byte longer.
const USER: usize = CHANNEL - 1;
/// Of a service's.
const SERVICE: usize = 64;

/// A channel. A leading `#` makes it the personal channel of the user whose name follows, as [`check_user`] has it. Any other has 1 to 255 bytes of
/// `A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *`, where the first `:` ends the namespace, and is not `.` or `..`.
pub fn check_channel(name: &str) -> Result<(), InvalidName> {
    check_size(name, CHANNEL)?;
    if let Some(user) = name.strip_prefix('#') {
        return check_user(user);
    }
    check_characters(name, "A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *", |byte| {
        byte.is_ascii_alphanumeric() || b"_-.:/@=+,~!$&()'*".contains(&byte)
    })?;
    match name.split_once(':') {
        Some(("", _) | (_, "")) => Err(InvalidName::EmptyPart),
        _ => check_dots(name),
    }
}

/// A user, whatever an identity provider calls it: 1 to 254 bytes of UTF-8 without control, format, line and paragraph separator and unassigned
/// characters (Unicode's general categories Cc, Cf, Zl, Zp and Cn), without spaces at the ends, and not `.` or `..`.
pub fn check_user(name: &str) -> Result<(), InvalidName> {
    check_size(name, USER)?;
    if !name.chars().all(is_visible) {
        return Err(InvalidName::Invisible);
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err(InvalidName::Space);
    }
    check_dots(name)
}

/// A service: 1 to 64 bytes of `a-z 0-9 _ -`.
pub fn check_service(name: &str) -> Result<(), InvalidName> {
    check_size(name, SERVICE)?;
    check_characters(name, "a-z 0-9 _ -", |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-')
}

fn check_size(name: &str, most: usize) -> Result<(), InvalidName> {
    match name.len() {
        0 => Err(InvalidName::Empty),
        bytes if bytes > most => Err(InvalidName::TooLong(most)),
        _ => Ok(()),
    }
}

fn check_characters(name: &str, set: &'static str, is_allowed: impl Fn(u8) -> bool) -> Result<(), InvalidName> {
    if name.bytes().all(is_allowed) { Ok(()) } else { Err(InvalidName::Character(set)) }
}

fn check_dots(name: &str) -> Result<(), InvalidName> {
    if matches!(name, "." | "..") { Err(InvalidName::Dots) } else { Ok(()) }
}

/// Private use is allowed: such characters are never assigned otherwise.
fn is_visible(character: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, Unassigned};
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    !matches!(category, Control | Format | LineSeparator | ParagraphSeparator | Unassigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_every_identity_provider_are_taken() {
        for user in [
            "alice",
            "auth0|507f1f77bcf86cd799439020",
            "google-oauth2|103547991597142817347",
            "f:5e8f2b9a-realm:jürgen",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "spiffe://example.org/ns/default/sa/web",
            "@alice:matrix.example.org",
            "CN=Alice Müller,O=Example\\, Inc.",
            "#a",
            "a#b:c",
            "100%",
            "%2e%2e",
            "...",
            "{a}",
            "*?[a-z]^",
            "a\u{a0}b",
            "山田 太郎",
            "👩\u{fe0f}",
            "\u{e000}",
            "\u{fffd}",
            &"u".repeat(254),
            &"ü".repeat(127),
        ] {
            assert_eq!((check_user(user), check_channel(&format!("#{user}"))), (Ok(()), Ok(())), "{user}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_no_part_of_a_user() {
        use InvalidName::{Dots, Empty, Invisible, Space, TooLong};
        for (user, why) in [
            ("", Empty),
            (&*"u".repeat(255), TooLong(254)),
            (&*"ü".repeat(128), TooLong(254)),
            (".", Dots),
            ("..", Dots),
            (" a", Space),
            ("a ", Space),
            (" ", Space),
            ("a\u{a0}", Space),
            ("\u{3000}a", Space),
            ("a\nb", Invisible),
            ("a\tb", Invisible),
            ("a\0", Invisible),
            ("a\u{7f}", Invisible),
            ("a\u{85}b", Invisible),
            ("a\u{ad}b", Invisible),
            ("a\u{200b}b", Invisible),
            ("a\u{200d}b", Invisible),
            ("a\u{202e}b", Invisible),
            ("a\u{2028}b", Invisible),
            ("a\u{2029}b", Invisible),
            ("\u{feff}a", Invisible),
            ("a\u{e0041}", Invisible),
            ("a\u{378}", Invisible),
            ("a\u{ffff}", Invisible),
            ("a\u{10ffff}", Invisible),
        ] {
            assert_eq!(check_user(user), Err(why), "{user:?}");
            let channel = if user.len() == 255 || user.len() == 256 { TooLong(CHANNEL) } else { why };
            assert_eq!(check_channel(&format!("#{user}")), Err(channel), "#{user:?}");
        }
    }

    #[test]
    fn every_name_says_what_it_may_hold() {
        for (refused, says) in [
            (check_channel("a b"), "holds a character other than A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *"),
            (check_channel("a#b"), "holds a character other than A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *"),
            (check_service("Bot"), "holds a character other than a-z 0-9 _ -"),
            (check_service("."), "holds a character other than a-z 0-9 _ -"),
            (check_user("a\nb"), "holds a control, format, separator or unassigned character"),
        ] {
            assert_eq!(refused.map_err(|why| why.to_string()), Err(says.to_owned()));
        }
    }
}
