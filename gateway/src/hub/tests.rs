mod deltas;
mod events;
mod filters;
mod forks;
mod formats;
mod returning;
mod revocations;
mod stomp;
mod wakes;

use super::*;
use crate::{
    broker::{Broker, BrokerError, Mailbox, MailboxEntry, MemoryBroker, MemoryLimits, NewPublication, Reads, TopReason},
    telemetry::{Count, DropCause},
};
use gateway_core::{
    channel::{ChannelOptions, DeltaOption, GapBufferBudget, Namespaces, SlowConsumer},
    model::{
        ChannelName, ClientInfo, CommandTarget, ConnectionId, Data, Disconnect, Epoch, Page, PageLimit, Position, ReadRange, RecoverFrom,
        Retention, ServerCommand, SubscriptionSide, Tags, Tick, UserId, WorkerId,
    },
    protocol::centrifuge::{Codec, Encoding},
};
use std::{future::Future, rc::Rc, sync::Arc, time::Duration};

/// A hub with its broker, on one thread with paused time.
struct World {
    hub: Rc<Hub>,
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
}

const STREAM: Retention = Retention { size: 1000, ttl: Duration::from_secs(3600) };

fn limits() -> HubLimits {
    HubLimits {
        posted_bytes: 1000,
        outbox_bytes: 10_000,
        worker_outbox_bytes: 1_000_000,
        batch_bytes: 1000,
        slice: 2,
        attach_buffer: 8,
        memory: RecoveryMemoryLimits { time: Duration::ZERO, bytes: 10_000, channels: 100 },
        page: PageLimit { entries: 4, bytes: 10_000 },
        resubscribes_per_second: 100,
        join_leave_max: 3,
        retry: Duration::from_millis(10),
    }
}

fn run<F: Future<Output = ()>>(limits: HubLimits, mailbox: usize, test: impl FnOnce(World) -> F) {
    let memory = async |mailbox| Broker::Memory(MemoryBroker::new(vec![mailbox], MemoryLimits::default()));
    run_over(memory, limits, mailbox, test);
}

fn run_over<F: Future<Output = ()>>(
    broker: impl AsyncFnOnce(Arc<Mailbox>) -> Broker,
    limits: HubLimits,
    mailbox: usize,
    test: impl FnOnce(World) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async move {
        let mailbox = Arc::new(Mailbox::new(mailbox, 1 << 20));
        let broker = Arc::new(broker(mailbox.clone()).await);
        let stream = ChannelOptions { retention: Some(STREAM), ..ChannelOptions::default() };
        let short = ChannelOptions { retention: Some(Retention { size: 2, ttl: Duration::from_secs(3) }), ..ChannelOptions::default() };
        let crowd = ChannelOptions { presence: true, join_leave: true, ..ChannelOptions::default() };
        let latest = ChannelOptions { slow_consumer: SlowConsumer::Latest, ..stream.clone() };
        let deltas = ChannelOptions { delta: DeltaOption::Fossil, ..latest.clone() };
        let named = [
            ("stream", stream),
            ("short", short),
            ("crowd", crowd),
            ("latest", latest),
            ("plain", ChannelOptions::default()),
            ("deltas", deltas),
        ];
        let namespaces = Namespaces {
            named: named.into_iter().map(|(name, options)| (name.into(), Arc::new(options))).collect(),
            ..Namespaces::default()
        };
        let hub = Hub::new(HubParts {
            start: tokio::time::Instant::now(),
            worker: WorkerId::new(0).expect("in bounds"),
            broker: broker.clone(),
            reads: Reads::new(broker.clone(), 2, crate::broker::PresenceLimits::default()),
            gap_buffers: GapBufferBudget::new(1 << 20),
            mailbox: mailbox.clone(),
            holds: crate::cluster::Holds::new(broker.clone(), Duration::from_secs(2)),
            namespaces: Arc::new(namespaces),
            limits,
            metrics: Arc::default(),
        });
        tokio::task::spawn_local(hub.clone().run());
        test(World { hub, broker, mailbox }).await;
    }));
}

impl World {
    fn channel(name: &str) -> ChannelName {
        name.parse().expect("valid")
    }

    fn connect(&self) -> Registration {
        self.hub.register(ConnectionId::random(), Protocol::Centrifuge(Encoding::JsonMessages))
    }

