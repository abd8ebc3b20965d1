//! The channels of an event stream.

use crate::model::{ChannelName, Fingerprint};
use std::ops::Deref;

/// The digits of numbers in ids: those of base64url (RFC 4648, section 5).
pub(super) const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The channels of an event stream, in the order of its request: 1 to [`ChannelList::MAX`], each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelList(Box<[ChannelName]>);

/// What is wrong with the channels of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChannels {
    /// There is none.
    #[error("The request names no channel. Add channel=… to the query.")]
    None,
    /// There are too many.
    #[error("An event stream has at most {} channels. Open several streams, or use an SDK.", ChannelList::MAX)]
    TooMany,
    /// One occurs twice.
    #[error("The request names the channel {0} twice. Name each channel once.")]
    Twice(ChannelName),
}

impl ChannelList {
    /// Largest number of channels of a stream.
    pub const MAX: usize = 8;

    /// Checks the channels of a request.
    pub fn new(channels: Vec<ChannelName>) -> Result<Self, InvalidChannels> {
        if channels.is_empty() {
            return Err(InvalidChannels::None);
        }
        if channels.len() > Self::MAX {
            return Err(InvalidChannels::TooMany);
        }
        let twice = channels.iter().enumerate().find(|(at, channel)| channels.iter().take(*at).any(|before| before == *channel));
        match twice {
            Some((_, channel)) => Err(InvalidChannels::Twice(channel.clone())),
            None => Ok(Self(channels.into())),
        }
    }

    /// A digest of the names and their order, which begins the ids of several channels.
    pub(super) fn mark(&self) -> ListMark {
        let mut digest = Fingerprint::default();
        self.iter().for_each(|channel| digest.add(channel.as_bytes()));
        let digest = digest.finish();
        ListMark(std::array::from_fn(|at| DIGITS[usize::from(digest[at] % 64)]))
    }
}

impl Deref for ChannelList {
    type Target = [ChannelName];

    fn deref(&self) -> &[ChannelName] {
        &self.0
    }
}

/// A digest of a list of channels, as digits. It tells ids of other lists apart; epochs would show those that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListMark(pub(super) [u8; Self::LENGTH]);

impl ListMark {
    /// Length in bytes.
    pub(super) const LENGTH: usize = 5;
}
