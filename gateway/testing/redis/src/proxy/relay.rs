//! A proxy that can cut connections, and delay, throttle, block, drop or rewrite data.

use super::{
    address_map::AddressMap,
    endpoint::{Endpoint, Listener, Reader, Writer},
    impairment::{Connections, Impairment},
    messages,
};
use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Largest number of bytes that are read at a time.
const CHUNK: usize = 16 << 10;

/// A proxy for one server. When it is dropped, all connections through it are closed.
pub struct Proxy {
    place: Place,
    shared: Arc<Shared>,
    _end: DropGuard,
}

/// Where the proxy listens.
enum Place {
    Tcp(SocketAddr),
    Socket(TempDir),
}

struct Shared {
    upstream: Mutex<Endpoint>,
    impairment: watch::Sender<Impairment>,
    /// The number of cuts so far, and the connections that the last one closed.
    cuts: watch::Sender<(u64, Connections)>,
    addresses: OnceLock<Arc<AddressMap>>,
}

/// File name of the proxy's socket.
const SOCKET: &str = "proxy.sock";

impl Proxy {
    /// Starts a proxy that listens on a free TCP port and connects to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Self {
        let (listener, address) = Listener::at_port().await.expect("a free port");
        Self::serve(listener, Place::Tcp(address), Endpoint::Tcp(upstream))
    }

    /// Starts a proxy that listens on a Unix socket of its own and connects to the socket `upstream`.
    pub fn to_socket(upstream: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = Listener::at_socket(directory.path().join(SOCKET)).expect("a free name");
        Self::serve(listener, Place::Socket(directory), Endpoint::Socket(upstream.into()))
    }

    fn serve(listener: Listener, place: Place, upstream: Endpoint) -> Self {
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            impairment: watch::Sender::default(),
            cuts: watch::Sender::new((0, Connections::None)),
            addresses: OnceLock::new(),
        });
        let end = CancellationToken::new();
        tokio::spawn(end.clone().run_until_cancelled_owned(accept(listener, shared.clone(), end.clone())));
        Self { place, shared, _end: end.drop_guard() }
    }

    /// Host and port on which the proxy listens. Panics if it listens on a Unix socket.
    pub fn address(&self) -> SocketAddr {
        match self.place {
            Place::Tcp(address) => address,
            Place::Socket(_) => panic!("this proxy listens on a Unix socket"),
        }
    }

    /// The URL at which clients reach the server through this proxy.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Tcp(address) => format!("redis://{address}"),
            Place::Socket(directory) => format!("redis+unix://{}", directory.path().join(SOCKET).display()),
        }
    }

    /// Makes the proxy connect new connections to this address.
    pub fn point_to(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock().expect("no panic") = Endpoint::Tcp(upstream);
    }

    /// Makes the proxy rewrite addresses in the data of the server. Call it once, before the first connection.
    pub fn rewrite(&self, addresses: Arc<AddressMap>) {
        assert!(self.shared.addresses.set(addresses).is_ok(), "`rewrite` was already called");
    }

    /// Sets the faults that the proxy simulates from now on. They replace earlier ones.
    pub fn impair(&self, impairment: Impairment) {
        self.shared.impairment.send_replace(impairment);
    }

    /// Closes all connections of this kind that are open now.
    pub fn cut(&self, which: Connections) {
        self.shared.cuts.send_modify(|(number, cut)| (*number, *cut) = (*number + 1, which));
    }
}

async fn accept(listener: Listener, shared: Arc<Shared>, end: CancellationToken) {
    while let Ok((reader, writer)) = listener.accept().await {
        let link = Link { shared: shared.clone(), subscriber: AtomicBool::new(false) };
        tokio::spawn(end.clone().run_until_cancelled_owned(link.serve(reader, writer)));
    }
}

/// One connection of a client through the proxy.
struct Link {
    shared: Arc<Shared>,
    subscriber: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Upstream,
    Downstream,
}

impl Link {
    async fn serve(self, near_reader: Reader, near_writer: Writer) {
        let mut cuts = self.shared.cuts.subscribe();
        let through = async {
            let upstream = self.shared.upstream.lock().expect("no panic").clone();
            let (far_reader, far_writer) = upstream.connect().await?;
            tokio::select! {
                ended = self.pump(near_reader, far_writer, Direction::Upstream) => ended,
                ended = self.pump(far_reader, near_writer, Direction::Downstream) => ended,
            }
        };
        let cut = async {
            while cuts.changed().await.is_ok() {
                if cuts.borrow_and_update().1.has(self.subscriber.load(Relaxed)) {
                    break;
                }
            }
        };
        // Errors are ignored: tests stop servers and clients at any time.
        tokio::select! {
            _ = through => {}
            () = cut => {}
        }
    }

    async fn pump(&self, mut from: Reader, mut to: Writer, direction: Direction) -> io::Result<()> {
        let mut impairment = self.shared.impairment.subscribe();
        let mut buffer = vec![0; CHUNK];
        let mut rewriter = self.shared.addresses.get().filter(|_| direction == Direction::Downstream).map(|addresses| addresses.rewriter());
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                // `shutdown` lets data arrive that was already sent. Without it, a reset could discard that data.
                to.shutdown().await?;
                return Ok(());
            }
            let mut chunk = buffer[..count].to_vec();
            if direction == Direction::Upstream && subscribes(&chunk) {
                self.subscriber.store(true, Relaxed);
            }
            let passes = impairment.wait_for(|now| !now.silent.has(self.subscriber.load(Relaxed))).await;
            let now = passes.map_err(io::Error::other)?.clone();
            let pause = now.pause(count);
            if !pause.is_zero() {
                sleep(pause).await;
            }
            if direction == Direction::Downstream {
                if let Some(channel) = &now.lost_channel {
                    chunk = messages::without(channel, &chunk);
                }
                if let Some(rewriter) = &mut rewriter {
                    chunk = rewriter.rewrite(&chunk);
                }
            }
            to.write_all(&chunk).await?;
        }
    }
}

/// Subscribe commands, as they appear in the data of a client.
const SUBSCRIBE: [&[u8]; 2] = [b"\r\nSUBSCRIBE\r\n", b"\r\nSSUBSCRIBE\r\n"];

fn subscribes(chunk: &[u8]) -> bool {
    SUBSCRIBE.iter().any(|word| chunk.windows(word.len()).any(|there| there == *word))
}
