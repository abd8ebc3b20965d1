//! The frames of frontends as serde types. Unknown members are ignored, because a newer SDK may send them. Each member is optional, because the
//! protocol defines defaults only. The code that uses a member checks whether it is present.

use crate::{
    channel::{FilterNode, InvalidFilter, TagsFilter},
    model::{Data, RecoverFrom, Secret},
    protocol::{
        Command, ConnectRequest, HistoryRequest, Request,
        centrifuge::{
            bad_frame::BadFrame,
            request::{self, DataError, SubscribeFields, only_command, with_data},
        },
    },
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;
use shared_proto::json::Object;
use std::collections::BTreeMap;

/// One line of a message. Exactly one of the commands is present.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Frame<'a> {
    id: Option<u32>,
    #[serde(borrow)]
    connect: Option<Object<Connect<'a>>>,
    #[serde(borrow)]
    subscribe: Option<Object<Subscribe<'a>>>,
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

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Connect<'a> {
    token: Option<Secret>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    subs: Option<BTreeMap<String, Option<Object<RememberedPosition>>>>,
    /// A value that is no string counts as absent.
    headers: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct RememberedPosition {
    recover: Option<bool>,
    epoch: Option<String>,
    offset: Option<u64>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Subscribe<'a> {
    channel: Option<String>,
    token: Option<Secret>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    recover: Option<bool>,
    epoch: Option<String>,
    offset: Option<u64>,
    join_leave: Option<bool>,
    flag: Option<i64>,
    #[serde(rename = "type")]
    kind: Option<i32>,
    delta: Option<String>,
    #[serde(borrow)]
    tf: Option<&'a RawValue>,
}

/// A node of a filter. Unlike in other objects, a filter that cannot be read refuses only its command.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Filter {
    op: Option<String>,
    key: Option<String>,
    cmp: Option<String>,
    val: Option<String>,
    vals: Option<Vec<String>>,
    nodes: Option<Vec<Object<Filter>>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Channel {
    channel: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Publish<'a> {
    channel: Option<String>,
    #[serde(borrow, default, deserialize_with = "required_data")]
    data: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: Option<i32>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct History {
    channel: Option<String>,
    limit: Option<i32>,
    since: Option<Object<Since>>,
    reverse: Option<bool>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Since {
    epoch: Option<String>,
    offset: Option<u64>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Rpc<'a> {
    method: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Send<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Refresh {
    token: Option<Secret>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct SubRefresh {
    channel: Option<String>,
    token: Option<Secret>,
    #[serde(rename = "type")]
    kind: Option<i32>,
}

impl Frame<'_> {
    /// The command of the frame.
    pub(super) fn into_command(self) -> Result<Command, BadFrame> {
        let has_reply = self.send.is_none();
        let requests = [
            self.connect.map(|Object(it)| it.into_request()),
            self.subscribe.map(|Object(it)| it.into_request()),
            self.unsubscribe.map(|Object(it)| Request::Unsubscribe { channel: it.name() }),
            self.publish.map(|Object(it)| it.into_request()),
            self.presence.map(|Object(it)| Request::Presence { channel: it.name() }),
            self.presence_stats.map(|Object(it)| Request::PresenceStats { channel: it.name() }),
            self.history.map(|Object(it)| it.into_request()),
            self.rpc.map(|Object(it)| it.into_request()),
            self.send.map(|Object(it)| it.into_request()),
            self.refresh.map(|Object(it)| Request::Refresh { token: it.token.unwrap_or_default() }),
            self.sub_refresh.map(|Object(it)| it.into_request()),
            self.ping.map(|_| Request::Ping),
        ];
        only_command(self.id.unwrap_or_default(), has_reply, requests)
    }
}

impl Connect<'_> {
    fn into_request(self) -> Request {
        let position = |sub: Option<Object<RememberedPosition>>| sub.and_then(|Object(sub)| sub.into_position());
        let subs = self.subs.into_iter().flatten().map(|(channel, sub)| (channel, position(sub)));
        let header = |(name, value)| match value {
            serde_json::Value::String(value) => Some((name, value.into())),
            _ => None,
        };
        let headers = self.headers.into_iter().flatten().filter_map(header).collect();
        with_data(optional_data(self.data), |data| {
            Request::Connect(Box::new(ConnectRequest {
                token: self.token.unwrap_or_default(),
                data,
                subs: subs.collect(),
                resolves_numbers: true,
                headers,
            }))
        })
    }
}

impl RememberedPosition {
    fn into_position(self) -> Option<RecoverFrom> {
        self.recover.unwrap_or_default().then(|| recover_from(self.epoch, self.offset))
    }
}

impl Channel {
    fn name(self) -> String {
        self.channel.unwrap_or_default()
    }
}

impl Subscribe<'_> {
    fn into_request(self) -> Request {
        let recover = RememberedPosition { recover: self.recover, epoch: self.epoch, offset: self.offset };
        let fields = SubscribeFields {
            channel: self.channel.unwrap_or_default(),
            token: self.token.unwrap_or_default(),
            data: optional_data(self.data).transpose(),
            recover: recover.into_position(),
            join_leave: self.join_leave.unwrap_or_default(),
            flag: self.flag.unwrap_or_default(),
            kind: self.kind.unwrap_or_default(),
            delta: self.delta.unwrap_or_default(),
            filter: self.tf.map(filter),
        };
        fields.into_request()
    }
}

impl Publish<'_> {
    fn into_request(self) -> Request {
        let data = self.data.ok_or(DataError::Missing).and_then(|raw| Ok(Data::parse(raw)?.into()));
        request::publish(self.kind.unwrap_or_default(), self.channel.unwrap_or_default(), data)
    }
}

impl History {
    fn into_request(self) -> Request {
        let since = self.since.map(|Object(it)| recover_from(it.epoch, it.offset));
        let (channel, limit, reverse) =
            (self.channel.unwrap_or_default(), self.limit.unwrap_or_default(), self.reverse.unwrap_or_default());
        Request::History(HistoryRequest { channel, limit, since, reverse })
    }
}

impl Rpc<'_> {
    fn into_request(self) -> Request {
        with_data(data_or_null(self.data), |data| Request::Rpc { method: self.method.unwrap_or_default(), data })
    }
}

