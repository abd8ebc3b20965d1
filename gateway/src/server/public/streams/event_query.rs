//! What a request for an event stream asks for.

use super::body::bad;
use actix_web::http::header::{self, HeaderMap};
use gateway_core::{
    event_source::Begin,
    model::{ChannelName, InvalidName, RecoverFrom, Refusal, Secret},
    protocol::event_stream::{ChannelList, LastEventId},
};
use shared_proto::http::query_pairs;

/// Where a browser says at which event it stopped (HTML standard, section 9.2.3).
const LAST_EVENT_ID: &str = "last-event-id";

/// What a request for an event stream asks for.
#[cfg_attr(test, derive(Debug))]
pub(super) struct EventQuery {
    pub(super) channels: ChannelList,
    pub(super) has_envelope: bool,
    pub(super) begin: Begin,
    /// The token of the query or the `Authorization` header.
    pub(super) token: Option<Secret>,
    /// Whether the client comes back by itself.
    pub(super) is_return: bool,
    /// Whether the last event of a client that comes back by itself was an `end`.
    pub(super) is_ended: bool,
}

/// The parameters as they were written.
#[derive(Default)]
struct Parameters {
    channels: Vec<ChannelName>,
    token: Option<String>,
    last_event_id: Option<String>,
    since: Option<String>,
    envelope: Option<String>,
}

impl EventQuery {
    /// Reads the query and the headers of a request. Other parameters do not count: clients add some against caches.
    pub(super) fn read(query: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let Parameters { channels, token, last_event_id, since, envelope } = Parameters::read(query)?;
        let channels = ChannelList::new(channels).map_err(|invalid| bad(invalid.to_string()))?;
        let has_envelope = match envelope.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(bad("envelope must be true or false.")),
        };
        // A browser sends the query again when it comes back, so the header is newer.
        let header = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty());
        let parse = |id: &[u8]| {
            let text = std::str::from_utf8(id.get(..=LastEventId::MAX).unwrap_or(id)).unwrap_or_default();
            LastEventId::parse(text, &channels).map_err(|wrong| bad(wrong.to_string()))
        };
        let last = header.map(|id| parse(id.as_bytes())).transpose()?;
        let is_ended = last.as_ref().is_some_and(|last| last.is_end);
        let begin = match (last, last_event_id.filter(|id| !id.is_empty()), since) {
            (Some(last), ..) => Begin::After(last.positions),
            (None, Some(_), Some(_)) => return Err(bad("The query has both lastEventId and since. Send one of them.")),
            (None, Some(id), None) => Begin::After(parse(id.as_bytes())?.positions),
            (None, None, Some(_)) if channels.len() > 1 => {
                return Err(bad("since is a position of one channel, and the request has several. Use lastEventId."));
            }
            (None, None, Some(since)) => Begin::Since(parse_since(&since)?),
            (None, None, None) => Begin::Now,
        };
        let token = token.map(Secret::from).or_else(|| bearer(headers));
        Ok(Self { channels, has_envelope, begin, token, is_return: header.is_some(), is_ended })
    }
}

impl Parameters {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut all = Self::default();
        for (name, value) in query_pairs(query) {
            let place = match &*name {
                "channel" if all.channels.len() > ChannelList::MAX => continue,
                "channel" => {
                    let channel = value.parse().map_err(|why: InvalidName| bad(format!("A channel's name {why}.")))?;
                    all.channels.push(channel);
                    continue;
                }
                "token" => &mut all.token,
                "lastEventId" => &mut all.last_event_id,
                "since" => &mut all.since,
                "envelope" => &mut all.envelope,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(bad(format!("The query has {name} twice. Send it once.")));
            }
        }
        Ok(all)
    }
}

