//! Placeholder.
#![allow(missing_docs)]
use super::{Push, Reply};
use crate::model::{ChannelName, Publication};
pub fn encode_publication(_channel: &ChannelName, publication: &Publication, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"push\":{{\"pub\":{{\"data\":{}}}}}}}", publication.data.get()).as_bytes());
}
pub fn encode_push(push: &Push, out: &mut Vec<u8>) {
    out.extend_from_slice(if matches!(push, Push::Join(..)) { b"{\"push\":{\"join\":{}}}" } else { b"{\"push\":{\"leave\":{}}}" });
}
pub fn encode_reply(_id: u32, _reply: &Reply, _out: &mut Vec<u8>) {}
