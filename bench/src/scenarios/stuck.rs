//! Clients that never read, and a client that reads too slowly.

use crate::{
    client::transport::{Got, Subscriber, Transport},
    http::Http,
    result::Result,
    server::{Binaries, Kind, Server},
    sockets,
};
use std::{collections::HashMap, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// Receive buffer of the clients' sockets, in bytes.
const RECEIVE_BUFFER: u32 = 4096;
/// Size of a message to the clients that never read, in bytes.
const MESSAGE_SIZE: usize = 8192;
/// Publications for the slow reader: 2 MiB, much more than the limit of an outbox.
const PUBLICATIONS: u64 = 1000;
/// The channel of the slow reader, which has a history.
const SLOW_CHANNEL: &str = "recover:slow";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Transports of the clients
    #[arg(long, value_delimiter = ',', default_value = "web-socket")]
    transport: Vec<Transport>,
    /// Clients that never read, each subscribed to its own channel
    #[arg(long, default_value_t = 40)]
    clients: usize,
    /// Repetitions; memory that the allocator keeps after the first one is reused by the next
    #[arg(long, default_value_t = 3)]
    waves: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    for transport in &arguments.transport {
        // Memory that an earlier transport left behind would hide what this one needs.
        let server = binaries.start(Kind::Gateway, &[("WORKERS", "1")]).await?;
        println!("{transport:?}:");
        for _ in 0..arguments.waves {
            never_reading(&server, *transport, arguments.clients).await?;
        }
        slow_reader(&server, *transport).await?;
    }
    Ok(())
}

async fn never_reading(server: &Server, transport: Transport, count: usize) -> Result {
    let mut clients = Vec::new();
    for number in 0..count {
        let channel = format!("open:stuck-{number}");
        clients.push(transport.subscribe(server, number, Some(RECEIVE_BUFFER), &channel, &mut Got::default()).await?);
    }
    let ports: Vec<_> = clients.iter().map(Subscriber::local_port).collect::<Result<_>>()?;
    let mut http = Http::open(server.internal).await?;
    let before = server.resident_kib()?;
    let (mut socket_bytes, mut resident) = (HashMap::<u16, u64>::new(), before);
    let (body, begun) = (format!(r#"{{"data":"{}"}}"#, "x".repeat(MESSAGE_SIZE)), Instant::now());
    loop {
        if begun.elapsed() < Duration::from_secs(2) {
            for number in 0..count {
                http.post(&format!("/v1/channels/open:stuck-{number}/publications"), &body).await?;
            }
        } else {
            sleep(Duration::from_millis(20)).await;
        }
        let memory = sockets::memory(server.public)?;
        resident = resident.max(server.resident_kib()?);
        let mut open = 0;
        for socket in memory.iter().filter(|socket| ports.contains(&socket.peer)) {
            let most = socket_bytes.entry(socket.peer).or_default();
            *most = (*most).max(socket.bytes);
            open += 1;
        }
        if open == 0 {
            break;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(format!("the server did not disconnect {open} clients within 30 s").into());
        }
    }
    let disconnected = begun.elapsed();
    sleep(Duration::from_secs(1)).await;
    let remaining = sockets::memory(server.public)?.into_iter().filter(|socket| ports.contains(&socket.peer)).count();
    let most = socket_bytes.values().max().copied().unwrap_or_default();
    println!("{count} clients that never read: all disconnected after {:.1} s", disconnected.as_secs_f64());
    println!("process: {:.0} KiB per client at most", (resident - before) as f64 / count as f64);
    println!("kernel: {:.0} KiB for one socket at most", most as f64 / 1024.0);
    println!("1 s later: {remaining} sockets, {} KiB resident (before: {before})", server.resident_kib()?);
    drop(clients);
    Ok(())
}

async fn slow_reader(server: &Server, transport: Transport) -> Result {
    let mut got = Got::default();
    let mut client = transport.subscribe(server, 0, Some(RECEIVE_BUFFER), SLOW_CHANNEL, &mut got).await?;
    let mut http = Http::open(server.internal).await?;
    let (path, body) = (format!("/v1/channels/{SLOW_CHANNEL}/publications"), format!(r#"{{"data":"{}"}}"#, "x".repeat(2048)));
    for _ in 0..PUBLICATIONS {
        http.post(&path, &body).await?;
    }
    loop {
        sleep(Duration::from_millis(20)).await;
        if client.read(4096, |opcode, payload| got.add(transport, opcode, payload)).await.is_err() || got.code.is_some() {
            break;
        }
    }
    let (first, code) = (got.offsets.len(), got.code);
    if code.is_none() && transport != Transport::Events {
        return Err("the server closed the connection without a code".into());
    }
    let mut client = transport.subscribe(server, 0, None, SLOW_CHANNEL, &mut got).await?;
    while got.offsets.last() != Some(&PUBLICATIONS) {
        let read = client.read(65536, |opcode, payload| got.add(transport, opcode, payload));
        timeout(Duration::from_secs(10), read).await?.map_err(|_| "the server closed the connection during recovery")?;
    }
    let complete = got.offsets.iter().copied().eq(1..=PUBLICATIONS);
    println!("slow reader: closed with {code:?} after {first} publications; all {PUBLICATIONS} received once and in order: {complete}");
    Ok(())
}
