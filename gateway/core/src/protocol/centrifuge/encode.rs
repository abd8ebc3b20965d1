//! Writes replies and pushes as JSON, each as one line without a line break. It appends to a buffer and makes no other allocation.

use super::json::{INFALLIBLE, Object};
use crate::{
    model::{ChannelName, ClientInfo, Position, Publication, Recovery, Refusal, Unsubscribe},
    protocol::{Connected, Push, Reply, Subscribed},
};
use std::sync::Arc;

/// Most bytes of an error message.
const MAX_MESSAGE: usize = 256;

/// Appends the reply to the command with this id.
pub fn encode_reply(id: u32, reply: &Reply, out: &mut Vec<u8>) {
    let mut frame = Object::begin(out);
    frame.number("id", u64::from(id));
    match reply {
        Reply::Error(Refusal { code, detail }) => error(frame.object("error"), code.row().client, detail, code.temporary()),
        Reply::CallFailed { code, message, temporary } => error(frame.object("error"), *code, message, *temporary),
        Reply::Connect(it) => connected(frame.object("connect"), it),
        Reply::Subscribe(it) => subscribed(frame.object("subscribe"), it),
        Reply::Unsubscribe => frame.empty("unsubscribe"),
        Reply::Publish => frame.empty("publish"),
        Reply::Presence(who) => presence(frame.object("presence"), who),
        Reply::PresenceStats(stats) => {
            let mut it = frame.object("presence_stats");
            it.number("num_clients", stats.clients as u64);
            it.number("num_users", stats.users as u64);
            it.end();
        }
        Reply::History { position: at, publications: page } => {
            let mut it = frame.object("history");
            publications(&mut it, page);
            position(&mut it, *at);
            it.end();
        }
        Reply::Rpc(data) => {
            let mut it = frame.object("rpc");
            it.data("data", data);
            it.end();
        }
        Reply::Refresh { ttl, client } => {
            let mut it = frame.object("refresh");
            it.display("client", *client);
            it.text("version", env!("CARGO_PKG_VERSION"));
            expiry(&mut it, *ttl);
            it.end();
        }
        Reply::SubRefresh { ttl } => {
            let mut it = frame.object("sub_refresh");
            expiry(&mut it, *ttl);
            it.end();
        }
        Reply::Ping => frame.empty("ping"),
    }
    frame.end();
}

/// Appends a push.
pub fn encode_push(push: &Push, out: &mut Vec<u8>) {
    match push {
        Push::Ping => Object::begin(out).end(),
        Push::Publication(channel, publication) => encode_publication(channel, publication, out),
        Push::Join(channel, who) => channel_push(out, channel, |push| presence_event(push.object("join"), who)),
        Push::Leave(channel, who) => channel_push(out, channel, |push| presence_event(push.object("leave"), who)),
        Push::Subscribe(channel, it) => channel_push(out, channel, |push| subscription(push.object("subscribe"), it.position)),
        Push::Unsubscribe(channel, code) => channel_push(out, channel, |push| unsubscribe(push.object("unsubscribe"), *code)),
        Push::Message(data) => {
            let mut frame = Object::begin(out);
            let mut push = frame.object("push");
            let mut message = push.object("message");
            message.data("data", data);
            message.end();
            push.end();
            frame.end();
        }
    }
}

/// Appends a publication as a push.
pub fn encode_publication(channel: &ChannelName, publication: &Publication, out: &mut Vec<u8>) {
    channel_push(out, channel, |push| write_publication(publication, push.key("pub")));
}

/// Appends a push with a channel; `write` adds its content.
fn channel_push(out: &mut Vec<u8>, channel: &ChannelName, write: impl FnOnce(&mut Object<'_>)) {
    let mut frame = Object::begin(out);
    let mut push = frame.object("push");
    push.text("channel", channel);
    write(&mut push);
    push.end();
    frame.end();
}

fn error(mut it: Object<'_>, code: u32, message: &str, temporary: bool) {
    it.number("code", u64::from(code));
    it.text("message", truncated(message));
    it.flag("temporary", temporary);
    it.end();
}

/// Cuts a message between two characters.
fn truncated(message: &str) -> &str {
    let end = (0..=MAX_MESSAGE.min(message.len())).rev().find(|&end| message.is_char_boundary(end));
    &message[..end.unwrap_or_default()]
}

fn connected(mut it: Object<'_>, connected: &Connected) {
    it.display("client", connected.client);
    it.text("version", env!("CARGO_PKG_VERSION"));
    expiry(&mut it, connected.ttl);
    if !connected.subs.is_empty() {
        let mut subs = it.object("subs");
        for (channel, sub) in &connected.subs {
            subscribed(subs.object_with_name(channel), sub);
        }
        subs.end();
    }
    it.number("ping", u64::from(connected.ping));
    it.flag("pong", true);
    it.text("node", &connected.node);
    it.end();
}

fn subscribed(mut it: Object<'_>, subscribed: &Subscribed) {
    expiry(&mut it, subscribed.ttl);
    positioned(&mut it, subscribed.position);
    if !subscribed.publications.is_empty() {
        publications(&mut it, &subscribed.publications);
    }
    it.flag("recovered", subscribed.recovery == Recovery::Recovered);
    it.flag("was_recovering", subscribed.recovery != Recovery::NotRequested);
    it.end();
}

/// A `subscribe` push has fewer fields than a subscribe reply.
fn subscription(mut it: Object<'_>, at: Option<Position>) {
    positioned(&mut it, at);
    it.end();
}

fn positioned(it: &mut Object<'_>, at: Option<Position>) {
    if let Some(at) = at {
        it.flag("recoverable", true);
        it.flag("positioned", true);
        position(it, at);
    }
}

fn position(it: &mut Object<'_>, at: Position) {
    it.text("epoch", at.epoch.as_str());
    it.number("offset", at.offset);
}

fn expiry(it: &mut Object<'_>, ttl: Option<u32>) {
    if let Some(ttl) = ttl {
        it.flag("expires", true);
        it.number("ttl", u64::from(ttl));
    }
}

fn presence(mut it: Object<'_>, who: &[Arc<ClientInfo>]) {
    let mut clients = it.object("presence");
    for info in who {
        client_info(clients.object_with_id(info.client), info);
    }
    clients.end();
    it.end();
}

fn publications(it: &mut Object<'_>, publications: &[Arc<Publication>]) {
    it.array("publications", publications, |publication, out| write_publication(publication, out));
}

fn write_publication(publication: &Publication, out: &mut Vec<u8>) {
    let mut it = Object::begin(out);
    it.data("data", &publication.data);
    if let Some(info) = &publication.info {
        client_info(it.object("info"), info);
    }
    if let Some(at) = publication.position {
        it.number("offset", at.offset);
    }
    if !publication.tags.is_empty() {
        let out = it.key("tags");
        serde_json::to_writer(out, &publication.tags).expect(INFALLIBLE);
    }
    if publication.time_ms > 0 {
        it.number("time", publication.time_ms);
    }
    it.end();
}

fn presence_event(mut it: Object<'_>, who: &ClientInfo) {
    client_info(it.object("info"), who);
    it.end();
}

fn client_info(mut it: Object<'_>, info: &ClientInfo) {
    it.text("user", &info.user);
    it.display("client", info.client);
    if let Some(data) = &info.conn_info {
        it.data("conn_info", data);
    }
    if let Some(data) = &info.chan_info {
        it.data("chan_info", data);
    }
    it.end();
}

fn unsubscribe(mut it: Object<'_>, code: Unsubscribe) {
    it.number("code", u64::from(code.code()));
    it.text("reason", code.reason());
    it.end();
}
