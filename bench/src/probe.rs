//! Round trips of others, measured apart from the load. Each probe is a thread of its own that runs ahead of everything else on the
//! generator's core, so that a busy generator delays its own probes as little as it would those on another machine; how much it still
//! does is measured as well.

use crate::{
    Result,
    client::{UPGRADE, text_frame},
    latency,
    server::Server,
};
use hdrhistogram::Histogram;
use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Between two round trips of one probe.
const EVERY: Duration = Duration::from_millis(10);

/// What the probes saw in a while, in milliseconds.
pub(crate) struct Seen {
    /// 99th percentile of the round trips, from when each was due.
    pub(crate) p99: f64,
    /// The longest of them.
    pub(crate) max: f64,
    /// 99th percentile of what the generator itself was late by; part of the round trips.
    pub(crate) own: f64,
}

/// Connections that ping and wait for the answer, for as long as the server lives.
pub(crate) struct Probes {
    times: Arc<Mutex<Times>>,
}

struct Times {
    round_trip: Histogram<u64>,
    own: Histogram<u64>,
}

impl Probes {
    pub(crate) fn open(server: &Server, count: usize) -> Result<Self> {
        let times = Times { round_trip: latency::times()?, own: latency::times()? };
        let times = Arc::new(Mutex::new(times));
        let streams = (0..count).map(|_| connect(server.public)).collect::<Result<Vec<_>>>()?;
        let probes = Self { times: times.clone() };
        thread::spawn(move || {
            // Threads inherit it.
            if !ahead_of_others() {
                eprintln!("the probes cannot have priority (chrt): the generator's own delay is in their round trips");
            }
            for (number, stream) in (0..).zip(streams) {
                let (first, times) = (Instant::now() + EVERY * number / count as u32, times.clone());
                thread::spawn(move || probe(stream, first, &times));
            }
        });
        Ok(probes)
    }

    /// What they see in so many seconds.
    pub(crate) async fn measure(&self, seconds: u64) -> Result<Seen> {
        sleep(Duration::from_millis(500)).await;
        {
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.round_trip.reset();
            times.own.reset();
        }
        sleep(Duration::from_secs(seconds)).await;
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.round_trip.is_empty() {
            return Err("no probe was answered".into());
        }
        let ms = |micros: u64| micros as f64 / 1000.0;
        let (round_trip, own) = (&times.round_trip, &times.own);
        Ok(Seen { p99: ms(round_trip.value_at_quantile(0.99)), max: ms(round_trip.max()), own: ms(own.value_at_quantile(0.99)) })
    }
}

/// Lets this thread run before all that is not so privileged.
fn ahead_of_others() -> bool {
    let Ok(link) = fs::read_link("/proc/thread-self") else { return false };
    let Some(thread) = link.file_name() else { return false };
    let status = Command::new("chrt").args(["--fifo", "--pid", "10"]).arg(thread).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Opens a WebSocket and connects as nobody in particular.
fn connect(server: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.write_all(UPGRADE)?;
    stream.write_all(&text_frame(br#"{"id":1,"connect":{}}"#))?;
    await_answer(&mut stream, br#""connect":"#)?;
    Ok(stream)
}

fn probe(mut stream: TcpStream, first: Instant, times: &Mutex<Times>) -> io::Result<()> {
    let ping = text_frame(br#"{"id":3,"ping":{}}"#);
    let mut due = first;
    loop {
        let early = due.checked_duration_since(Instant::now());
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        let own = early.map(|_| due.elapsed());
        stream.write_all(&ping)?;
        await_answer(&mut stream, br#""id":3"#)?;
        // From when it was due: a probe that had to wait for the one before counts that, too.
        let round_trip = due.elapsed();
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.round_trip.saturating_record(round_trip.as_micros() as u64);
        if let Some(own) = own {
            times.own.saturating_record(own.as_micros() as u64);
        }
        due += EVERY;
    }
}

/// Reads until `needle` has come. Answers are short, and there is one at a time.
fn await_answer(stream: &mut TcpStream, needle: &[u8]) -> io::Result<()> {
    let (mut received, mut bytes) = (Vec::new(), [0; 2048]);
    while !received.windows(needle.len()).any(|window| window == needle) {
        match stream.read(&mut bytes)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&bytes[..count]),
        }
    }
    Ok(())
}
