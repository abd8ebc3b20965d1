//! Publish, presence, history, calls and events.

use super::{
    Op,
    open::Open,
    subscribe::parse,
    turn::{Closing, Turn},
    work::Purpose,
};
use crate::{
    channel::{Act, ChannelOptions, Standing, may},
    model::{ChannelName, Data, ErrorCode, Refusal},
    protocol::HistoryRequest,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared_proto::json::{self, Unreadable};

/// What a `send` carries.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Debug))]
struct Event<'a> {
    service: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Open {
    pub(super) fn publish(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str, data: Data) -> Result<(), Refusal> {
        let (channel, _) = self.allowed(turn, channel, Act::Publish)?;
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
        let (channel, options) = self.allowed(turn, &channel, Act::SeeHistory)?;
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
        let bad = |why: &str| Closing::bad_request(&format!("send takes {{\"service\": …, \"data\": …}}: {why}"));
        let Event { service, data } = json::read(data.get()).map_err(|error: Unreadable| bad(error.message()))?;
        let data = data.map_or(Ok(Data::null()), Data::parse).map_err(|error| bad(&format!("data {error}")))?;
        self.start(turn, 0, None, Purpose::Answer, Op::Event { service, data });
        Ok(())
    }

    fn present(&self, turn: &Turn<'_>, channel: &str) -> Result<ChannelName, Refusal> {
        let (channel, options) = self.allowed(turn, channel, Act::SeePresence)?;
        if options.presence { Ok(channel) } else { Err(ErrorCode::NotAvailable.into()) }
    }

    /// The channel and its options, if this connection may do that there.
    fn allowed<'a>(&self, turn: &Turn<'a>, channel: &str, act: Act) -> Result<(ChannelName, &'a ChannelOptions), Refusal> {
        let channel = parse(channel)?;
        let options = turn.rules.options(&channel)?;
        let standing = self.subscriptions.get(&channel).map_or(Standing::Stranger, super::subscriptions::Subscription::standing);
        if may(act, options, &channel, &self.info.user, standing) {
            Ok((channel, options))
        } else {
            Err(ErrorCode::PermissionDenied.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::json::testing::check_members;

    #[test]
    fn events_keep_the_rule_for_members() {
        check_members::<Event<'_>>(r#"{"service":"bot","data":{}}"#, &["data"]);
    }
}
