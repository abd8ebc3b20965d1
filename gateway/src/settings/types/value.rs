//! The types of settings, and how each is read and shown.

use config::{Value, ValueKind};
use gateway_core::model::{JsonPointer, ServiceName};
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeMap, fmt, net::SocketAddr, str::FromStr, time::Duration};

/// The origin of a value from a variable, as the crate `config` names it.
const OF_VARIABLES: &str = "the environment";

/// A type of setting.
pub(in crate::settings) trait Setting: Clone {
    /// The expected notation, as messages describe it.
    const EXPECTED: &'static str;
    /// Whether no message may show the value, even if it is invalid.
    const SECRET: bool = false;
    /// Reads the value. Returns `None` if it has the wrong type or notation. A value from a variable or a flag is always text.
    fn read(kind: &ValueKind) -> Option<Self>;
    /// The value in the notation of `default.toml`. Does not show a secret.
    fn show(&self) -> String;
}

/// A number of bytes, written as an integer or as `"64KiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub(in crate::settings) usize);

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

pub(in crate::settings) const KIB: usize = 1 << 10;
pub(in crate::settings) const MIB: usize = 1 << 20;
pub(in crate::settings) const GIB: usize = 1 << 30;
const SIZES: [(&str, usize); 4] = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Splits a text such as `10s` into number and unit.
fn measured(text: &str) -> Option<(u64, &str)> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..unit].parse().ok()?, text[unit..].trim_start()))
}

impl FromStr for ByteSize {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, unit) = text.parse().map(|number| (number, "B")).ok().or_else(|| measured(text)).ok_or(())?;
        let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit).ok_or(())?;
        usize::try_from(number).ok().and_then(|number| number.checked_mul(*bytes)).map(Self).ok_or(())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: usize| self.0 >= unit && self.0.is_multiple_of(unit);
        let (name, unit) = SIZES.iter().find(|(_, unit)| fits(*unit)).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Setting for ByteSize {
    const EXPECTED: &'static str = "a number of bytes such as 65536 or \"64KiB\" (B, KiB, MiB, GiB)";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::String(text) => text.parse().ok(),
            _ => usize::read(kind).map(Self),
        }
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

