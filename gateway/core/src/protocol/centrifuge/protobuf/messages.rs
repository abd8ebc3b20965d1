//! The commands of frontends as prost types. Only the fields that the gateway uses are listed; prost skips all others.

use crate::{
    channel::{FilterNode, InvalidFilter, TagsFilter},
    model::{Content, Data, RecoverFrom},
    protocol::{
        Command, ConnectRequest, HistoryRequest, Request,
        centrifuge::{
            bad_frame::BadFrame,
            request::{self, DataError, SubscribeFields, only_command, with_data},
        },
    },
};
use prost::Message as _;
use std::{collections::BTreeMap, fmt};

/// Names of the SDKs that find a channel by its number. centrifuge-js 5.8.0 does not in this encoding: it compares `Long` objects by identity,
/// and drops the push.
const RESOLVE_NUMBERS: [&str; 5] = ["csharp", "go", "java", "python", "swift"];

/// One message of a frame. Exactly one of the commands is present.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Frame {
    #[prost(uint32, tag = "1")]
    id: u32,
    #[prost(message, optional, tag = "4")]
    connect: Option<Connect>,
    #[prost(message, optional, tag = "5")]
    subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "6")]
    unsubscribe: Option<Channel>,
    #[prost(message, optional, tag = "7")]
    publish: Option<Publish>,
    #[prost(message, optional, tag = "8")]
    presence: Option<Channel>,
    #[prost(message, optional, tag = "9")]
    presence_stats: Option<Channel>,
    #[prost(message, optional, tag = "10")]
    history: Option<History>,
    #[prost(message, optional, tag = "11")]
    ping: Option<Empty>,
    #[prost(message, optional, tag = "12")]
    send: Option<Send>,
    #[prost(message, optional, tag = "13")]
    rpc: Option<Rpc>,
    #[prost(message, optional, tag = "14")]
    refresh: Option<Refresh>,
    #[prost(message, optional, tag = "15")]
    sub_refresh: Option<SubRefresh>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct Connect {
    #[prost(string, tag = "1")]
    token: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(btree_map = "string, message", tag = "3")]
    subs: BTreeMap<String, Subscribe>,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(btree_map = "string, string", tag = "6")]
    headers: BTreeMap<String, String>,
}

