mod forks;

use super::*;
use crate::{
    broker::{Broker, BrokerError, Check, Mailbox, MemoryBroker, MemoryLimits, NewPublication, Post, Reads},
    telemetry::{Count, DropCause},
};
use gateway_core::{
    channel::{ChannelOptions, HoldRoom, Namespaces, SlowConsumer},
    model::{
        ChannelName, ClientInfo, CommandTarget, ConnectionId, Data, Disconnect, Epoch, Page, PageLimit, Position, RecoverFrom, Retention,
        ServerCommand, Side, Span, Tags, Tick, UserId, WorkerId,
    },
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
        outbox_bytes: 10_000,
        worker_outbox_bytes: 1_000_000,
        batch_bytes: 1000,
        slice: 2,
        attach_buffer: 8,
        page: PageLimit { entries: 4, bytes: 10_000 },
        restarts: 100,
        join_leave_max: 3,
        retry: Duration::from_millis(10),
    }
}

fn within<F: Future<Output = ()>>(limits: HubLimits, mailbox: usize, story: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async move {
        let mailbox = Arc::new(Mailbox::new(mailbox, 1 << 20));
        let broker = Arc::new(Broker::Memory(MemoryBroker::new(vec![mailbox.clone()], MemoryLimits::default())));
        let stream = ChannelOptions { retention: Some(STREAM), ..ChannelOptions::default() };
        let crowd = ChannelOptions { presence: true, join_leave: true, ..ChannelOptions::default() };
        let latest = ChannelOptions { slow_consumer: SlowConsumer::Latest, ..stream.clone() };
        let named = [("stream", stream), ("crowd", crowd), ("latest", latest), ("plain", ChannelOptions::default())];
        let namespaces = Namespaces {
            named: named.into_iter().map(|(name, options)| (name.into(), Arc::new(options))).collect(),
            ..Namespaces::default()
        };
        let hub = Hub::new(HubParts {
            worker: WorkerId::new(0).expect("in bounds"),
            broker: broker.clone(),
            reads: Reads::new(broker.clone(), 2),
            hold: HoldRoom::new(1 << 20),
            mailbox: mailbox.clone(),
            namespaces: Arc::new(namespaces),
            limits,
            metrics: Arc::default(),
        });
        tokio::task::spawn_local(hub.clone().run());
        story(World { hub, broker, mailbox }).await;
    }));
}

impl World {
    fn channel(name: &str) -> ChannelName {
        name.parse().expect("valid")
    }

    fn connect(&self) -> Registered {
        self.hub.register(ConnectionId::random())
    }

    async fn publish(&self, channel: &str, text: &str) -> Option<Position> {
        let channel = Self::channel(channel);
        let retention = self.hub.parts.namespaces.options(&channel).and_then(|options| options.retention);
        let data = Data::parse(&serde_json::value::to_raw_value(text).expect("a string")).expect("shallow");
        let publication = NewPublication { data, tags: Tags::new(), info: None, traceparent: None, retention, idempotency: None };
        self.broker.publish(&channel, publication).await.expect("in memory").position
    }

    async fn join(&self, connection: &Registered, channel: &str) {
        self.join_as(connection, channel, Side::Client).await;
    }

    async fn join_as(&self, connection: &Registered, channel: &str, side: Side) {
        let channel = Self::channel(channel);
        let options = self.hub.parts.namespaces.options(&channel).expect("configured").clone();
        assert!(self.hub.join(connection.key(), &channel, &options, None, side, true));
        self.broker.subscribe(&channel, self.hub.parts.worker, None).await.expect("in memory");
        if options.retention.is_some() {
            let page = self.read(&channel, Span::Top).await.expect("in memory");
            let top = Position { epoch: page.epoch, offset: page.top };
            self.hub.set_cursor(connection.key(), &channel, top, page.top);
        }
    }

    async fn read(&self, channel: &ChannelName, span: Span) -> Result<Page, BrokerError> {
        self.broker.read(channel, STREAM, span, self.hub.parts.limits.page).await
    }

