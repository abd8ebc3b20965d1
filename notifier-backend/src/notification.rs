//! Notifications: the request of a caller, its checks, and the data that frontends receive.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use shared_proto::json::or_default;
use shared_proto::name::{check_channel as check_channel_name, check_user as check_user_name};
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Maximum size of a title in bytes.
const TITLE_LIMIT: usize = 200;
/// Maximum size of a body in bytes.
const BODY_LIMIT: usize = 4000;
/// Maximum size of a link in bytes.
const LINK_LIMIT: usize = 2000;
/// Maximum time between the request and the delivery of a scheduled notification.
const MAX_SCHEDULE: Duration = Duration::from_hours(366 * 24);

/// Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl Millis {
    /// The current time of the system's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This time plus `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time minus `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time in UTC in the format of RFC 3339. Empty if the year is outside 0 to 9999.
    pub fn to_rfc3339(self) -> String {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        at.format(&Rfc3339).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let at = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Self)?;
        // The conversion to UTC can lead to a year outside the range of RFC 3339.
        Some(at).filter(|at| !at.to_rfc3339().is_empty())
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not an RFC 3339 time, such as 2030-01-31T12:00:00Z")))
    }
}

/// How urgent a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Information.
    #[default]
    Info,
    /// Something went well.
    Success,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
}

/// Body of `POST /v1/notifications`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NotificationRequest)]
pub struct Request {
    /// The user who receives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The users who receive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
    /// The channel whose subscribers receive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The title, 1 to 200 bytes.
    pub title: String,
    /// The text, at most 4,000 bytes.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    pub body: String,
    /// How urgent it is.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    pub level: Level,
    /// `http(s)://…`, or a path on the frontend's own site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The earliest time of the delivery, in the format of RFC 3339. Absent or past: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Millis>,
}

/// The receiver of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// All connections of a user.
    User(String),
    /// All subscribers of a channel.
    Channel(String),
}

impl Target {
    /// Parses the text that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ')? {
            ("user", name) => Some(Self::User(name.to_owned())),
            ("channel", name) => Some(Self::Channel(name.to_owned())),
            _ => None,
        }
    }

    /// The channel of the delivery.
    pub fn channel(&self) -> String {
        match self {
            Self::User(user) => format!("#{user}"),
            Self::Channel(channel) => channel.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {user}"),
            Self::Channel(channel) => write!(f, "channel {channel}"),
        }
    }
}

/// The data that frontends receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Envelope {
    /// Always `notification`.
    pub kind: String,
    /// The notification's id. Repeats have the same id, so that frontends can ignore them.
    pub id: String,
    /// The title, one line.
    pub title: String,
    /// The text.
    pub body: String,
    /// How urgent it is.
    pub level: Level,
    /// The page to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The scheduled time, or the time of acceptance, in the format of RFC 3339.
    pub at: String,
}

/// A checked notification.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The data that frontends receive.
    pub envelope: Envelope,
    /// The earliest time of its deliveries.
    pub due: Millis,
    /// Its receivers, without duplicates.
    pub targets: Vec<Target>,
}

impl Notification {
    /// Checks a request. The error names the invalid field.
    pub fn check(request: Request, id: String, now: Millis, users_limit: usize) -> Result<Self, String> {
        let targets = targets(request.user, request.users, request.channel, users_limit)?;
        check_size("title", &request.title, 1, TITLE_LIMIT)?;
        check_size("body", &request.body, 0, BODY_LIMIT)?;
        if let Some(link) = &request.link {
            check_link(link)?;
        }
        let at = request.at.unwrap_or(now);
        if at > now.plus(MAX_SCHEDULE) {
            return Err("`at` is more than a year ahead".to_owned());
        }
        let envelope = Envelope {
            kind: "notification".to_owned(),
            id,
            title: request.title,
            body: request.body,
            level: request.level,
            link: request.link,
            at: at.to_rfc3339(),
        };
        Ok(Self { envelope, due: at.max(now), targets })
    }
}

fn targets(user: Option<String>, users: Option<Vec<String>>, channel: Option<String>, limit: usize) -> Result<Vec<Target>, String> {
    match (user, users, channel) {
        (Some(user), None, None) => Ok(vec![check_user(user)?]),
        (None, None, Some(channel)) => Ok(vec![check_channel(channel)?]),
        (None, Some(users), None) if users.is_empty() || users.len() > limit => {
            Err(format!("`users` has {} entries; it must have 1 to {limit}", users.len()))
        }
        (None, Some(users), None) => {
            let unique: BTreeSet<Target> = users.into_iter().map(check_user).collect::<Result<_, _>>()?;
            Ok(unique.into_iter().collect())
        }
        _ => Err("exactly one of `user`, `users` and `channel` must be given".to_owned()),
    }
}

fn check_user(user: String) -> Result<Target, String> {
    check_user_name(&user).map_err(|why| format!("the user {user:?} {why}"))?;
    Ok(Target::User(user))
}

fn check_channel(channel: String) -> Result<Target, String> {
    check_channel_name(&channel).map_err(|why| format!("the channel {channel:?} {why}"))?;
    if channel.starts_with('#') {
        return Err(format!("{channel:?} is the personal channel of a user: give `user` instead"));
    }
    Ok(Target::Channel(channel))
}

