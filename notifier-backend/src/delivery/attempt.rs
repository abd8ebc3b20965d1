//! One delivery attempt, and the decision whether a failed one is tried again.

use crate::notification::{Millis, Target};
use crate::outbox::{Delivery, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;
use shared_proto::client::Failure;
use shared_proto::client::backoff::Backoff;
use shared_proto::client::rest::{Gateway, HistoryQuery, Order, Publishing};
use shared_proto::errors::ErrorCode;
use shared_proto::process::telemetry::traceparent;
use shared_proto::rest::{PositionBody, PublishRequest};
use std::time::Duration;

/// Publications in a page of history.
const PAGE: u32 = 100;
/// Maximum number of pages of history that are searched.
const PAGES: usize = 20;
/// The clocks of the gateway and the notifier may differ by this time.
const CLOCK_DIFFERENCE: Duration = Duration::from_mins(1);

/// The state of the gateway, as an attempt shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GatewayHealth {
    /// The gateway answered, even if with a refusal.
    Answered,
    /// The gateway did not answer or could not serve.
    Failing,
}

/// Delivers, and classifies the answer. After `key_lifetime` the gateway may have forgotten the idempotency key, so the channel's history is
/// searched first.
pub(super) async fn deliver(gateway: &Gateway, delivery: &Delivery, key_lifetime: Duration, pauses: Backoff) -> (Outcome, GatewayHealth) {
    let key_may_be_forgotten = Millis::now() > delivery.due.plus(key_lifetime);
    if key_may_be_forgotten {
        match find_in_history(gateway, delivery).await {
            Ok(Some(epoch)) => return (Outcome::Delivered { epoch }, GatewayHealth::Answered),
            // Not found, or the channel has no history. Frontends recognise a repeat by its id.
            Ok(None) | Err(Failure::Refused { .. }) => {}
            Err(failure) => return classify(&failure, delivery, pauses),
        }
    }
    match send(gateway, delivery).await {
        Ok(position) => (Outcome::Delivered { epoch: position.epoch }, GatewayHealth::Answered),
        Err(failure) if has_no_such_path(gateway, &failure).await => {
            (Outcome::Failed { cause: failure.to_string() }, GatewayHealth::Answered)
        }
        Err(failure) => classify(&failure, delivery, pauses),
    }
}

async fn send(gateway: &Gateway, delivery: &Delivery) -> Result<PositionBody, Failure> {
    let data = RawValue::from_string(delivery.data.clone()).map_err(|error| Failure::refused(ErrorCode::BadRequest, error.to_string()))?;
    let body = PublishRequest { data: Some(data), ..PublishRequest::default() };
    let parent = traceparent(&tracing::Span::current());
    let how = Publishing { idempotency_key: Some(&delivery.id), traceparent: parent.as_deref() };
    match &delivery.target {
        Target::User(user) => gateway.message(user, &body, &how).await,
        Target::Channel(channel) => gateway.publish(channel, &body, &how).await,
    }
}

/// Searches the publications since the delivery was due, newest first. Returns the epoch of the channel if the notification is there.
async fn find_in_history(gateway: &Gateway, delivery: &Delivery) -> Result<Option<String>, Failure> {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    let channel = delivery.target.channel();
    let mut query = HistoryQuery { since: None, limit: Some(PAGE), order: Order::Descending };
    for _ in 0..PAGES {
        let page = gateway.history(&channel, &query).await?;
        let found = |data: &RawValue| serde_json::from_str::<Id>(data.get()).is_ok_and(|seen| seen.id == delivery.notification);
        if page.publications.iter().any(|publication| publication.data.as_deref().is_some_and(found)) {
            return Ok(Some(page.epoch));
        }
        let Some(oldest) = page.publications.last() else { break };
        let before_due = i64::try_from(oldest.time).is_ok_and(|time| Millis(time).plus(CLOCK_DIFFERENCE) < delivery.due);
        if before_due || oldest.offset <= 1 {
            break;
        }
        query.since = Some(PositionBody { epoch: page.epoch, offset: oldest.offset });
    }
    Ok(None)
}

