//! Floods that send as much as they can.

use super::attack::Attack;
use crate::{
    client::{Client, READ_SIZE, text_frame},
    result::Result,
};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Commands in one write.
const COMMANDS_PER_WRITE: usize = 256;
/// A channel with presence.
const ROOM: &str = "chat:flood";
/// Questions of a connection per second: each costs two of 200, because there are a hundred entries.
const QUESTIONS: u32 = 90;

/// Connects with a token that another key has signed, and waits for the end.
pub(super) async fn wrong_token(attack: &Attack) -> Result {
    let mut client = attack.upgraded(None).await?;
    client.send(&format!(r#"{{"id":1,"connect":{{"token":"{}"}}}}"#, attack.token)).await?;
    attack.has_sent(1);
    while client.read(READ_SIZE, |_, _| ()).await.is_ok() {}
    Ok(())
}

/// Sends pings and publications in turn, and reads the answers.
pub(super) async fn commands(attack: &Attack) -> Result {
    let mut client = attack.connected(None).await?;
    let own = format!("open:flood-{}", attack.number());
    client.subscribe(&own).await?;
    let publish = format!(r#"{{"id":4,"publish":{{"channel":"{own}","data":{{}}}}}}"#);
    let commands = [text_frame(br#"{"id":3,"ping":{}}"#), text_frame(publish.as_bytes())];
    let block = commands.concat().repeat(COMMANDS_PER_WRITE / commands.len());
    loop {
        client.send_bytes(&block).await?;
        attack.has_sent(COMMANDS_PER_WRITE);
        client.read(READ_SIZE, |_, _| ()).await.map_err(|_| "closed")?;
    }
}

/// Asks for presence again and again.
pub(super) async fn presence(attack: &Attack) -> Result {
    let question = text_frame(format!(r#"{{"id":5,"presence":{{"channel":"{ROOM}"}}}}"#).as_bytes());
    in_room(attack, &[question], QUESTIONS).await
}

/// Leaves and joins again and again.
pub(super) async fn joins(attack: &Attack) -> Result {
    let leave = text_frame(format!(r#"{{"id":5,"unsubscribe":{{"channel":"{ROOM}"}}}}"#).as_bytes());
    let join = text_frame(format!(r#"{{"id":6,"subscribe":{{"channel":"{ROOM}"}}}}"#).as_bytes());
    in_room(attack, &[leave, join], QUESTIONS).await
}

/// Subscribes to the room, and sends these commands so many times a second. It reads everything meanwhile.
async fn in_room(attack: &Attack, commands: &[Vec<u8>], per_second: u32) -> Result {
    let mut client: Client = attack.connected(None).await?;
    client.subscribe(ROOM).await?;
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            read = client.read(READ_SIZE, |_, _| ()) => read.map_err(|_| "closed")?,
            _ = ticks.tick() => {
                client.send_bytes(&commands.concat()).await?;
                attack.has_sent(commands.len());
            }
        }
    }
}
