//! Starts the publishers and subscribers.

use crate::{
    form::Form,
    ledger::Kind,
    publisher::{publish_as_frontend, publish_as_service},
    stomp_subscriber::StompSubscriber,
    subscriber::Subscriber,
    world::{Scale, World},
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Channels with few subscribers get this many times fewer publications.
const SPARSE_DIVISOR: u32 = 10;

/// One subscriber of this many speaks STOMP. The number has no factor of those of the forms, so that each form stays as frequent.
const STOMP_SHARE: usize = 5;

/// Starts all subscribers and publishers. Subscribers run until the first set is dropped, publishers until [`World::stop`].
pub(crate) fn start_workload(world: &Arc<World>, scale: Scale) -> (JoinSet<()>, JoinSet<()>) {
    let (mut subscribers, mut publishers) = (JoinSet::new(), JoinSet::new());
    let of = |kind| world.channels.iter().filter(move |channel| channel.kind == kind).cloned().collect::<Vec<_>>();
    let (long, sparse, short) = (of(Kind::LongHistory), of(Kind::Sparse), of(Kind::ShortHistory));
    for number in 0..scale.clients {
        let mut mine = vec![long[number % long.len()].clone(), long[(number + 1 + number / long.len() % 5) % long.len()].clone()];
        mine.push(match number / 2 {
            pair if pair < sparse.len() => sparse[pair].clone(),
            _ => short[number % short.len()].clone(),
        });
        let who = format!("client {number}");
        if number % STOMP_SHARE == 1 {
            subscribers.spawn(StompSubscriber::new(world.clone(), who, &mine).run());
        } else {
            subscribers.spawn(Subscriber::new(world.clone(), who, Form::of(number), &mine).run());
        }
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
