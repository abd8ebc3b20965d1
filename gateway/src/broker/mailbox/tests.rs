use super::*;
use crate::{
    broker::Announcement,
    testing::fixtures::{channel, data, offset, sized, taken},
};
use futures_util::task::{ArcWake, waker};
use gateway_core::model::{ClientInfo, CommandTarget, ConnectionId, Epoch, ServerCommand, UserId};
use proptest::prelude::*;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::Context,
    thread,
    time::{Duration, Instant},
};

const ROOMY: usize = 1 << 30;

fn put(mailbox: &Mailbox, name: &str, offset: u64) {
    mailbox.deliver(&channel(name), Delivery::Publication(sized(offset, 10)));
}

/// Entries in short form: `a1` for offset 1 in channel a, `!a` if channel a is dirty, `!` if all channels are dirty.
fn short(entries: Vec<MailboxEntry>) -> Vec<String> {
    let one = |entry| match entry {
        MailboxEntry::Delivery(channel, Delivery::Publication(publication)) => format!("{channel}{}", offset(&publication)),
        MailboxEntry::Delivery(channel, Delivery::Announcement(_)) => format!("{channel}?"),
        MailboxEntry::Dirty(channel) => format!("!{channel}"),
        MailboxEntry::AllDirty => "!".into(),
        MailboxEntry::Top(channel, top, _) => format!("^{channel}{}", top.offset),
        MailboxEntry::Command(..)
        | MailboxEntry::Query(_)
        | MailboxEntry::Post(..)
        | MailboxEntry::RegisterAgain
        | MailboxEntry::CheckRevocations
        | MailboxEntry::RegisterConnections
        | MailboxEntry::RegisterSubscriptions
        | MailboxEntry::Drain(_) => "control".into(),
    };
    entries.into_iter().map(one).collect()
}