    async fn publish(&self, channel: &str, text: &str) -> Option<Position> {
        let channel = Self::channel(channel);
        let retention = self.hub.parts.namespaces.options(&channel).and_then(|options| options.retention);
        let data = Data::parse(&serde_json::value::to_raw_value(text).expect("a string")).expect("shallow");
        let publication =
            NewPublication { content: data.into(), tags: Tags::new(), info: None, traceparent: None, retention, identity: None };
        self.broker.publish(&channel, publication).await.expect("in memory").position
    }

    async fn join(&self, connection: &Registration, channel: &str) {
        self.join_as(connection, channel, SubscriptionSide::Client).await;
    }

    async fn join_as(&self, connection: &Registration, channel: &str, side: SubscriptionSide) {
        let channel = Self::channel(channel);
        let options = self.hub.parts.namespaces.options(&channel).expect("configured").clone();
        self.hub
            .join(connection.key(), &channel, NewSubscription { join_leave: true, ..subscription(&options, side) })
            .expect("registered");
        self.broker.subscribe(&channel, self.hub.parts.worker, None).await.expect("in memory");
        if options.retention.is_some() {
            let page = self.read(&channel, ReadRange::Top).await.expect("in memory");
            let top = Position { epoch: page.epoch, offset: page.top };
            self.hub.set_read_progress(connection.key(), &channel, top, page.top);
        }
    }

    async fn read(&self, channel: &ChannelName, range: ReadRange) -> Result<Page, BrokerError> {
        self.broker.read(channel, STREAM, range, self.hub.parts.limits.page).await
    }

    async fn subscribe(&self, connection: &Registration, channel: &str) {
        self.join(connection, channel).await;
        assert_eq!(self.hub.go_live(connection.key(), &Self::channel(channel)), LiveStatus::Live);
    }
}

fn subscription(options: &Arc<ChannelOptions>, side: SubscriptionSide) -> NewSubscription<'_> {
    NewSubscription { options, info: None, side, join_leave: false, is_compact: false, has_deltas: false, filter: None, form: None }
}

/// The payload of a WebSocket frame.
fn payload(frame: &Frame) -> &[u8] {
    let bytes = frame.as_ref();
    let header = match bytes[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &bytes[header..]
}

/// Runs all ready tasks.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Removes and returns the queued frames of an outbox.
fn received_frames(connection: &Registration) -> Vec<Frame> {
    connection.outbox().write(|frames| Written { result: frames.drain(..).collect(), begun: 0 })
}

/// Removes the queued frames of an outbox, and returns the texts of their publications.
fn received(connection: &Registration) -> Vec<String> {
    let mut texts = Vec::new();
    for frame in received_frames(connection) {
        let bytes = frame.as_ref();
        let header = websocket_header(bytes);
        for line in std::str::from_utf8(&bytes[header..]).expect("text").lines() {
            let push: serde_json::Value = serde_json::from_str(line).expect("JSON");
            texts.push(match &push["push"] {
                push if push["pub"].is_object() => push["pub"]["data"].as_str().expect("a string").to_owned(),
                push if push["join"].is_object() => "joined".to_owned(),
                push if push["subscribe"].is_object() => format!("at {}", push["subscribe"]["offset"]),
                _ => "left".to_owned(),
            });
        }
    }
    texts
}

fn websocket_header(frame: &[u8]) -> usize {
    match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

#[test]
fn every_subscriber_receives_each_publication_once_and_in_order() {
    run(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..5).map(|_| world.connect()).collect();
        for connection in &connections {
            world.subscribe(connection, "stream:a").await;
        }
        for text in ["one", "two", "three"] {
            world.publish("stream:a", text).await;
        }
        settle().await;
        for connection in &connections {
            assert_eq!(received(connection), ["one", "two", "three"]);
        }
        assert_eq!(world.hub.metrics().counted(Count::Deliveries), 15);
    });
}

// NL-5.1
#[test]
fn publications_during_an_attach_follow_its_reply() {
    run(limits(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.join(&second, "stream:a").await;
        world.publish("stream:a", "during the attach").await;
        settle().await;
        assert_eq!(received(&second), [""; 0]);
        assert_eq!(world.hub.go_live(second.key(), &World::channel("stream:a")), LiveStatus::Live);
        world.publish("stream:a", "live").await;
        settle().await;
        assert_eq!(received(&second), ["during the attach", "live"]);
        assert_eq!(received(&first), ["during the attach", "live"]);
    });
}

