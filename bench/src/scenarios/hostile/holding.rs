//! Floods that hold what they got, until the gateway closes their connections. Then they come back.

use super::attack::Attack;
use crate::{
    client::{READ_SIZE, text_frame},
    result::Result,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

/// Receive buffer of a client that does not read, so that the kernel keeps little.
const RECEIVE_BUFFER: u32 = 4096;
/// Data of the two publications of a slow reader into its own channel.
const OWN_DATA: usize = 60 * 1024;
/// Time between two signs of life of a slow reader.
const SIGN: Duration = Duration::from_secs(2);
/// Size of a message whose last kilobyte is missing.
const MESSAGE: usize = 63 * 1024;
/// Size of a head without an end, below the limit of 128 KiB.
const HEAD: usize = 100 * 1024;

pub(super) async fn slow_reader(attack: &Attack) -> Result {
    let mut client = attack.connected(Some(RECEIVE_BUFFER)).await?;
    let own = format!("open:slow-{}", attack.number());
    for (id, channel) in [(2, "open:busy"), (3, &*own)] {
        client.send(&format!(r#"{{"id":{id},"subscribe":{{"channel":"{channel}"}}}}"#)).await?;
    }
    let data = "x".repeat(OWN_DATA);
    for id in 4..6 {
        client.send(&format!(r#"{{"id":{id},"publish":{{"channel":"{own}","data":"{data}"}}}}"#)).await?;
        attack.has_sent(1);
    }
    // It does not read, so it learns of the end only by writing.
    while client.send("{}").await.is_ok() {
        sleep(SIGN).await;
    }
    Ok(())
}

pub(super) async fn half_message(attack: &Attack) -> Result {
    let mut client = attack.connected(None).await?;
    let whole = text_frame(&vec![b'x'; MESSAGE]);
    client.send_bytes(&whole[..MESSAGE - 1024]).await?;
    attack.has_sent(1);
    while client.read(READ_SIZE, |_, _| ()).await.is_ok() {}
    Ok(())
}

pub(super) async fn half_head(attack: &Attack) -> Result {
    let mut stream = attack.server.connect(attack.number(), None).await?;
    attack.has_opened();
    stream.write_all(b"GET /connection/websocket HTTP/1.1\r\nhost: bench\r\nx-padding: ").await?;
    stream.write_all(&vec![b'x'; HEAD]).await?;
    attack.has_sent(1);
    while matches!(stream.read(&mut [0; 512]).await, Ok(1..)) {}
    Ok(())
}
