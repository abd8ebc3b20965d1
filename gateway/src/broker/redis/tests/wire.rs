//! Connections for commands that break at the worst moment.

use super::{
    super::RedisConfig,
    config,
    faults::{KEEP, publish, ready},
    mailboxes,
    server::Server,
    start,
};
use crate::broker::{
    Broker, BrokerError,
    fixtures::{ALL, channel, kept},
};
use gateway_core::model::ReadRange;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    time::timeout,
};

/// What becomes of what the gateway sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discovery {
    Open,
    /// What holds a call of a script waits.
    Held,
    /// Of the next calls that come together the first one is lost, as if the server had refused it; and the connection breaks before it answers.
    LosesFirst,
}

/// A socket that leads to a server.
struct Wire {
    directory: TempDir,
    way: watch::Sender<Discovery>,
    seen: Seen,
}

/// A permit for each.
#[derive(Clone, Default)]
struct Seen {
    /// Connections of the gateway.
    came: Arc<Count>,
    /// What waits.
    held: Arc<Count>,
    /// Connections that the server ended.
    ended: Arc<Count>,
}

struct Count(Semaphore);

impl Default for Count {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Count {
    fn add(&self) {
        self.0.add_permits(1);
    }

    async fn next(&self) {
        timeout(Duration::from_secs(20), self.0.acquire()).await.expect("in time").expect("open").forget();
    }

    /// Forgets what came up to now.
    fn clear(&self) {
        self.0.forget_permits(usize::MAX);
    }
}

impl Wire {
    fn to(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("wire.sock")).expect("a free name");
        let (way, seen) = (watch::Sender::new(Discovery::Open), Seen::default());
        tokio::spawn({
            let (way, seen) = (way.clone(), seen.clone());
            async move {
                while let Ok((near, _)) = listener.accept().await {
                    seen.came.add();
                    let far = UnixStream::connect(&server).await.expect("the server is up");
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    // What the gateway has given up stays open towards the server.
                    let is_broken = watch::Sender::new(false);
                    tokio::spawn(there(near_in, far_out, way.clone(), is_broken.clone(), seen.held.clone()));
                    let ended = seen.ended.clone();
                    tokio::spawn(async move {
                        back(far_in, near_out, is_broken.subscribe()).await;
                        ended.add();
                    });
                }
            }
        });
        Self { directory, way, seen }
    }

    fn config(&self) -> RedisConfig {
        self.config_with("")
    }

    fn config_with(&self, login: &str) -> RedisConfig {
        RedisConfig { lanes: 1, ..config(format!("redis+unix://{}/wire.sock{login}", self.directory.path().display())) }
    }
}

async fn there(
    mut near: OwnedReadHalf,
    mut far: OwnedWriteHalf,
    way: watch::Sender<Discovery>,
    is_broken: watch::Sender<bool>,
    held: Arc<Count>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = near.read(&mut buffer).await {
        let mut bytes = &buffer[..read];
        let (calls, now) = (calls(bytes), *way.borrow());
        match (now, &*calls) {
            (Discovery::Held, [_, ..]) => {
                held.add();
                let _ = way.subscribe().wait_for(|way| *way != Discovery::Held).await;
            }
            (Discovery::LosesFirst, [first, _, ..]) => {
                is_broken.send_replace(true);
                way.send_replace(Discovery::Open);
                bytes = &bytes[after(bytes, *first)..];
            }
            _ => {}
        }
        if far.write_all(bytes).await.is_err() {
            break;
        }
    }
    std::future::pending::<()>().await;
    drop(far);
}

async fn back(mut far: OwnedReadHalf, near: OwnedWriteHalf, is_broken: watch::Receiver<bool>) {
    let (mut buffer, mut near) = (vec![0; 64 << 10], Some(near));
    while let Ok(read @ 1..) = far.read(&mut buffer).await {
        if *is_broken.borrow() {
            near = None;
        }
        if let Some(out) = &mut near
            && out.write_all(&buffer[..read]).await.is_err()
        {
            near = None;
        }
    }
}

/// Where calls of scripts begin.
fn calls(bytes: &[u8]) -> Vec<usize> {
    let words = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"$7\r\nEVALSHA"));
    words.filter_map(|word| bytes[..word].iter().rposition(|byte| *byte == b'*')).collect()
}

/// Where the command ends that begins there. No text here holds such bytes.
fn after(bytes: &[u8], first: usize) -> usize {
    let next = bytes[first..].windows(3).position(|bytes| bytes == b"\r\n*").expect("there is another one");
    first + next + 2
}