// NL-4.10
#[test]
fn an_attach_that_read_ahead_of_the_mailbox_receives_no_duplicates() {
    run(limits(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.publish("stream:a", "in the mailbox").await;
        world.join(&second, "stream:a").await;
        assert_eq!(world.hub.go_live(second.key(), &World::channel("stream:a")), LiveStatus::Live);
        settle().await;
        world.publish("stream:a", "after").await;
        settle().await;
        assert_eq!(received(&first), ["in the mailbox", "after"]);
        assert_eq!(received(&second), ["after"], "the attach already returned the first publication");
    });
}

// NL-5.3
#[test]
fn publications_beyond_the_attach_buffer_are_read_from_history() {
    run(limits(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.join(&second, "stream:a").await;
        let expected: Vec<String> = (0..20).map(|n| format!("text {n}")).collect();
        for text in &expected {
            world.publish("stream:a", text).await;
        }
        settle().await;
        let channel = World::channel("stream:a");
        let mut live = world.hub.go_live(second.key(), &channel);
        let mut pages = 0;
        while let LiveStatus::Behind(after) = live {
            let page = world.read(&channel, ReadRange::After(after)).await.expect("in memory");
            pages += 1;
            let CatchUpStep::Status(next) = world.hub.deliver_page(second.key(), &channel, &page) else { panic!("nothing was trimmed") };
            live = next;
        }
        assert!(pages >= 3, "a page has at most four entries");
        assert_eq!(live, LiveStatus::Live);
        assert_eq!(received(&second), expected);
    });
}

#[test]
fn a_channel_with_history_loses_nothing_when_the_mailbox_overflows() {
    run(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        let expected: Vec<String> = (0..50).map(|n| format!("text {n}")).collect();
        for text in &expected {
            world.publish("stream:a", text).await;
        }
        settle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(received(&connection), expected);
        assert!(world.hub.metrics().counted(Count::Backfills) > 0);
    });
}

#[test]
fn a_channel_with_history_loses_nothing_when_the_mailbox_overflows_repeatedly() {
    run(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        let (mut published, mut texts) = (Vec::new(), Vec::new());
        for round in 0..8 {
            for n in 0..30 {
                published.push(format!("{round} {n}"));
                world.publish("stream:a", published.last().expect("pushed")).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            settle().await;
            texts.extend(received(&connection));
        }
        assert_eq!(texts, published);
        assert_eq!(
            world.hub.parts.gap_buffers.dropped(),
            12,
            "from the third round on, history reads also replace the two deliveries that arrived"
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (backfills, reads) = (world.hub.metrics().counted(Count::Backfills), world.hub.parts.reads.counts());
        world.publish("stream:a", "calm").await;
        settle().await;
        assert_eq!(received(&connection), ["calm"]);
        assert_eq!(
            (backfills, reads),
            (world.hub.metrics().counted(Count::Backfills), world.hub.parts.reads.counts()),
            "the feed is live again"
        );
        assert_eq!(world.hub.parts.gap_buffers.used(), 0);
    });
}

// NL-1.4
#[test]
fn a_recovery_from_recent_publications_needs_no_read() {
    run(limits(), 1000, |world| async move {
        let (live, returning) = (world.connect(), world.connect());
        world.subscribe(&live, "stream:a").await;
        let at = world.publish("stream:a", "one").await.expect("kept");
        settle().await;
        let channel = World::channel("stream:a");
        let recover = |epoch: &str, offset| {
            let recover = RecoverFrom { epoch: epoch.into(), offset };
            let start = world.hub.recover_from_memory(&channel, &recover, world.hub.page())?;
            Some((start.answer.offset, start.cursor.offset, start.top, start.publications.len()))
        };
        assert_eq!(recover(at.epoch.as_str(), 1), Some((1, 1, 1, 0)));
        assert_eq!(recover(at.epoch.as_str(), 0), None, "the channel keeps no publications while no connection needs them");
        assert_eq!(recover(at.epoch.as_str(), 2), None, "offset 2 does not exist yet");
        assert_eq!(recover("otherone", 1), None);
        assert_eq!(recover("", 0), None, "an empty epoch needs a history read");

        world.join(&returning, "stream:a").await;
        for text in ["two", "three"] {
            world.publish("stream:a", text).await;
        }
        settle().await;
        assert_eq!(recover(at.epoch.as_str(), 1), Some((1, 3, 3, 2)), "the channel keeps publications for the attaching connection");
        for text in ["four", "five", "six"] {
            world.publish("stream:a", text).await;
        }
        settle().await;
        assert_eq!(recover(at.epoch.as_str(), 1), None, "five publications exceed the page limit");
        assert_eq!(recover(at.epoch.as_str(), 2), Some((2, 6, 6, 4)));
    });
}

#[test]
fn subscribers_without_history_are_notified_when_the_mailbox_overflows() {
    run(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "plain:a").await;
        for n in 0..50 {
            world.publish("plain:a", &n.to_string()).await;
        }
        settle().await;
        let notices = connection.outbox().take_notices();
        assert!(matches!(&notices[..], [Notice::PublicationsLost(channel)] if channel.as_str() == "plain:a"), "{notices:?}");
    });
}

