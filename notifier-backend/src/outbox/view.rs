//! Notifications as the REST interface shows them, and the filter for them.

use crate::notification::{Envelope, Millis, Target};
use serde::{Deserialize, Serialize};

/// The state of a delivery. The numbers are the values of the column `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Not delivered yet.
    Pending = 0,
    /// The gateway accepted it.
    Delivered = 1,
    /// The gateway refused it permanently.
    Failed = 2,
}

impl DeliveryState {
    pub(super) fn from_column(state: u8) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|known| *known as u8 == state)
    }
}

/// The delivery of a notification to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    /// The user who receives it, unless a channel does.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The channel whose subscribers receive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// The state of the delivery.
    pub state: DeliveryState,
    /// Number of attempts.
    pub attempts: u32,
    /// The error of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The time of the last change, in the format of RFC 3339.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotificationView {
    /// Id of the notification.
    pub id: String,
    /// The time of its acceptance, in the format of RFC 3339.
    pub accepted_at: String,
    /// The earliest time of its deliveries, in the format of RFC 3339.
    pub due_at: String,
    /// The data that frontends receive.
    pub notification: Envelope,
    /// One for each target.
    pub targets: Vec<DeliveryView>,
}

/// Selects notifications for a page.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only notifications with a delivery in this state.
    pub state: Option<DeliveryState>,
    /// Only notifications to this user.
    pub user: Option<String>,
    /// `next` of the previous page.
    pub after: Option<i64>,
    /// Maximum number of notifications in the page.
    pub limit: usize,
}

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Page {
    /// Newest first.
    pub notifications: Vec<NotificationView>,
    /// `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
