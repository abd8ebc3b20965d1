//! The situations that a run can reach. The standard seeds together have to reach each of them.

use super::{node::SimulatedNode, plan::Kind};
use crate::{
    broker::simulated::Server,
    telemetry::{Count, DropCause, OverflowPolicy},
};
use std::fmt;

macro_rules! situations {
    ($($name:ident, $text:literal;)*) => {
        /// Something that a run can reach.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Situation {
            $(#[doc = $text] $name,)*
            /// A step of this kind that did something.
            Step(Kind),
        }

        impl Situation {
            pub(super) fn all() -> impl Iterator<Item = Self> {
                [$(Self::$name),*].into_iter().chain(Kind::all().map(Self::Step))
            }
        }

        impl fmt::Display for Situation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name => f.write_str($text),)*
                    Self::Step(kind) => write!(f, "the step {kind:?} did something"),
                }
            }
        }
    };
}

situations! {
    GapRead, "a worker read a gap from the history";
    GapLost, "a gap had left the history";
    GapBufferFull, "publications behind a gap did not fit into the buffer";
    ReadShared, "two readers shared one read of a history";
    Forked, "a worker found that the timeline of a channel forked";
    RecoveredFromMemory, "a worker answered a recovery from its memory";
    FoundByAudit, "an audit found a loss";
    Duplicate, "a worker dropped a delivery that it had made before";
    OutboxFull, "a connection was closed because its outbox was full";
    MailboxFull, "a mailbox was full";
    MailboxShareFull, "a channel used all of its share of a mailbox";
    MailboxDirty, "a mailbox dropped a delivery of a channel that has to be read anyway";
    Resumed, "a node compared the channels of a broken connection with the store";
    Unannounced, "the server stored a publication and did not send it to subscribers";
    RefusedLate, "the server refused a publish after its deadline";
    RefusedOutOfOrder, "the server refused a publish because a later one was stored";
    PublishRefused, "a publish was refused";
    PublishReplayed, "a repeated publish got the answer of the first";
    SequenceGap, "a producer learned what is missing";
    ProducerSetBack, "a producer had to send acknowledged publishes again";
    OutcomeUnknown, "the outcome of a publish was reported as unknown";
    Recovered, "a client recovered in the epoch of its position";
    RecoveredAcrossFork, "a client recovered in an epoch that contains its position";
    LiveAfterLoss, "a loss was reported to a client that then went on live";
    ReplayedAfterLoss, "a loss was reported to a client that then got what was still held";
    MovedToEpoch, "a server-side subscription continued in a new epoch";
    NumberedPush, "a publication came with a number in place of the channel's name";
    DeltaApplied, "a client made a publication from a delta";
    DeltasRecovered, "the missed publications of an answer were deltas";
    FilteredOut, "a client did not get publications that its filter refuses";
    TextRead, "a client got a text";
    BytesRead, "a client got bytes";
    Unsubscribed, "the gateway ended a subscription";
    SubscribeRefused, "a subscribe was refused";
    ConnectionClosed, "the gateway closed a connection";
}

/// What the counters of nodes and server show.
pub(super) fn counted(nodes: &[SimulatedNode], server: &Server) -> impl Iterator<Item = Situation> {
    use Situation as S;
    let refused = |code| server.refusals.contains(code);
    let mut seen = vec![(refused("LATE"), S::RefusedLate), (refused("OUTOFORDER"), S::RefusedOutOfOrder)];
    for node in nodes {
        seen.extend([(node.reads.counts().1 > 0, S::ReadShared), (node.gap_buffers.dropped() > 0, S::GapBufferFull)]);
        let unannounced = node.broker.stats().redis.is_some_and(|redis| redis.unannounced > 0);
        seen.extend([(node.wires.subscriber.has_resumed, S::Resumed), (unannounced, S::Unannounced)]);
        for dropped in node.mailboxes.iter().map(|mailbox| mailbox.stats().dropped) {
            seen.extend([(dropped.full > 0, S::MailboxFull), (dropped.channel_full > 0, S::MailboxShareFull)]);
            seen.push((dropped.dirty > 0, S::MailboxDirty));
        }
        for metrics in node.workers.iter().map(|worker| worker.worker.hub.metrics()) {
            let counts = [
                (Count::Backfills, S::GapRead),
                (Count::GapsLost, S::GapLost),
                (Count::Forks, S::Forked),
                (Count::RecoveriesFromMemory, S::RecoveredFromMemory),
                (Count::AuditLosses, S::FoundByAudit),
            ];
            seen.extend(counts.map(|(count, situation)| (metrics.counted(count) > 0, situation)));
            seen.push((metrics.drops(DropCause::Duplicate) > 0, S::Duplicate));
            seen.push((metrics.overflows(OverflowPolicy::Disconnect) > 0, S::OutboxFull));
        }
    }
    seen.into_iter().filter_map(|(is_reached, situation)| is_reached.then_some(situation))
}
