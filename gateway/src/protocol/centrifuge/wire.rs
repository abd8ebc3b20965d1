//! The shapes of a frontend's frames. Fields that are not named here are skipped: a newer SDK may send them.

use super::bad_frame::BadFrame;
use crate::{
    model::{Data, ErrorCode, Refusal},
    protocol::{Command, ConnectRequest, HistoryRequest, RecoverFrom, Request, SubscribeRequest},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt, marker::PhantomData};

/// A bit of `SubscribeRequest.flag`: answer 112 rather than subscribe without recovery.
const REJECT_UNRECOVERED: i64 = 2;

/// One object of a message. Exactly one of the requests is there.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Frame<'a> {
    id: u32,
    #[serde(deserialize_with = "object")]
    connect: Option<Connect>,
    #[serde(deserialize_with = "object")]
    subscribe: Option<Subscribe>,
    #[serde(deserialize_with = "object")]
    unsubscribe: Option<Channel>,
    #[serde(borrow, deserialize_with = "object")]
    publish: Option<Publish<'a>>,
    #[serde(deserialize_with = "object")]
    presence: Option<Channel>,
    #[serde(deserialize_with = "object")]
    presence_stats: Option<Channel>,
    #[serde(deserialize_with = "object")]
    history: Option<History>,
    #[serde(borrow, deserialize_with = "object")]
    rpc: Option<Rpc<'a>>,
    #[serde(borrow, deserialize_with = "object")]
    send: Option<Send<'a>>,
    #[serde(deserialize_with = "object")]
    refresh: Option<Refresh>,
    #[serde(deserialize_with = "object")]
    sub_refresh: Option<SubRefresh>,
    ping: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Connect {
    token: String,
    name: String,
    version: String,
    subs: BTreeMap<String, Entry>,
    #[serde(deserialize_with = "object")]
    headers: Option<Headers>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Headers {
    traceparent: Option<String>,
}

/// One of `Connect.subs`.
#[derive(Deserialize)]
struct Entry(#[serde(deserialize_with = "object")] Option<Known>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Known {
    recover: bool,
    epoch: String,
    offset: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Subscribe {
    channel: String,
    token: String,
    recover: bool,
    epoch: String,
    offset: u64,
    join_leave: bool,
    flag: i64,
    #[serde(rename = "type")]
    kind: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Channel {
    channel: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Publish<'a> {
    channel: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct History {
    channel: String,
    limit: i32,
    #[serde(deserialize_with = "object")]
    since: Option<Since>,
    reverse: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Since {
    epoch: String,
    offset: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rpc<'a> {
    method: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Send<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refresh {
    token: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SubRefresh {
    channel: String,
    token: String,
    #[serde(rename = "type")]
    kind: i32,
}

/// An object, or null. Serde alone would take an array's items for the fields, in their order.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(Object(PhantomData))
}

impl Frame<'_> {
    /// The one command that the frame holds.
    pub(super) fn into_command(self) -> Result<Command, BadFrame> {
        let without_reply = self.send.is_some();
        let requests = [
            self.connect.map(Connect::into_request),
            self.subscribe.map(Subscribe::into_request),
            self.unsubscribe.map(|it| Request::Unsubscribe { channel: it.channel }),
            self.publish.map(Publish::into_request),
            self.presence.map(|it| Request::Presence { channel: it.channel }),
            self.presence_stats.map(|it| Request::PresenceStats { channel: it.channel }),
            self.history.map(History::into_request),
            self.rpc.map(Rpc::into_request),
            self.send.map(Send::into_request),
            self.refresh.map(|it| Request::Refresh { token: it.token }),
            self.sub_refresh.map(SubRefresh::into_request),
            self.ping.map(|_| Request::Ping),
        ];
        let mut requests = requests.into_iter().flatten();
        let request = requests.next().ok_or(BadFrame::NoCommand)?;
        if requests.next().is_some() {
            return Err(BadFrame::SeveralCommands);
        }
        match self.id {
            0 if !without_reply => Err(BadFrame::NoId),
            _ if without_reply => Ok(Command { id: 0, request }),
            id => Ok(Command { id, request }),
        }
    }
}

impl Connect {
    fn into_request(self) -> Request {
        let subs = self.subs.into_iter().map(|(channel, sub)| (channel, sub.0.and_then(Known::into_position)));
        Request::Connect(Box::new(ConnectRequest {
            token: self.token,
            name: self.name,
            version: self.version,
            subs: subs.collect(),
            traceparent: self.headers.and_then(|headers| headers.traceparent),
        }))
    }
}

impl Known {
    fn into_position(self) -> Option<RecoverFrom> {
        self.recover.then_some(RecoverFrom { epoch: self.epoch, offset: self.offset })
    }
}

impl Subscribe {
    fn into_request(self) -> Request {
        if self.kind != 0 {
            return not_available("subscriptions other than those to streams are");
        }
        let recover = Known { recover: self.recover, epoch: self.epoch, offset: self.offset };
        Request::Subscribe(Box::new(SubscribeRequest {
            channel: self.channel,
            token: self.token,
            recover: recover.into_position(),
            join_leave: self.join_leave,
            all_or_nothing: self.flag & REJECT_UNRECOVERED != 0,
        }))
    }
}

impl Publish<'_> {
    fn into_request(self) -> Request {
        if self.kind != 0 {
            return not_available("publishing into maps is");
        }
        with_data(self.data, |data| Request::Publish { channel: self.channel, data })
    }
}

impl History {
    fn into_request(self) -> Request {
        let since = self.since.map(|it| RecoverFrom { epoch: it.epoch, offset: it.offset });
        Request::History(HistoryRequest { channel: self.channel, limit: self.limit, since, reverse: self.reverse })
    }
}

impl Rpc<'_> {
    fn into_request(self) -> Request {
        with_data(self.data, |data| Request::Rpc { method: self.method, data })
    }
}

impl Send<'_> {
    fn into_request(self) -> Request {
        with_data(self.data, |data| Request::Send { data })
    }
}

impl SubRefresh {
    fn into_request(self) -> Request {
        if self.kind != 0 {
            return not_available("tracking keys is");
        }
        Request::SubRefresh { channel: self.channel, token: self.token }
    }
}

/// Missing data is `null`; data that is nested too deep refuses the command.
fn with_data(raw: Option<&RawValue>, request: impl FnOnce(Data) -> Request) -> Request {
    match raw.map_or_else(|| Ok(Data::null()), Data::parse) {
        Ok(data) => request(data),
        Err(error) => Request::Refused(Refusal::new(ErrorCode::BadRequest, format!("data {error}"))),
    }
}

fn not_available(what: &str) -> Request {
    Request::Refused(Refusal::new(ErrorCode::NotAvailable, format!("{what} not available here")))
}
