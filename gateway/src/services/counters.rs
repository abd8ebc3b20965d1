//! Counters of calls, events, publications and links, by result.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counts {
    ($($variant:ident, $name:literal, $cause:literal;)*) => {
        /// One counter: a metric and a value of its label `result`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count { $(#[doc = concat!($name, ": ", $cause)] $variant,)* }

        impl Count {
            /// Every counter.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name of the metric.
            pub fn metric(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The value of its label `result`.
            pub fn result(self) -> &'static str {
                match self { $(Self::$variant => $cause,)* }
            }
        }
    };
}

counts! {
    CallAnswered, "service_calls", "answered";
    CallFailedByService, "service_calls", "service_error";
    CallRefused, "service_calls", "refused";
    CallUnavailable, "service_calls", "unavailable";
    CallOverloaded, "service_calls", "overloaded";
    CallTimeout, "service_calls", "timeout";
    CallBadReply, "service_calls", "bad_reply";
    CallCancelled, "service_calls", "cancelled";
    AnswerLate, "service_answers_dropped", "late";
    AnswerKept, "service_answers_kept", "kept";
    AnswerTooLarge, "service_answers_kept", "too_large";
    AnswerReleased, "service_answers_kept", "released";
    AnswerOpen, "service_answers_kept", "open";
    AnswerSuperseded, "service_answers_kept", "superseded";
    AnswerNotKept, "service_answers_kept", "failed";
    RepeatAnswered, "service_repeats", "answered";
    RepeatMismatch, "service_repeats", "other_data";
    RepeatInProgress, "service_repeats", "in_progress";
    EventSent, "service_events", "sent";
    EventRefused, "service_events", "refused";
    EventLost, "service_events", "lost";
    EndUnexpected, "service_events", "unexpected_end";
    LifecycleSent, "service_lifecycle_events", "sent";
    LifecycleNoCredit, "service_lifecycle_events", "no_credit";
    LifecycleNoInstance, "service_lifecycle_events", "no_instance";
    LifecycleNotRequested, "service_lifecycle_events", "not_requested";
    LifecycleQueueFull, "service_lifecycle_events", "queue_full";
    LifecycleExpired, "service_lifecycle_events", "expired";
    LifecycleRefused, "service_lifecycle_events", "refused";
    LifecycleStopped, "service_lifecycle_events", "stopped";
    PublishAcked, "link_publishes", "acknowledged";
    PublishNacked, "link_publishes", "refused";
    LinkOpened, "links", "opened";
    LinkClosed, "links", "closed";
    LinkLost, "links", "lost";
    LinkHeartbeatTimeout, "links", "heartbeat_timeout";
    LinkRefused, "links", "refused";
    LinkReplaced, "links", "replaced";
    LinkKeyRemoved, "links", "key_removed";
    LinkStopped, "links", "stopped";
}

/// Counters of all services together.
pub struct Counters([AtomicU64; Count::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    pub(super) fn add(&self, count: Count) {
        self.add_many(count, 1);
    }

    pub(super) fn add_many(&self, count: Count, n: u64) {
        self.0[count as usize].fetch_add(n, Relaxed);
    }

    /// The count.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Relaxed)
    }
}
