//! Checks the answers of guards. An answer with anything unexpected is not valid. Pure.

use super::counters::QuestionResult;
use gateway_core::{
    model::{ChannelName, Content, Data, Meta, UserId},
    session::SubscribePermit,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use shared_proto::{
    content::ContentMembers,
    guard::{ConnectAnswer, Disconnect, Error, PublishAnswer, SubscribeAnswer},
    json,
};
use std::{ops::RangeInclusive, time::Duration};

/// Codes with which a guard may refuse.
const ERRORS: RangeInclusive<u32> = 400..=999;
/// Codes with which a guard may close a connection.
const CLOSES: RangeInclusive<u16> = 4000..=4999;
/// Longest text of an error, in bytes; the rest is cut off.
const MESSAGE_MAX: usize = 1024;
/// Longest close reason, in bytes (RFC 6455, section 5.5); the rest is cut off.
const REASON_MAX: usize = 123;
/// Longest time for which an answer is remembered.
const CACHE_MAX: Duration = Duration::from_hours(24);

/// What a guard decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// It is allowed, on these terms.
    Allowed(T),
    /// It is refused.
    Refused {
        /// A code from 400 to 999.
        code: u32,
        /// A text for the developer of the frontend, at most 1 KiB.
        message: String,
        /// Whether a repeat may succeed.
        temporary: bool,
    },
    /// The connection has to be closed.
    Disconnect {
        /// Close code, 4000 to 4999.
        code: u16,
        /// Close reason, at most 123 bytes.
        reason: Box<str>,
    },
}

impl<T> Decision<T> {
    pub(super) fn result(&self) -> QuestionResult {
        match self {
            Self::Allowed(_) => QuestionResult::Allowed,
            Self::Refused { .. } => QuestionResult::Refused,
            Self::Disconnect { .. } => QuestionResult::Disconnected,
        }
    }
}

/// The terms on which a connection is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectTerms {
    /// The user that the service names; none: it names no user.
    pub user: Option<UserId>,
    /// Data that other connections see.
    pub info: Option<Data>,
    /// What the service keeps with the connection.
    pub meta: Option<Meta>,
    /// What the reply says to the application.
    pub data: Option<Data>,
    /// Channels to which the connection is subscribed.
    pub channels: Vec<ChannelName>,
    /// How long the answer is valid; none: it does not expire.
    pub expires_in: Option<Duration>,
}

impl ConnectTerms {
    /// Who the connection is. `by_token`: the user of its token, anonymous if the gateway verified none.
    pub fn user<'a>(&'a self, by_token: &'a UserId) -> &'a UserId {
        self.user.as_ref().filter(|_| by_token.is_anonymous()).unwrap_or(by_token)
    }

    /// Checks that they fit the user of the token. The error says which member does not, and why.
    pub(super) fn check(&self, by_token: &UserId) -> Result<(), String> {
        let user = self.user(by_token);
        if self.user.as_ref().is_some_and(|named| !named.is_anonymous() && named != user) {
            return Err(format!("user: the token names {by_token:?}"));
        }
        match self.channels.iter().find(|channel| !channel.is_of(user)) {
            Some(other) => Err(format!("channels: {other} is the personal channel of another user")),
            None => Ok(()),
        }
    }
}

/// A valid answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<T> {
    pub(super) decision: Decision<T>,
    /// How long it is remembered; zero: not at all.
    pub(super) cache: Duration,
}

/// An answer whose terms are not checked yet.
trait Members: DeserializeOwned + Default {
    type Terms;
    /// Takes the members with which the service refuses, and the seconds for which the answer is remembered.
    fn take_ends(&mut self) -> (Option<Error>, Option<Disconnect>, Option<u64>);
    fn has_terms(&self) -> bool;
    /// The error says which member is not valid, and why.
    fn terms(self) -> Result<Self::Terms, String>;
}

pub(super) fn connect(data: &Data) -> Result<Answer<ConnectTerms>, String> {
    read::<ConnectAnswer>(data)
}

pub(super) fn subscribe(data: &Data) -> Result<Answer<SubscribePermit>, String> {
    read::<SubscribeAnswer>(data)
}

/// None: the publication stays as it is.
pub(super) fn publish(data: &Data) -> Result<Answer<Option<Content>>, String> {
    read::<PublishAnswer>(data)
}

fn read<A: Members>(data: &Data) -> Result<Answer<A::Terms>, String> {
    let mut answer = match data.get() {
        "null" => A::default(),
        text => json::read(text).map_err(|error| error.to_string())?,
    };
    let (error, disconnect, cache) = answer.take_ends();
    let cache = Duration::from_secs(cache.unwrap_or_default());
    if cache > CACHE_MAX {
        return Err(format!("cache: at most {} seconds are allowed", CACHE_MAX.as_secs()));
    }
    if (error.is_some() || disconnect.is_some()) && answer.has_terms() || error.is_some() && disconnect.is_some() {
        return Err("`error` and `disconnect` exclude each other and all other members but `cache`".into());
    }
    let decision = match (error, disconnect) {
        (Some(error), _) => refused(error)?,
        (None, Some(disconnect)) => closes(disconnect)?,
        (None, None) => Decision::Allowed(answer.terms()?),
    };
    Ok(Answer { decision, cache })
}

