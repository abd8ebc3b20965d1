//! What callers see of the outbox.

use crate::notification::{Envelope, Millis, Target};
use serde::{Deserialize, Serialize};

/// Where a delivery stands. The numbers are those of the column `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// To be delivered.
    Pending = 0,
    /// The gateway has it.
    Delivered = 1,
    /// The gateway refused it for good.
    Failed = 2,
}

impl DeliveryState {
    pub(super) fn from_column(state: u8) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|known| *known as u8 == state)
    }
}

/// One target of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryView {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    changed_at: String,
}

impl DeliveryView {
    pub(super) fn new(target: Target, state: DeliveryState, attempts: u32, cause: Option<String>, changed: Millis) -> Self {
        let (user, channel) = match target {
            Target::User(user) => (Some(user), None),
            Target::Channel(channel) => (None, Some(channel)),
        };
        Self { user, channel, state, attempts, cause, changed_at: changed.to_rfc3339() }
    }
}

/// A notification with its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationView {
    /// Its id.
    pub id: String,
    /// RFC 3339.
    pub accepted_at: String,
    /// RFC 3339: not delivered before.
    pub due_at: String,
    /// What frontends receive.
    pub notification: Envelope,
    /// One for each target.
    pub targets: Vec<DeliveryView>,
}

/// Which notifications are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With a target in this state.
    pub state: Option<DeliveryState>,
    /// With this user among the targets.
    pub user: Option<String>,
    /// The last page's `next`.
    pub after: Option<i64>,
    /// How many at most.
    pub limit: usize,
}

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Newest first.
    pub notifications: Vec<NotificationView>,
    /// The next page's `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
