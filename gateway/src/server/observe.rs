//! Exposes the counters of the broker, the mailboxes and the services as metrics.

use super::observe_queues;
use crate::{
    auth::{KeySource, TrustedProxies},
    broker::{BrokerStats, Mailbox, Reads, RedisStats},
    node::Node,
    services::{self, QuestionKind, QuestionResult},
    telemetry::{Metrics, SERIES, Series},
};
use gateway_core::channel::GapBufferBudget;
use shared_proto::http::ConnectionErrors;
use std::sync::Arc;

/// Receives the values of a metric's labels, and its number.
type Report<'a> = &'a mut dyn FnMut(&[&str], u64);

pub(super) fn observe(metrics: &Metrics, node: &Arc<Node>, mailboxes: &[Arc<Mailbox>]) {
    for series in [
        Series::ServiceCalls,
        Series::ServiceAnswersDropped,
        Series::ServiceAnswersKept,
        Series::ServiceRepeats,
        Series::ServiceEvents,
        Series::ServiceLifecycleEvents,
        Series::LinkPublishes,
        Series::Links,
    ] {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            let Some(node) = node.upgrade() else { return };
            for count in services::Count::ALL.iter().filter(|count| count.metric() == series.row().name) {
                report(&[count.result()], node.services.counters().get(*count));
            }
        });
    }
    let weak = Arc::downgrade(node);
    metrics.observe(Series::StreamRequestsDropped, move |report| {
        weak.upgrade().into_iter().for_each(|node| report(&[], node.cluster.posts_dropped()));
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::KeyRefusals, move |report| {
        let refusals = weak.upgrade().map(|node| node.audit.refusals());
        refusals.into_iter().flatten().for_each(|(result, number)| report(&[result], number));
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::Revocations, move |report| {
        weak.upgrade().into_iter().for_each(|node| node.revocations.counts().for_each(|(by, number)| report(&[by], number)));
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::KeyRequestsLimited, move |report| {
        let Some(node) = weak.upgrade() else { return };
        node.key_rates.refused().iter().for_each(|(name, number)| report(&[&**name], *number));
    });
    let users = node.session_config.user_rates.clone();
    let weak = Arc::downgrade(node);
    metrics.observe(Series::LimitsForgotten, move |report| {
        report(&["users"], users.as_ref().map_or(0, |users| users.forgotten()));
        let Some(node) = weak.upgrade() else { return };
        report(&["addresses"], node.addresses.forgotten());
        report(&["watched_users"], node.cluster.watched_users().forgotten());
    });
    observe_guards(metrics, node);
    observe_keys(metrics, node);
    observe_queues::observe_queues(metrics, node);
    debug_assert!(services::Count::ALL.iter().all(|count| SERIES.iter().any(|row| row.name == count.metric())));
    observe_broker(metrics, node);
    let mailboxes = mailboxes.to_vec();
    metrics.observe(Series::MailboxDropped, move |report| {
        let dropped = mailboxes.iter().map(|mailbox| mailbox.stats().dropped);
        let (full, share, dirty, control) = dropped.fold((0, 0, 0, 0), |sum, dropped| {
            (sum.0 + dropped.full, sum.1 + dropped.channel_full, sum.2 + dropped.dirty, sum.3 + dropped.control)
        });
        for (cause, number) in [("full", full), ("channel_share", share), ("channel_dirty", dirty), ("control", control)] {
            report(&[cause], number);
        }
    });
}

fn observe_keys(metrics: &Metrics, node: &Arc<Node>) {
    let each = |series: Series, read: fn(&KeySource, Report<'_>)| {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            if let Some(node) = node.upgrade() {
                node.tokens.sources().for_each(|(_, source)| read(source, report));
            }
        });
    };
    each(Series::JwksFetches, |source, report| {
        source.results().for_each(|(result, number)| report(&[source.issuer(), result.text()], number));
    });
    each(Series::JwksAge, |source, report| source.age().into_iter().for_each(|age| report(&[source.issuer()], age.as_secs())));
    each(Series::JwksRefusals, |source, report| report(&[source.issuer()], source.refused()));
}

fn observe_guards(metrics: &Metrics, node: &Arc<Node>) {
    let weak = Arc::downgrade(node);
    metrics.observe(Series::GuardQuestions, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for kind in QuestionKind::ALL {
            for result in QuestionResult::ALL {
                report(&[kind.name(), result.name()], node.services.guard_counters().questions(kind, result));
            }
        }
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::GuardBypassed, move |report| {
        let Some(node) = weak.upgrade() else { return };
        for kind in [QuestionKind::Subscribe, QuestionKind::Publish] {
            report(&[kind.name()], node.services.guard_counters().bypassed(kind));
        }
    });
    let weak = Arc::downgrade(node);
    metrics.observe(Series::GuardAnswersEvicted, move |report| {
        if let Some(node) = weak.upgrade() {
            report(&[], node.services.guard_answers_evicted());
        }
    });
}

