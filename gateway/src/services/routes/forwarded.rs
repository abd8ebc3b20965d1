//! Headers and addresses of frontends, for the services that want them.
//!
//! A page cannot set headers of its WebSocket's request, so the frontend protocol lets it send some in its connect command. They are called
//! emulated, and services get them apart: a page can write into them what it likes.

use crate::settings::{self, Problems};
use gateway_core::model::{ErrorCode, Refusal};
use shared_proto::link::FrontendRequest;
use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

/// Largest number of headers in one list of the settings.
const NAMES: usize = 64;

/// Which parts of a frontend's request a service gets. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardedParts {
    /// Headers of the HTTP request.
    headers: Vec<Box<str>>,
    /// Headers of the connect command.
    emulated: Vec<Box<str>>,
    /// The address.
    address: bool,
}

impl ForwardedParts {
    /// Checks the settings of one route. `key` is the table.
    pub fn new(key: &str, route: &settings::Route) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let headers = names(&format!("{key}.forward_headers"), &route.forward_headers, &mut problems);
        let emulated = names(&format!("{key}.forward_emulated_headers"), &route.forward_emulated_headers, &mut problems);
        problems.into_result(Self { headers, emulated, address: route.forward_address })
    }

    /// The parts that either of two has.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (names, more) in [(&mut self.headers, &other.headers), (&mut self.emulated, &other.emulated)] {
            names.extend(more.iter().cloned());
            names.sort_unstable();
            names.dedup();
        }
        Self { address: self.address || other.address, ..self }
    }

    fn is_empty(&self) -> bool {
        !self.address && self.headers.is_empty() && self.emulated.is_empty()
    }
}

fn names(key: &str, names: &[String], problems: &mut Problems) -> Vec<Box<str>> {
    if names.len() > NAMES {
        problems.add(key, format!("expected up to {NAMES} names; found {}", names.len()));
    }
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        problems.add(key, format!("expected names of headers; found {bad:?}"));
    }
    names.iter().map(|name| name.to_ascii_lowercase().into()).collect()
}

/// The parts of one frontend's request that services get, as one block of text. Each line is a kind, a name, a colon and a value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeptRequest(Option<Arc<str>>);

/// Shows no header, because it may be a secret.
impl fmt::Debug for KeptRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRequest").field("bytes", &self.0.as_ref().map_or(0, |block| block.len())).finish_non_exhaustive()
    }
}

const HEADER: char = 'h';
const EMULATED: char = 'e';
const ADDRESS: char = 'a';

/// Keeps of a request what services get.
#[derive(Clone, Debug, Default)]
pub struct RequestKeeper {
    parts: ForwardedParts,
    /// Largest block, in bytes.
    limit: usize,
}

impl RequestKeeper {
    /// Keeps `parts`, and at most `limit` bytes for one connection.
    pub fn new(parts: ForwardedParts, limit: usize) -> Self {
        Self { parts, limit }
    }

    /// The parts of an HTTP request. `values` returns all values of a header.
    pub fn keep<'v, V: Iterator<Item = &'v [u8]>>(
        &self,
        address: Option<IpAddr>,
        values: impl Fn(&str) -> V,
    ) -> Result<KeptRequest, Refusal> {
        if self.parts.is_empty() {
            return Ok(KeptRequest::default());
        }
        let mut block = String::new();
        if let Some(address) = address.filter(|_| self.parts.address) {
            push_line(&mut block, ADDRESS, "", &address.to_canonical().to_string());
        }
        for name in &self.parts.headers {
            // RFC 9113, section 8.2.3; RFC 9110, section 5.3.
            let separator = if &**name == "cookie" { "; " } else { ", " };
            let texts: Vec<_> = values(name).map(text).collect();
            if !texts.is_empty() {
                push_line(&mut block, HEADER, name, &texts.join(separator));
            }
        }
        self.checked(block)
    }

    /// Adds headers of a connect command. Their names may have any case.
    pub fn add_emulated<'h>(
        &self,
        kept: &KeptRequest,
        headers: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    ) -> Result<KeptRequest, Refusal> {
        let mut block = String::new();
        for name in &self.parts.emulated {
            let mut values = headers.clone().filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            let Some(value) = values.next() else { continue };
            if values.next().is_some() {
                return Err(Refusal::new(ErrorCode::BadRequest, format!("The connect command has the header {name} twice.")));
            }
            if value.chars().any(char::is_control) {
                return Err(Refusal::new(
                    ErrorCode::BadRequest,
                    format!("The header {name} of the connect command has control characters."),
                ));
            }
            push_line(&mut block, EMULATED, name, value);
        }
        if block.is_empty() {
            return Ok(kept.clone());
        }
        block.insert_str(0, kept.0.as_deref().unwrap_or_default());
        self.checked(block)
    }

    fn checked(&self, block: String) -> Result<KeptRequest, Refusal> {
        if block.len() > self.limit {
            let detail = format!(
                "The headers that services get have {} bytes; connection.header_bytes allows {}. Send smaller headers.",
                block.len(),
                self.limit
            );
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        Ok(KeptRequest(Some(block).filter(|block| !block.is_empty()).map(Into::into)))
    }
}

