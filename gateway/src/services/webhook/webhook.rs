//! A service that is reached by HTTP requests.

use super::{
    super::{
        call_types::{CallRequest, CallResult, Choice, EventMessage},
        counters::{Count, Counters},
        instances::instance::AbandonReason,
    },
    answer::{Health, Verdict},
    config::WebhookConfig,
    http_client::{Failure, HttpClient},
    request::Outbound,
    targets::{RequestId, TargetIndex, TargetSummary, Targets, Tried},
};
use crate::cluster::DrainAction;
use gateway_core::model::{Refusal, ServiceName, Tick};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, sleep_until, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often a request that was surely not taken is tried again.
const RETRIES: usize = 2;

/// Pause before a call with a key is sent again, if the busy target asked for none.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// Pause before a target is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// The end of the node, as far as it concerns events on their way and calls that go on without their callers.
#[derive(Clone)]
pub(crate) struct NodeEnd {
    /// Cancelled when the node stops.
    pub(crate) closing: CancellationToken,
    /// Time that they have then.
    pub(crate) close_timeout: Duration,
    /// The node waits for these tasks.
    pub(crate) tasks: TaskTracker,
}

/// A service that is reached by HTTP requests. The request of a call runs in the task of its caller, and other requests on the runtime that created
/// the webhook.
pub(crate) struct Webhook {
    pub(in crate::services) service: ServiceName,
    pub(in crate::services) config: Arc<WebhookConfig>,
    targets: Mutex<Targets>,
    client: HttpClient,
    pub(in crate::services) counters: Arc<Counters>,
    pub(in crate::services) node_end: NodeEnd,
    runtime: Handle,
    start: Instant,
}

/// Sends a call and ends with its answer.
pub(crate) type AnswerFuture = Pin<Box<dyn Future<Output = CallResult> + Send>>;

/// A call on its way.
pub(crate) struct CallInFlight {
    request: RequestId,
    begun: Instant,
}

/// The place of a request among those in flight. However its future ends, the place becomes free.
struct Place {
    webhook: Arc<Webhook>,
    request: RequestId,
}

impl Drop for Place {
    fn drop(&mut self) {
        // Does nothing if the request has ended.
        self.webhook.targets().abandon(self.request, AbandonReason::Cancelled, self.webhook.now());
    }
}

impl NodeEnd {
    /// Waits until the node stops, and then as long as tasks may take.
    pub(crate) async fn over(&self) {
        self.closing.cancelled().await;
        sleep(self.close_timeout).await;
    }
}

impl Webhook {
    /// Needs a runtime.
    pub(crate) fn new(service: ServiceName, config: Arc<WebhookConfig>, counters: Arc<Counters>, node_end: NodeEnd) -> Arc<Self> {
        let urls = config.urls.iter().map(|url| url.shown.clone());
        let targets = Mutex::new(Targets::new(service.as_str().into(), urls, config.in_flight, config.breaker));
        let (client, runtime, start) = (HttpClient::new(&config), Handle::current(), Instant::now());
        Arc::new(Self { service, config, targets, client, counters, node_end, runtime, start })
    }

    /// Begins a call. The future sends it and ends with its answer; dropping the future closes its connection. The caller watches the deadline.
    pub(crate) fn start(self: &Arc<Self>, choice: Choice<'_>, call: CallRequest<'_>) -> Result<(CallInFlight, AnswerFuture), Refusal> {
        let (request, target) = self.targets().begin(choice, self.now())?;
        let (place, deadline, outbound) = (Place { webhook: Arc::clone(self), request }, call.deadline, Outbound::call(call));
        let answer = Box::pin(async move { place.webhook.deliver(request, target, &outbound, deadline).await.result });
        Ok((CallInFlight { request, begun: Instant::now() }, answer))
    }

    /// Ends a call for whose answer nobody waits any more.
    pub(crate) fn abandon(&self, call: &CallInFlight, why: AbandonReason) {
        self.give_up(call.request, why, call.begun);
    }

    /// Sends an event.
    pub(crate) fn send(self: &Arc<Self>, event: EventMessage<'_>) -> Result<(), Refusal> {
        let (request, target) = self.targets().begin(Choice::LessBusy, self.now())?;
        let place = Place { webhook: Arc::clone(self), request };
        let (sent, outbound) = (Instant::now(), Outbound::event(event));
        let deadline = sent + self.config.call_timeout;
        let work = async move {
            let webhook = &place.webhook;
            let ended = tokio::select! {
                biased;
                ended = timeout_at(deadline, webhook.deliver(request, target, &outbound, deadline)) => ended.map_err(|_| AbandonReason::Deadline),
                () = webhook.node_end.over() => Err(AbandonReason::Cancelled),
            };
            if let Err(why) = ended {
                webhook.give_up(request, why, sent);
            }
            if !matches!(ended, Ok(Verdict { result: Ok(_), .. })) {
                webhook.counters.add(Count::EventLost);
            }
        };
        self.spawn(work);
        Ok(())
    }

