//! Clients that nobody wants: they never finish a message, have wrong tokens, and come from very many addresses.

use super::bed::Bed;
use crate::{
    client::{Client, READ_SIZE, text_frame},
    result::Result,
};
use std::{cell::Cell, rc::Rc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::spawn_local,
    time::{Duration, Instant, sleep_until, timeout_at},
};

/// Clients that hold half of a message, and the same number with half of a head.
const HALF: usize = 40;
/// Size of a message whose last byte is missing.
const MESSAGE: usize = 40_000;
/// Clients with wrong tokens that come at the same time.
const AT_ONCE: usize = 16;

/// Lets them come until `end`: so many addresses with wrong tokens, in equal steps, and some that hold half of a message.
pub(super) fn let_in(bed: &Rc<Bed>, addresses: u32, end: Instant) {
    for _ in 0..HALF {
        let bed = bed.clone();
        spawn_local(async move {
            let all = async { while half_message(&bed).await.is_ok() {} };
            let _ = timeout_at(end, all).await;
        });
    }
    for _ in 0..HALF {
        let bed = bed.clone();
        spawn_local(async move {
            let all = async { while half_head(&bed).await.is_ok() {} };
            let _ = timeout_at(end, all).await;
        });
    }
    let (begun, next) = (Instant::now(), Rc::new(Cell::new(0)));
    let step = (end - begun) / addresses.max(1);
    for _ in 0..AT_ONCE {
        let (bed, next) = (bed.clone(), next.clone());
        spawn_local(async move {
            while next.get() < addresses && Instant::now() < end + Duration::from_secs(5) {
                let turn = next.replace(next.get() + 1);
                sleep_until(begun + step * turn).await;
                // The gateway may close it before everything is sent.
                let _ = wrong_token(&bed).await;
            }
        });
    }
}

async fn half_message(bed: &Bed) -> Result {
    let mut client = Client::open(&bed.endpoint(), "/connection/websocket", bed.number(), None).await?;
    client.connect(&bed.token(0)).await?;
    let whole = text_frame(&vec![b'x'; MESSAGE]);
    client.send_bytes(&whole[..MESSAGE]).await?;
    while client.read(READ_SIZE, |_, _| ()).await.is_ok() {}
    Ok(())
}

async fn half_head(bed: &Bed) -> Result {
    let mut socket = bed.endpoint().connect(bed.number(), None).await?;
    socket.write_all(b"GET /connection/websocket HTTP/1.1\r\nhost: bench\r\nx-padding: ").await?;
    socket.write_all(&[b'x'; 2000]).await?;
    while matches!(socket.read(&mut [0; 512]).await, Ok(1..)) {}
    Ok(())
}

async fn wrong_token(bed: &Bed) -> Result {
    let mut client = Client::open(&bed.endpoint(), "/connection/websocket", bed.number(), None).await?;
    client.send(r#"{"id":1,"connect":{"token":"a.b.c"}}"#).await?;
    // It leaves with the refusal. Its close timeout would hold up those behind it.
    client.read(READ_SIZE, |_, _| ()).await.map_err(|_| "closed")?;
    Ok(())
}
