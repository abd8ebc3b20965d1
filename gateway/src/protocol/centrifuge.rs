//! Placeholder.
#![allow(missing_docs)]
use super::{Push, Reply};
use crate::model::{ChannelName, Publication};
pub fn encode_publication(_channel: &ChannelName, publication: &Publication, out: &mut Vec<u8>) {
    out.extend_from_slice(publication.data.get().as_bytes());
}
pub fn encode_push(_push: &Push, _out: &mut Vec<u8>) {}
pub fn encode_reply(_id: u32, _reply: &Reply, _out: &mut Vec<u8>) {}
