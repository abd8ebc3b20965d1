//! Publish, presence, history and events: requests that need a permission or a check, but no state of their own.

use super::{open_session::OpenSession, subscribe::parse_channel};
use crate::{
    channel::{ChannelOptions, Permission, is_permitted},
    model::{ChannelName, Content, Data, ErrorCode, Refusal, Tags},
    protocol::HistoryRequest,
    session::{Op, close_reason::CloseReason, context::Context, state::command_queue::Purpose},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared_proto::json::{self, JsonError};

/// The data of a `send` command.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Event<'a> {
    service: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl OpenSession {
    pub(super) fn publish(
        &mut self,
        cx: &mut Context<'_>,
        command: u32,
        channel: &str,
        content: Content,
        tags: Tags,
    ) -> Result<(), Refusal> {
        let (channel, _) = self.check_permission(cx, channel, Permission::Publish)?;
        self.start(cx, command, Some(channel.clone()), Purpose::Answer, Op::Publish { channel, content, tags });
        Ok(())
    }

    /// The reply of a service needs no permission of the frontend that called it, and no guard is asked about it.
    pub(super) fn publish_reply(
        &mut self,
        cx: &mut Context<'_>,
        command: u32,
        channel: &str,
        content: Content,
        tags: Tags,
    ) -> Result<(), Refusal> {
        let channel = parse_channel(channel)?;
        cx.config.options(&channel)?;
        self.start(cx, command, Some(channel.clone()), Purpose::Answer, Op::PublishReply { channel, content, tags });
        Ok(())
    }

    pub(super) fn presence(&mut self, cx: &mut Context<'_>, command: u32, channel: &str) -> Result<(), Refusal> {
        let channel = self.channel_with_presence(cx, channel)?;
        self.start(cx, command, Some(channel.clone()), Purpose::Answer, Op::Presence { channel });
        Ok(())
    }

    pub(super) fn presence_stats(&mut self, cx: &mut Context<'_>, command: u32, channel: &str) -> Result<(), Refusal> {
        let channel = self.channel_with_presence(cx, channel)?;
        self.start(cx, command, Some(channel.clone()), Purpose::Answer, Op::PresenceStats { channel });
        Ok(())
    }

    pub(super) fn history(&mut self, cx: &mut Context<'_>, command: u32, request: HistoryRequest) -> Result<(), Refusal> {
        let HistoryRequest { channel, limit, since, reverse } = request;
        let (channel, options) = self.check_permission(cx, &channel, Permission::SeeHistory)?;
        if options.retention.is_none() {
            return Err(ErrorCode::NotAvailable.into());
        }
        // A negative limit asks for as many publications as allowed.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(cx.config.history_limit);
        let op = Op::History { channel: channel.clone(), since, limit, reverse };
        self.start(cx, command, Some(channel), Purpose::Answer, op);
        Ok(())
    }

    /// A `send` of an SDK has no id and no reply. If it is malformed, the connection is closed: otherwise nobody would notice.
    pub(super) fn send(&mut self, cx: &mut Context<'_>, command: u32, data: &Data) -> Result<(), CloseReason> {
        let bad = |why: &str| CloseReason::bad_request(&format!("send takes {{\"service\": …, \"data\": …}}: {why}"));
        let Event { service, data } = json::read(data.get()).map_err(|error: JsonError| bad(error.message()))?;
        let data = data.map_or(Ok(Data::null()), Data::parse).map_err(|error| bad(&format!("data {error}")))?;
        self.start(cx, command, None, Purpose::Answer, Op::Event { service, data });
        Ok(())
    }

    fn channel_with_presence(&self, cx: &Context<'_>, channel: &str) -> Result<ChannelName, Refusal> {
        let (channel, options) = self.check_permission(cx, channel, Permission::SeePresence)?;
        if options.presence { Ok(channel) } else { Err(ErrorCode::NotAvailable.into()) }
    }

    /// The channel and its options, if the connection has the permission.
    fn check_permission<'a>(
        &self,
        cx: &Context<'a>,
        channel: &str,
        permission: Permission,
    ) -> Result<(ChannelName, &'a ChannelOptions), Refusal> {
        let channel = parse_channel(channel)?;
        let options = cx.config.options(&channel)?;
        if is_permitted(permission, options, &channel, self.requester(), self.subscriptions.status(&channel)) {
            Ok((channel, options))
        } else {
            Err(self.requester().denial(&channel, permission.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn events_follow_the_rule_for_optional_members() {
        check_members::<Event<'_>>(r#"{"service":"bot","data":{}}"#, &["data"]);
    }
}