    async fn subscribe(&self, connection: &Registered, channel: &str) {
        self.join(connection, channel).await;
        assert_eq!(self.hub.go_live(connection.key(), &Self::channel(channel)), Live::Live);
    }
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Takes what waits in an outbox.
fn received_frames(connection: &Registered) -> Vec<Frame> {
    connection.outbox().write(|frames| Written { result: frames.drain(..).collect(), begun: false })
}

/// Takes what waits in an outbox, as the texts that were published.
fn received(connection: &Registered) -> Vec<String> {
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
fn everyone_gets_everything_once_and_in_order() {
    within(limits(), 1000, |world| async move {
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
fn what_comes_while_attaching_follows_the_answer() {
    within(limits(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.join(&second, "stream:a").await;
        world.publish("stream:a", "held back").await;
        settle().await;
        assert_eq!(received(&second), [""; 0]);
        assert_eq!(world.hub.go_live(second.key(), &World::channel("stream:a")), Live::Live);
        world.publish("stream:a", "live").await;
        settle().await;
        assert_eq!(received(&second), ["held back", "live"]);
        assert_eq!(received(&first), ["held back", "live"]);
    });
}

// NL-4.10
#[test]
fn an_attach_that_read_ahead_of_the_lane_gets_nothing_twice() {
    within(limits(), 1000, |world| async move {
        let (first, second) = (world.connect(), world.connect());
        world.subscribe(&first, "stream:a").await;
        world.publish("stream:a", "in the lane").await;
        world.join(&second, "stream:a").await;
        assert_eq!(world.hub.go_live(second.key(), &World::channel("stream:a")), Live::Live);
        settle().await;
        world.publish("stream:a", "after").await;
        settle().await;
        assert_eq!(received(&first), ["in the lane", "after"]);
        assert_eq!(received(&second), ["after"], "its answer said that it has the first");
    });
}

// NL-5.3
#[test]
fn more_than_the_attach_buffer_is_read_from_the_stream() {
    within(limits(), 1000, |world| async move {
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
        while let Live::Behind(after) = live {
            let page = world.read(&channel, Span::After(after)).await.expect("in memory");
            pages += 1;
            let Advance::To(next) = world.hub.advance(second.key(), &channel, &page) else { panic!("nothing was trimmed") };
            live = next;
        }
        assert!(pages >= 3, "a page holds four");
        assert_eq!(live, Live::Live);
        assert_eq!(received(&second), expected);
    });
}

#[test]
fn an_overflowing_mailbox_costs_history_channels_nothing() {
    within(limits(), 8, |world| async move {
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
fn a_mailbox_that_overflows_again_and_again_costs_history_channels_nothing() {
    within(limits(), 8, |world| async move {
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
        assert_eq!(world.hub.parts.hold.dropped(), 12, "the two that the lane took of each round but the first two are read too");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (backfills, reads) = (world.hub.metrics().counted(Count::Backfills), world.hub.parts.reads.counts());
        world.publish("stream:a", "calm").await;
        settle().await;
        assert_eq!(received(&connection), ["calm"]);
        assert_eq!((backfills, reads), (world.hub.metrics().counted(Count::Backfills), world.hub.parts.reads.counts()), "it is live again");
        assert_eq!(world.hub.parts.hold.used(), 0);
    });
}

// NL-1.4
#[test]
fn who_comes_back_to_where_the_worker_stands_needs_no_read() {
    within(limits(), 1000, |world| async move {
        let (live, back) = (world.connect(), world.connect());
        world.subscribe(&live, "stream:a").await;
        let at = world.publish("stream:a", "one").await.expect("kept");
        settle().await;
        let channel = World::channel("stream:a");
        let remembered = |epoch: &str, offset| {
            let recover = RecoverFrom { epoch: epoch.into(), offset };
            let start = world.hub.remembered(&channel, &recover, world.hub.page())?;
            Some((start.answer.offset, start.cursor.offset, start.top, start.publications.len()))
        };
        assert_eq!(remembered(at.epoch.as_str(), 1), Some((1, 1, 1, 0)));
        assert_eq!(remembered(at.epoch.as_str(), 0), None, "the first is remembered for nobody");
        assert_eq!(remembered(at.epoch.as_str(), 2), None, "nobody knows a second");
        assert_eq!(remembered("otherone", 1), None);
        assert_eq!(remembered("", 0), None, "what is held only the store knows");

        world.join(&back, "stream:a").await;
        for text in ["two", "three"] {
            world.publish("stream:a", text).await;
        }
        settle().await;
        assert_eq!(remembered(at.epoch.as_str(), 1), Some((1, 3, 3, 2)), "it is remembered for those who attach");
        for text in ["four", "five", "six"] {
            world.publish("stream:a", text).await;
        }
        settle().await;
        assert_eq!(remembered(at.epoch.as_str(), 1), None, "a page has four");
        assert_eq!(remembered(at.epoch.as_str(), 2), Some((2, 6, 6, 4)));
    });
}

#[test]
fn an_overflowing_mailbox_is_told_to_subscribers_without_history() {
    within(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "plain:a").await;
        for n in 0..50 {
            world.publish("plain:a", &n.to_string()).await;
        }
        settle().await;
        let notices = connection.outbox().take_notices();
        assert!(matches!(&notices[..], [Notice::Lost(channel)] if channel.as_str() == "plain:a"), "{notices:?}");
    });
}

// NL-4.6
#[test]
fn a_range_that_is_gone_is_told_to_subscribers() {
    within(limits(), 8, |world| async move {
        let connection = world.connect();
        world.subscribe(&connection, "stream:a").await;
        for n in 0..1500 {
            world.publish("stream:a", &n.to_string()).await;
        }
        settle().await;
        let notices = connection.outbox().take_notices();
        assert!(matches!(&notices[..], [Notice::Lost(_)]), "{notices:?}");
        assert_eq!(world.hub.metrics().counted(Count::GapsLost), 1);
    });
}

#[test]
fn who_does_not_read_is_cut_and_who_wants_the_latest_gets_it() {
    within(HubLimits { outbox_bytes: 800, ..limits() }, 1000, |world| async move {
        let (slow, latest) = (world.connect(), world.connect());
        world.subscribe(&slow, "stream:a").await;
        world.subscribe(&latest, "latest:a").await;
        let publish = async |channel| {
            for n in 0..20 {
                world.publish(channel, &format!("a rather long text, number {n}")).await;
                // They go out in pairs.
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
        assert_eq!(dropped(DropCause::OutboxFull), 2, "the pair that had no room");
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
fn what_the_budget_of_all_outboxes_refuses_is_counted_as_that() {
    within(HubLimits { worker_outbox_bytes: 2000, ..limits() }, 1000, |world| async move {
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
fn what_is_not_written_when_a_connection_ends_is_counted() {
    within(limits(), 1000, |world| async move {
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
        assert_eq!(cut.outbox().finish(world.hub.now(), close()), 1);
        world.publish("stream:a", "two").await;
        settle().await;
        assert_eq!(dropped(), 3, "nothing is queued behind a close");
        let left = |connection| received_frames(connection).iter().map(|frame| frame.as_ref().to_vec()).collect::<Vec<_>>();
        assert_eq!(left(&closed).len(), 2);
        assert_eq!(left(&cut), [[0x88, 0]]);
        drop((closed, cut));
        assert_eq!((dropped(), world.hub.metrics().counted(Count::Deliveries)), (3, 3), "what was taken is not counted again");
    });
}

#[test]
fn an_outbox_counts_what_its_messages_take_in_memory() {
    let (outbox, budget, channel) = (Outbox::new(10_000), Budget::new(1_000_000), SlotKey::new(0));
    let fill = || (0..10_000).take_while(|_| outbox.push_channel(Tick(0), Batch::new(vec![0; 2], &budget), channel).is_ok()).count();
    let room = fill();
    assert!(room < 10_000 / 50, "{room} messages of two bytes");
    outbox.write(|frames| {
        frames.drain(..10);
        Written { result: (), begun: false }
    });
    assert_eq!(fill(), 10, "what is out makes room");
    drop(outbox);
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_is_larger_than_an_outbox_reaches_who_reads() {
    within(limits(), 1000, |world| async move {
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
fn what_comes_while_attaching_is_handed_over_as_there_is_room() {
    let page = PageLimit { entries: 4, bytes: 2500 };
    within(HubLimits { page, ..limits() }, 1000, |world| async move {
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
        while let Live::Behind(after) = live {
            let page = world.read(&channel, Span::After(after)).await.expect("in memory");
            let Advance::To(next) = world.hub.advance(second.key(), &channel, &page) else { panic!("nothing was trimmed") };
            assert!(second.outbox().memory() <= 10_000);
            texts.extend(received(&second));
            live = next;
        }
        assert_eq!((live, second.outbox().overflow()), (Live::Live, None));
        assert!(texts == expected);
    });
}

#[test]
fn leaving_during_a_fan_out_takes_nothing_from_others() {
    within(limits(), 1000, |world| async move {
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
fn presence_ends_with_the_connection_and_a_crowd_is_not_told() {
    within(limits(), 1000, |world| async move {
        let channel = World::channel("crowd:a");
        let options = world.hub.parts.namespaces.options(&channel).expect("configured").clone();
        let watcher = world.connect();
        world.subscribe(&watcher, "crowd:a").await;
        let mut present = Vec::new();
        for n in 0..5 {
            let user: UserId = format!("user{n}").parse().expect("valid");
            let connection = world.connect();
            let info = Arc::new(ClientInfo { user, client: ConnectionId::random(), conn_info: None, chan_info: None });
            assert!(world.hub.join(connection.key(), &channel, &options, Some(info.clone()), Side::Client, n < 2));
            world.hub.arrive(&channel, info).await.expect("in memory");
            world.hub.go_live(connection.key(), &channel);
            present.push(connection);
        }
        settle().await;
        assert_eq!(received(&watcher), ["joined"; 3], "the fourth and the fifth are above the maximum");
        let told: usize = present.iter().map(|connection| received(connection).len()).sum();
        assert!(told > 0);
        assert_eq!(world.hub.metrics().counted(Count::Deliveries), 3 + told as u64, "who wants none is not counted");
        assert_eq!(world.hub.metrics().drops(DropCause::JoinLeaveSuppressed), 2);
        drop(present);
        settle().await;
        assert_eq!(world.broker.presence_stats(&channel).await.expect("in memory").clients, 0);
        assert_eq!(received(&watcher).len(), 4, "leaves are told again once there are few");
    });
}

#[test]
fn nothing_stays_behind_when_all_have_left() {
    within(limits(), 1000, |world| async move {
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
        assert_eq!((state.connections.len(), state.slots.len(), state.channels.len(), state.ids.len()), (0, 0, 0, 0));
        assert_eq!((state.pending, world.hub.budget().used()), (0, 0));
    });
}

#[test]
fn commands_reach_all_connections_of_a_user() {
    within(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..3).map(|_| world.connect()).collect();
        let user: UserId = "alice".parse().expect("valid");
        for connection in &connections[..2] {
            let info = ClientInfo { user: user.clone(), client: ConnectionId::random(), conn_info: None, chan_info: None };
            world.hub.identify(connection.key(), Arc::new(info));
        }
        let (answer, mut answers) = tokio::sync::mpsc::channel(1);
        let command = ServerCommand::Disconnect { code: Disconnect::ForceDisconnect.code(), reason: "test".into() };
        assert!(world.mailbox.post(crate::broker::Post::Command(CommandTarget::User(user), command, answer)));
        assert_eq!(answers.recv().await, Some(2));
        let told: Vec<_> = connections.iter().map(|connection| connection.outbox().take_notices().len()).collect();
        assert_eq!(told, [1, 1, 0]);
    });
}

#[test]
fn a_drain_is_spread_evenly_over_its_window() {
    within(limits(), 1000, |world| async move {
        let connections: Vec<_> = (0..300).map(|_| world.connect()).collect();
        let window = Duration::from_secs(3);
        assert!(world.mailbox.post(crate::broker::Post::Drain(crate::broker::mailbox::DrainPlan { window })));
        settle().await;
        let late = world.connect();
        let mut told = 0;
        for step in 1..=6 {
            tokio::time::sleep(window / 6).await;
            settle().await;
            let leaves = |notice: &Notice| matches!(notice, Notice::Leave(Leave::WhenIdle));
            told += connections.iter().filter(|connection| connection.outbox().take_notices().iter().any(leaves)).count();
            assert!((step * 50..=step * 50 + 1).contains(&told), "{told} of 300 in {step} of 6 steps");
        }
        let notices = late.outbox().take_notices();
        assert!(matches!(notices[..], [Notice::Leave(Leave::Now)]), "who came in between is not forgotten: {notices:?}");
    });
}

#[test]
fn deadlines_wake_once() {
    within(limits(), 1000, |world| async move {
        let connection = world.connect();
        world.hub.wake_at(world.hub.now().after(Duration::from_millis(100)), connection.key());
        drop(connection);
        let other = world.connect();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(other.outbox().take_notices().is_empty(), "the entry was for an earlier connection at this index");
    });
}

#[test]
fn only_a_stream_that_went_on_unheard_is_a_loss_that_the_audit_found() {
    within(limits(), 100, |world| async move {
        let alice = world.connect();
        world.subscribe(&alice, "stream:a").await;
        world.publish("stream:a", "1").await;
        settle().await;
        assert_eq!(received(&alice), ["1"]);
        world.broker.unsubscribe(&World::channel("stream:a"), world.hub.parts.worker);
        let checks = [(Check::Audit, Some(Epoch::random()), 0), (Check::Resumed, None, 0), (Check::Audit, None, 1)];
        for (number, (check, another, found)) in checks.into_iter().enumerate() {
            let text = (number + 2).to_string();
            let at = world.publish("stream:a", &text).await.expect("kept");
            settle().await;
            assert!(received(&alice).is_empty(), "nobody announced it");
            world.mailbox.post(Post::Top(World::channel("stream:a"), Position { epoch: another.unwrap_or(at.epoch), ..at }, check));
            settle().await;
            assert_eq!(received(&alice), [text]);
            world.mailbox.post(Post::Top(World::channel("stream:a"), at, check));
            settle().await;
            assert_eq!(world.hub.metrics().counted(Count::AuditLosses), found, "{check:?}");
        }
    });
}
