//! What the keys of services allow.

use crate::{
    auth::{ApiKey, Scope},
    telemetry::{Audit, AuditEntry},
};
use gateway_core::model::{ChannelName, Refusal};

/// Checks that a key allows to publish into a channel, and tells the audit log if it does not. For publications whose refusal is not the answer to a
/// whole request.
pub fn permit(key: &ApiKey, audit: &Audit, channel: &ChannelName) -> Result<(), Refusal> {
    key.check_channel(Scope::Publish, channel).inspect_err(|refusal| {
        let (key, action, status) = (Some(key.name()), Scope::Publish.name(), Some(refusal.code.row().http));
        audit.refused(&AuditEntry { key, action, subject: channel, status, from: None, request_id: None });
    })
}