/// A subscribe command, and the remembered position of a server-side subscription in a connect command.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct Subscribe {
    #[prost(string, tag = "1")]
    channel: String,
    #[prost(string, tag = "2")]
    token: String,
    #[prost(bool, tag = "3")]
    recover: bool,
    #[prost(string, tag = "6")]
    epoch: String,
    #[prost(uint64, tag = "7")]
    offset: u64,
    #[prost(bytes = "vec", tag = "8")]
    data: Vec<u8>,
    #[prost(bool, tag = "11")]
    join_leave: bool,
    #[prost(string, tag = "12")]
    delta: String,
    /// A message of the type [`Filter`]. A filter that cannot be read refuses only its command.
    #[prost(bytes = "vec", optional, tag = "13")]
    tf: Option<Vec<u8>>,
    #[prost(int64, tag = "14")]
    flag: i64,
    #[prost(int32, tag = "15")]
    kind: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Filter {
    #[prost(string, tag = "1")]
    op: String,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    cmp: String,
    #[prost(string, tag = "4")]
    val: String,
    #[prost(string, repeated, tag = "5")]
    vals: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    nodes: Vec<Filter>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Channel {
    #[prost(string, tag = "1")]
    channel: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Publish {
    #[prost(string, tag = "1")]
    channel: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(int32, tag = "3")]
    kind: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct History {
    #[prost(string, tag = "1")]
    channel: String,
    #[prost(int32, tag = "7")]
    limit: i32,
    #[prost(message, optional, tag = "8")]
    since: Option<StreamPosition>,
    #[prost(bool, tag = "9")]
    reverse: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StreamPosition {
    #[prost(uint64, tag = "1")]
    offset: u64,
    #[prost(string, tag = "2")]
    epoch: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Send {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Rpc {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
    #[prost(string, tag = "2")]
    method: String,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct Refresh {
    #[prost(string, tag = "1")]
    token: String,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct SubRefresh {
    #[prost(string, tag = "1")]
    channel: String,
    #[prost(string, tag = "2")]
    token: String,
    #[prost(int32, tag = "3")]
    kind: i32,
}

/// Messages with a token show nothing of their content.
macro_rules! hide {
    ($($message:ident),*) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message)).finish_non_exhaustive()
            }
        }
    )*};
}

hide!(Connect, Subscribe, Refresh, SubRefresh);

impl Frame {
    /// The command of the message.
    pub(super) fn into_command(self) -> Result<Command, BadFrame> {
        let has_reply = self.send.is_none();
        let requests = [
            self.connect.map(Connect::into_request),
            self.subscribe.map(Subscribe::into_request),
            self.unsubscribe.map(|it| Request::Unsubscribe { channel: it.channel }),
            self.publish.map(Publish::into_request),
            self.presence.map(|it| Request::Presence { channel: it.channel }),
            self.presence_stats.map(|it| Request::PresenceStats { channel: it.channel }),
            self.history.map(History::into_request),
            self.rpc.map(|it| with_data(data_or_null(&it.data), |data| Request::Rpc { method: it.method, data })),
            self.send.map(|it| with_data(data_or_null(&it.data), |data| Request::Send { data })),
            self.refresh.map(|it| Request::Refresh { token: it.token.into() }),
            self.sub_refresh.map(|it| request::sub_refresh(it.kind, it.channel, it.token.into())),
            self.ping.map(|_| Request::Ping),
        ];
        only_command(self.id, has_reply, requests)
    }
}

impl Connect {
    fn into_request(self) -> Request {
        let subs = self.subs.into_iter().map(|(channel, sub)| (channel, sub.position())).collect();
        with_data(optional_data(&self.data), |data| {
            Request::Connect(Box::new(ConnectRequest {
                token: self.token.into(),
                data,
                subs,
                resolves_numbers: RESOLVE_NUMBERS.contains(&&*self.name),
                headers: self.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            }))
        })
    }
}

impl Subscribe {
    fn position(self) -> Option<RecoverFrom> {
        self.recover.then_some(RecoverFrom { epoch: self.epoch, offset: self.offset })
    }

    fn into_request(mut self) -> Request {
        let [channel, token, delta] = [&mut self.channel, &mut self.token, &mut self.delta].map(std::mem::take);
        let (join_leave, flag, kind) = (self.join_leave, self.flag, self.kind);
        let filter = self.tf.take().map(|bytes| filter(&bytes));
        let data = optional_data(&self.data).transpose();
        SubscribeFields { channel, token: token.into(), data, recover: self.position(), join_leave, flag, kind, delta, filter }
            .into_request()
    }
}

impl Publish {
    fn into_request(self) -> Request {
        let content = if self.data.is_empty() { Err(DataError::Missing) } else { Content::detect(self.data).map_err(DataError::from) };
        request::publish(self.kind, self.channel, content)
    }
}

impl History {
    fn into_request(self) -> Request {
        let since = self.since.map(|it| RecoverFrom { epoch: it.epoch, offset: it.offset });
        Request::History(HistoryRequest { channel: self.channel, limit: self.limit, since, reverse: self.reverse })
    }
}

impl Filter {
    fn into_node(self) -> FilterNode {
        let Self { op, key, cmp, val, vals, nodes } = self;
        FilterNode { op, key, cmp, val, vals, nodes: nodes.into_iter().map(Self::into_node).collect() }
    }
}

fn filter(bytes: &[u8]) -> Result<FilterNode, InvalidFilter> {
    if bytes.len() > TagsFilter::MAX_BYTES {
        return Err(InvalidFilter::TooLong);
    }
    Filter::decode(bytes).map(Filter::into_node).map_err(|_| InvalidFilter::Malformed)
}

/// Reads data that may be missing.
fn optional_data(bytes: &[u8]) -> Result<Option<Data>, DataError> {
    (!bytes.is_empty()).then(|| json(bytes)).transpose()
}

/// Reads missing data as `null`.
fn data_or_null(bytes: &[u8]) -> Result<Data, DataError> {
    if bytes.is_empty() { Ok(Data::null()) } else { json(bytes) }
}

fn json(bytes: &[u8]) -> Result<Data, DataError> {
    let raw = serde_json::from_slice(bytes).map_err(|_| DataError::NotJson)?;
    Ok(Data::parse(raw)?)
}
