//! How calls and events reach a service. A call does not know it.

use super::{
    call_types::{CallRequest, CallResult, Choice, EventMessage},
    instances::{
        instance::{AbandonReason, CallId},
        links::Links,
    },
    webhook::webhook::{AnswerFuture, CallInFlight, Webhook},
};
use gateway_core::model::{ErrorCode, Refusal, ServiceName, Tick};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// How a service is reached.
pub(super) enum Carrier {
    /// Over the links of its instances.
    Links(Links),
    /// By HTTP requests.
    Webhook(Arc<Webhook>),
    /// Not at all: a program of the service reads its queue.
    Queue(ServiceName),
}

/// A call that a carrier has accepted.
pub(super) enum Started {
    /// It is queued for the link of this instance.
    OnLink(CallId, Arc<str>),
    /// It is a request on its way.
    AsRequest(CallInFlight),
}

impl Started {
    /// The instance that has the call, which later calls of the same key prefer.
    pub(super) fn instance(&self) -> Option<Arc<str>> {
        match self {
            Self::OnLink(_, instance) => Some(Arc::clone(instance)),
            Self::AsRequest(_) => None,
        }
    }
}

/// The answer to a call. `None`: the gateway lost it.
pub(super) enum Answer {
    /// The link sends it here.
    OfLink(oneshot::Receiver<CallResult>),
    /// This sends the request and reads the answer.
    OfRequest(AnswerFuture),
}

impl Future for Answer {
    type Output = Option<CallResult>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::OfLink(answer) => Pin::new(answer).poll(cx).map(Result::ok),
            Self::OfRequest(answer) => answer.as_mut().poll(cx).map(Some),
        }
    }
}

impl Carrier {
    /// Begins a call. The answer has to be polled: a webhook sends its request then.
    pub(super) fn start(&self, choice: Choice<'_>, call: CallRequest<'_>, now: Tick) -> Result<(Started, Answer), Refusal> {
        match self {
            Self::Links(links) => {
                let (send, answer) = oneshot::channel();
                let (call, instance) = links.lock().start(choice, call.into(), send, now)?;
                Ok((Started::OnLink(call, instance), Answer::OfLink(answer)))
            }
            Self::Webhook(webhook) => {
                let (call, answer) = webhook.start(choice, call)?;
                Ok((Started::AsRequest(call), Answer::OfRequest(answer)))
            }
            Self::Queue(service) => Err(answers_nothing(service)),
        }
    }

    /// Sends an event.
    pub(super) fn send(&self, event: EventMessage<'_>, now: Tick) -> Result<(), Refusal> {
        match self {
            Self::Links(links) => links.lock().send(event.into(), now),
            Self::Webhook(webhook) => webhook.send(event),
            Self::Queue(service) => Err(answers_nothing(service)),
        }
    }

    /// Records how long a call took, with an answer or until its deadline. A webhook does so itself, for each of its tries.
    pub(super) fn record(&self, call: &Started, took: Duration, now: Tick) {
        if let (Self::Links(links), Started::OnLink(call, _)) = (self, call) {
            links.lock().record(*call, took, now);
        }
    }

    /// Ends a call whose caller stopped waiting.
    pub(super) fn abandon(&self, call: &Started, why: AbandonReason, now: Tick) {
        match (self, call) {
            (Self::Links(links), Started::OnLink(call, _)) => links.lock().abandon(*call, why, now),
            (Self::Webhook(webhook), Started::AsRequest(call)) => webhook.abandon(call, why),
            (Self::Links(_), Started::AsRequest(_)) | (Self::Webhook(_), Started::OnLink(..)) | (Self::Queue(_), _) => {}
        }
    }
}

fn answers_nothing(service: &ServiceName) -> Refusal {
    let detail = format!("{service} is reached only by its queue, so it answers no calls and no questions of guards.");
    Refusal::new(ErrorCode::NotAvailable, detail)
}