/// The text of a header: UTF-8, otherwise ISO-8859-1 (RFC 9110, section 5.5).
fn text(value: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(value).map_or_else(|_| value.iter().copied().map(char::from).collect(), Cow::from)
}

fn push_line(block: &mut String, kind: char, name: &str, value: &str) {
    block.push(kind);
    for part in [name, ":", value, "\n"] {
        block.push_str(part);
    }
}

impl KeptRequest {
    /// What a service with this route gets.
    pub(crate) fn select(&self, parts: &ForwardedParts) -> Option<Box<FrontendRequest>> {
        let mut selected = FrontendRequest::default();
        for line in self.0.as_deref().unwrap_or_default().lines() {
            let (Some((name, value)), kind) = (line.get(1..).and_then(|rest| rest.split_once(':')), line.chars().next()) else { continue };
            let is_in = |names: &[Box<str>]| names.iter().any(|wanted| **wanted == *name);
            match kind {
                Some(HEADER) if is_in(&parts.headers) => drop(selected.headers.insert(name.into(), value.into())),
                Some(EMULATED) if is_in(&parts.emulated) => drop(selected.emulated_headers.insert(name.into(), value.into())),
                Some(ADDRESS) if parts.address => selected.address = Some(value.into()),
                _ => {}
            }
        }
        (selected != FrontendRequest::default()).then(|| Box::new(selected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn parts(headers: &[&str], emulated: &[&str], address: bool) -> ForwardedParts {
        let names = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        ForwardedParts { headers: names(headers), emulated: names(emulated), address }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    const ADDR: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

    fn keep(keeper: &RequestKeeper, headers: &[(&'static str, &'static [u8])]) -> Result<KeptRequest, Refusal> {
        let headers = headers.to_vec();
        keeper.keep(ADDR, |name| {
            let name = name.to_owned();
            headers.clone().into_iter().filter(move |(given, _)| *given == name).map(|(_, value)| value)
        })
    }

    #[test]
    fn a_service_gets_only_what_its_route_names() {
        let keeper = RequestKeeper::new(parts(&["cookie", "user-agent"], &["x-app"], true), 2048);
        let kept =
            keep(&keeper, &[("cookie", b"a=1"), ("cookie", b"b=2:\xc3\xa4"), ("authorization", b"Basic x"), ("user-agent", b"m\xe9")]);
        let kept = keeper.add_emulated(&kept.expect("small"), [("X-App", "shop"), ("cookie", "forged")].into_iter()).expect("small");
        let all = kept.select(&keeper.parts).expect("parts");
        assert_eq!(all.headers, map(&[("cookie", "a=1; b=2:ä"), ("user-agent", "mé")]));
        assert_eq!((all.emulated_headers, all.address.as_deref()), (map(&[("x-app", "shop")]), Some("192.0.2.1")));
        let some = kept.select(&parts(&["user-agent"], &["cookie"], false));
        let expected = FrontendRequest { headers: map(&[("user-agent", "mé")]), ..FrontendRequest::default() };
        assert_eq!(some, Some(Box::new(expected)));
        assert_eq!(kept.select(&parts(&["accept"], &[], false)), None);
    }

    #[test]
    fn nothing_is_kept_where_no_route_names_anything() {
        let keeper = RequestKeeper::new(ForwardedParts::default(), 0);
        let kept = keep(&keeper, &[("cookie", b"a=1")]).expect("nothing");
        assert_eq!(keeper.add_emulated(&kept, [("cookie", "a")].into_iter()), Ok(KeptRequest(None)));
    }

    #[test]
    fn too_large_and_malformed_headers_are_refused() {
        let keeper = RequestKeeper::new(parts(&["a"], &["b"], false), 16);
        let too_large = keep(&keeper, &[("a", b"1234567890123")]).expect_err("17 bytes");
        assert!(too_large.code == ErrorCode::LimitExceeded && too_large.detail.contains("17 bytes"), "{}", too_large.detail);
        let kept = keep(&keeper, &[("a", b"12345678")]).expect("12 bytes");
        let emulated = |headers: &[(&'static str, &'static str)]| keeper.add_emulated(&kept, headers.iter().copied());
        assert_eq!(emulated(&[("b", "x")]).expect_err("17 bytes").code, ErrorCode::LimitExceeded);
        assert_eq!(emulated(&[("b", "x\ny")]).expect_err("a line break").code, ErrorCode::BadRequest);
        assert_eq!(emulated(&[("b", "x"), ("B", "y")]).expect_err("twice").code, ErrorCode::BadRequest);
    }

    #[test]
    fn routes_are_combined_and_their_names_checked() {
        let all = parts(&["a"], &[], false).union(&parts(&["a", "b"], &["c"], true));
        assert_eq!(all, parts(&["a", "b"], &["c"], true));
        let settings =
            settings::Settings::from_toml("[services.bot]\nforward_headers = [\"User Agent\"]\nforward_emulated_headers = [\"\"]");
        let problems = ForwardedParts::new("services.bot", &settings.expect("valid").services["bot"].route).expect_err("bad names");
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["services.bot.forward_headers", "services.bot.forward_emulated_headers"]);
    }
}
