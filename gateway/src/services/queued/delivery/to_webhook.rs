//! Delivers an event from a queue as a request.

use super::in_hand::InHand;
use crate::services::{
    call_types::{CallError, Choice},
    instances::instance::AbandonReason,
    service::Service,
    webhook::{answer::Verdict, request::Outbound, webhook::Webhook},
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Sends an event, if a target may get it and half of the limit of requests in flight stays free for calls. Otherwise it gives the event back.
pub(super) fn send(webhook: &Arc<Webhook>, service: &Arc<Service>, outbound: Outbound, mut in_hand: InHand) -> Option<(Outbound, InHand)> {
    let Ok((request, target)) = webhook.targets().begin(Choice::LeavingRoom, webhook.now()) else { return Some((outbound, in_hand)) };
    in_hand.begin_writing();
    let (deadline, service) = (Instant::now() + webhook.config.call_timeout, Arc::clone(service));
    webhook.spawn({
        let webhook = Arc::clone(webhook);
        async move {
            let answered = tokio::select! {
                biased;
                answered = timeout_at(deadline, webhook.deliver(request, target, &outbound, deadline)) => answered.map_err(|_| AbandonReason::Deadline),
                () = webhook.node_end.over() => Err(AbandonReason::Cancelled),
            };
            match answered {
                Ok(verdict) => end(in_hand, verdict),
                Err(why) => {
                    webhook.targets().abandon(request, why, webhook.now());
                    if why == AbandonReason::Deadline {
                        in_hand.written();
                        in_hand.failed(true, None, "The service did not answer in time.");
                    }
                }
            }
            service.wake();
        }
    });
    None
}

/// Reports what the answer means.
fn end(in_hand: InHand, verdict: Verdict) {
    // NL-8.7
    if verdict.is_unsent() {
        return in_hand.not_sent();
    }
    in_hand.written();
    let pause = verdict.pause();
    match verdict.result {
        _ if verdict.is_success => in_hand.done(),
        Err(CallError::Service { temporary, code, message }) => in_hand.failed(temporary, None, format!("{code}: {message}")),
        Err(CallError::Refused(refusal)) => in_hand.failed(true, pause, refusal.detail),
        Err(CallError::BadReply(bad)) => in_hand.failed(true, None, bad.detail),
        // A reply is always a success.
        Ok(_) => in_hand.done(),
    }
}
