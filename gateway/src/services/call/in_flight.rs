//! A call or a question that was sent.

use crate::services::{
    call_types::{CallRequest, CallResult, Choice},
    carrier::{Answer, Started},
    counters::Count,
    instances::instance::AbandonReason,
    service::Service,
    services::Services,
};
use gateway_core::model::{ErrorCode, Refusal};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// A call or a question that was sent. Dropping it before its end cancels it.
pub(in crate::services) struct InFlight<'a> {
    services: &'a Services,
    service: &'a Service,
    call: Started,
    answer: Answer,
    sent: Instant,
    /// As what it counts if it is cancelled.
    cancelled: Option<Count>,
    ended: bool,
}

impl<'a> InFlight<'a> {
    /// Sends a call.
    pub(in crate::services) fn begin(
        services: &'a Services,
        service: &'a Service,
        choice: Choice<'_>,
        call: CallRequest<'_>,
        cancelled: Option<Count>,
    ) -> Result<Self, Refusal> {
        let (call, answer) = service.carrier.start(choice, call, services.now())?;
        Ok(Self { services, service, call, answer, sent: Instant::now(), cancelled, ended: false })
    }

    /// The instance that has it; none for a webhook.
    pub(in crate::services) fn instance(&self) -> Option<Arc<str>> {
        self.call.instance()
    }

    /// Waits for the answer. `None`: it did not come before the deadline, which the instance gets reported as `late`.
    pub(in crate::services) async fn answer(mut self, deadline: Instant, late: AbandonReason) -> Option<CallResult> {
        let answer = timeout_at(deadline, &mut self.answer).await;
        self.service.carrier.record(&self.call, self.sent.elapsed(), self.services.now());
        let Ok(answer) = answer else {
            self.abandon(late);
            return None;
        };
        self.ended = true;
        Some(answer.unwrap_or_else(|| {
            let detail = format!("The gateway lost the answer of {}. It may have carried the call out.", self.service.name);
            Err(Refusal::new(ErrorCode::Timeout, detail).into())
        }))
    }

    fn abandon(&mut self, why: AbandonReason) {
        self.ended = true;
        self.service.carrier.abandon(&self.call, why, self.services.now());
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.abandon(AbandonReason::Cancelled);
            if let Some(count) = self.cancelled {
                self.services.counters.add(count);
            }
        }
        self.service.wake();
    }
}