fn message(bytes: usize) -> MailboxEntry {
    let (answers, _) = tokio::sync::mpsc::channel(1);
    MailboxEntry::Command(
        CommandTarget::User(UserId::anonymous()),
        ServerCommand::Message { data: data("x".repeat(bytes)), queue: None },
        answers,
    )
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl ArcWake for Wakes {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_take_returns_everything_in_order_and_reuses_the_buffer() {
    let mailbox = Mailbox::new(100, ROOMY);
    let waker = waker(Arc::new(Wakes::default()));
    let mut entries = Vec::with_capacity(77);
    for (name, offset) in [("a", 1), ("b", 1), ("a", 2)] {
        put(&mailbox, name, offset);
    }
    assert!(mailbox.poll_take(&mut Context::from_waker(&waker), &mut entries).is_ready());
    assert_eq!(short(std::mem::take(&mut entries)), ["a1", "b1", "a2"]);
    assert!(mailbox.poll_take(&mut Context::from_waker(&waker), &mut entries).is_pending());
    put(&mailbox, "a", 3);
    assert!(mailbox.poll_take(&mut Context::from_waker(&waker), &mut entries).is_ready());
    assert!(entries.capacity() >= 77, "the mailbox gave back the buffer of the first take");
}

#[test]
fn the_worker_is_woken_only_from_empty_to_non_empty() {
    let mailbox = Mailbox::new(4, ROOMY);
    let wakes = Arc::new(Wakes::default());
    let counting = waker(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&counting);
    for round in 1..=3 {
        assert!(mailbox.poll_take(&mut cx, &mut Vec::new()).is_pending());
        for name in ["a", "b", "c", "d", "e", "f"] {
            put(&mailbox, name, 1);
        }
        assert!(mailbox.post(message(1)));
        assert_eq!(wakes.0.load(Ordering::SeqCst), round);
        assert!(mailbox.poll_take(&mut cx, &mut Vec::new()).is_ready());
    }
}

// NL-4.1
#[test]
fn a_channel_takes_a_quarter_at_most_and_is_dirty_once_per_take() {
    let mailbox = Mailbox::new(8, ROOMY);
    for round in 1..=2 {
        (1..=5).for_each(|offset| put(&mailbox, "a", offset));
        (1..=2).for_each(|offset| put(&mailbox, "b", offset));
        assert_eq!(short(taken(&mailbox)), ["a1", "a2", "b1", "b2", "!a"]);
        let dropped = mailbox.stats().dropped;
        assert_eq!((dropped.channel_full, dropped.dirty, dropped.full), (round, 2 * round, 0));
    }
}

#[test]
fn the_quarter_counts_bytes_as_well() {
    let one = size_of::<MailboxEntry>() + sized(1, 1000).size();
    let mailbox = Mailbox::new(1000, 8 * one);
    for offset in 1..=3 {
        mailbox.deliver(&channel("a"), Delivery::Publication(sized(offset, 1000)));
    }
    assert_eq!(mailbox.stats().bytes, 2 * one);
    assert_eq!(short(taken(&mailbox)), ["a1", "a2", "!a"]);
    assert_eq!(mailbox.stats(), MailboxStats { dropped: Dropped { channel_full: 1, ..Dropped::default() }, ..MailboxStats::default() });
}

#[test]
fn a_full_mailbox_names_every_channel_with_dropped_deliveries() {
    let mailbox = Mailbox::new(4, ROOMY);
    for name in ["a", "b", "c", "d", "e", "f", "e"] {
        put(&mailbox, name, 1);
    }
    let mut entries = short(taken(&mailbox));
    assert_eq!(entries[..4], ["a1", "b1", "c1", "d1"]);
    entries[4..].sort();
    assert_eq!(entries[4..], ["!e", "!f"]);
    assert_eq!(mailbox.stats().dropped, Dropped { full: 2, dirty: 1, ..Dropped::default() });
    assert!(taken(&mailbox).is_empty(), "reported once");
}

#[test]
fn more_dirty_channels_than_fit_are_reported_as_all() {
    let mailbox = Mailbox::new(2, ROOMY);
    for name in ["a", "b", "c", "d", "e"] {
        put(&mailbox, name, 1);
    }
    assert_eq!(short(taken(&mailbox)), ["a1", "b1", "!"]);
    put(&mailbox, "a", 2);
    assert_eq!(short(taken(&mailbox)), ["a2"], "after a take, no channel is dirty any more");
}

#[test]
fn an_empty_mailbox_accepts_any_size() {
    let mailbox = Mailbox::new(100, 1000);
    mailbox.deliver(&channel("a"), Delivery::Publication(sized(1, 5000)));
    mailbox.deliver(&channel("b"), Delivery::Publication(sized(1, 10)));
    assert_eq!(short(taken(&mailbox)), ["a1", "!b"]);
    let mailbox = Mailbox::new(100, 10_000);
    put(&mailbox, "a", 1);
    mailbox.deliver(&channel("b"), Delivery::Publication(sized(1, 5000)));
    assert_eq!(short(taken(&mailbox)), ["a1", "b1"], "more than a quarter, but the channel's first");
}

#[test]
fn control_entries_have_room_of_their_own() {
    let mailbox = Mailbox::new(400, 400_000);
    (1..=4).for_each(|name| (0..100).for_each(|offset| put(&mailbox, &name.to_string(), offset)));
    put(&mailbox, "late", 1);
    assert!((0..100).all(|_| mailbox.post(message(1))), "a mailbox full of deliveries takes control entries");
    assert!(!mailbox.post(message(1)));
    assert_eq!((mailbox.stats().controls, mailbox.stats().dropped.control, mailbox.stats().dropped.full), (100, 1, 1));
    taken(&mailbox);
    assert!(mailbox.post(message(200_000)), "an empty mailbox accepts a control entry of any size");
    assert!(!mailbox.post(message(1)));
    put(&mailbox, "a", 1);
    assert_eq!(short(taken(&mailbox)), ["control", "a1"]);
}

#[test]
fn announcements_keep_their_place_among_publications() {
    let mailbox = Mailbox::new(100, ROOMY);
    let info = ClientInfo { user: UserId::anonymous(), client: ConnectionId::random(), conn_info: None, chan_info: None };
    put(&mailbox, "a", 1);
    mailbox.deliver(&channel("a"), Delivery::Announcement(Announcement::Join(Arc::new(info))));
    put(&mailbox, "a", 2);
    assert_eq!(short(taken(&mailbox)), ["a1", "a?", "a2"]);
}

#[derive(Clone, Debug)]
enum Step {
    Deliver(u8, usize),
    Control,
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..6u8, 2..400usize).prop_map(|(channel, bytes)| Step::Deliver(channel, bytes)),
        1 => Just(Step::Control),
        1 => Just(Step::Take),
    ]
}

