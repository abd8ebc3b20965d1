//! Whether a request's cookies and passwords say what its user wants: one rule for all protocols.
//!
//! A browser adds the cookies of a host, and a password that it remembers, to every request for this host, whatever page causes it. So they count
//! only if the request tells that an allowed page caused it.

use super::origins::Origins;

/// What is known about the page that caused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestingPage {
    /// Its origin is allowed by name, or it has the origin of the request.
    Allowed,
    /// The request does not tell the page. It may come from a program, or a page may only embed its address.
    Untold,
    /// The request tells an origin, but every origin is allowed (`"*"`).
    Any,
}

impl RequestingPage {
    /// Judges a request whose origin was checked and is allowed. `site` is its header `Sec-Fetch-Site`
    /// (<https://www.w3.org/TR/fetch-metadata/>).
    pub fn new(origins: &Origins, has_origin: bool, site: Option<&[u8]>) -> Self {
        match (origins, has_origin) {
            _ if site == Some(b"same-origin") => Self::Allowed,
            (_, false) => Self::Untold,
            (Origins::Every, true) => Self::Any,
            (Origins::Same | Origins::Listed(_), true) => Self::Allowed,
        }
    }

    /// Tells which values of a header count. A browser may add cookies and passwords by itself, and never a bearer token (RFC 6750).
    pub fn filter(self, name: &str) -> fn(&[u8]) -> bool {
        match name {
            _ if self == Self::Allowed => |_| true,
            _ if name.eq_ignore_ascii_case("cookie") => |_| false,
            _ if name.eq_ignore_ascii_case("authorization") => is_bearer_token,
            _ => |_| true,
        }
    }
}

fn is_bearer_token(value: &[u8]) -> bool {
    value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

#[cfg(test)]
mod tests {
    use super::{
        RequestingPage::{Allowed, Any, Untold},
        *,
    };
    use std::collections::BTreeSet;

    #[test]
    fn a_page_is_known_by_an_origin_of_the_list_or_by_its_browser() {
        for (origins, with_origin) in [(Origins::Same, Allowed), (Origins::Listed(BTreeSet::new()), Allowed), (Origins::Every, Any)] {
            for (has_origin, site, page) in [
                (true, None, with_origin),
                (true, Some(&b"cross-site"[..]), with_origin),
                (true, Some(b"same-origin"), Allowed),
                (false, Some(b"same-origin"), Allowed),
                (false, None, Untold),
                (false, Some(b"none"), Untold),
                (false, Some(b"same-site"), Untold),
                (false, Some(b"Same-Origin"), Untold),
                (false, Some(b"same-origin, none"), Untold),
            ] {
                assert_eq!(RequestingPage::new(&origins, has_origin, site), page, "{origins} {has_origin} {site:?}");
            }
        }
    }

    #[test]
    fn what_browsers_add_needs_an_allowed_page() {
        for (name, value) in [
            ("Cookie", &b"session=1"[..]),
            ("cookie", b""),
            ("authorization", b"Basic abc"),
            ("Authorization", b"Negotiate"),
            ("authorization", b""),
            ("authorization", b"Bearer"),
        ] {
            let counts = [Allowed, Untold, Any].map(|page| page.filter(name)(value));
            assert_eq!(counts, [true, false, false], "{name} {}", value.escape_ascii());
        }
        for (name, value) in [("Authorization", &b"bearer abc"[..]), ("accept-language", b"en"), ("cookies", b"a=1")] {
            assert!(Untold.filter(name)(value) && Any.filter(name)(value), "{name}");
        }
    }
}
