//! Describes replies and pushes, for every encoding.

use super::{
    fields::{
        client_info, connect_result, disconnect, error, history_result, message, presence_event, presence_result, presence_stats_result,
        publication, push, refresh_result, reply, rpc_result, sub_refresh_result, subscribe_push, subscribe_result, unsubscribe,
    },
    writer::Writer,
};
use crate::{
    model::{ChannelName, ClientInfo, Content, ENCODING, Position, Publication, Recovery, Refusal, Unsubscribe},
    protocol::{Connected, Push, Reply, Subscribed, fossil},
};
use std::sync::Arc;

/// Most bytes of an error message.
const MAX_MESSAGE: usize = 256;

/// How a push names its channel.
#[derive(Clone, Copy, Debug)]
pub enum PushChannel<'a> {
    /// By its name.
    Name(&'a ChannelName),
    /// By the number from the reply to the subscribe, which is shorter.
    Id(u64),
}

/// How the data of a publication is written.
#[derive(Clone, Copy, Debug)]
pub enum DataForm<'a> {
    /// As it is.
    Plain,
    /// Whole, for a subscription with deltas. In JSON it is a string that contains JSON.
    Whole,
    /// As a delta to the data of the delivery before it. In JSON it is whole if the delta is not UTF-8.
    Delta(&'a [u8]),
}

impl<'a> DataForm<'a> {
    /// The form in a subscription with deltas. `None`: there is no delta.
    pub fn of(delta: Option<&'a [u8]>) -> Self {
        delta.map_or(Self::Whole, Self::Delta)
    }
}

/// The delta of each publication to the one before it. `None`: it has to be written whole, like all that is not JSON.
pub fn deltas(before: Option<&Publication>, publications: &[Arc<Publication>]) -> Vec<Option<Vec<u8>>> {
    let before = std::iter::once(before).chain(publications.iter().map(|it| Some(&**it)));
    let delta_to = |before: &Publication, it: &Publication| {
        let (before, it) = (before.content.as_json()?, it.content.as_json()?);
        fossil::delta(before.get().as_bytes(), it.get().as_bytes())
    };
    before.zip(publications).map(|(before, it)| delta_to(before?, it)).collect()
}

pub(super) fn write_reply(it: &mut impl Writer, id: u32, reply: &Reply) {
    it.number(reply::ID, u64::from(id));
    match reply {
        Reply::Error(Refusal { code, detail, .. }) => {
            it.message(reply::ERROR, |it| write_error(it, code.row().client, detail, code.temporary()));
        }
        Reply::CallFailed { code, message, temporary } => it.message(reply::ERROR, |it| write_error(it, *code, message, *temporary)),
        Reply::Connect(connected) => it.message(reply::CONNECT, |it| write_connected(it, connected)),
        Reply::Subscribe(subscribed) => it.message(reply::SUBSCRIBE, |it| write_subscribed(it, subscribed)),
        Reply::Unsubscribe => it.message(reply::UNSUBSCRIBE, |_| {}),
        Reply::Publish => it.message(reply::PUBLISH, |_| {}),
        Reply::Presence(who) => it.message(reply::PRESENCE, |it| {
            let entries = who.iter().map(|info| (info.client.to_string(), info));
            it.message_map(presence_result::PRESENCE, entries, |info, it| write_client_info(it, info));
        }),
        Reply::PresenceStats(stats) => it.message(reply::PRESENCE_STATS, |it| {
            it.number(presence_stats_result::NUM_CLIENTS, stats.clients as u64);
            it.number(presence_stats_result::NUM_USERS, stats.users as u64);
        }),
        Reply::History { position, publications } => it.message(reply::HISTORY, |it| {
            it.messages(history_result::PUBLICATIONS, publications, |publication, it| write_publication(it, publication, DataForm::Plain));
            it.text(history_result::EPOCH, position.epoch.as_str());
            it.number(history_result::OFFSET, position.offset);
        }),
        Reply::Rpc(data) => it.message(reply::RPC, |it| it.data(rpc_result::DATA, data)),
        Reply::Refresh { ttl, client } => it.message(reply::REFRESH, |it| {
            it.plain_text(refresh_result::CLIENT, *client);
            it.text(refresh_result::VERSION, env!("CARGO_PKG_VERSION"));
            it.flag(refresh_result::EXPIRES, ttl.is_some());
            write_ttl(it, refresh_result::TTL, *ttl);
        }),
        Reply::SubRefresh { ttl } => it.message(reply::SUB_REFRESH, |it| {
            it.flag(sub_refresh_result::EXPIRES, ttl.is_some());
            write_ttl(it, sub_refresh_result::TTL, *ttl);
        }),
        Reply::Ping => it.message(reply::PING, |_| {}),
        // The protocol has no such reply. The id is enough.
        Reply::Sent => {}
    }
}

