//! Numbers that the broker, the mailboxes and the services keep, shown as metrics.

use crate::{
    broker::{BrokerStats, Mailbox, Reads, RedisStats},
    node::Node,
    services,
    telemetry::{Metrics, SERIES, Series},
};
use gateway_core::channel::GapBufferBudget;
use shared_proto::http::ConnectionErrors;
use std::sync::Arc;

/// Takes a number and the values of its labels.
type Tell<'a> = &'a mut dyn FnMut(&[&str], u64);

pub(super) fn observe(metrics: &Metrics, node: &Arc<Node>, mailboxes: &[Arc<Mailbox>]) {
    for series in [
        Series::ServiceCalls,
        Series::ServiceAnswersDropped,
        Series::ServiceEvents,
        Series::ServiceLifecycleEvents,
        Series::LinkPublishes,
        Series::Links,
    ] {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |tell| {
            let Some(node) = node.upgrade() else { return };
            for count in services::Count::ALL.iter().filter(|count| count.metric() == series.row().name) {
                tell(&[count.result()], node.services.counters().get(*count));
            }
        });
    }
    debug_assert!(services::Count::ALL.iter().all(|count| SERIES.iter().any(|row| row.name == count.metric())));
    observe_broker(metrics, node);
    let mailboxes = mailboxes.to_vec();
    metrics.observe(Series::MailboxDropped, move |tell| {
        let dropped = mailboxes.iter().map(|mailbox| mailbox.stats().dropped);
        let (full, share, dirty, control) = dropped.fold((0, 0, 0, 0), |sum, dropped| {
            (sum.0 + dropped.full, sum.1 + dropped.channel_full, sum.2 + dropped.dirty, sum.3 + dropped.control)
        });
        for (cause, number) in [("full", full), ("channel_share", share), ("channel_dirty", dirty), ("control", control)] {
            tell(&[cause], number);
        }
    });
}

pub(super) fn observe_listeners(metrics: &Metrics, listeners: [Arc<ConnectionErrors>; 2]) {
    metrics.observe(Series::HttpConnectionErrors, move |tell| {
        for errors in &listeners {
            errors.counts().for_each(|(cause, count)| tell(&[errors.listener(), cause.text()], count));
        }
    });
}

pub(super) fn observe_recovery(metrics: &Metrics, reads: &Arc<Reads>, gap_buffers: &Arc<GapBufferBudget>) {
    let reads = reads.clone();
    metrics.observe(Series::HistoryReads, move |tell| {
        let (begun, shared) = reads.counts();
        tell(&["begun"], begun);
        tell(&["shared"], shared);
    });
    let budget = gap_buffers.clone();
    metrics.observe(Series::GapBufferBytes, move |tell| tell(&[], budget.used() as u64));
    let budget = gap_buffers.clone();
    metrics.observe(Series::GapBufferDropped, move |tell| tell(&[], budget.dropped()));
}

fn observe_broker(metrics: &Metrics, node: &Arc<Node>) {
    let each = |series: Series, read: fn(&BrokerStats, Tell<'_>)| {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |tell| {
            if let Some(node) = node.upgrade() {
                read(&node.broker.stats(), tell);
            }
        });
    };
    each(Series::BrokerChannels, |stats, tell| tell(&[], stats.channels as u64));
    each(Series::BrokerPublications, |stats, tell| tell(&[], stats.publications as u64));
    each(Series::BrokerBytes, |stats, tell| tell(&[], stats.bytes as u64));
    each(Series::BrokerIdleChannels, |stats, tell| tell(&[], stats.idle_channels as u64));
    each(Series::BrokerIdempotencyKeys, |stats, tell| tell(&[], stats.idempotency_keys as u64));
    each(Series::BrokerUserSubscriptions, |stats, tell| tell(&[], stats.user_subscriptions as u64));
    each(Series::BrokerTrimmed, |stats, tell| {
        let trimmed = stats.trimmed;
        for (cause, number) in
            [("size", trimmed.size), ("expired", trimmed.expired), ("bytes", trimmed.bytes), ("cleared", trimmed.cleared)]
        {
            tell(&[cause], number);
        }
    });
    each(Series::BrokerEvicted, |stats, tell| {
        tell(&["idle_channel"], stats.idle_evicted);
        tell(&["idempotency_key"], stats.idempotency_evicted);
        tell(&["channel_name"], stats.redis.unwrap_or_default().unlisted);
        tell(&["misplaced_key"], stats.redis.unwrap_or_default().misplaced);
    });
    let redis = |series: Series, read: fn(&RedisStats, Tell<'_>)| {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |tell| {
            if let Some(node) = node.upgrade() {
                read(&node.broker.stats().redis.unwrap_or_default(), tell);
            }
        });
    };
    redis(Series::RedisInterruptions, |stats, tell| {
        tell(&["undelivered"], stats.undelivered);
        tell(&["broken"], stats.broken - stats.undelivered);
    });
    redis(Series::RedisMasters, |stats, tell| {
        tell(&["serving"], stats.serving as u64);
        tell(&["unavailable"], stats.unavailable as u64);
    });
    redis(Series::RedisMissingDeliveries, |stats, tell| tell(&[], stats.missing_deliveries));
    redis(Series::RedisFailedRenewals, |stats, tell| tell(&[], stats.failed_renewals));
    redis(Series::RedisResubscribed, |stats, tell| tell(&[], stats.resubscribed));
    redis(Series::RedisAbnormalMessages, |stats, tell| {
        tell(&["unannounced"], stats.unannounced);
        tell(&["foreign"], stats.foreign);
    });
    redis(Series::RedisCanaryRoundTrip, |stats, tell| tell(&[], stats.round_trip_ms));
}
