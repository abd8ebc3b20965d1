//! Peers that read nothing, or too slowly.

use crate::{
    Result,
    client::{CLOSE, Client, TEXT},
    http::Http,
    server::{Binaries, Kind, Server},
    sockets,
};
use std::{collections::HashMap, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// What the peers' kernel takes for them.
const RECEIVE_BUFFER: u32 = 4096;
/// Bytes of a message for those that never read.
const MESSAGE: usize = 8192;
/// Publications for the slow reader: 2 MiB, far more than an outbox.
const PUBLICATIONS: u64 = 1000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Peers that never read, each in a channel of its own
    #[arg(long, default_value_t = 40)]
    peers: usize,
    /// Times that so many come and are cut; what stays after the first is there for the next
    #[arg(long, default_value_t = 3)]
    waves: usize,
}

pub(crate) async fn run(binaries: &Binaries, arguments: &Arguments) -> Result {
    let server = binaries.start(Kind::Gateway, &[("WORKERS", "1")]).await?;
    for _ in 0..arguments.waves {
        never(&server, arguments.peers).await?;
    }
    slow(&server).await
}

async fn never(server: &Server, peers: usize) -> Result {
    let mut clients = Vec::new();
    for number in 0..peers {
        let mut client = server.frontend(number, Some(RECEIVE_BUFFER)).await?;
        client.connect("").await?;
        client.subscribe(&format!("open:stuck-{number}")).await?;
        clients.push(client);
    }
    let ports: Vec<_> = clients.iter().map(Client::local_port).collect::<Result<_>>()?;
    let mut http = Http::open(server.internal).await?;
    let before = server.resident()?;
    let (mut kernel, mut resident) = (HashMap::<u16, u64>::new(), before);
    let (body, begun) = (format!(r#"{{"data":"{}"}}"#, "x".repeat(MESSAGE)), Instant::now());
    loop {
        if begun.elapsed() < Duration::from_secs(2) {
            for number in 0..peers {
                http.post(&format!("/v1/channels/open:stuck-{number}/publications"), &body).await?;
            }
        } else {
            sleep(Duration::from_millis(20)).await;
        }
        let held = sockets::held(server.public)?;
        resident = resident.max(server.resident()?);
        let mut open = 0;
        for socket in held.iter().filter(|socket| ports.contains(&socket.peer)) {
            let most = kernel.entry(socket.peer).or_default();
            *most = (*most).max(socket.bytes);
            open += 1;
        }
        if open == 0 {
            break;
        }
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(format!("{open} peers were never cut").into());
        }
    }
    let cut = begun.elapsed();
    sleep(Duration::from_secs(1)).await;
    let left: Vec<_> = sockets::held(server.public)?.into_iter().filter(|socket| ports.contains(&socket.peer)).collect();
    let most = kernel.values().max().copied().unwrap_or_default();
    println!("{peers} peers that never read: all cut after {:.1} s", cut.as_secs_f64());
    println!("process: {:.0} KiB per peer at most", (resident - before) as f64 / peers as f64);
    println!("kernel: {:.0} KiB for one socket at most", most as f64 / 1024.0);
    println!("1 s later: {} sockets, {} KiB resident (before: {before})", left.len(), server.resident()?);
    drop(clients);
    Ok(())
}

async fn slow(server: &Server) -> Result {
    let mut client = server.frontend(0, Some(RECEIVE_BUFFER)).await?;
    client.connect("").await?;
    let answer: serde_json::Value = serde_json::from_str(&client.subscribe("recover:slow").await?)?;
    let epoch = answer["subscribe"]["epoch"].as_str().ok_or("no epoch")?.to_owned();
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
            _ => note(payload, &mut offsets),
        });
        read.await.map_err(|_| "cut without a close")?;
    }
    let first = offsets.len();
    let mut client = server.frontend(0, None).await?;
    client.connect("").await?;
    let last = offsets.last().copied().unwrap_or(0);
    let recover = format!(r#""recover":true,"epoch":"{epoch}","offset":{last}"#);
    client.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"recover:slow",{recover}}}}}"#)).await?;
    while offsets.last() != Some(&PUBLICATIONS) {
        let read = client.read(65536, |opcode, payload| {
            if opcode == TEXT {
                note(payload, &mut offsets);
            }
        });
        timeout(Duration::from_secs(10), read).await?.map_err(|_| "cut during recovery")?;
    }
    let whole = offsets.iter().copied().eq(1..=PUBLICATIONS);
    println!(
        "slow reader: closed with {code:?} after {first} publications; after its return all {PUBLICATIONS}, once and in order: {whole}"
    );
    Ok(())
}

/// Notes the offsets of the publications in a message: pushes, or those that came with the answer to a subscribe.
fn note(payload: &[u8], offsets: &mut Vec<u64>) {
    for line in serde_json::Deserializer::from_slice(payload).into_iter::<serde_json::Value>().flatten() {
        let recovered = line["subscribe"]["publications"].as_array().into_iter().flatten();
        offsets.extend(recovered.chain([&line["push"]["pub"]]).filter_map(|publication| publication["offset"].as_u64()));
    }
}
