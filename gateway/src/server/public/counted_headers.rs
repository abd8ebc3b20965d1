//! The headers of a request, without those that must not count.

use crate::auth::{Origins, RequestingPage};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use std::cell::Cell;

/// The headers of a request whose origin was checked. Cookies and passwords count only if the request comes from an allowed page.
pub(super) struct CountedHeaders<'h> {
    headers: &'h HeaderMap,
    page: RequestingPage,
    /// Whether somebody asked for a value that does not count.
    has_ignored: Cell<bool>,
}

impl<'h> CountedHeaders<'h> {
    pub(super) fn new(headers: &'h HeaderMap, origins: &Origins) -> Self {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let page = RequestingPage::new(origins, headers.contains_key(header::ORIGIN), site);
        Self { headers, page, has_ignored: Cell::new(false) }
    }

    /// The values of a header that count.
    pub(super) fn values<'c>(&'c self, name: &str) -> impl Iterator<Item = &'h [u8]> + use<'c, 'h> {
        let counts = self.page.filter(name);
        self.headers.get_all(name).map(HeaderValue::as_bytes).filter(move |value| self.note(counts(value)))
    }

    /// The value of a cookie, if it counts.
    pub(super) fn cookie(&self, name: &str) -> Option<&'h str> {
        let all = self.headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
        let mut named = all.filter_map(|cookie| cookie.trim().split_once('=')).filter(|(each, _)| *each == name);
        let (_, value) = named.next()?;
        self.note(self.page.filter("cookie")(value.as_bytes())).then(|| value.trim_matches('"'))
    }

    /// Of which kind the page is because of which a value was asked for in vain. `None`: all values counted.
    pub(super) fn ignored(&self) -> Option<RequestingPage> {
        self.has_ignored.get().then_some(self.page)
    }

    fn note(&self, counts: bool) -> bool {
        self.has_ignored.set(self.has_ignored.get() || !counts);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_name() {
        let headers = headers(&[("origin", "https://a.example"), ("cookie", "a=1;  b=\"2\" ;ab=3; c"), ("cookie", "d=4; a=5")]);
        let counted = CountedHeaders::new(&headers, &Origins::Same);
        for (name, value) in [("a", Some("1")), ("b", Some("2")), ("ab", Some("3")), ("d", Some("4")), ("c", None), ("A", None), ("", None)]
        {
            assert_eq!(counted.cookie(name), value, "{name}");
        }
        assert_eq!(counted.ignored(), None);
    }

    #[test]
    fn values_that_do_not_count_are_noticed_if_somebody_asks_for_them() {
        let of_page = [("origin", "https://a.example"), ("cookie", "a=1"), ("authorization", "Basic x"), ("user-agent", "u")];
        let headers = headers(&of_page);
        let count = |name: &str, counted: &CountedHeaders<'_>| counted.values(name).count();
        let allowed = CountedHeaders::new(&headers, &Origins::Same);
        assert_eq!((count("cookie", &allowed), count("authorization", &allowed), allowed.ignored()), (1, 1, None));
        let any = CountedHeaders::new(&headers, &Origins::Every);
        assert_eq!((count("user-agent", &any), any.cookie("b"), any.ignored()), (1, None, None), "nobody asked for them");
        assert_eq!((count("Authorization", &any), any.ignored()), (0, Some(RequestingPage::Any)));
        for asks in [|it: &CountedHeaders<'_>| it.cookie("a").is_none(), |it: &CountedHeaders<'_>| it.values("cookie").next().is_none()] {
            let any = CountedHeaders::new(&headers, &Origins::Every);
            assert!(asks(&any) && any.ignored() == Some(RequestingPage::Any));
        }
    }
}