fn refused<T>(Error { code, mut message, retryable }: Error) -> Result<Decision<T>, String> {
    if !ERRORS.contains(&code) {
        return Err(format!("error.code: {code} is not from {} to {}", ERRORS.start(), ERRORS.end()));
    }
    message.truncate(message.floor_char_boundary(MESSAGE_MAX));
    Ok(Decision::Refused { code, message, temporary: retryable })
}

fn closes<T>(Disconnect { code, reason }: Disconnect) -> Result<Decision<T>, String> {
    if !CLOSES.contains(&code) {
        return Err(format!("disconnect.code: {code} is not from {} to {}", CLOSES.start(), CLOSES.end()));
    }
    Ok(Decision::Disconnect { code, reason: reason[..reason.floor_char_boundary(REASON_MAX)].into() })
}

impl Members for ConnectAnswer {
    type Terms = ConnectTerms;

    fn take_ends(&mut self) -> (Option<Error>, Option<Disconnect>, Option<u64>) {
        (self.error.take(), self.disconnect.take(), self.cache)
    }

    fn has_terms(&self) -> bool {
        let Self { user, info, meta, data, channels, expires_in, .. } = self;
        user.is_some() || info.is_some() || meta.is_some() || data.is_some() || !channels.is_empty() || expires_in.is_some()
    }

    fn terms(self) -> Result<ConnectTerms, String> {
        let meta = opaque("meta", self.meta.as_deref())?.map(Meta::check).transpose().map_err(|error| format!("meta: it {error}"))?;
        let channel = |name: &String| name.parse::<ChannelName>().map_err(|error| format!("channels: {name:?} {error}"));
        Ok(ConnectTerms {
            user: self.user.map(|user| user.parse()).transpose().map_err(|error| format!("user: it {error}"))?,
            info: opaque("info", self.info.as_deref())?,
            meta: meta.flatten(),
            data: opaque("data", self.data.as_deref())?,
            channels: self.channels.iter().map(channel).collect::<Result<_, _>>()?,
            expires_in: expiry(self.expires_in)?,
        })
    }
}

impl Members for SubscribeAnswer {
    type Terms = SubscribePermit;

    fn take_ends(&mut self) -> (Option<Error>, Option<Disconnect>, Option<u64>) {
        (self.error.take(), self.disconnect.take(), self.cache)
    }

    fn has_terms(&self) -> bool {
        let Self { info, data, join_leave, expires_in, .. } = self;
        info.is_some() || data.is_some() || join_leave.is_some() || expires_in.is_some()
    }

    fn terms(self) -> Result<SubscribePermit, String> {
        let (info, data) = (opaque("info", self.info.as_deref())?, opaque("data", self.data.as_deref())?);
        Ok(SubscribePermit { info, data, expires_in: expiry(self.expires_in)?, join_leave: self.join_leave })
    }
}

impl Members for PublishAnswer {
    type Terms = Option<Content>;

    fn take_ends(&mut self) -> (Option<Error>, Option<Disconnect>, Option<u64>) {
        (self.error.take(), self.disconnect.take(), None)
    }

    fn has_terms(&self) -> bool {
        self.data.is_some() || self.text.is_some() || self.data_base64.is_some()
    }

    fn terms(self) -> Result<Option<Content>, String> {
        if !self.has_terms() {
            return Ok(None);
        }
        let members = ContentMembers { data: self.data, text: self.text, data_base64: self.data_base64 };
        let body = members.read().map_err(|error| error.to_string())?;
        crate::publish::parse_content(body).map(Some).map_err(|refusal| refusal.detail)
    }
}

fn opaque(name: &str, raw: Option<&RawValue>) -> Result<Option<Data>, String> {
    raw.map(Data::parse).transpose().map_err(|error| format!("{name}: it {error}"))
}

