//! Joining a channel: subscribe, read what was missed, and catch up until deliveries may come live.

use super::worker::Worker;
use crate::{
    broker::BrokerError,
    hub::{Advance, ConnKey, Live, Outbox},
    telemetry::FailureLog,
};
use gateway_core::{
    channel::recovery::{Judgement, Start, first_span, judge, lost},
    model::{ChannelName, ClientInfo, ErrorCode, Refusal, Retention, Span},
    session::{Attach, Attached, Outcome},
};
use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll};

// NL-5.7
/// Joins; deliveries are held back from then on. Failing leaves no trace, once the session has left the channel.
pub(super) async fn attach(worker: Rc<Worker>, key: ConnKey, attach: Attach) -> Outcome {
    let Some(options) = worker.node.rules.namespaces.options(&attach.channel).cloned() else {
        return Outcome::Failed(ErrorCode::UnknownChannel.into());
    };
    let told = (options.presence || options.join_leave).then(|| attach.info.clone());
    if !worker.hub.join(key, &attach.channel, &options, told.clone(), attach.side, attach.join_leave) {
        return Outcome::Failed(ErrorCode::Internal.into());
    }
    match tokio::time::timeout(worker.limits.attach_timeout, establish(&worker, key, &attach, options.retention, told)).await {
        Ok(Ok(attached)) => Outcome::Attached(attached),
        Ok(Err(error)) => Outcome::Failed(error.try_again()),
        // The official SDKs do so by themselves.
        Err(_) => Outcome::Failed(Refusal::new(ErrorCode::Internal, "The channel could not be joined in time. Try again.")),
    }
}

// NL-5.1
async fn establish(
    worker: &Worker,
    key: ConnKey,
    attach: &Attach,
    retention: Option<Retention>,
    told: Option<Arc<ClientInfo>>,
) -> Result<Attached, BrokerError> {
    worker.node.broker.subscribe(&attach.channel, worker.hub.worker(), retention).await?;
    let attached = match retention {
        None => Attached::default(),
        Some(retention) => {
            let start = start(worker, attach, retention).await?;
            worker.hub.set_cursor(key, &attach.channel, start.cursor, start.top);
            Attached { position: Some(start.answer), recovery: start.recovery, publications: start.publications }
        }
    };
    if let Some(info) = told {
        worker.hub.arrive(&attach.channel, info).await?;
    }
    Ok(attached)
}

async fn start(worker: &Worker, attach: &Attach, retention: Retention) -> Result<Start, BrokerError> {
    let (reads, recover, limit) = (worker.hub.reads(), attach.recover.as_ref(), worker.hub.page().shared_by(attach.among));
    if let Some(start) = recover.and_then(|recover| worker.hub.remembered(&attach.channel, recover, limit)) {
        return Ok(start);
    }
    let page = reads.page(&attach.channel, retention, first_span(recover), limit).await?;
    match judge(recover, page) {
        Judgement::Start(start) => Ok(start),
        Judgement::ReadAgain(span) => Ok(lost(&reads.page(&attach.channel, retention, span, limit).await?)),
    }
}

// NL-5.2, NL-5.4
/// Hands over what is held after `offset`, a page at a time and only while the outbox has room, until the subscription is live.
pub(super) async fn catch_up(worker: Rc<Worker>, key: ConnKey, outbox: Rc<Outbox>, channel: ChannelName, mut offset: u64) -> Advance {
    let mut failures = FailureLog::default();
    loop {
        room(&outbox).await;
        let Some(retention) = worker.node.rules.namespaces.options(&channel).and_then(|options| options.retention) else {
            return Advance::To(Live::Gone);
        };
        match worker.hub.reads().page(&channel, retention, Span::After(offset), worker.hub.page()).await {
            Ok(page) => {
                // Others may have filled it during the read.
                room(&outbox).await;
                match worker.hub.advance(key, &channel, &page) {
                    // The worker is in another timeline, and reads by itself.
                    Advance::To(Live::Behind(next)) if next == offset => tokio::time::sleep(worker.hub.retry()).await,
                    Advance::To(Live::Behind(next)) => offset = next,
                    end => return end,
                }
            }
            Err(error) => {
                failures.failed(
                    || tracing::warn!(%channel, %error, "missed publications cannot be read yet; the connection tries until it can"),
                );
                tokio::time::sleep(worker.hub.retry()).await;
            }
        }
    }
}

/// Resolves once the outbox has room. The connection polls this again whenever it has written something.
async fn room(outbox: &Outbox) {
    poll_fn(|_| if outbox.has_room() { Poll::Ready(()) } else { Poll::Pending }).await;
}
