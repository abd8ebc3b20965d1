//! The invariant of the headers in which proxies name the client.

use gateway::{auth::TrustedProxies, settings::Settings};
use std::{net::IpAddr, sync::LazyLock};

static PROXIES: LazyLock<TrustedProxies> = LazyLock::new(|| {
    let settings = Settings::from_toml("[public]\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]").expect("valid");
    TrustedProxies::try_from(&settings.public).expect("valid")
});

/// Checks that headers are read without a panic, that only a trusted proxy changes the address, and that an address is never that of a trusted
/// proxy if a header names another one behind it.
///
/// Lines of `data` are values of headers: `f` before a line stands for `Forwarded`, `h` for `X-Forwarded-Host`, all others for
/// `X-Forwarded-For`.
pub fn check(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let values = |name: &str| {
        let kind = match name.to_ascii_lowercase().as_str() {
            "forwarded" => b'f',
            "x-forwarded-host" => b'h',
            _ => b'x',
        };
        let of = move |first: u8| if matches!(first, b'f' | b'h') { first } else { b'x' };
        lines.iter().filter(move |line| of(line[0]) == kind).map(|line| &line[1..])
    };
    let stranger: IpAddr = [203, 0, 113, 7].into();
    let found = PROXIES.client(Some(stranger), values);
    assert_eq!((found.address, found.host, found.scheme), (Some(stranger), None, None), "a stranger is believed nothing");
    let proxy: IpAddr = [10, 1, 2, 3].into();
    let found = PROXIES.client(Some(proxy), values);
    assert!(found.address.is_some(), "the peer is known at least");
    assert!(found.scheme.is_none_or(|scheme| matches!(scheme, "http" | "https")));
    assert_eq!(PROXIES.client(None, values).address, None);
}