async fn held(broker: &Broker) -> Vec<u64> {
    let page = broker.read(&channel("c"), KEEP, ReadRange::After(0), ALL).await.expect("read");
    page.publications.iter().map(|one| one.data.get().parse().expect("a number")).collect()
}

// NL-2.6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_alone_does_not_come_behind_what_was_sent_after_it() {
    let server = Server::start().await;
    let refused = lose_the_second_of_three(&server, "").await;
    assert!(matches!(&refused, BrokerError::Unavailable(why) if why.contains("came later")), "{refused:?}");
}

// NL-2.13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_long_as_a_broken_connection_may_be_heard_nobody_knows_what_comes_of_it() {
    let server = Server::start().await;
    user_that_may_not_kill(&server).await;
    let refused = lose_the_second_of_three(&server, "?user=gateway&pass=secret").await;
    assert!(matches!(refused, BrokerError::OutcomeUnknown), "{refused:?}");
}

/// Answers what becomes of it.
async fn lose_the_second_of_three(server: &Server, login: &str) -> BrokerError {
    let wire = Wire::to(server.socket());
    let (broker, _guard) = start(wire.config_with(login), mailboxes());
    ready(&broker).await;
    wire.way.send_replace(Discovery::Held);
    // It is under way while the others come, so that they go out together.
    let first = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    wire.seen.held.next().await;
    let refused = broker.hand_over(&channel("c"), kept(2, KEEP)).await.expect("there is room");
    let stored = broker.hand_over(&channel("c"), kept(3, KEEP)).await.expect("there is room");
    wire.way.send_replace(Discovery::LosesFirst);
    first.await.expect("published");
    let (refused, stored) = (refused.await, stored.await.expect("published"));
    assert_eq!((stored.position.expect("kept").offset, stored.replayed), (2, true));
    publish(&broker, "c", 4).await.expect("published");
    assert_eq!(held(&broker).await, [1, 3, 4]);
    refused.expect_err("it would be behind the third")
}

async fn user_that_may_not_kill(server: &Server) {
    server.command(&["ACL", "SETUSER", "gateway", "on", ">secret", "~*", "resetchannels", "&*", "+@all", "-client|kill"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_after_a_history_was_cleared_is_not_cleared_by_a_repeat() {
    let server = Server::start().await;
    let wire = Wire::to(server.socket());
    let (broker, _guard) = start(wire.config(), mailboxes());
    ready(&broker).await;
    wire.way.send_replace(Discovery::Held);
    let first = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    wire.seen.held.next().await;
    let _lost = broker.hand_over(&channel("c"), kept(2, KEEP)).await.expect("there is room");
    let name = channel("c");
    let mut clearing = std::pin::pin!(broker.clear(&name));
    tokio::select! {
        biased;
        cleared = &mut clearing => panic!("nothing was answered yet: {cleared:?}"),
        () = std::future::ready(()) => {}
    }
    let stored = broker.hand_over(&channel("c"), kept(3, KEEP)).await.expect("there is room");
    wire.way.send_replace(Discovery::LosesFirst);
    first.await.expect("published");
    assert!(matches!(clearing.await, Err(BrokerError::OutcomeUnknown)), "its answer was lost");
    stored.await.expect("published");
    assert_eq!(held(&broker).await, [3]);
}

// NL-2.13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_given_up_is_ended_by_the_next_one() {
    let server = Server::start().await;
    let wire = Wire::to(server.socket());
    let (broker, _guard) = start(wire.config(), mailboxes());
    ready(&broker).await;
    wire.way.send_replace(Discovery::Held);
    wire.seen.came.clear();
    let publishing = broker.hand_over(&channel("c"), kept(1, KEEP)).await.expect("there is room");
    // For want of an answer it is given up. The next one waits in turn.
    wire.seen.came.next().await;
    assert_eq!(wire.seen.ended.0.available_permits(), 0, "the server has no reason to end anything");
    wire.way.send_replace(Discovery::Open);
    publishing.await.expect("published");
    wire.seen.ended.next().await;
    assert_eq!(held(&broker).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_end_connections_publishing_goes_on() {
    let server = Server::start().await;
    user_that_may_not_kill(&server).await;
    let (broker, _guard) = start(config(format!("{}?user=gateway&pass=secret", server.url())), mailboxes());
    ready(&broker).await;
    for number in 1..=2 {
        publish(&broker, "c", number).await.expect("published");
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
    publish(&broker, "c", 3).await.expect("published");
    assert_eq!(held(&broker).await, [1, 2, 3]);
}
