//! Starts the publishers and subscribers.

use crate::{
    client::{Form, Framing, Transport},
    ledger::{Channel, Kind},
    publisher::{publish_as_frontend, publish_as_service},
    queues::{
        plan::{HOOK, LOG, WORK},
        senders::{Manner, VISITORS, produce, send_events, visit},
    },
    subscriber::{
        EventSourceSubscriber, StompSubscriber, Subscriber,
        kind::{SubscriberKind, kinds},
    },
    world::{Scale, World},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Channels with few subscribers get this many times fewer publications.
const SPARSE_DIVISOR: u32 = 10;

/// Starts all subscribers and publishers. Subscribers run until the first set is dropped, publishers until [`World::stop`].
pub(crate) fn start_workload(world: &Arc<World>, scale: &Scale) -> (JoinSet<()>, JoinSet<()>) {
    let (mut subscribers, mut publishers) = (JoinSet::new(), JoinSet::new());
    let of = |kind| world.channels.iter().filter(move |channel| channel.kind == kind).cloned().collect::<Vec<_>>();
    let (long, sparse, short) = (of(Kind::LongHistory), of(Kind::Sparse), of(Kind::ShortHistory));
    let mut nths: HashMap<SubscriberKind, usize> = HashMap::new();
    for (number, kind) in kinds(&scale.shares, scale.clients).into_iter().enumerate() {
        let mut mine = vec![long[number % long.len()].clone()];
        mine.extend(Some(&long[(number + 1 + number / long.len() % 5) % long.len()]).filter(|other| other.name != mine[0].name).cloned());
        mine.extend(match number / 2 {
            pair if pair < sparse.len() => Some(sparse[pair].clone()),
            _ => short.get(number % short.len().max(1)).cloned(),
        });
        let nth = nths.entry(kind).or_default();
        start_subscriber(world, &mut subscribers, (number, kind, *nth), &mine);
        *nth += 1;
    }
    let pause = Duration::from_secs_f64(world.channels.len() as f64 / f64::from(scale.rate));
    for (number, channel) in world.channels.iter().enumerate() {
        let pause = if channel.kind == Kind::Sparse { SPARSE_DIVISOR * pause } else { pause };
        if number % 3 == 0 {
            publishers.spawn(publish_as_service(world.clone(), channel.clone(), 2 * pause));
            publishers.spawn(publish_as_frontend(world.clone(), channel.clone(), 2 * pause));
        } else {
            publishers.spawn(publish_as_service(world.clone(), channel.clone(), pause));
        }
    }
    if world.queues.is_some() {
        start_queues(world, scale, &mut publishers);
    }
    (subscribers, publishers)
}

/// Starts what sends events, publishes by ingest, and comes and goes.
fn start_queues(world: &Arc<World>, scale: &Scale, publishers: &mut JoinSet<()>) {
    let manners = [Manner::RepeatedCalls, Manner::RepeatedCalls, Manner::Calls, Manner::Messages];
    let senders = || [&WORK, &WORK, &HOOK, &LOG].into_iter().flat_map(|service| manners.into_iter().map(move |manner| (service, manner)));
    let pause = Duration::from_secs_f64(senders().count() as f64 * 2.0 / f64::from(scale.rate));
    for (number, (service, manner)) in senders().enumerate() {
        publishers.spawn(send_events(world.clone(), service, manner, number, pause));
    }
    for channel in &world.channels {
        for partition in &channel.partitions {
            publishers.spawn(produce(world.clone(), channel.clone(), *partition, pause));
        }
    }
    for number in 0..VISITORS {
        publishers.spawn(visit(world.clone(), number));
    }
}

/// Starts a subscriber: its number, its kind, and its number among those of its kind.
fn start_subscriber(
    world: &Arc<World>,
    subscribers: &mut JoinSet<()>,
    (number, kind, nth): (usize, SubscriberKind, usize),
    channels: &[Arc<Channel>],
) {
    let (world, who, activity) = (world.clone(), format!("client {number} ({})", kind.name()), world.activities.add(kind));
    let sdk = match kind {
        SubscriberKind::WebSocket => (Transport::WebSocket, Form::of(nth)),
        SubscriberKind::HttpStream => (Transport::Stream(Framing::Plain), Form::json(nth)),
        SubscriberKind::HttpStreamProtobuf => (Transport::Stream(Framing::Plain), Form::protobuf(nth)),
        SubscriberKind::Sse => (Transport::Stream(Framing::Events), Form::json(nth)),
        SubscriberKind::Stomp => {
            subscribers.spawn(StompSubscriber::new(world, who, activity, channels).run());
            return;
        }
        SubscriberKind::Events => {
            let one = &channels[nth % channels.len()..][..1];
            subscribers.spawn(EventSourceSubscriber::new(world, who, activity, one, nth.is_multiple_of(2)).run());
            return;
        }
        SubscriberKind::EventsMany => {
            subscribers.spawn(EventSourceSubscriber::new(world, who, activity, channels, false).run());
            return;
        }
    };
    subscribers.spawn(Subscriber::new(world, who, activity, sdk, channels).run());
}
