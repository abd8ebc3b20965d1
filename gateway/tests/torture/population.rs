//! Those who publish and subscribe.

use crate::{
    ledger::Kind,
    publisher::{publish_as_frontend, publish_as_service},
    subscriber::Subscriber,
    world::{Scale, World},
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How much less comes in channels with few subscribers.
const QUIET: u32 = 10;

/// Lets subscribers and publishers live. Subscribers end with the first set, publishers when the world stops.
pub(crate) fn populate(world: &Arc<World>, scale: Scale) -> (JoinSet<()>, JoinSet<()>) {
    let (mut subscribers, mut publishers) = (JoinSet::new(), JoinSet::new());
    let of = |kind| world.channels.iter().filter(move |channel| channel.kind == kind).cloned().collect::<Vec<_>>();
    let (deep, lonely, shallow) = (of(Kind::Deep), of(Kind::Lonely), of(Kind::Shallow));
    for number in 0..scale.clients {
        let mut mine = vec![deep[number % deep.len()].clone(), deep[(number + 1 + number / deep.len() % 5) % deep.len()].clone()];
        mine.push(match number / 2 {
            pair if pair < lonely.len() => lonely[pair].clone(),
            _ => shallow[number % shallow.len()].clone(),
        });
        subscribers.spawn(Subscriber::new(world.clone(), format!("client {number}"), &mine).live());
    }
    let pause = Duration::from_secs_f64(world.channels.len() as f64 / f64::from(scale.rate));
    for (number, channel) in world.channels.iter().enumerate() {
        let pause = if channel.kind == Kind::Lonely { QUIET * pause } else { pause };
        if number % 3 == 0 {
            publishers.spawn(publish_as_service(world.clone(), channel.clone(), 2 * pause));
            publishers.spawn(publish_as_frontend(world.clone(), channel.clone(), 2 * pause));
        } else {
            publishers.spawn(publish_as_service(world.clone(), channel.clone(), pause));
        }
    }
    (subscribers, publishers)
}
