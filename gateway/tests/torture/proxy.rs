//! A TCP proxy that can delay, throttle, silence and cut what goes through it.

use crate::names::Names;
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream, tcp},
    sync::watch,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is read at a time.
const CHUNK: usize = 16 << 10;
/// Small, so that a slow reader is felt at the other end.
const RECEIVE_BUFFER: u32 = 32 << 10;

/// Connections that something happens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Which {
    #[default]
    None,
    /// Those on which somebody subscribed to Redis.
    Subscribers,
    /// All others.
    Commands,
    All,
}

impl Which {
    fn has(self, subscriber: bool) -> bool {
        match self {
            Self::None => false,
            Self::Subscribers => subscriber,
            Self::Commands => !subscriber,
            Self::All => true,
        }
    }
}

/// What it is like to go through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Nothing of these passes; they stay open.
    pub(crate) silent: Which,
    /// Before each chunk.
    pub(crate) delay: Duration,
    /// Bytes a second; none: as fast as it can.
    pub(crate) rate: Option<u32>,
}

/// See the module. Everything that goes through it ends with it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _end: DropGuard,
}

struct Shared {
    upstream: Mutex<SocketAddr>,
    weather: watch::Sender<Weather>,
    cuts: watch::Sender<(u64, Which)>,
    names: OnceLock<Arc<Names>>,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            weather: watch::Sender::default(),
            cuts: watch::Sender::new((0, Which::None)),
            names: OnceLock::new(),
        });
        let end = CancellationToken::new();
        tokio::spawn(end.clone().run_until_cancelled_owned(accept(listener, shared.clone(), end.clone())));
        Self { address, shared, _end: end.drop_guard() }
    }

    /// Where new connections go to.
    pub(crate) fn point_to(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock().expect("no panic") = upstream;
    }

    /// What is upstream names servers as they are reached from here. Said once, before anything goes through.
    pub(crate) fn translate(&self, names: Arc<Names>) {
        assert!(self.shared.names.set(names).is_ok(), "it is said once");
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Ends connections that are open now.
    pub(crate) fn cut(&self, which: Which) {
        self.shared.cuts.send_modify(|(number, cut)| (*number, *cut) = (*number + 1, which));
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, end: CancellationToken) {
    while let Ok((near, _)) = listener.accept().await {
        let link = Link { shared: shared.clone(), subscriber: AtomicBool::new(false) };
        tokio::spawn(end.clone().run_until_cancelled_owned(link.serve(near)));
    }
}

/// One connection through the proxy.
struct Link {
    shared: Arc<Shared>,
    subscriber: AtomicBool,
}

impl Link {
    async fn serve(self, near: TcpStream) {
        let mut cuts = self.shared.cuts.subscribe();
        let through = async {
            let upstream = *self.shared.upstream.lock().expect("no panic");
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            let far = socket.connect(upstream).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::select! {
                ended = self.pump(near_in, far_out, true) => ended,
                ended = self.pump(far_in, near_out, false) => ended,
            }
        };
        let cut = async {
            while cuts.changed().await.is_ok() {
                if cuts.borrow_and_update().1.has(self.subscriber.load(Relaxed)) {
                    break;
                }
            }
        };
        // Either end may be gone at any time: that is what this is for.
        tokio::select! {
            _ = through => {}
            () = cut => {}
        }
    }

    async fn pump(&self, mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, upwards: bool) -> std::io::Result<()> {
        let mut weather = self.shared.weather.subscribe();
        let mut buffer = vec![0; CHUNK];
        let mut translator = self.shared.names.get().filter(|_| !upwards).map(|names| names.translator());
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                // A last word must not be lost with a reset.
                to.shutdown().await?;
                return Ok(());
            }
            let chunk = &buffer[..count];
            if upwards && SUBSCRIBE.iter().any(|word| chunk.windows(word.len()).any(|there| there == *word)) {
                self.subscriber.store(true, Relaxed);
            }
            let Weather { delay, rate, .. } =
                *weather.wait_for(|now| !now.silent.has(self.subscriber.load(Relaxed))).await.map_err(std::io::Error::other)?;
            let pause = delay + rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(count as f64 / f64::from(rate)));
            if !pause.is_zero() {
                sleep(pause).await;
            }
            match &mut translator {
                Some(translator) => to.write_all(&translator.translate(chunk)).await?,
                None => to.write_all(chunk).await?,
            }
        }
    }
}

/// The commands as clients of Redis send them.
const SUBSCRIBE: [&[u8]; 2] = [b"\r\nSUBSCRIBE\r\n", b"\r\nSSUBSCRIBE\r\n"];