// NL-4.6
#[test]
fn subscribers_are_notified_when_history_no_longer_covers_a_gap() {
    run(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        for n in 0..1500 {
            world.publish("stream:a", &n.to_string()).await;
        }
        settle().await;
        let notices = connection.outbox().take_notices();
        assert!(matches!(&notices[..], [Notice::PublicationsLost(_)]), "{notices:?}");
        assert_eq!(world.hub.metrics().counted(Count::GapsLost), 1);
    });
}

#[test]
fn a_slow_consumer_is_disconnected_or_receives_the_latest_publication() {
    run(HubLimits { outbox_bytes: 800, ..limits() }, 1000, |world| async move {
        let (slow, latest) = (world.connect(), world.connect());
        world.subscribe(&slow, "stream:a").await;
        world.subscribe(&latest, "latest:a").await;
        let publish = async |channel| {
            for n in 0..20 {
                world.publish(channel, &format!("a rather long text, number {n}")).await;
                // The hub delivers them in pairs.
                if n % 2 == 1 {
                    settle().await;
                }
            }
        };
        let metrics = world.hub.metrics();
        let dropped = |cause| metrics.drops(cause);

        publish("stream:a").await;
        assert_eq!(slow.outbox().overflow(), Some(Overflow::Connection));
        let written = received(&slow).len() as u64;
        assert_eq!(metrics.counted(Count::Deliveries), written);
        assert_eq!(dropped(DropCause::OutboxFull), 2, "the pair that exceeded the limit");
        assert_eq!(written + 2 + dropped(DropCause::ConnectionClosed), 20);

        publish("latest:a").await;
        assert_eq!(latest.outbox().overflow(), None);
        let texts = received(&latest);
        assert_eq!(texts.last().map(String::as_str), Some("a rather long text, number 19"));
        assert!(texts.len() < 20);
        assert_eq!(texts.len() as u64 + dropped(DropCause::OutboxReplaced), 20);
        assert_eq!(dropped(DropCause::OutboxFull), 2);
    });
}

#[test]
fn a_batch_beyond_the_worker_budget_is_counted_under_that_cause() {
    run(HubLimits { worker_outbox_bytes: 2000, ..limits() }, 1000, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        for n in 0..3 {
            world.publish("stream:a", &format!("{n}{}", "x".repeat(900))).await;
            settle().await;
        }
        assert_eq!(connection.outbox().overflow(), Some(Overflow::Worker));
        let dropped = |cause| world.hub.metrics().drops(cause);
        let counted = [DropCause::WorkerOutboxesFull, DropCause::OutboxFull, DropCause::ConnectionClosed].map(dropped);
        assert_eq!((received(&connection).len(), counted), (1, [1, 0, 1]));
    });
}

#[test]
fn unsent_deliveries_of_a_closed_connection_are_counted() {
    run(limits(), 1000, |world| async move {
        let (gone, closed, cut) = (world.connect(), world.connect(), world.connect());
        for connection in [&gone, &closed, &cut] {
            world.subscribe(connection, "stream:a").await;
        }
        world.publish("stream:a", "one").await;
        settle().await;
        let dropped = || world.hub.metrics().drops(DropCause::ConnectionClosed);
        let close = || Batch::new([0x88, 0], world.hub.budget());
        drop(gone);
        assert_eq!(dropped(), 1);
        closed.outbox().close(world.hub.now(), close());
        assert_eq!(cut.outbox().close_now(world.hub.now(), close()), 1);
        world.publish("stream:a", "two").await;
        settle().await;
        assert_eq!(dropped(), 3, "an outbox refuses frames after a close frame");
        let left = |connection| received_frames(connection).iter().map(|frame| frame.as_ref().to_vec()).collect::<Vec<_>>();
        assert_eq!(left(&closed).len(), 2);
        assert_eq!(left(&cut), [[0x88, 0]]);
        drop((closed, cut));
        assert_eq!((dropped(), world.hub.metrics().counted(Count::Deliveries)), (3, 3), "sent deliveries are not counted as dropped");
    });
}