/// Publications of each channel that were put into the mailbox since the last take.
#[derive(Default)]
struct Model {
    sent: HashMap<String, Vec<u64>>,
    next: u64,
}

impl Model {
    /// Checks the entries of one take. For each channel they contain the first of the publications that were sent, without a gap. A channel
    /// is reported as dirty exactly if some of its publications are missing.
    fn check_taken(&mut self, entries: Vec<MailboxEntry>) -> Result<(), TestCaseError> {
        let (mut got, mut dirty, mut all) = (HashMap::<String, Vec<u64>>::new(), Vec::new(), false);
        for entry in entries {
            match entry {
                MailboxEntry::Delivery(channel, Delivery::Publication(publication)) => {
                    prop_assert!(dirty.is_empty() && !all, "dirty channels come after all deliveries");
                    got.entry(channel.to_string()).or_default().push(offset(&publication));
                }
                MailboxEntry::Dirty(channel) => dirty.push(channel.to_string()),
                MailboxEntry::AllDirty => all = true,
                _ => {}
            }
        }
        let mut cut = Vec::new();
        for (channel, sent) in self.sent.drain() {
            let got = got.remove(&channel).unwrap_or_default();
            prop_assert!(sent.starts_with(&got), "{channel}: received {got:?}, sent {sent:?}");
            if got.len() < sent.len() {
                cut.push(channel);
            }
        }
        prop_assert!(got.is_empty(), "nothing arrives that was not sent");
        if all {
            prop_assert!(dirty.is_empty());
        } else {
            cut.sort();
            dirty.sort();
            prop_assert_eq!(cut, dirty);
        }
        Ok(())
    }
}

proptest! {
    // NL-4.1
    #[test]
    fn every_delivery_is_handed_out_or_its_channel_reported_dirty(
        entries in 1..40usize,
        bytes in 100..20_000usize,
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mailbox = Mailbox::new(entries, bytes);
        let mut model = Model::default();
        let mut sent = 0;
        let mut received = 0;
        for step in steps.into_iter().chain([Step::Take]) {
            match step {
                Step::Deliver(name, size) => {
                    model.next += 1;
                    sent += 1;
                    model.sent.entry(name.to_string()).or_default().push(model.next);
                    mailbox.deliver(&channel(&name.to_string()), Delivery::Publication(sized(model.next, size)));
                }
                Step::Control => { mailbox.post(message(10)); }
                Step::Take => {
                    let entries = taken(&mailbox);
                    received += entries.iter().filter(|entry| matches!(entry, MailboxEntry::Delivery(..))).count() as u64;
                    model.check_taken(entries)?;
                }
            }
            let stats = mailbox.stats();
            prop_assert!(stats.entries <= entries);
            prop_assert!(stats.bytes <= bytes || stats.entries == 1);
        }
        let Dropped { full, channel_full, dirty, .. } = mailbox.stats().dropped;
        prop_assert_eq!(sent, received + full + channel_full + dirty, "every drop is counted");
    }
}

