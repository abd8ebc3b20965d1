//! From the fields of a command to a request: what both encodings have in common.

use super::bad_frame::BadFrame;
use crate::{
    channel::{FilterNode, InvalidFilter, TagsFilter},
    model::{Content, Data, ErrorCode, InvalidData, RecoverFrom, Refusal, Secret, Tags},
    protocol::{Command, Request, SubscribeRequest},
};
use std::sync::Arc;

/// Bits of `SubscribeRequest.flag`.
pub(super) mod subscribe_flag {
    /// The client accepts a number in place of the channel's name in pushes.
    pub(in super::super) const COMPACTION: i64 = 1;
    /// The client wants error 112 if the recovery fails.
    pub(in super::super) const REJECT_UNRECOVERED: i64 = 2;
}

/// Why a command has no usable data.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataError {
    #[error("data is missing; null is allowed as data")]
    Missing,
    #[error("data is not valid JSON")]
    NotJson,
    #[error("data {0}")]
    Invalid(#[from] InvalidData),
}

/// The command of a frame that has exactly one of `requests`. `has_reply` is false for `send`, which has no id.
pub(super) fn only_command(id: u32, has_reply: bool, requests: impl IntoIterator<Item = Option<Request>>) -> Result<Command, BadFrame> {
    let mut requests = requests.into_iter().flatten();
    let request = requests.next().ok_or(BadFrame::NoCommand)?;
    if requests.next().is_some() {
        return Err(BadFrame::SeveralCommands);
    }
    match id {
        0 if has_reply => Err(BadFrame::NoId),
        _ if !has_reply => Ok(Command { id: 0, request }),
        id => Ok(Command { id, request }),
    }
}

/// The fields of a subscribe command as both encodings have them.
#[derive(Debug, Default)]
pub(super) struct SubscribeFields {
    pub(super) channel: String,
    pub(super) token: Secret,
    pub(super) data: Option<Result<Data, DataError>>,
    pub(super) recover: Option<RecoverFrom>,
    pub(super) join_leave: bool,
    pub(super) flag: i64,
    pub(super) kind: i32,
    pub(super) delta: String,
    pub(super) filter: Option<Result<FilterNode, InvalidFilter>>,
}

impl SubscribeFields {
    pub(super) fn into_request(self) -> Request {
        let Self { channel, token, data, recover, join_leave, flag, kind, delta, filter } = self;
        if kind != 0 {
            return not_available("subscriptions other than those to streams are");
        }
        let tags_filter = match filter.map(|node| TagsFilter::check(node?)).transpose() {
            Ok(filter) => filter.map(Arc::new),
            Err(error) => return Request::Refused(Refusal::new(ErrorCode::BadRequest, error.to_string())),
        };
        let all_or_nothing = flag & subscribe_flag::REJECT_UNRECOVERED != 0;
        let compact = flag & subscribe_flag::COMPACTION != 0;
        with_data(data.transpose(), |data| {
            Request::Subscribe(Box::new(SubscribeRequest {
                channel,
                token,
                data,
                recover,
                join_leave,
                all_or_nothing,
                compact,
                delta,
                tags_filter,
                form: None,
            }))
        })
    }
}

/// A publish into a channel. `kind` is not 0 for maps.
pub(super) fn publish(kind: i32, channel: String, content: Result<Content, DataError>) -> Request {
    if kind != 0 {
        return not_available("publishing into maps is");
    }
    with_data(content, |content| Request::Publish { channel, content, tags: Tags::new() })
}

/// The replacement of a subscription token. `kind` is not 0 for keys that are tracked.
pub(super) fn sub_refresh(kind: i32, channel: String, token: Secret) -> Request {
    if kind != 0 {
        return not_available("tracking keys is");
    }
    Request::SubRefresh { channel, token }
}

/// A request with data. Data that cannot be used refuses the command.
pub(super) fn with_data<T>(data: Result<T, DataError>, request: impl FnOnce(T) -> Request) -> Request {
    match data {
        Ok(data) => request(data),
        Err(error) => Request::Refused(Refusal::new(ErrorCode::BadRequest, error.to_string())),
    }
}

fn not_available(what: &str) -> Request {
    Request::Refused(Refusal::new(ErrorCode::NotAvailable, format!("{what} not available here")))
}