pub(super) fn observe_listeners(metrics: &Metrics, listeners: [Arc<ConnectionErrors>; 2]) {
    metrics.observe(Series::HttpConnectionErrors, move |report| {
        for errors in &listeners {
            errors.counts().for_each(|(cause, count)| report(&[errors.listener(), cause.text()], count));
        }
    });
}

pub(super) fn observe_proxies(metrics: &Metrics, proxies: &Arc<TrustedProxies>) {
    let proxies = proxies.clone();
    metrics.observe(Series::ProxyHeaders, move |report| {
        proxies.counts().for_each(|(result, count)| report(&[result.text()], count));
    });
}

pub(super) fn observe_recovery(metrics: &Metrics, reads: &Arc<Reads>, gap_buffers: &Arc<GapBufferBudget>) {
    let (reads_of_presence, reads) = (reads.presence().clone(), reads.clone());
    metrics.observe(Series::HistoryReads, move |report| {
        let (begun, shared) = reads.counts();
        report(&["begun"], begun);
        report(&["shared"], shared);
    });
    let presence = reads_of_presence;
    metrics.observe(Series::PresenceReads, move |report| {
        let (begun, shared) = presence.counts();
        report(&["begun"], begun);
        report(&["shared"], shared);
    });
    let budget = gap_buffers.clone();
    metrics.observe(Series::GapBufferBytes, move |report| report(&[], budget.used() as u64));
    let budget = gap_buffers.clone();
    metrics.observe(Series::GapBufferDropped, move |report| report(&[], budget.dropped()));
}

fn observe_broker(metrics: &Metrics, node: &Arc<Node>) {
    let each = |series: Series, read: fn(&BrokerStats, Report<'_>)| {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            if let Some(node) = node.upgrade() {
                read(&node.broker.stats(), report);
            }
        });
    };
    each(Series::BrokerChannels, |stats, report| report(&[], stats.channels as u64));
    each(Series::BrokerPublications, |stats, report| report(&[], stats.publications as u64));
    each(Series::BrokerBytes, |stats, report| report(&[], stats.bytes as u64));
    each(Series::BrokerIdleChannels, |stats, report| report(&[], stats.idle_channels as u64));
    each(Series::BrokerIdempotencyKeys, |stats, report| report(&[], stats.idempotency_keys as u64));
    each(Series::BrokerProducers, |stats, report| report(&[], stats.producers as u64));
    each(Series::BrokerAnswers, |stats, report| report(&[], stats.answers as u64));
    each(Series::BrokerAnswersBytes, |stats, report| report(&[], stats.answers_bytes as u64));
    each(Series::BrokerUserSubscriptions, |stats, report| report(&[], stats.user_subscriptions as u64));
    each(Series::BrokerTrimmed, |stats, report| {
        let trimmed = stats.trimmed;
        for (cause, number) in
            [("size", trimmed.size), ("expired", trimmed.expired), ("bytes", trimmed.bytes), ("cleared", trimmed.cleared)]
        {
            report(&[cause], number);
        }
    });
    each(Series::BrokerEvicted, |stats, report| {
        report(&["idle_channel"], stats.idle_evicted);
        report(&["idempotency_key"], stats.idempotency_evicted);
        report(&["producer"], stats.producers_evicted);
        report(&["answer"], stats.answers_evicted);
        report(&["channel_name"], stats.redis.unwrap_or_default().unlisted);
        report(&["misplaced_key"], stats.redis.unwrap_or_default().misplaced);
    });
    let redis = |series: Series, read: fn(&RedisStats, Report<'_>)| {
        let node = Arc::downgrade(node);
        metrics.observe(series, move |report| {
            if let Some(node) = node.upgrade() {
                read(&node.broker.stats().redis.unwrap_or_default(), report);
            }
        });
    };
    redis(Series::RedisInterruptions, |stats, report| {
        report(&["undelivered"], stats.undelivered);
        report(&["broken"], stats.broken - stats.undelivered);
    });
    redis(Series::RedisMasters, |stats, report| {
        report(&["serving"], stats.serving as u64);
        report(&["unavailable"], stats.unavailable as u64);
    });
    redis(Series::RedisMissingDeliveries, |stats, report| report(&[], stats.missing_deliveries));
    redis(Series::RedisFailedRenewals, |stats, report| report(&[], stats.failed_renewals));
    redis(Series::RedisUnconfirmedBatches, |stats, report| report(&[], stats.unconfirmed_batches));
    redis(Series::RedisResubscribed, |stats, report| report(&[], stats.resubscribed));
    redis(Series::RedisAbnormalMessages, |stats, report| {
        report(&["unannounced"], stats.unannounced);
        report(&["foreign"], stats.foreign);
    });
    redis(Series::RedisCanaryRoundTrip, |stats, report| report(&[], stats.round_trip_ms));
}