/// Reads `epoch:offset`, or `:offset` for an offset of any epoch. `:0` means the oldest publication.
fn parse_since(text: &str) -> Result<RecoverFrom, Refusal> {
    let parsed = text.split_once(':').and_then(|(epoch, offset)| {
        let is_number = !offset.is_empty() && offset.bytes().all(|digit| digit.is_ascii_digit());
        let since = RecoverFrom { epoch: epoch.into(), offset: is_number.then(|| offset.parse().ok()).flatten()? };
        (epoch.is_empty() || since.position().is_some()).then_some(since)
    });
    parsed.ok_or_else(|| bad("since must be `epoch:offset` of an earlier answer, or `:offset`."))
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use gateway_core::protocol::event_stream::LastPositions;

    fn read(query: &str, headers: &[(&'static str, &str)]) -> Result<EventQuery, String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value")));
        EventQuery::read(query, &headers.collect()).map_err(|refusal| refusal.detail)
    }

    fn good(query: &str, headers: &[(&'static str, &str)]) -> EventQuery {
        read(query, headers).unwrap_or_else(|why| panic!("{query}: {why}"))
    }

    #[test]
    fn a_query_names_channels_and_more() {
        let query = good("channel=chat%3Aa&channel=%23alice&envelope=true&token=t%20x&_=123", &[]);
        assert_eq!(*query.channels, ["chat:a", "#alice"].map(|name| name.parse().expect("valid")));
        assert_eq!(
            (query.has_envelope, query.token.as_ref().map(Secret::expose), query.is_return, query.begin),
            (true, Some("t x"), false, Begin::Now)
        );
        let query = good("channel=a", &[]);
        assert_eq!((query.has_envelope, query.token, query.is_ended), (false, None, false));
    }

    #[test]
    fn a_token_comes_from_the_query_or_the_header() {
        assert_eq!(good("channel=a", &[("authorization", "bearer  abc")]).token.as_ref().map(Secret::expose), Some("abc"));
        assert_eq!(good("channel=a&token=q", &[("authorization", "Bearer abc")]).token.as_ref().map(Secret::expose), Some("q"));
        assert_eq!(good("channel=a", &[("authorization", "Basic abc")]).token, None);
    }

    #[test]
    fn the_header_is_newer_than_the_query() {
        let after = |text: &str| {
            Begin::After(
                LastEventId::parse(text, &ChannelList::new(vec!["a".parse().expect("valid")]).expect("one")).expect("an id").positions,
            )
        };
        let id = "abcd1234-7";
        let query = good("channel=a&lastEventId=abcd1234-1", &[("last-event-id", id)]);
        assert_eq!((&query.begin, query.is_return, query.is_ended), (&after(id), true, false));
        assert_eq!(good("channel=a&since=:0", &[("last-event-id", id)]).begin, after(id));
        let query = good("channel=a&lastEventId=abcd1234-1", &[("last-event-id", "")]);
        assert_eq!((&query.begin, query.is_return), (&after("abcd1234-1"), false));
        let query = good("channel=a", &[("last-event-id", "abcd1234-7~end")]);
        assert_eq!((&query.begin, query.is_return, query.is_ended), (&after(id), true, true));
        let query = good("channel=a&lastEventId=abcd1234-7~end", &[]);
        assert_eq!((&query.begin, query.is_return, query.is_ended), (&after(id), false, false), "a page goes on with a new token");
        let query = good("channel=a&channel=b", &[("last-event-id", id)]);
        assert_eq!(query.begin, Begin::After(LastPositions::OfOtherChannels));
    }

    #[test]
    fn since_is_a_position_of_one_channel() {
        let since = |epoch: &str, offset| Begin::Since(RecoverFrom { epoch: epoch.into(), offset });
        assert_eq!(good("channel=a&since=abcd1234:5", &[]).begin, since("abcd1234", 5));
        assert_eq!(good("channel=a&since=:0", &[]).begin, since("", 0));
    }

    #[test]
    fn other_requests_are_refused() {
        let long = "a".repeat(1 << 20);
        for (query, id) in [
            ("", ""),
            ("channel=", ""),
            ("channel=a%20b", ""),
            ("channel=a&channel=a", ""),
            ("channel=1&channel=2&channel=3&channel=4&channel=5&channel=6&channel=7&channel=8&channel=9", ""),
            ("channel=a&envelope=1", ""),
            ("channel=a&token=a&token=b", ""),
            ("channel=a&since=5", ""),
            ("channel=a&since=abc:5", ""),
            ("channel=a&since=:-5", ""),
            ("channel=a&since=:99999999999999999999", ""),
            ("channel=a&channel=b&since=:0", ""),
            ("channel=a&since=:0&lastEventId=abcd1234-7", ""),
            ("channel=a&lastEventId=x", ""),
            ("channel=a", "x"),
            ("channel=a", "\u{e4}bcd1234-7"),
            ("channel=a", &long),
        ] {
            assert!(read(query, &[("last-event-id", id)]).is_err(), "{query}");
        }
    }
}