pub(super) fn write_push(it: &mut impl Writer, push: &Push) {
    match push {
        Push::Ping => {}
        Push::Publication(channel, publication) => {
            write_channel_publication(it, PushChannel::Name(channel), publication, DataForm::Plain);
        }
        Push::Join(channel, who) => write_join(it, PushChannel::Name(channel), who),
        Push::Leave(channel, who) => write_leave(it, PushChannel::Name(channel), who),
        Push::Subscribe(channel, subscribed) => channel_push(it, PushChannel::Name(channel), |it| {
            it.message(push::SUBSCRIBE, |it| write_subscription(it, subscribed.position));
        }),
        Push::Unsubscribe(channel, code) => {
            channel_push(it, PushChannel::Name(channel), |it| it.message(push::UNSUBSCRIBE, |it| write_unsubscribe(it, *code)));
        }
        Push::Disconnect { code, reason } => it.message(reply::PUSH, |it| {
            it.message(push::DISCONNECT, |it| {
                it.number(disconnect::CODE, u64::from(*code));
                it.text(disconnect::REASON, reason);
            });
        }),
        Push::Message { data, .. } => it.message(reply::PUSH, |it| it.message(push::MESSAGE, |it| it.data(message::DATA, data))),
    }
}

pub(super) fn write_channel_publication(it: &mut impl Writer, channel: PushChannel<'_>, publication: &Publication, form: DataForm<'_>) {
    channel_push(it, channel, |it| it.message(push::PUB, |it| write_publication(it, publication, form)));
}

pub(super) fn write_join(it: &mut impl Writer, channel: PushChannel<'_>, who: &ClientInfo) {
    channel_push(it, channel, |it| it.message(push::JOIN, |it| write_presence_event(it, who)));
}

pub(super) fn write_leave(it: &mut impl Writer, channel: PushChannel<'_>, who: &ClientInfo) {
    channel_push(it, channel, |it| it.message(push::LEAVE, |it| write_presence_event(it, who)));
}

/// Writes a push with a channel; `write` adds its content.
fn channel_push<W: Writer>(it: &mut W, channel: PushChannel<'_>, write: impl FnOnce(&mut W)) {
    it.message(reply::PUSH, |it| {
        match channel {
            PushChannel::Name(name) => it.text(push::CHANNEL, name),
            PushChannel::Id(id) => it.number(push::ID, id),
        }
        write(it);
    });
}

fn write_error(it: &mut impl Writer, code: u32, message: &str, temporary: bool) {
    it.number(error::CODE, u64::from(code));
    it.text(error::MESSAGE, truncated(message));
    it.flag(error::TEMPORARY, temporary);
}

/// Cuts a message between two characters.
fn truncated(message: &str) -> &str {
    let end = (0..=MAX_MESSAGE.min(message.len())).rev().find(|&end| message.is_char_boundary(end));
    &message[..end.unwrap_or_default()]
}

fn write_connected(it: &mut impl Writer, connected: &Connected) {
    it.plain_text(connect_result::CLIENT, connected.client);
    it.text(connect_result::VERSION, env!("CARGO_PKG_VERSION"));
    it.flag(connect_result::EXPIRES, connected.ttl.is_some());
    write_ttl(it, connect_result::TTL, connected.ttl);
    if let Some(data) = &connected.data {
        it.data(connect_result::DATA, data);
    }
    if !connected.subs.is_empty() {
        let entries = connected.subs.iter().map(|(channel, subscribed)| (channel.as_str(), subscribed));
        it.message_map(connect_result::SUBS, entries, |subscribed, it| write_subscribed(it, subscribed));
    }
    it.number(connect_result::PING, u64::from(connected.ping.unwrap_or_default()));
    it.flag(connect_result::PONG, connected.ping.is_some() && connected.pong);
    match connected.session {
        Some(key) => it.plain_text(connect_result::SESSION, key.reveal()),
        None => it.plain_text(connect_result::SESSION, connected.client),
    }
    it.text(connect_result::NODE, &connected.node);
    it.number(connect_result::TIME, connected.time_ms);
}

