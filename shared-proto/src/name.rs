//! Rules for the names of channels, users and services. They are the same in all interfaces. Names are compared byte by byte, without Unicode
//! normalisation.

use icu_properties::{CodePointMapData, props::GeneralCategory};
use std::fmt;

/// Why a name is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// The name is empty.
    Empty,
    /// The name is longer than this number of bytes.
    TooLong(usize),
    /// The name contains a character other than these.
    Character(&'static str),
    /// The user contains a control, format, separator or unassigned character.
    Invisible,
    /// The user begins or ends with a space.
    Space,
    /// The name is `.` or `..`, which cannot be a segment of a URL's path.
    Dots,
    /// The part before or after the colon is empty.
    EmptyPart,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong(max) => return write!(f, "is longer than {max} bytes"),
            Self::Character(allowed) => return write!(f, "contains a character other than {allowed}"),
            Self::Invisible => "contains a control, format, separator or unassigned character",
            Self::Space => "begins or ends with a space",
            Self::Dots => "is '.' or '..', which a URL path cannot contain",
            Self::EmptyPart => "has an empty part before or after its first ':'",
        })
    }
}

impl std::error::Error for InvalidName {}

/// Maximum size of a channel's name in bytes.
const CHANNEL_MAX: usize = 255;
/// Maximum size of a user's name in bytes. The name of a personal channel is one byte longer.
const USER_MAX: usize = CHANNEL_MAX - 1;
/// Maximum size of a service's name in bytes.
const SERVICE_MAX: usize = 64;

/// Checks the name of a channel.
///
/// A leading `#` marks a personal channel; the rest is the user's name, see [`check_user`]. Any other name has 1 to 255 bytes of
/// `A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *` and is not `.` or `..`. The first `:` ends the namespace.
pub fn check_channel(name: &str) -> Result<(), InvalidName> {
    check_size(name, CHANNEL_MAX)?;
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

/// Checks the name of a user, which may be any id of an identity provider.
///
/// It has 1 to 254 bytes of UTF-8, no spaces at its ends, and is not `.` or `..`. It contains no control, format, line separator, paragraph
/// separator and unassigned characters (Unicode's general categories Cc, Cf, Zl, Zp and Cn).
pub fn check_user(name: &str) -> Result<(), InvalidName> {
    check_size(name, USER_MAX)?;
    if !name.chars().all(is_visible) {
        return Err(InvalidName::Invisible);
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err(InvalidName::Space);
    }
    check_dots(name)
}

/// Checks the name of a service: 1 to 64 bytes of `a-z 0-9 _ -`.
pub fn check_service(name: &str) -> Result<(), InvalidName> {
    check_size(name, SERVICE_MAX)?;
    check_characters(name, "a-z 0-9 _ -", |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-')
}

/// Whether two names differ at most in the case of their letters, in any script: `Bot` and `BOT`, `Straße` and `STRASSE`.
pub fn equal_ignoring_case(one: &str, other: &str) -> bool {
    // Some letters have no lower or upper case of their own, such as the Kelvin sign and the long s. Both steps together change them too.
    let folded = |name: &str| name.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).collect::<String>();
    folded(one) == folded(other)
}

fn check_size(name: &str, max: usize) -> Result<(), InvalidName> {
    match name.len() {
        0 => Err(InvalidName::Empty),
        bytes if bytes > max => Err(InvalidName::TooLong(max)),
        _ => Ok(()),
    }
}

fn check_characters(name: &str, set: &'static str, is_allowed: impl Fn(u8) -> bool) -> Result<(), InvalidName> {
    if name.bytes().all(is_allowed) { Ok(()) } else { Err(InvalidName::Character(set)) }
}

fn check_dots(name: &str) -> Result<(), InvalidName> {
    if matches!(name, "." | "..") { Err(InvalidName::Dots) } else { Ok(()) }
}

/// Private-use characters are visible, because Unicode will never assign another meaning to them.
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
    fn names_are_compared_without_their_case() {
        for (one, other) in [
            ("bot", "BoT"),
            ("jürgen", "JÜRGEN"),
            ("Straße", "STRASSE"),
            ("straẞe", "strasse"),
            ("ΣΊΣ", "σίς"),
            ("\u{212a}", "k"),
            ("\u{17f}", "S"),
        ] {
            assert!(equal_ignoring_case(one, other) && equal_ignoring_case(other, one), "{one} {other}");
        }
        for (one, other) in [("bot", "bots"), ("bot", "b0t"), ("jurgen", "jürgen"), ("", "a")] {
            assert!(!equal_ignoring_case(one, other), "{one} {other}");
        }
    }

    #[test]
    fn user_ids_of_identity_providers_are_valid() {
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
    fn users_with_invisible_characters_are_invalid() {
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
            let channel = if user.len() == 255 || user.len() == 256 { TooLong(CHANNEL_MAX) } else { why };
            assert_eq!(check_channel(&format!("#{user}")), Err(channel), "#{user:?}");
        }
    }

    #[test]
    fn an_error_names_the_allowed_characters() {
        for (result, message) in [
            (check_channel("a b"), "contains a character other than A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *"),
            (check_channel("a#b"), "contains a character other than A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *"),
            (check_service("Bot"), "contains a character other than a-z 0-9 _ -"),
            (check_service("."), "contains a character other than a-z 0-9 _ -"),
            (check_user("a\nb"), "contains a control, format, separator or unassigned character"),
        ] {
            assert_eq!(result.map_err(|error| error.to_string()), Err(message.to_owned()));
        }
    }
}
