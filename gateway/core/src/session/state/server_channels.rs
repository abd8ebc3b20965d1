//! The channels that a connection's token, a service or the gateway gives to a connection: it is subscribed to them, or may subscribe.

use super::subscriptions::Source;
use crate::model::{ChannelName, Tick};

/// A channel that a connection gets without its frontend's request.
#[derive(Debug)]
pub(crate) struct ServerChannel {
    pub(crate) channel: ChannelName,
    /// Who gives it: [`Source::Server`], [`Source::ConnectionToken`] or [`Source::Service`].
    pub(crate) source: Source,
    /// When it ends; none: with the connection.
    pub(crate) expires_at: Option<Tick>,
}

/// Services have opened as many channels as a connection may have.
#[derive(Debug)]
pub(crate) struct TooMany;

/// The channels to which a frontend may subscribe, whose protocol has no server-side subscriptions.
#[derive(Debug, Default)]
pub(crate) struct PermittedChannels(Vec<ServerChannel>);

impl PermittedChannels {
    pub(crate) fn new(channels: Vec<ServerChannel>) -> Self {
        Self(channels)
    }

    /// The permission for a channel, unless it has ended.
    pub(crate) fn get(&self, channel: &ChannelName, now: Tick) -> Option<&ServerChannel> {
        self.0.iter().find(|it| it.channel == *channel && it.expires_at.is_none_or(|at| at > now))
    }

    /// Opens a channel for a service, or changes when the permission ends. What the token opened stays open as long as the connection lasts.
    ///
    /// Fails if services have opened `limit` other channels.
    pub(crate) fn permit_by_service(
        &mut self,
        now: Tick,
        limit: usize,
        channel: ChannelName,
        expires_at: Option<Tick>,
    ) -> Result<(), TooMany> {
        match self.0.iter_mut().find(|it| it.channel == channel) {
            Some(known) if known.source == Source::Service => known.expires_at = expires_at,
            Some(_) => {}
            None => {
                self.0.retain(|it| it.expires_at.is_none_or(|at| at > now));
                if self.0.iter().filter(|it| it.source == Source::Service).count() >= limit {
                    return Err(TooMany);
                }
                self.0.push(ServerChannel { channel, source: Source::Service, expires_at });
            }
        }
        Ok(())
    }

    /// Closes a channel.
    pub(crate) fn withdraw(&mut self, channel: &ChannelName) {
        self.0.retain(|it| it.channel != *channel);
    }
}
