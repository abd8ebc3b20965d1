//! One attempt to deliver.

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
use std::collections::BTreeMap;
use std::time::Duration;

/// Publications of history looked through at a time, and how many times.
const PAGE: u32 = 100;
const PAGES: usize = 20;

/// What an attempt says about the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Answered,
    Failing,
}

/// Delivers, and judges the answer.
pub(super) async fn deliver(gateway: &Gateway, delivery: &Delivery, window: Duration, pauses: Backoff) -> (Outcome, Health) {
    let outdated = Millis::now() > delivery.due.plus(window);
    if outdated {
        match was_delivered(gateway, delivery).await {
            Ok(Some(epoch)) => return (Outcome::Delivered { epoch }, Health::Answered),
            // No history: nothing can be looked up, and a repeat carries the same id.
            Ok(None) | Err(Failure::Refused { .. }) => {}
            Err(failure) => return judge(&failure, delivery, pauses),
        }
    }
    match send(gateway, delivery).await {
        Ok(position) => (Outcome::Delivered { epoch: position.epoch }, Health::Answered),
        Err(failure) if is_no_path(gateway, &failure).await => (Outcome::Failed { cause: failure.to_string() }, Health::Answered),
        Err(failure) => judge(&failure, delivery, pauses),
    }
}

async fn send(gateway: &Gateway, delivery: &Delivery) -> Result<PositionBody, Failure> {
    let data = RawValue::from_string(delivery.data.clone())
        .map_err(|error| Failure::Refused { code: "bad_request".into(), detail: error.to_string() })?;
    let body = PublishRequest { data, tags: BTreeMap::new(), ephemeral: false };
    let parent = traceparent(&tracing::Span::current());
    let how = Publishing { idempotency_key: Some(&delivery.id), traceparent: parent.as_deref() };
    match &delivery.target {
        Target::User(user) => gateway.message(user, &body, &how).await,
        Target::Channel(channel) => gateway.publish(channel, &body, &how).await,
    }
}

/// Looks for the notification among the publications since it was due, newest first; answers the epoch in which it is there.
async fn was_delivered(gateway: &Gateway, delivery: &Delivery) -> Result<Option<String>, Failure> {
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    let channel = delivery.target.channel();
    let mut query = HistoryQuery { since: None, limit: Some(PAGE), order: Order::Descending };
    for _ in 0..PAGES {
        let page = gateway.history(&channel, &query).await?;
        let found = |data: &RawValue| serde_json::from_str::<Id>(data.get()).is_ok_and(|seen| seen.id == delivery.notification);
        if page.publications.iter().any(|publication| found(&publication.data)) {
            return Ok(Some(page.epoch));
        }
        let Some(oldest) = page.publications.last() else { break };
        // A minute for clocks that differ.
        let before_due = i64::try_from(oldest.time).is_ok_and(|time| Millis(time).plus(Duration::from_mins(1)) < delivery.due);
        if before_due || oldest.offset <= 1 {
            break;
        }
        query.since = Some(PositionBody { epoch: page.epoch, offset: oldest.offset });
    }
    Ok(None)
}

/// Whether the gateway itself says that it has no such path, and is the right one: it answers under another path of the same interface.
async fn is_no_path(gateway: &Gateway, failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { .. }) && failure.is(ErrorCode::NotFound) && gateway.nodes().await.is_ok()
}

fn judge(failure: &Failure, delivery: &Delivery, pauses: Backoff) -> (Outcome, Health) {
    let cause = failure.to_string();
    let pause = pauses.pause_after(delivery.attempts.saturating_add(1));
    let again = |wait: Duration| Outcome::Retry { cause: cause.clone(), at: Millis::now().plus(wait) };
    match failure {
        Failure::NotDone { retry_after, .. } => {
            let busy_target = failure.is(ErrorCode::TooManyRequests) || failure.is(ErrorCode::IdempotencyInProgress);
            let health = if busy_target { Health::Answered } else { Health::Failing };
            (again(retry_after.map_or(pause, |asked| asked.max(pause))), health)
        }
        Failure::Refused { code, .. } if is_about_the_notification(code) => (Outcome::Failed { cause: cause.clone() }, Health::Answered),
        Failure::Unknown { .. } | Failure::Refused { .. } => (again(pause), Health::Failing),
    }
}

/// Otherwise our key or the gateway's address is wrong, and the notification waits until somebody has put that right.
fn is_about_the_notification(code: &str) -> bool {
    match ErrorCode::by_name(code) {
        None | Some(ErrorCode::Unauthorized | ErrorCode::NotFound | ErrorCode::MethodNotAllowed) => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::client::rest::Config;

    fn delivery(user: &str, due: Millis) -> Delivery {
        let (id, notification, target) = ("n-0".into(), "n".into(), Target::User(user.into()));
        Delivery { id, notification, data: "{}".into(), target, due, attempts: 0 }
    }

    #[tokio::test]
    async fn a_user_whom_no_path_can_name_is_given_up() {
        let timeout = Duration::from_secs(1);
        let urls = vec!["http://127.0.0.1:1".to_owned()];
        let gateway = Gateway::new(&Config { urls, api_key: "key".into(), connect_timeout: timeout, timeout }).expect("right settings");
        let pauses = Backoff::new(Duration::from_millis(1), timeout);
        // As an earlier version accepted it.
        let given_up = deliver(&gateway, &delivery("..", Millis::now()), Duration::from_mins(1), pauses).await;
        assert!(matches!(given_up, (Outcome::Failed { .. }, Health::Answered)), "{given_up:?}");
    }

    #[test]
    fn only_a_refusal_of_the_notification_itself_is_final() {
        let delivery = delivery("alice", Millis(0));
        let pauses = Backoff::new(Duration::from_millis(1), Duration::from_secs(1));
        let judged = |failure: &Failure| judge(failure, &delivery, pauses);
        let refused = |code: &str| Failure::Refused { code: code.into(), detail: String::new() };
        assert!(
            matches!(judged(&refused("unknown_channel")), (Outcome::Failed { cause }, Health::Answered) if cause.contains("unknown_channel"))
        );
        for ours in ["unauthorized", "not_found", "method_not_allowed", "of_a_proxy"] {
            assert!(matches!(judged(&refused(ours)), (Outcome::Retry { .. }, Health::Failing)), "{ours}");
        }
        assert!(matches!(judged(&Failure::unreachable("x")), (Outcome::Retry { .. }, Health::Failing)));
        assert!(matches!(judged(&Failure::no_answer("x")), (Outcome::Retry { .. }, Health::Failing)));
        let busy = Failure::NotDone { code: "too_many_requests".into(), detail: String::new(), retry_after: Some(Duration::from_mins(1)) };
        let (Outcome::Retry { at, .. }, Health::Answered) = judged(&busy) else { panic!("it is tried again") };
        assert!(at > Millis::now().plus(Duration::from_secs(50)), "not before the gateway asked for");
    }
}