#[test]
fn an_outbox_counts_the_memory_of_its_messages() {
    let (outbox, budget, channel) = (Outbox::new(10_000), Budget::new(1_000_000), ChannelKey::new(0));
    let fill = || (0..10_000).take_while(|_| outbox.push_channel(Tick(0), Batch::new(vec![0; 2], &budget), channel).is_ok()).count();
    let room = fill();
    assert!(room < 10_000 / 50, "{room} messages of two bytes");
    outbox.write(|frames| {
        frames.drain(..10);
        Written { result: (), begun: 0 }
    });
    assert_eq!(fill(), 10, "sent messages free their memory");
    drop(outbox);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_publication_larger_than_the_outbox_reaches_a_fast_reader() {
    run(limits(), 1000, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        for text in ["a", "b"].map(|letter| letter.repeat(12_000)) {
            world.publish("stream:a", &text).await;
            settle().await;
            assert!(received(&connection) == [text]);
        }
        assert_eq!(connection.outbox().overflow(), None);
    });
}

#[test]
fn publications_during_an_attach_are_delivered_as_the_outbox_gets_room() {
    let page = PageLimit { entries: 4, bytes: 2500 };
    run(HubLimits { page, ..limits() }, 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.join(&second, "stream:a").await;
        let expected: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|letter| letter.repeat(4000)).into();
        for text in &expected {
            world.publish("stream:a", text).await;
            settle().await;
            received(&first);
        }
        let channel = World::channel("stream:a");
        let (mut live, mut texts) = (world.hub.go_live(second.key(), &channel), Vec::new());
        while let LiveStatus::Behind(after) = live {
            let page = world.read(&channel, ReadRange::After(after)).await.expect("in memory");
            let CatchUpStep::Status(next) = world.hub.deliver_page(second.key(), &channel, &page) else { panic!("nothing was trimmed") };
            assert!(second.outbox().memory() <= 10_000);
            texts.extend(received(&second));
            live = next;
        }
        assert_eq!((live, second.outbox().overflow()), (LiveStatus::Live, None));
        assert!(texts == expected);
    });
}

#[test]
fn leaving_during_a_fan_out_affects_no_other_member() {
    run(limits(), 1000, |world| async move {
        let mut connections: Vec<_> = (0..9).map(|_| world.connect()).collect();
        for connection in &connections {
            world.subscribe(connection, "stream:a").await;
        }
        world.publish("stream:a", "text").await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        drop(connections.remove(0));
        world.hub.leave(connections.remove(2).key(), &World::channel("stream:a"));
        settle().await;
        for connection in &connections {
            assert_eq!(received(connection), ["text"]);
        }
    });
}

#[test]
fn presence_ends_with_the_connection_and_large_channels_announce_no_joins() {
    run(limits(), 1000, |world| async move {
        let channel = World::channel("crowd:a");
        let options = world.hub.parts.namespaces.options(&channel).expect("configured").clone();
        let watcher = world.connect();
        world.subscribe(&watcher, "crowd:a").await;
        let mut present = Vec::new();
        for n in 0..5 {
            let user: UserId = format!("user{n}").parse().expect("valid");
            let connection = world.connect();
            let info = Arc::new(ClientInfo { user, client: ConnectionId::random(), conn_info: None, chan_info: None });
            let subscription =
                NewSubscription { info: Some(info.clone()), join_leave: n < 2, ..subscription(&options, SubscriptionSide::Client) };
            world.hub.join(connection.key(), &channel, subscription).expect("registered");
            world.hub.add_presence(&channel, info).await.expect("in memory");
            world.hub.go_live(connection.key(), &channel);
            present.push(connection);
        }
        settle().await;
        assert_eq!(received(&watcher), ["joined"; 3], "the fourth and the fifth join exceed the maximum");
        let notified: usize = present.iter().map(|connection| received(connection).len()).sum();
        assert!(notified > 0);
        assert_eq!(world.hub.metrics().counted(Count::Deliveries), 3 + notified as u64, "members without joins and leaves are not counted");
        assert_eq!(world.hub.metrics().drops(DropCause::JoinLeaveSuppressed), 2);
        drop(present);
        settle().await;
        assert_eq!(world.broker.presence_stats(&channel).await.expect("in memory").clients, 0);
        assert_eq!(received(&watcher).len(), 4, "the channel announces leaves again once it has few subscribers");
    });
}