fn write_subscribed(it: &mut impl Writer, subscribed: &Subscribed) {
    it.flag(subscribe_result::EXPIRES, subscribed.ttl.is_some());
    write_ttl(it, subscribe_result::TTL, subscribed.ttl);
    if let Some(at) = subscribed.position {
        it.flag(subscribe_result::RECOVERABLE, true);
        it.flag(subscribe_result::POSITIONED, true);
        it.text(subscribe_result::EPOCH, at.epoch.as_str());
        it.number(subscribe_result::OFFSET, at.offset);
    }
    if !subscribed.publications.is_empty() {
        write_missed(it, &subscribed.publications, subscribed.delta);
    }
    if let Some(data) = &subscribed.data {
        it.data(subscribe_result::DATA, data);
    }
    it.flag(subscribe_result::RECOVERED, subscribed.recovery == Recovery::Recovered);
    it.flag(subscribe_result::WAS_RECOVERING, subscribed.recovery != Recovery::NotRequested);
    it.flag(subscribe_result::DELTA, subscribed.delta);
    if let Some(number) = subscribed.number {
        it.number(subscribe_result::ID, number);
    }
}

/// Writes the missed publications of a subscribe reply.
fn write_missed(it: &mut impl Writer, publications: &[Arc<Publication>], with_deltas: bool) {
    let deltas = if with_deltas { deltas(None, publications) } else { Vec::new() };
    it.messages(subscribe_result::PUBLICATIONS, publications.iter().enumerate(), |(at, publication), it| {
        write_publication(it, publication, deltas.get(at).map_or(DataForm::Plain, |delta| DataForm::of(delta.as_deref())));
    });
}

/// A `subscribe` push has fewer fields than a subscribe reply.
fn write_subscription(it: &mut impl Writer, at: Option<Position>) {
    if let Some(at) = at {
        it.flag(subscribe_push::RECOVERABLE, true);
        it.flag(subscribe_push::POSITIONED, true);
        it.text(subscribe_push::EPOCH, at.epoch.as_str());
        it.number(subscribe_push::OFFSET, at.offset);
    }
}

fn write_ttl(it: &mut impl Writer, field: super::fields::Field, ttl: Option<u32>) {
    if let Some(ttl) = ttl {
        it.number(field, u64::from(ttl));
    }
}

fn write_publication(it: &mut impl Writer, publication: &Publication, form: DataForm<'_>) {
    let is_delta = match form {
        DataForm::Delta(delta) => it.bytes(publication::DATA, delta),
        DataForm::Plain | DataForm::Whole => false,
    };
    match form {
        _ if is_delta => {}
        DataForm::Plain => it.content(publication::DATA, &publication.content),
        DataForm::Whole | DataForm::Delta(_) => it.whole_content(publication::DATA, &publication.content),
    }
    if let Some(info) = &publication.info {
        it.message(publication::INFO, |it| write_client_info(it, info));
    }
    if let Some(at) = publication.position {
        it.number(publication::OFFSET, at.offset);
    }
    if !publication.tags.is_empty() {
        let tags = publication.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let encoding = it.bytes_encoding().filter(|_| matches!(publication.content, Content::Bytes(_)));
        it.text_map(publication::TAGS, tags.chain(encoding.map(|encoding| (ENCODING, encoding))));
    }
    it.flag(publication::DELTA, is_delta);
    if publication.time_ms > 0 {
        it.number(publication::TIME, publication.time_ms);
    }
}

fn write_presence_event(it: &mut impl Writer, who: &ClientInfo) {
    it.message(presence_event::INFO, |it| write_client_info(it, who));
}

fn write_client_info(it: &mut impl Writer, info: &ClientInfo) {
    it.text(client_info::USER, &info.user);
    it.plain_text(client_info::CLIENT, info.client);
    if let Some(data) = &info.conn_info {
        it.data(client_info::CONN_INFO, data);
    }
    if let Some(data) = &info.chan_info {
        it.data(client_info::CHAN_INFO, data);
    }
}

fn write_unsubscribe(it: &mut impl Writer, code: Unsubscribe) {
    it.number(unsubscribe::CODE, u64::from(code.code()));
    it.text(unsubscribe::REASON, code.reason());
}