#[test]
fn a_producer_and_a_consumer_on_two_threads_lose_no_wake_and_no_order() {
    const LAST: u64 = 200_000;
    let mailbox = Arc::new(Mailbox::new(256, ROOMY));
    let producer = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            let names = [channel("a"), channel("b")];
            for offset in 1..=LAST {
                let name = &names[offset as usize % 2];
                mailbox.deliver(name, Delivery::Publication(sized(offset, 2)));
            }
            mailbox.post(MailboxEntry::Drain(DrainPlan { window: Duration::ZERO }))
        })
    };
    let (mut entries, mut received, mut ended) = (Vec::new(), 0, false);
    let mut expected = HashMap::from([(channel("a"), 2), (channel("b"), 1)]);
    let mut dirty = HashSet::new();
    while !ended {
        // Parks this thread until the mailbox wakes it. If a wake were lost, the test would fail after [`LOST`].
        block_on(std::future::poll_fn(|cx| mailbox.poll_take(cx, &mut entries)));
        for entry in entries.drain(..) {
            match entry {
                MailboxEntry::Delivery(channel, Delivery::Publication(publication)) => {
                    received += 1;
                    let offset = offset(&publication);
                    let was_dirty = dirty.remove(&channel);
                    let before = expected.insert(channel, offset + 2).expect("one of the two");
                    assert!(offset == before || (was_dirty && offset > before), "received {offset}, expected {before}");
                }
                MailboxEntry::Dirty(channel) => _ = dirty.insert(channel),
                MailboxEntry::Drain(_) => ended = true,
                other => panic!("unexpected {other:?}"),
            }
        }
    }
    assert!(producer.join().expect("the producer does not panic"), "control entries have room");
    let Dropped { full, channel_full, dirty, .. } = mailbox.stats().dropped;
    assert_eq!(received + full + channel_full + dirty, LAST);
}

#[test]
fn a_delivery_that_comes_while_the_consumer_begins_to_wait_wakes_it() {
    const ROUNDS: u64 = 20_000;
    let mailbox = Arc::new(Mailbox::new(4, ROOMY));
    let received = Arc::new(AtomicU64::new(0));
    let producer = {
        let (mailbox, received) = (Arc::clone(&mailbox), Arc::clone(&received));
        thread::spawn(move || {
            let name = channel("a");
            for offset in 1..=ROUNDS {
                let publication = sized(offset, 2);
                // The mailbox is empty, and the consumer has counted the last delivery but may not wait yet.
                while received.load(Ordering::SeqCst) + 1 < offset {
                    std::hint::spin_loop();
                }
                (0..offset % 64).for_each(|_| std::hint::spin_loop());
                mailbox.deliver(&name, Delivery::Publication(publication));
            }
        })
    };
    let mut entries = Vec::new();
    for _ in 0..ROUNDS {
        block_on(std::future::poll_fn(|cx| mailbox.poll_take(cx, &mut entries)));
        received.fetch_add(entries.drain(..).count() as u64, Ordering::SeqCst);
    }
    producer.join().expect("the producer does not panic");
    assert_eq!(received.load(Ordering::SeqCst), ROUNDS);
}

/// A wait of this length means that a wake was lost.
const LOST: Duration = Duration::from_secs(30);

/// Runs a future on this thread.
fn block_on(future: impl Future<Output = ()>) {
    struct Unpark(thread::Thread);
    impl ArcWake for Unpark {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.unpark();
        }
    }
    let waker = waker(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        let asleep = Instant::now();
        thread::park_timeout(LOST);
        assert!(asleep.elapsed() < LOST, "a wake was lost");
    }
}

#[test]
fn a_dirty_channel_is_not_compared_with_its_top_as_well() {
    let mailbox = Mailbox::new(100, ROOMY);
    let top = |name: &str| {
        MailboxEntry::Top(
            channel(name),
            gateway_core::model::Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 9 },
            TopReason::Audit,
        )
    };
    mailbox.post(MailboxEntry::Dirty(channel("a")));
    assert!(mailbox.post(top("a")) && mailbox.post(top("b")));
    assert_eq!(short(taken(&mailbox)), ["^b9", "!a"], "the worker reads a dirty channel anyway, so the mailbox drops its top");
}