/// Reads a duration such as `10s`, `250ms`, `5m`, `168h` or `30d`. A number without a unit is refused.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = measured(text)?;
    let (_, millis) = TIMES.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// Writes a duration in the notation that [`parse_duration`] reads.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis() as u64;
    let (name, unit) = match millis {
        0 => &("s", 1_000),
        _ => TIMES.iter().find(|(_, unit)| millis.is_multiple_of(*unit)).unwrap_or(&("ms", 1)),
    };
    format!("{}{name}", millis / unit)
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration with its unit such as \"10s\" (ms, s, m, h, d)";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::String(text) => parse_duration(text),
            _ => None,
        }
    }

    fn show(&self) -> String {
        format!("\"{}\"", show_duration(*self))
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const EXPECTED: &'static str = "a whole number";

            fn read(kind: &ValueKind) -> Option<Self> {
                match kind {
                    ValueKind::I64(number) => Self::try_from(*number).ok(),
                    ValueKind::U64(number) => Self::try_from(*number).ok(),
                    ValueKind::String(text) => text.parse().ok(),
                    _ => None,
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_number!(u16, u32, usize);

impl Setting for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::Float(number) => Some(*number),
            ValueKind::String(text) => text.parse().ok(),
            _ => u32::read(kind).map(Self::from),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::Boolean(value) => Some(*value),
            ValueKind::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a string";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// The name of a service; none: no service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceRef(pub Option<ServiceName>);

impl Setting for ServiceRef {
    const EXPECTED: &'static str = "the name of a service, or \"\"";

    fn read(kind: &ValueKind) -> Option<Self> {
        match String::read(kind)?.as_str() {
            "" => Some(Self(None)),
            name => name.parse().ok().map(|name| Self(Some(name))),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", self.0.as_deref().unwrap_or_default())
    }
}

impl Setting for SecretString {
    const EXPECTED: &'static str = "a string";
    const SECRET: bool = true;

    fn read(kind: &ValueKind) -> Option<Self> {
        String::read(kind).map(Self::from)
    }

    fn show(&self) -> String {
        String::from(if self.expose_secret().is_empty() { "\"\"" } else { "(a secret)" })
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port such as \"127.0.0.1:8000\" or \"[::1]:8000\"";

    fn read(kind: &ValueKind) -> Option<Self> {
        String::read(kind)?.parse().ok()
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of strings; in a variable, separate them with commas";

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::Array(values) => values.iter().map(|value: &Value| String::read(&value.kind)).collect(),
            ValueKind::String(text) => {
                Some(text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()).map(String::from).collect())
            }
            _ => None,
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// The scopes of an API key. None: it may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeList(pub Option<Vec<String>>);

impl Setting for ScopeList {
    const EXPECTED: &'static str = "a list of scopes such as [\"publish:chat:*\", \"read\"]";

    fn read(kind: &ValueKind) -> Option<Self> {
        Vec::read(kind).map(|scopes| Self(Some(scopes)))
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(String::new, Setting::show)
    }
}

/// A list of URLs. Their queries may contain secrets, so they are not shown. In a variable the URLs are separated by commas.
#[derive(Clone, Default)]
pub struct UrlList(pub Vec<String>);

impl Setting for UrlList {
    const EXPECTED: &'static str = "a list of URLs; in a variable, separate them with commas";
    const SECRET: bool = true;

    fn read(kind: &ValueKind) -> Option<Self> {
        Vec::read(kind).map(Self)
    }

    fn show(&self) -> String {
        let each = |url: &String| url.split_once('?').map_or_else(|| url.clone(), |(before, _)| format!("{before}?…"));
        self.0.iter().map(each).collect::<Vec<_>>().show()
    }
}

impl fmt::Debug for UrlList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

/// A list of secrets. In a variable they are separated by commas.
#[derive(Clone, Debug, Default)]
pub struct SecretList(pub Vec<SecretString>);

/// Secrets by name, in the order of their names. In the name of a variable, `_` stands for a dash.
#[derive(Clone, Debug, Default)]
pub struct SecretMap(pub Vec<(String, SecretString)>);

impl Setting for SecretList {
    const EXPECTED: &'static str = "a list of strings; in a variable, separate them with commas";
    const SECRET: bool = true;

    fn read(kind: &ValueKind) -> Option<Self> {
        Vec::read(kind).map(|texts: Vec<String>| Self(texts.into_iter().map(Into::into).collect()))
    }

    fn show(&self) -> String {
        let each: Vec<_> = self.0.iter().map(Setting::show).collect();
        format!("[{}]", each.join(", "))
    }
}

impl Setting for SecretMap {
    const EXPECTED: &'static str = "a table of strings by name";
    const SECRET: bool = true;

    fn read(kind: &ValueKind) -> Option<Self> {
        let ValueKind::Table(table) = kind else { return None };
        let mut all = BTreeMap::new();
        // The name of a variable cannot contain a dash.
        let (of_variables, others): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.origin() == Some(OF_VARIABLES));
        for (name, value) in others {
            all.insert(name.clone(), SecretString::read(&value.kind)?);
        }
        for (name, value) in of_variables {
            all.insert(name.replace('_', "-"), SecretString::read(&value.kind)?);
        }
        Some(Self(all.into_iter().collect()))
    }

    fn show(&self) -> String {
        let each: Vec<_> = self.0.iter().map(|(name, value)| format!("{name:?} = {}", value.show())).collect();
        if each.is_empty() { "{}".into() } else { format!("{{ {} }}", each.join(", ")) }
    }
}

/// A JSON Pointer (RFC 6901), or none, written as an empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(pub Option<JsonPointer>);

impl Setting for Pointer {
    const EXPECTED: &'static str = "a JSON Pointer such as \"/id\" (up to 8 steps and 255 bytes), or \"\"";

    fn read(kind: &ValueKind) -> Option<Self> {
        match String::read(kind)?.as_str() {
            "" => Some(Self(None)),
            text => text.parse().ok().map(|pointer| Self(Some(pointer))),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", self.0.as_ref().map_or("", JsonPointer::as_str))
    }
}

/// What decides which calls keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderedBy {
    /// The connection.
    Connection,
    /// Nothing: no calls keep their order.
    Nothing,
    /// A member of the call's data.
    Member(JsonPointer),
}

impl Setting for OrderedBy {
    const EXPECTED: &'static str = "\"connection\", \"none\" or a JSON Pointer such as \"/room\" (up to 8 steps and 255 bytes)";

    fn read(kind: &ValueKind) -> Option<Self> {
        Some(match String::read(kind)?.as_str() {
            "connection" => Self::Connection,
            "none" => Self::Nothing,
            pointer => Self::Member(pointer.parse().ok()?),
        })
    }

    fn show(&self) -> String {
        let text = match self {
            Self::Connection => "connection",
            Self::Nothing => "none",
            Self::Member(pointer) => pointer.as_str(),
        };
        format!("{text:?}")
    }
}

/// Declares a setting's enum, with the word that stands for each variant.
macro_rules! choice {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* } $expected:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $crate::settings::types::value::Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn read(kind: &config::ValueKind) -> Option<Self> {
                match kind {
                    $(config::ValueKind::String(word) if word == $word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn show(&self) -> String {
                format!("{:?}", match self { $(Self::$variant => $word,)* })
            }
        }
    )*};
}
pub(in crate::settings) use choice;