fn expiry(seconds: Option<u64>) -> Result<Option<Duration>, String> {
    match seconds {
        Some(0) => Err("expires_in: at least 1 second is needed".into()),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Data {
        Data::parse(serde_json::from_str(text).expect("JSON")).expect("shallow")
    }

    #[test]
    fn null_and_an_empty_object_allow() {
        for text in ["null", "{}", r#"{"error":null,"disconnect":null}"#] {
            assert_eq!(connect(&data(text)), Ok(Answer { decision: Decision::Allowed(ConnectTerms::default()), cache: Duration::ZERO }));
            assert_eq!(subscribe(&data(text)).map(|it| it.decision), Ok(Decision::Allowed(SubscribePermit::default())), "{text}");
            assert_eq!(publish(&data(text)).map(|it| it.decision), Ok(Decision::Allowed(None)), "{text}");
        }
    }

    #[test]
    fn the_terms_are_read() {
        let all = r#"{"user":"alice","info":{"n":1},"meta":[2],"data":null,"channels":["news"],"expires_in":60,"cache":5}"#;
        let Ok(Answer { decision: Decision::Allowed(terms), cache }) = connect(&data(all)) else { panic!("not allowed") };
        assert_eq!((terms.user.as_deref(), terms.info, terms.data), (Some("alice"), Some(data(r#"{"n":1}"#)), Some(data("null"))));
        assert_eq!(terms.meta.map(|meta| meta.raw().get().to_owned()).as_deref(), Some("[2]"));
        assert_eq!((terms.channels[0].as_str(), terms.expires_in, cache), ("news", Some(Duration::from_mins(1)), Duration::from_secs(5)));
        let all = r#"{"info":1,"data":2,"join_leave":false,"expires_in":1}"#;
        let expected = SubscribePermit {
            info: Some(data("1")),
            data: Some(data("2")),
            expires_in: Some(Duration::from_secs(1)),
            join_leave: Some(false),
        };
        assert_eq!(subscribe(&data(all)).map(|it| it.decision), Ok(Decision::Allowed(expected)));
        let replaced = |text| publish(&data(text)).map(|it| it.decision);
        assert_eq!(replaced(r#"{"data":null}"#), Ok(Decision::Allowed(Some(data("null").into()))));
        assert_eq!(replaced(r#"{"text":"a"}"#), Ok(Decision::Allowed(Some(Content::Text("a".into())))));
        assert_eq!(replaced(r#"{"data_base64":"/w=="}"#), Ok(Decision::Allowed(Some(Content::Bytes([255].into())))));
    }

    #[test]
    fn a_guard_refuses_and_disconnects_with_its_own_codes() {
        let refused = subscribe(&data(r#"{"error":{"code":403,"message":"no","retryable":true},"cache":9}"#)).expect("valid");
        assert_eq!(refused.decision, Decision::Refused { code: 403, message: "no".into(), temporary: true });
        assert_eq!(refused.cache, Duration::from_secs(9));
        let long = "ü".repeat(600);
        let Ok(Answer { decision: Decision::Refused { message, .. }, .. }) =
            connect(&data(&format!(r#"{{"error":{{"code":400,"message":"{long}"}}}}"#)))
        else {
            panic!("not refused")
        };
        assert_eq!(message.len(), 1024);
        let Ok(Answer { decision: Decision::Disconnect { code: 4999, reason }, .. }) =
            publish(&data(&format!(r#"{{"disconnect":{{"code":4999,"reason":"{long}"}}}}"#)))
        else {
            panic!("not disconnected")
        };
        assert_eq!(reason.len(), 122);
    }

    #[test]
    fn everything_unexpected_is_named() {
        let long = format!(r#"{{"meta":"{}"}}"#, "x".repeat(1023));
        for (text, named) in [
            ("1", "expected an object"),
            ("true", "expected an object"),
            (r#""allow""#, "expected an object"),
            ("[]", "expected an object"),
            (r#"{"allow":true}"#, "unknown field `allow`"),
            (r#"{"user":7}"#, "user: invalid type"),
            (r#"{"user":"a\u0000"}"#, "user: it contains"),
            (&long, "meta: it has 1025 bytes"),
            (r#"{"channels":["a b"]}"#, "channels: \"a b\" contains"),
            (r#"{"channels":"a"}"#, "channels: invalid type"),
            (r#"{"expires_in":0}"#, "expires_in: at least"),
            (r#"{"expires_in":-1}"#, "expires_in: invalid value"),
            (r#"{"expires_in":1.5}"#, "expires_in: invalid type"),
            (r#"{"cache":86401}"#, "cache: at most 86400"),
            (r#"{"error":{}}"#, "error: missing field `code`"),
            (r#"{"error":{"code":399}}"#, "error.code: 399 is not"),
            (r#"{"error":{"code":1000}}"#, "error.code: 1000 is not"),
            (r#"{"error":{"code":400,"temporary":true}}"#, "error.temporary: unknown field"),
            (r#"{"error":{"code":400},"info":1}"#, "exclude each other"),
            (r#"{"error":{"code":400},"disconnect":{"code":4000}}"#, "exclude each other"),
            (r#"{"disconnect":{"code":3999}}"#, "disconnect.code: 3999 is not"),
            (r#"{"disconnect":{"code":5000}}"#, "disconnect.code: 5000 is not"),
            (r#"{"disconnect":{"code":70000}}"#, "disconnect.code: invalid value"),
        ] {
            let error = connect(&data(text)).expect_err(text);
            assert!(error.contains(named), "{text}: {error}");
        }
        for (text, named) in [
            (r#"{"data":1,"text":"a"}"#, "`data` and `text`"),
            (r#"{"data_base64":"?"}"#, "`data_base64`"),
            (r#"{"data":1,"error":{"code":400}}"#, "exclude each other"),
            (r#"{"cache":1}"#, "unknown field `cache`"),
        ] {
            let error = publish(&data(text)).expect_err(text);
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