    /// Runs work for whose end the node waits when it stops.
    pub(in crate::services) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.node_end.tasks.spawn_on(work, &self.runtime);
    }

    /// The targets, in the order of the settings.
    pub(crate) fn summary(&self) -> Vec<TargetSummary> {
        self.targets().summary(self.now())
    }

    /// The name of a target. None if there is no such target.
    pub(crate) fn target_name(&self, target: TargetIndex) -> Option<Box<str>> {
        self.targets().name(target)
    }

    /// Finds the target with this name, drains it, or ends that. Returns false if there is no such target.
    pub(crate) fn drain_target(&self, name: &str, action: DrainAction) -> bool {
        self.targets().drain(name, action)
    }

    /// Sends the request to one target after the other, until one of them may have taken it; with a key, until one of them is not busy.
    pub(in crate::services) async fn deliver(
        &self,
        request: RequestId,
        mut target: TargetIndex,
        outbound: &Outbound,
        deadline: Instant,
    ) -> Verdict {
        let mut tried = Tried::new();
        loop {
            let begun = Instant::now();
            let verdict = match self.attempt(target, outbound, deadline).await {
                Ok(verdict) => verdict,
                Err(refusal) => {
                    self.targets().abandon(request, AbandonReason::Cancelled, self.now());
                    return Verdict::not_made(refusal);
                }
            };
            self.record(request, target, &verdict, begun.elapsed());
            tried.push(target);
            let next = match verdict.health {
                Health::Unreached => self.next_target(request, &tried).await,
                Health::Busy if outbound.has_key => self.target_after_pause(request, &tried, verdict.pause(), deadline).await,
                Health::Busy | Health::Answers | Health::Fails => None,
            };
            let Some(next) = next else {
                self.targets().end(request);
                return verdict;
            };
            target = next;
        }
    }

    /// Sends the request to one target. An error means that no request could be made of it.
    async fn attempt(&self, target: TargetIndex, outbound: &Outbound, deadline: Instant) -> Result<Verdict, Refusal> {
        let config = &self.config;
        let url = &config.urls[target];
        let left = deadline.saturating_duration_since(Instant::now());
        let request = outbound.request(url, &config.headers, &config.signer, SystemTime::now(), left)?;
        let service = &self.service;
        Ok(match self.client.send(target, url, request).await {
            Ok(answer) => Verdict::of(service, &answer, SystemTime::now()),
            Err(Failure::NotSent(cause)) => Verdict::not_sent(service, cause),
            Err(Failure::Lost(cause)) => Verdict::lost(service, cause),
            Err(Failure::Malformed(cause)) => {
                Verdict::bad(service, format!("sent an answer that is not HTTP ({cause})"), "Tell its developers")
            }
        })
    }

    /// The target of the next try of a call with a key, after the pause that the last target asked for. None if that is past the deadline.
    async fn target_after_pause(
        &self,
        request: RequestId,
        tried: &Tried,
        pause: Option<Duration>,
        deadline: Instant,
    ) -> Option<TargetIndex> {
        let next = Instant::now() + pause.unwrap_or(BUSY_PAUSE);
        if tried.len() > RETRIES || next >= deadline {
            return None;
        }
        sleep_until(next).await;
        self.targets().again(request, tried, self.now())
    }

    /// The target of the next try, another one if possible.
    async fn next_target(&self, request: RequestId, tried: &Tried) -> Option<TargetIndex> {
        if tried.len() > RETRIES {
            return None;
        }
        if tried.len() >= self.config.urls.len() {
            sleep(PAUSE).await;
        }
        self.targets().again(request, tried, self.now())
    }

    /// Ends a request that was sent at `sent`, because of its deadline or its caller.
    fn give_up(&self, request: RequestId, why: AbandonReason, sent: Instant) {
        let mut targets = self.targets();
        if why == AbandonReason::Deadline {
            targets.record(request, sent.elapsed(), self.now());
        }
        targets.abandon(request, why, self.now());
    }

    fn record(&self, request: RequestId, target: TargetIndex, verdict: &Verdict, took: Duration) {
        let mut targets = self.targets();
        if verdict.health != Health::Unreached {
            targets.record(request, took, self.now());
        }
        targets.tried(request, verdict.health, self.now());
        if let Some(remark) = &verdict.remark
            && targets.is_news(target, remark, self.now())
        {
            tracing::warn!(service = %self.service, target = targets.url(target), "webhook target: {remark}");
        }
    }

    /// Waits until the node stops.
    pub(in crate::services) async fn node_stops(&self) {
        self.node_end.closing.cancelled().await;
    }

    pub(in crate::services) fn is_stopping(&self) -> bool {
        self.node_end.closing.is_cancelled()
    }

    pub(in crate::services) fn targets(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::services) fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }
}

#[cfg(test)]
pub(in crate::services) mod tests;
