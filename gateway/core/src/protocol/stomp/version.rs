//! The versions of STOMP, and the WebSocket sub-protocols that stand for them.

/// A version of STOMP. The order is that of the versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.0, the version of clients that name none.
    V1_0,
    /// 1.1.
    V1_1,
    /// 1.2.
    V1_2,
}

/// The client speaks no version that the gateway speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accept-version names no version that this server speaks, which are 1.0,1.1,1.2")]
pub struct UnsupportedVersions;

impl Version {
    /// All versions, the lowest first.
    pub const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];
    /// All versions, as the `version` header of the ERROR to [`UnsupportedVersions`] lists them.
    pub const LIST: &str = "1.0,1.1,1.2";

    /// The number, as headers write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The highest version of an `accept-version` header that the gateway speaks; 1.0 without the header (STOMP 1.2, "Protocol Negotiation").
    pub fn negotiate(accept_version: Option<&str>) -> Result<Self, UnsupportedVersions> {
        let Some(accepted) = accept_version else { return Ok(Self::V1_0) };
        let accepts = |version: &Self| accepted.split(',').any(|name| name.trim_ascii() == version.as_str());
        Self::ALL.into_iter().rev().find(accepts).ok_or(UnsupportedVersions)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The sub-protocol for the answer to a handshake: the highest of the offered ones. `None`: the answer names none. `offered` are the values of
/// the `Sec-WebSocket-Protocol` headers.
///
/// It does not select the version: clients offer in any order, and only `accept-version` counts.
pub fn sub_protocol<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    const KNOWN: [&str; 3] = ["v10.stomp", "v11.stomp", "v12.stomp"];
    let names = offered.into_iter().flat_map(|value| value.split(','));
    let known = names.filter_map(|name| KNOWN.iter().position(|known| *known == name.trim_ascii()));
    known.max().and_then(|best| KNOWN.get(best).copied())
}
