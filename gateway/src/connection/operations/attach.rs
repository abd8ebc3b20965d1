//! Attaches a connection to a channel: subscribes, reads missed publications, and catches up until delivery is live.

use super::super::worker_context::WorkerContext;
use crate::{
    broker::BrokerError,
    hub::{CatchUpStep, ConnKey, LiveStatus, NewSubscription, Outbox},
    telemetry::FailureLog,
};
use gateway_core::{
    channel::{
        ChannelOptions, Unrecoverable,
        recovery::{RecoveryDecision, SubscriptionStart, decide, first_range, replay},
    },
    model::{ChannelName, ClientInfo, ErrorCode, ReadRange, Refusal, Retention},
    session::{Attach, Attached, Outcome},
};
use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll};

// NL-5.7
/// Joins the channel, reads the start of its history for the connection, and adds the connection to the presence.
///
/// The channel keeps deliveries until the connection goes live. After a failure the session leaves the channel, which undoes the join.
pub(super) async fn attach(worker: Rc<WorkerContext>, key: ConnKey, attach: Attach) -> Outcome {
    let Some(options) = worker.node.session_config.namespaces.options(&attach.channel).cloned() else {
        return Outcome::Failed(ErrorCode::UnknownChannel.into());
    };
    let presence_info = (options.presence || options.join_leave).then(|| attach.info.clone());
    let subscription = NewSubscription {
        options: &options,
        info: presence_info.clone(),
        side: attach.side,
        join_leave: attach.join_leave,
        is_compact: attach.compact,
        has_deltas: attach.delta,
        filter: attach.tags_filter.clone(),
        form: attach.form.clone(),
    };
    let Some(number) = worker.hub.join(key, &attach.channel, subscription) else {
        return Outcome::Failed(ErrorCode::Internal.into());
    };
    match tokio::time::timeout(attach.within, establish(&worker, key, &attach, &options, presence_info)).await {
        Ok(Ok(attached)) => Outcome::Attached(Attached { number: attach.compact.then_some(number), delta: attach.delta, ..attached }),
        Ok(Err(error)) => Outcome::Failed(error.try_again()),
        // The official SDKs retry after this error.
        Err(_) => Outcome::Failed(Refusal::new(ErrorCode::Internal, "The channel could not be joined in time. Try again.")),
    }
}

// NL-5.1
async fn establish(
    worker: &WorkerContext,
    key: ConnKey,
    attach: &Attach,
    options: &ChannelOptions,
    presence_info: Option<Arc<ClientInfo>>,
) -> Result<Attached, BrokerError> {
    worker.node.broker.subscribe(&attach.channel, worker.hub.worker(), options.retention).await?;
    let attached = match options.retention {
        None => Attached::default(),
        Some(retention) => {
            let start = start(worker, attach, retention, options.unrecoverable).await?;
            worker.hub.set_read_progress(key, &attach.channel, start.cursor, start.top);
            let mut publications = start.publications;
            if let Some(filter) = &attach.tags_filter {
                publications.retain(|publication| filter.matches(&publication.tags));
            }
            Attached { position: Some(start.answer), recovery: start.recovery, publications, ..Attached::default() }
        }
    };
    if let Some(info) = presence_info {
        worker.hub.add_presence(&attach.channel, info).await?;
    }
    Ok(attached)
}

async fn start(
    worker: &WorkerContext,
    attach: &Attach,
    retention: Retention,
    unrecoverable: Unrecoverable,
) -> Result<SubscriptionStart, BrokerError> {
    let (reads, recover, limit) = (worker.hub.reads(), attach.recover.as_ref(), worker.hub.page().divided_by(attach.page_shares));
    if let Some(start) = recover.and_then(|recover| worker.hub.recover_from_memory(&attach.channel, recover, limit)) {
        return Ok(start);
    }
    let page = reads.page(&attach.channel, retention, first_range(recover), limit).await?;
    match decide(recover, unrecoverable, page) {
        RecoveryDecision::Start(start) => Ok(start),
        RecoveryDecision::ReadAgain(range) => Ok(replay(&reads.page(&attach.channel, retention, range, limit).await?)),
    }
}

// NL-5.2, NL-5.4
/// Delivers the history after `offset`, page by page and only while the outbox has room, until the subscription is live.
pub(super) async fn catch_up(
    worker: Rc<WorkerContext>,
    key: ConnKey,
    outbox: Rc<Outbox>,
    channel: ChannelName,
    mut offset: u64,
) -> CatchUpStep {
    let mut failures = FailureLog::default();
    loop {
        wait_for_room(&outbox).await;
        let Some(retention) = worker.node.session_config.namespaces.options(&channel).and_then(|options| options.retention) else {
            return CatchUpStep::Status(LiveStatus::Detached);
        };
        match worker.hub.reads().page(&channel, retention, ReadRange::After(offset), worker.hub.page()).await {
            Ok(page) => {
                // Other deliveries may have filled the outbox during the read.
                wait_for_room(&outbox).await;
                match worker.hub.deliver_page(key, &channel, &page) {
                    // The channel's feed has another epoch, and is being corrected by a backfill.
                    CatchUpStep::Status(LiveStatus::Behind(next)) if next == offset => tokio::time::sleep(worker.hub.retry()).await,
                    CatchUpStep::Status(LiveStatus::Behind(next)) => offset = next,
                    end => return end,
                }
            }
            Err(error) => {
                failures.failed(
                    || tracing::warn!(%channel, %error, "cannot read missed publications; the connection retries until it succeeds"),
                );
                tokio::time::sleep(worker.hub.retry()).await;
            }
        }
    }
}

/// Completes once the outbox has room. The connection polls it again after each write.
async fn wait_for_room(outbox: &Outbox) {
    poll_fn(|_| if outbox.has_room() { Poll::Ready(()) } else { Poll::Pending }).await;
}
