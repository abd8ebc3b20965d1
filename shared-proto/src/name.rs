//! What channels, users and services may be called: the same everywhere a name enters.

use std::fmt;

/// Why a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// Nothing there.
    Empty,
    /// Longer than so many bytes.
    TooLong(usize),
    /// A byte outside the allowed set.
    Character,
    /// `#` somewhere else than in front, or `:` in a personal channel.
    Personal,
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
            Self::Character => "holds a character other than A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *",
            Self::Personal => "holds '#' or ':' where a personal channel, '#user', does not allow it",
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

fn check(name: &str, most: usize, extra: impl Fn(u8) -> bool) -> Result<(), InvalidName> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/@=+,~!$&()'*".contains(&byte) || extra(byte);
    match name.len() {
        0 => Err(InvalidName::Empty),
        _ if matches!(name, "." | "..") => Err(InvalidName::Dots),
        bytes if bytes > most => Err(InvalidName::TooLong(most)),
        _ if !name.bytes().all(allowed) => Err(InvalidName::Character),
        _ => Ok(()),
    }
}

/// A channel: 1 to 255 bytes of `A-Z a-z 0-9 _ - . : / @ = + , ~ ! $ & ( ) ' *`. The first `:` ends the namespace; a leading `#` makes it
/// the personal channel of a user, in which there is no `:`. Not `.` or `..`.
pub fn check_channel(name: &str) -> Result<(), InvalidName> {
    check(name, CHANNEL, |byte| byte == b'#')?;
    let parts = name.split_once(':');
    match name.strip_prefix('#') {
        Some("") => Err(InvalidName::Empty),
        Some("." | "..") => Err(InvalidName::Dots),
        Some(user) if user.contains(['#', ':']) => Err(InvalidName::Personal),
        None if name.contains('#') => Err(InvalidName::Personal),
        None if parts.is_some_and(|(namespace, rest)| namespace.is_empty() || rest.is_empty()) => Err(InvalidName::EmptyPart),
        _ => Ok(()),
    }
}

/// A user: 1 to 254 bytes that may follow the `#` of a personal channel. Not `.` or `..`.
pub fn check_user(name: &str) -> Result<(), InvalidName> {
    check(name, USER, |_| false)?;
    if name.contains(':') { Err(InvalidName::Personal) } else { Ok(()) }
}

/// A service: 1 to 64 bytes of `a-z 0-9 _ -`.
pub fn check_service(name: &str) -> Result<(), InvalidName> {
    check(name, SERVICE, |_| false)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if name.bytes().all(allowed) { Ok(()) } else { Err(InvalidName::Character) }
}