#[test]
fn no_state_remains_after_all_connections_have_closed() {
    run(limits(), 1000, |world| async move {
        for _ in 0..100 {
            let connections: Vec<_> = (0..10).map(|_| world.connect()).collect();
            for connection in &connections {
                world.subscribe(connection, "stream:a").await;
                world.subscribe(connection, "plain:b").await;
            }
            world.publish("stream:a", "text").await;
            settle().await;
        }
        settle().await;
        let state = world.hub.state.borrow();
        assert_eq!((state.connections.len(), state.local_channels.len(), state.channels.len(), state.ids.len()), (0, 0, 0, 0));
        assert_eq!((state.pending, world.hub.budget().used()), (0, 0));
    });
}

#[test]
fn commands_reach_all_connections_of_a_user() {
    run(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..3).map(|_| world.connect()).collect();
        let user: UserId = "alice".parse().expect("valid");
        for connection in &connections[..2] {
            let info = ClientInfo { user: user.clone(), client: ConnectionId::random(), conn_info: None, chan_info: None };
            world.hub.identify(connection.key(), Arc::new(info));
        }
        let (answer, mut answers) = tokio::sync::mpsc::channel(1);
        let command = ServerCommand::Disconnect { code: Disconnect::ForceDisconnect.code(), reason: "test".into() };
        assert!(world.mailbox.post(crate::broker::MailboxEntry::Command(CommandTarget::User(user), command, answer)));
        assert_eq!(answers.recv().await, Some(2));
        let notified: Vec<_> = connections.iter().map(|connection| connection.outbox().take_notices().len()).collect();
        assert_eq!(notified, [1, 1, 0]);
    });
}

#[test]
fn a_drain_is_spread_evenly_over_its_window() {
    run(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..300).map(|_| world.connect()).collect();
        let window = Duration::from_secs(3);
        assert!(world.mailbox.post(crate::broker::MailboxEntry::Drain(crate::broker::mailbox::DrainPlan { window })));
        settle().await;
        let late = world.connect();
        let mut notified = 0;
        for step in 1..=6 {
            tokio::time::sleep(window / 6).await;
            settle().await;
            let leaves = |notice: &Notice| matches!(notice, Notice::Drain(Drain::WhenIdle));
            notified += connections.iter().filter(|connection| connection.outbox().take_notices().iter().any(leaves)).count();
            assert!((step * 50..=step * 50 + 1).contains(&notified), "{notified} of 300 in {step} of 6 steps");
        }
        let notices = late.outbox().take_notices();
        assert!(
            matches!(notices[..], [Notice::Drain(Drain::Now)]),
            "a connection that opens during the drain is closed at its end: {notices:?}"
        );
    });
}

#[test]
fn a_deadline_of_a_closed_connection_wakes_no_other() {
    run(limits(), 1000, |world| async move {
        let connection = world.connect();
        world.hub.wake_at(world.hub.now().after(Duration::from_millis(100)), connection.key());
        drop(connection);
        let other = world.connect();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(other.outbox().take_notices().is_empty(), "the deadline was for an earlier connection at this index");
    });
}

#[test]
fn the_audit_counts_only_undelivered_publications_of_the_same_epoch_as_losses() {
    run(limits(), 100, |world| async move {
        let alice = world.connect();
        world.subscribe(&alice, "stream:a").await;
        world.publish("stream:a", "1").await;
        settle().await;
        assert_eq!(received(&alice), ["1"]);
        world.broker.unsubscribe(&World::channel("stream:a"), world.hub.parts.worker);
        let checks = [(TopReason::Audit, Some(Epoch::random()), 0), (TopReason::Resumed, None, 0), (TopReason::Audit, None, 1)];
        for (number, (check, another, found)) in checks.into_iter().enumerate() {
            let text = (number + 2).to_string();
            let at = world.publish("stream:a", &text).await.expect("kept");
            settle().await;
            assert!(received(&alice).is_empty(), "the worker is not subscribed, so the publication does not arrive");
            world.mailbox.post(MailboxEntry::Top(World::channel("stream:a"), Position { epoch: another.unwrap_or(at.epoch), ..at }, check));
            settle().await;
            assert_eq!(received(&alice), [text]);
            world.mailbox.post(MailboxEntry::Top(World::channel("stream:a"), at, check));
            settle().await;
            assert_eq!(world.hub.metrics().counted(Count::AuditLosses), found, "{check:?}");
        }
    });
}
