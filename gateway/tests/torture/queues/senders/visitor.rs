//! Frontends that come, subscribe to a room, and go.

use crate::{
    client::{Client, Ended, Form, Framing, Transport},
    queues::plan::ROOMS,
    world::World,
};
use shared_proto::frontend::{Method, Subscribe};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// Number of visitors.
pub(crate) const VISITORS: usize = 8;
/// Number of rooms.
const ROOM_COUNT: usize = 3;
/// Longest stay, in milliseconds.
const LONGEST_STAY: u64 = 6000;

/// Visits until the run stops.
pub(crate) async fn visit(world: Arc<World>, number: usize) {
    let (transport, form) = match number % 4 {
        0 => (Transport::Stream(Framing::Plain), Form::PLAIN),
        1 => (Transport::Stream(Framing::Events), Form::PLAIN),
        _ => (Transport::WebSocket, Form::PLAIN),
    };
    while !world.stop.is_cancelled() {
        sleep(Duration::from_millis(rand::random_range(50..1500))).await;
        let began = std::time::Instant::now();
        let Ok(client) = Client::connect(&world, transport, form).await else { continue };
        let connection = client.id().to_owned();
        // Its end is that of the connection.
        let _ = stay(&world, client).await;
        world.queues().lifecycle.ended(&connection, began);
    }
}

async fn stay(world: &World, mut client: Client) -> Result<(), Ended> {
    let channel = format!("{ROOMS}:{}", rand::random_range(0..ROOM_COUNT));
    let subscribe = Subscribe { channel, token: None, recover: false, epoch: String::new(), offset: 0 };
    client.send(Method::Subscribe(subscribe)).await?;
    let until = Instant::now() + Duration::from_millis(rand::random_range(0..LONGEST_STAY));
    while !world.stop.is_cancelled()
        && let Ok(frame) = timeout_at(until, client.next()).await
    {
        frame?;
    }
    Ok(())
}
