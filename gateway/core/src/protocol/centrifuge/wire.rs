//! The frames of frontends as serde types. Unknown fields are ignored, because a newer SDK may send them.

use super::bad_frame::BadFrame;
use crate::{
    model::{Data, ErrorCode, RecoverFrom, Refusal},
    protocol::{Command, ConnectRequest, HistoryRequest, Request, SubscribeRequest},
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;
use shared_proto::json::Object;
use std::collections::BTreeMap;

/// A bit of `SubscribeRequest.flag`: the client wants error 112 if the recovery fails.
const REJECT_UNRECOVERED: i64 = 2;

/// One line of a message. Exactly one of the commands is present.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Frame<'a> {
    id: u32,
    connect: Option<Object<Connect>>,
    subscribe: Option<Object<Subscribe>>,
    unsubscribe: Option<Object<Channel>>,
    #[serde(borrow)]
    publish: Option<Object<Publish<'a>>>,
    presence: Option<Object<Channel>>,
    presence_stats: Option<Object<Channel>>,
    history: Option<Object<History>>,
    #[serde(borrow)]
    rpc: Option<Object<Rpc<'a>>>,
    #[serde(borrow)]
    send: Option<Object<Send<'a>>>,
    refresh: Option<Object<Refresh>>,
    sub_refresh: Option<Object<SubRefresh>>,
    ping: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Connect {
    token: String,
    subs: BTreeMap<String, Object<Known>>,
    headers: Object<Headers>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Headers {
    traceparent: Option<String>,
}

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
    #[serde(borrow, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct History {
    channel: String,
    limit: i32,
    since: Option<Object<Since>>,
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

impl Frame<'_> {
    /// The command of the frame.
    pub(super) fn into_command(self) -> Result<Command, BadFrame> {
        let without_reply = self.send.is_some();
        let requests = [
            self.connect.map(|Object(it)| it.into_request()),
            self.subscribe.map(|Object(it)| it.into_request()),
            self.unsubscribe.map(|Object(it)| Request::Unsubscribe { channel: it.channel }),
            self.publish.map(|Object(it)| it.into_request()),
            self.presence.map(|Object(it)| Request::Presence { channel: it.channel }),
            self.presence_stats.map(|Object(it)| Request::PresenceStats { channel: it.channel }),
            self.history.map(|Object(it)| it.into_request()),
            self.rpc.map(|Object(it)| it.into_request()),
            self.send.map(|Object(it)| it.into_request()),
            self.refresh.map(|Object(it)| Request::Refresh { token: it.token }),
            self.sub_refresh.map(|Object(it)| it.into_request()),
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
        let subs = self.subs.into_iter().map(|(channel, Object(sub))| (channel, sub.into_position()));
        Request::Connect(Box::new(ConnectRequest { token: self.token, subs: subs.collect(), traceparent: self.headers.0.traceparent }))
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
        match self.data {
            Some(data) => with_data(Some(data), |data| Request::Publish { channel: self.channel, data }),
            None => Request::Refused(Refusal::new(ErrorCode::BadRequest, "data is missing; null would be data")),
        }
    }
}

impl History {
    fn into_request(self) -> Request {
        let since = self.since.map(|Object(it)| RecoverFrom { epoch: it.epoch, offset: it.offset });
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

/// For required data: `null` is data and does not count as missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Reads missing data as `null`. Data that is nested too deep refuses the command.
fn with_data(raw: Option<&RawValue>, request: impl FnOnce(Data) -> Request) -> Request {
    match raw.map_or_else(|| Ok(Data::null()), Data::parse) {
        Ok(data) => request(data),
        Err(error) => Request::Refused(Refusal::new(ErrorCode::BadRequest, format!("data {error}"))),
    }
}

fn not_available(what: &str) -> Request {
    Request::Refused(Refusal::new(ErrorCode::NotAvailable, format!("{what} not available here")))
}