/// Whether the gateway has no path for the delivery. A 404 can also come from a wrong server, so this checks that another path of the
/// gateway's interface exists.
async fn has_no_such_path(gateway: &Gateway, failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { .. }) && failure.is(ErrorCode::NotFound) && gateway.nodes().await.is_ok()
}

fn classify(failure: &Failure, delivery: &Delivery, pauses: Backoff) -> (Outcome, GatewayHealth) {
    let cause = failure.to_string();
    let pause = pauses.pause_after(delivery.attempts.saturating_add(1));
    let retry = |wait: Duration| Outcome::Retry { cause: cause.clone(), at: Millis::now().plus(wait) };
    match failure {
        Failure::NotDone { retry_after, .. } => {
            let busy_target = failure.is(ErrorCode::TooManyRequests) || failure.is(ErrorCode::IdempotencyInProgress);
            let health = if busy_target { GatewayHealth::Answered } else { GatewayHealth::Failing };
            (retry(retry_after.map_or(pause, |requested| requested.max(pause))), health)
        }
        Failure::Refused { code, .. } if concerns_the_notification(code) => {
            (Outcome::Failed { cause: cause.clone() }, GatewayHealth::Answered)
        }
        Failure::Unknown { .. } | Failure::Refused { .. } => (retry(pause), GatewayHealth::Failing),
    }
}

/// Whether a refusal with this code concerns the notification. If not, the notifier's API key or the gateway's address is wrong, and the
/// notification waits until an operator has corrected that.
fn concerns_the_notification(code: &str) -> bool {
    match ErrorCode::by_name(code) {
        None | Some(ErrorCode::Unauthorized | ErrorCode::NotFound | ErrorCode::MethodNotAllowed) => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::client::{TlsFiles, rest::Config};

    fn delivery(user: &str, due: Millis) -> Delivery {
        let (id, notification, target) = ("n-0".into(), "n".into(), Target::User(user.into()));
        Delivery { id, notification, data: "{}".into(), target, due, attempts: 0 }
    }

    #[tokio::test]
    async fn a_user_that_no_path_can_name_is_final() {
        let timeout = Duration::from_secs(1);
        let urls = vec!["http://127.0.0.1:1".to_owned()];
        let gateway = Gateway::new(&Config { urls, api_key: "key".into(), connect_timeout: timeout, timeout, tls: TlsFiles::default() })
            .expect("right settings");
        let pauses = Backoff::new(Duration::from_millis(1), timeout);
        // An earlier version accepted this user.
        let outcome = deliver(&gateway, &delivery("..", Millis::now()), Duration::from_mins(1), pauses).await;
        assert!(matches!(outcome, (Outcome::Failed { .. }, GatewayHealth::Answered)), "{outcome:?}");
    }

    #[test]
    fn only_a_refusal_that_concerns_the_notification_is_final() {
        let delivery = delivery("alice", Millis(0));
        let pauses = Backoff::new(Duration::from_millis(1), Duration::from_secs(1));
        let classified = |failure: &Failure| classify(failure, &delivery, pauses);
        let refused = |code: &str| Failure::Refused { code: code.into(), detail: String::new(), expected: None };
        assert!(
            matches!(classified(&refused("unknown_channel")), (Outcome::Failed { cause }, GatewayHealth::Answered) if cause.contains("unknown_channel"))
        );
        for ours in ["unauthorized", "not_found", "method_not_allowed", "of_a_proxy"] {
            assert!(matches!(classified(&refused(ours)), (Outcome::Retry { .. }, GatewayHealth::Failing)), "{ours}");
        }
        assert!(matches!(classified(&Failure::unreachable("x")), (Outcome::Retry { .. }, GatewayHealth::Failing)));
        assert!(matches!(classified(&Failure::no_answer("x")), (Outcome::Retry { .. }, GatewayHealth::Failing)));
        let busy = Failure::NotDone { code: "too_many_requests".into(), detail: String::new(), retry_after: Some(Duration::from_mins(1)) };
        let (Outcome::Retry { at, .. }, GatewayHealth::Answered) = classified(&busy) else { panic!("the delivery is retried") };
        assert!(at > Millis::now().plus(Duration::from_secs(50)), "not before the time that the gateway requested");
    }
}
