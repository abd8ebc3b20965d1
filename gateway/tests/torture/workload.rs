//! Starts the publishers and subscribers.

use crate::{
    client::{Form, Framing, Transport},
    ledger::{Channel, Kind},
    publisher::{publish_as_frontend, publish_as_service},
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
        let mut mine = vec![long[number % long.len()].clone(), long[(number + 1 + number / long.len() % 5) % long.len()].clone()];
        mine.push(match number / 2 {
            pair if pair < sparse.len() => sparse[pair].clone(),
            _ => short[number % short.len()].clone(),
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
    (subscribers, publishers)
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