fn check_link(link: &str) -> Result<(), String> {
    check_size("link", link, 1, LINK_LIMIT)?;
    let is_path = link.starts_with('/') && !link.starts_with("//");
    let is_url = link.starts_with("https://") || link.starts_with("http://");
    if (is_path || is_url) && !link.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        Ok(())
    } else {
        Err("`link` must begin with https://, http:// or a single /, and must not contain white space, control characters or \\".to_owned())
    }
}

fn check_size(field: &str, text: &str, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&text.len()) { Ok(()) } else { Err(format!("`{field}` has {} bytes; it must have {min} to {max}", text.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn check(json: &str) -> Result<Notification, String> {
        let request = shared_proto::json::read(json).map_err(|error| error.to_string())?;
        Notification::check(request, "n1".into(), NOW, 3)
    }

    #[test]
    fn the_envelope_has_the_documented_fields() {
        let made = check(r#"{"user":"alice","title":"T","body":"B","level":"warning","link":"/x","at":"2027-02-01T00:00:00+01:00"}"#)
            .expect("right");
        assert_eq!(
            serde_json::to_string(&made.envelope).expect("JSON"),
            r#"{"kind":"notification","id":"n1","title":"T","body":"B","level":"warning","link":"/x","at":"2027-01-31T23:00:00Z"}"#
        );
        assert_eq!(made.targets, [Target::User("alice".into())]);
        assert!(made.due > NOW);
    }

    #[test]
    fn each_user_is_notified_once_and_the_past_means_now() {
        let made = check(r#"{"users":["b","a","b"],"title":"T","at":"1999-01-01T00:00:00Z"}"#).expect("right");
        assert_eq!(made.targets, [Target::User("a".into()), Target::User("b".into())]);
        assert_eq!(made.due, NOW);
    }

    #[test]
    fn requests_follow_the_json_rules() {
        let all =
            r#"{"user":"a","users":["a"],"channel":"c","title":"T","body":"B","level":"error","link":"/","at":"2030-01-31T12:00:00Z"}"#;
        shared_proto::json::testing::check_members::<Request>(all, &[]);
    }

    #[test]
    fn an_error_names_the_invalid_field() {
        let long = |n: usize| "x".repeat(n);
        for (json, named) in [
            (r#"{"title":"T"}"#.to_owned(), "exactly one"),
            (r#"{"user":"a","channel":"b","title":"T"}"#.into(), "exactly one"),
            (r#"{"users":[],"title":"T"}"#.into(), "`users` has 0"),
            (r#"{"users":["a","b","c","d"],"title":"T"}"#.into(), "`users` has 4"),
            (r#"{"user":"","title":"T"}"#.into(), "is empty"),
            (r#"{"user":" a","title":"T"}"#.into(), "ends with a space"),
            (r#"{"users":["a","b\u200bc"],"title":"T"}"#.into(), "unassigned character"),
            (r#"{"user":"a\nb","title":"T"}"#.into(), "unassigned character"),
            (r#"{"user":"..","title":"T"}"#.into(), "a URL path cannot contain"),
            (r#"{"channel":".","title":"T"}"#.into(), "a URL path cannot contain"),
            (format!(r#"{{"user":"{}","title":"T"}}"#, long(255)), "longer than 254"),
            (r#"{"channel":"chat:","title":"T"}"#.into(), "before or after"),
            (r#"{"channel":"chat:ä","title":"T"}"#.into(), "a character other than"),
            (r#"{"channel":"a#b","title":"T"}"#.into(), "a character other than"),
            (r##"{"channel":"#alice","title":"T"}"##.into(), "give `user`"),
            (format!(r#"{{"channel":"{}","title":"T"}}"#, long(256)), "longer than 255"),
            (r#"{"user":"a"}"#.into(), "title"),
            (r#"{"user":"a","title":""}"#.into(), "`title` has 0"),
            (format!(r#"{{"user":"a","title":"{}"}}"#, long(201)), "`title` has 201"),
            (format!(r#"{{"user":"a","title":"T","body":"{}"}}"#, long(4001)), "`body` has 4001"),
            (r#"{"user":"a","title":"T","level":"loud"}"#.into(), "loud"),
            (r#"{"user":"a","title":"T","link":"javascript:alert(1)"}"#.into(), "`link`"),
            (r#"{"user":"a","title":"T","link":"//evil.example"}"#.into(), "`link`"),
            (r#"{"user":"a","title":"T","at":"tomorrow"}"#.into(), "at: \"tomorrow\" is not an RFC 3339 time"),
            (r#"{"user":"a","title":"T","at":"0000-01-01T00:00:00+01:00"}"#.into(), "is not an RFC 3339 time"),
            (r#"{"user":"a","title":"T","at":"2999-01-01T00:00:00Z"}"#.into(), "more than a year"),
            (r#"{"user":"a","title":"T","colour":"red"}"#.into(), "colour"),
            (r#"{"user":7,"title":"T"}"#.into(), "user: invalid type"),
            ("[]".into(), "expected an object"),
            (r#"{"user":"a","title":"T","level":["info"]}"#.into(), "level: "),
            (r#"{"user":"a","title":null}"#.into(), "title: invalid type: null"),
        ] {
            let error = check(&json).expect_err(&json);
            assert!(error.contains(named), "{json:.80}: {error}");
        }
    }

    #[test]
    fn a_parsed_target_equals_the_written_one() {
        for target in [Target::User("alice".into()), Target::User("channel {x} y".into()), Target::Channel("news:world".into())] {
            assert_eq!(Target::parse(&target.to_string()), Some(target));
        }
        assert_eq!(Target::parse("nonsense"), None);
    }
}
