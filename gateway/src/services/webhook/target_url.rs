//! The URL of a target, which may contain the method of the call.

use crate::outbound::Endpoint;
use gateway_core::model::{ErrorCode, Refusal};
use hyper::Uri;
use url::{Position, Url};

/// The place of the method in a URL.
const METHOD: &str = "{method}";
/// [`METHOD`] in the path of a parsed URL.
const ENCODED: &str = "%7Bmethod%7D";

/// The URL of one target of a service.
#[derive(Clone, Debug)]
pub(crate) struct TargetUrl {
    /// Without a query, for logs and operators.
    pub(crate) shown: Box<str>,
    pub(crate) endpoint: Endpoint,
    path: Path,
}

#[derive(Clone, Debug)]
enum Path {
    Fixed(Uri),
    /// The path before and after each place of the method.
    WithMethod(Box<[Box<str>]>),
}

impl TargetUrl {
    /// Reads a URL. The error completes a sentence that begins with the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| Endpoint::NO_URL)?;
        let outside = |place| [url.host_str(), url.query()].into_iter().flatten().any(|part| part.contains(place));
        if outside(METHOD) || outside(ENCODED) {
            return Err("has {method} outside the path");
        }
        let endpoint = Endpoint::of(&url)?;
        let parts: Box<[Box<str>]> = url[Position::BeforePath..].split(ENCODED).map(Into::into).collect();
        let example: Uri = parts.join("method").parse().map_err(|_| Endpoint::INVALID)?;
        let path = if parts.len() == 1 { Path::Fixed(example) } else { Path::WithMethod(parts) };
        let shown = url[..Position::AfterPath].replace(ENCODED, METHOD).into();
        Ok(Self { shown, endpoint, path })
    }

    /// The path and the query for a call of this method.
    pub(crate) fn path(&self, method: &str) -> Result<Uri, Refusal> {
        let parts = match &self.path {
            Path::Fixed(uri) => return Ok(uri.clone()),
            Path::WithMethod(parts) => parts,
        };
        // Servers remove these segments from a path, also if they are encoded.
        let refused = || Refusal::new(ErrorCode::BadRequest, format!("The method {method:?} cannot be part of a URL. Use another name."));
        if matches!(method, "." | "..") {
            return Err(refused());
        }
        parts.join(&encoded(method)).parse().map_err(|_| refused())
    }
}

/// The method as one segment of a path.
fn encoded(method: &str) -> String {
    let each = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    method.bytes().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str, method: &str) -> String {
        TargetUrl::parse(url).expect(url).path(method).expect(method).to_string()
    }

    #[test]
    fn the_method_is_one_encoded_segment_of_the_path() {
        for (url, method, expected) in [
            ("http://h:1/rpc", "say", "/rpc"),
            ("http://h:1", "say", "/"),
            ("https://h/{method}?v=1", "say", "/say?v=1"),
            ("https://h/a/{method}/b/{method}", "say", "/a/say/b/say"),
            ("https://h/{method}", "a/../b?c#d%2e", "/a%2F..%2Fb%3Fc%23d%252e"),
            ("https://h/{method}", "a.b:c", "/a.b%3Ac"),
            ("https://h/x{method}", "..", "error"),
        ] {
            if expected == "error" {
                let refusal = TargetUrl::parse(url).expect(url).path(method).expect_err(method);
                assert!(refusal.detail.contains("cannot be part of a URL"), "{}", refusal.detail);
            } else {
                assert_eq!(path(url, method), expected);
            }
        }
    }

    #[test]
    fn a_connection_and_its_requests_name_the_host() {
        for (url, host, port, header) in [
            ("http://Shop/rpc", "shop", 80, "shop"),
            ("https://shop/", "shop", 443, "shop"),
            ("https://shop:443/", "shop", 443, "shop"),
            ("http://shop:443/", "shop", 443, "shop:443"),
            ("http://[::1]:8080/?a", "::1", 8080, "[::1]:8080"),
            ("http://0x7f.1/", "127.0.0.1", 80, "127.0.0.1"),
        ] {
            let Endpoint { host: found, port: at, header: sent, .. } = TargetUrl::parse(url).expect(url).endpoint;
            assert_eq!((&*found, at, sent.to_str().expect("text")), (host, port, header), "{url}");
        }
    }

    #[test]
    fn hosts_that_are_addresses_are_recognised_in_every_notation() {
        for (url, address) in [
            ("http://169.254.169.254/", Some("169.254.169.254")),
            ("http://2852039166/", Some("169.254.169.254")),
            ("http://0xa9.0xfe.0xa9.0xfe/", Some("169.254.169.254")),
            ("http://[::ffff:169.254.169.254]/", Some("::ffff:169.254.169.254")),
            ("http://host/", None),
        ] {
            assert_eq!(TargetUrl::parse(url).expect(url).endpoint.address, address.map(|text| text.parse().expect("an address")), "{url}");
        }
    }

    #[test]
    fn a_wrong_url_has_a_reason_and_the_query_is_not_shown() {
        for (url, reason) in [
            ("", "is not a URL"),
            ("shop:8080", "does not begin with"),
            ("ftp://h/", "does not begin with"),
            ("http://", "is not a URL"),
            ("http://{method}/{method}", "outside the path"),
            ("http://h/?m=%7Bmethod%7D", "outside the path"),
            ("http://u:p@h/", "contains a user"),
            ("http://h/#a", "fragment"),
            ("http://h/?m={method}", "outside the path"),
        ] {
            let error = TargetUrl::parse(url).expect_err(url);
            assert!(error.contains(reason), "{url}: {error}");
        }
        assert_eq!(&*TargetUrl::parse("https://h/{method}?key=hush").expect("valid").shown, "https://h/{method}");
    }
}
