//! Publish, presence, history, calls and events.

use super::{
    Op,
    open::Open,
    subscribe::parse,
    turn::{Closing, Turn},
    work::Purpose,
};
use crate::{
    channel::{ChannelOptions, Permission, is_permitted},
    model::{ChannelName, Data, ErrorCode, Refusal},
    protocol::HistoryRequest,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared_proto::json::Object;

/// What a `send` carries.
#[derive(Deserialize)]
struct Event<'a> {
    service: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Open {
    pub(super) fn publish(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str, data: Data) -> Result<(), Refusal> {
        let (channel, _) = self.allowed(turn, channel, Permission::Publish)?;
        self.start(turn, command, Some(channel.clone()), Purpose::Answer, Op::Publish { channel, data });
        Ok(())
    }

    pub(super) fn presence(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str) -> Result<(), Refusal> {
        let channel = self.present(turn, channel)?;
        self.start(turn, command, Some(channel.clone()), Purpose::Answer, Op::Presence { channel });
        Ok(())
    }

    pub(super) fn presence_stats(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str) -> Result<(), Refusal> {
        let channel = self.present(turn, channel)?;
        self.start(turn, command, Some(channel.clone()), Purpose::Answer, Op::PresenceStats { channel });
        Ok(())
    }

    pub(super) fn history(&mut self, turn: &mut Turn<'_>, command: u32, request: HistoryRequest) -> Result<(), Refusal> {
        let HistoryRequest { channel, limit, since, reverse } = request;
        let (channel, options) = self.allowed(turn, &channel, Permission::SeeHistory)?;
        if options.retention.is_none() {
            return Err(ErrorCode::NotAvailable.into());
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(turn.rules.history_limit);
        let op = Op::History { channel: channel.clone(), since, limit, reverse };
        self.start(turn, command, Some(channel), Purpose::Answer, op);
        Ok(())
    }

    /// Has no answer: what cannot be understood closes the connection, since nothing else would be noticed.
    pub(super) fn send(&mut self, turn: &mut Turn<'_>, data: &Data) -> Result<(), Closing> {
        let text = data.get();
        let event = serde_json::from_str::<Object<Event<'_>>>(text).ok();
        let event = event.and_then(|Object(it)| Some((it.service, it.data.map_or(Ok(Data::null()), Data::parse).ok()?)));
        let (service, data) = event.ok_or_else(|| Closing::bad_request("send takes {\"service\": …, \"data\": …}"))?;
        self.start(turn, 0, None, Purpose::Answer, Op::Event { service, data });
        Ok(())
    }

    fn present(&self, turn: &Turn<'_>, channel: &str) -> Result<ChannelName, Refusal> {
        let (channel, options) = self.allowed(turn, channel, Permission::SeePresence)?;
        if options.presence { Ok(channel) } else { Err(ErrorCode::NotAvailable.into()) }
    }

    /// The channel and its options, if this connection may do that there.
    fn allowed<'a>(&self, turn: &Turn<'a>, channel: &str, permission: Permission) -> Result<(ChannelName, &'a ChannelOptions), Refusal> {
        let channel = parse(channel)?;
        let options = turn.rules.options(&channel)?;
        let status = self.subscriptions.status(&channel);
        if is_permitted(permission, options, &channel, &self.info.user, status) {
            Ok((channel, options))
        } else {
            Err(ErrorCode::PermissionDenied.into())
        }
    }
}