impl Send<'_> {
    fn into_request(self) -> Request {
        with_data(data_or_null(self.data), |data| Request::Send { data })
    }
}

impl SubRefresh {
    fn into_request(self) -> Request {
        request::sub_refresh(self.kind.unwrap_or_default(), self.channel.unwrap_or_default(), self.token.unwrap_or_default())
    }
}

impl Filter {
    fn into_node(self) -> FilterNode {
        FilterNode {
            op: self.op.unwrap_or_default(),
            key: self.key.unwrap_or_default(),
            cmp: self.cmp.unwrap_or_default(),
            val: self.val.unwrap_or_default(),
            vals: self.vals.unwrap_or_default(),
            nodes: self.nodes.into_iter().flatten().map(|Object(node)| node.into_node()).collect(),
        }
    }
}

/// Reads a filter. Its length is limited first, because its types are recursive.
fn filter(raw: &RawValue) -> Result<FilterNode, InvalidFilter> {
    if raw.get().len() > TagsFilter::MAX_BYTES {
        return Err(InvalidFilter::TooLong);
    }
    let Object(filter) = serde_json::from_str::<Object<Filter>>(raw.get()).map_err(|_| InvalidFilter::Malformed)?;
    Ok(filter.into_node())
}

fn recover_from(epoch: Option<String>, offset: Option<u64>) -> RecoverFrom {
    RecoverFrom { epoch: epoch.unwrap_or_default(), offset: offset.unwrap_or_default() }
}

/// Reads required data: `null` is data and does not count as missing.
fn required_data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Reads data that may be missing. `null` counts as missing.
fn optional_data(raw: Option<&RawValue>) -> Result<Option<Data>, DataError> {
    Ok(raw.map(Data::parse).transpose()?)
}

/// Reads missing data as `null`.
fn data_or_null(raw: Option<&RawValue>) -> Result<Data, DataError> {
    Ok(raw.map_or_else(|| Ok(Data::null()), Data::parse)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn every_frame_follows_the_rule_for_optional_members() {
        check_members::<Connect<'_>>(r#"{"token":"t","data":{},"subs":{"a":{"recover":true}},"headers":{"traceparent":"t"}}"#, &["data"]);
        check_members::<RememberedPosition>(r#"{"recover":true,"epoch":"e","offset":1}"#, &[]);
        let subscribe = r#"{"channel":"a","token":"t","data":{},"recover":true,"epoch":"e","offset":1,"join_leave":true,"flag":2,"type":1,"delta":"fossil","tf":{}}"#;
        check_members::<Subscribe<'_>>(subscribe, &["tf", "data"]);
        check_members::<Filter>(r#"{"op":"a","key":"a","cmp":"a","val":"a","vals":["a"],"nodes":[{}]}"#, &[]);
        check_members::<Channel>(r#"{"channel":"a"}"#, &[]);
        check_members::<Publish<'_>>(r#"{"channel":"a","data":{},"type":1}"#, &["data"]);
        check_members::<History>(r#"{"channel":"a","limit":1,"since":{"offset":1},"reverse":true}"#, &[]);
        check_members::<Since>(r#"{"epoch":"e","offset":1}"#, &[]);
        check_members::<Rpc<'_>>(r#"{"method":"m","data":{}}"#, &["data"]);
        check_members::<Send<'_>>(r#"{"data":{}}"#, &["data"]);
        check_members::<Refresh>(r#"{"token":"t"}"#, &[]);
        check_members::<SubRefresh>(r#"{"channel":"a","token":"t","type":1}"#, &[]);
        let each = "connect subscribe unsubscribe publish presence presence_stats history rpc send refresh sub_refresh";
        let each = each.split(' ').map(|command| format!(r#""{command}":{{}}"#)).collect::<Vec<_>>().join(",");
        check_members::<Frame<'_>>(&format!(r#"{{"id":1,{each},"ping":{{}}}}"#), &["ping"]);
    }
}
