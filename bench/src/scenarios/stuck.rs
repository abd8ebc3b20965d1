//! Clients that never read, and a client that reads too slowly.

use crate::{
    client::{CLOSE, Client, TEXT},
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

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients that never read, each subscribed to its own channel
    #[arg(long, default_value_t = 40)]
    clients: usize,
    /// Repetitions; memory that the allocator keeps after the first one is reused by the next
    #[arg(long, default_value_t = 3)]
    waves: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let server = binaries.start(Kind::Gateway, &[("WORKERS", "1")]).await?;
    for _ in 0..arguments.waves {
        never_reading(&server, arguments.clients).await?;
    }
    slow_reader(&server).await
}

async fn never_reading(server: &Server, count: usize) -> Result {
    let mut clients = Vec::new();
    for number in 0..count {
        let mut client = server.open_connection(number, Some(RECEIVE_BUFFER)).await?;
        client.connect("").await?;
        client.subscribe(&format!("open:stuck-{number}")).await?;
        clients.push(client);
    }
    let ports: Vec<_> = clients.iter().map(Client::local_port).collect::<Result<_>>()?;
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

async fn slow_reader(server: &Server) -> Result {
    let mut client = server.open_connection(0, Some(RECEIVE_BUFFER)).await?;
    client.connect("").await?;
    let answer: serde_json::Value = serde_json::from_str(&client.subscribe("recover:slow").await?)?;
    let epoch = answer["subscribe"]["epoch"].as_str().ok_or("the subscribe reply has no epoch")?.to_owned();
    let mut http = Http::open(server.internal).await?;
    let body = format!(r#"{{"data":"{}"}}"#, "x".repeat(2048));
    for _ in 0..PUBLICATIONS {
        http.post("/v1/channels/recover:slow/publications", &body).await?;
    }
    let (mut offsets, mut code) = (Vec::new(), None);
    while code.is_none() {
        sleep(Duration::from_millis(20)).await;
        let read = client.read(4096, |opcode, payload| match opcode {
            CLOSE => code = payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
            _ => collect_offsets(payload, &mut offsets),
        });
        read.await.map_err(|_| "the server closed the connection without a close frame")?;
    }
    let first = offsets.len();
    let mut client = server.open_connection(0, None).await?;
    client.connect("").await?;
    let last = offsets.last().copied().unwrap_or(0);
    let recover = format!(r#""recover":true,"epoch":"{epoch}","offset":{last}"#);
    client.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"recover:slow",{recover}}}}}"#)).await?;
    while offsets.last() != Some(&PUBLICATIONS) {
        let read = client.read(65536, |opcode, payload| {
            if opcode == TEXT {
                collect_offsets(payload, &mut offsets);
            }
        });
        timeout(Duration::from_secs(10), read).await?.map_err(|_| "the server closed the connection during recovery")?;
    }
    let complete = offsets.iter().copied().eq(1..=PUBLICATIONS);
    println!("slow reader: closed with {code:?} after {first} publications; all {PUBLICATIONS} received once and in order: {complete}");
    Ok(())
}

/// Adds the offsets of all publications in a message, from pushes and from subscribe replies.
fn collect_offsets(payload: &[u8], offsets: &mut Vec<u64>) {
    for line in serde_json::Deserializer::from_slice(payload).into_iter::<serde_json::Value>().flatten() {
        let recovered = line["subscribe"]["publications"].as_array().into_iter().flatten();
        offsets.extend(recovered.chain([&line["push"]["pub"]]).filter_map(|publication| publication["offset"].as_u64()));
    }
}
