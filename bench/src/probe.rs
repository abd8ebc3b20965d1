//! Round trips of clients that do not take part in the load. Each probe has its own thread with real-time priority, so a busy generator
//! hardly delays it. The remaining delay is measured too.

use crate::{
    client::{UPGRADE, text_frame},
    latency,
    result::Result,
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

/// Time between two round trips of one probe.
const INTERVAL: Duration = Duration::from_millis(10);

/// Round-trip times of all probes in one measurement, in milliseconds.
pub(crate) struct RoundTrips {
    /// 99th percentile of the round trips. Each counts from the time at which it was due.
    pub(crate) p99: f64,
    /// The longest round trip.
    pub(crate) max: f64,
    /// 99th percentile of the time by which the generator sent a command too late. The round trips include it.
    pub(crate) send_delay: f64,
}

/// Connections that send pings and wait for the replies, as long as the server runs.
pub(crate) struct Probes {
    histograms: Arc<Mutex<Histograms>>,
}

struct Histograms {
    round_trip: Histogram<u64>,
    send_delay: Histogram<u64>,
}

impl Probes {
    /// Opens probes that send pings.
    pub(crate) fn open(server: &Server, count: usize) -> Result<Self> {
        Self::open_with(server.public, count, r#"{"id":3,"ping":{}}"#)
    }

    /// Opens probes that send this command, whose id is 3. Blocks until they are connected.
    pub(crate) fn open_with(server: SocketAddr, count: usize, command: &str) -> Result<Self> {
        let histograms = Histograms { round_trip: latency::histogram()?, send_delay: latency::histogram()? };
        let histograms = Arc::new(Mutex::new(histograms));
        let streams = (0..count).map(|_| open_connection(server)).collect::<Result<Vec<_>>>()?;
        let (probes, frame) = (Self { histograms: histograms.clone() }, text_frame(command.as_bytes()));
        thread::spawn(move || {
            // The threads of the probes inherit the priority.
            if !set_realtime_priority() {
                eprintln!("the probes have no real-time priority (chrt failed): their round trips include delays of the generator");
            }
            for (number, stream) in (0..).zip(streams) {
                let first = Instant::now() + INTERVAL * number / count as u32;
                let (histograms, frame) = (histograms.clone(), frame.clone());
                thread::spawn(move || probe(stream, &frame, first, &histograms));
            }
        });
        Ok(probes)
    }

    /// Measures for this number of seconds.
    pub(crate) async fn measure(&self, seconds: u64) -> Result<RoundTrips> {
        sleep(Duration::from_millis(500)).await;
        let pause = async {
            sleep(Duration::from_secs(seconds)).await;
            Ok(())
        };
        Ok(self.measure_during(pause).await?.1)
    }

    /// Measures while `work` runs. Returns its result, too.
    pub(crate) async fn measure_during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, RoundTrips)> {
        {
            let mut histograms = self.histograms.lock().unwrap_or_else(PoisonError::into_inner);
            histograms.round_trip.reset();
            histograms.send_delay.reset();
        }
        let result = work.await?;
        let histograms = self.histograms.lock().unwrap_or_else(PoisonError::into_inner);
        if histograms.round_trip.is_empty() {
            return Err("no probe got a reply".into());
        }
        let ms = |micros: u64| micros as f64 / 1000.0;
        let (round_trip, send_delay) = (&histograms.round_trip, &histograms.send_delay);
        let round_trips = RoundTrips {
            p99: ms(round_trip.value_at_quantile(0.99)),
            max: ms(round_trip.max()),
            send_delay: ms(send_delay.value_at_quantile(0.99)),
        };
        Ok((result, round_trips))
    }
}

/// Gives this thread real-time priority. Returns whether that worked.
pub(crate) fn set_realtime_priority() -> bool {
    let Ok(link) = fs::read_link("/proc/thread-self") else { return false };
    let Some(thread) = link.file_name() else { return false };
    let status = Command::new("chrt").args(["--fifo", "--pid", "10"]).arg(thread).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Opens a WebSocket and connects anonymously.
fn open_connection(server: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.write_all(UPGRADE)?;
    stream.write_all(&text_frame(br#"{"id":1,"connect":{}}"#))?;
    await_reply(&mut stream, br#""connect":"#)?;
    Ok(stream)
}

fn probe(mut stream: TcpStream, frame: &[u8], first: Instant, histograms: &Mutex<Histograms>) -> io::Result<()> {
    let mut due = first;
    loop {
        let early = due.checked_duration_since(Instant::now());
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        let send_delay = early.map(|_| due.elapsed());
        stream.write_all(frame)?;
        await_reply(&mut stream, br#""id":3"#)?;
        // The time counts from when the ping was due, so it includes the wait for a late previous reply.
        let round_trip = due.elapsed();
        let mut histograms = histograms.lock().unwrap_or_else(PoisonError::into_inner);
        histograms.round_trip.saturating_record(round_trip.as_micros() as u64);
        if let Some(send_delay) = send_delay {
            histograms.send_delay.saturating_record(send_delay.as_micros() as u64);
        }
        due += INTERVAL;
    }
}

/// Reads until `text` has arrived. Replies are short, and at most one is outstanding.
fn await_reply(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    let (mut received, mut bytes) = (Vec::new(), [0; 2048]);
    while !received.windows(text.len()).any(|window| window == text) {
        match stream.read(&mut bytes)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&bytes[..count]),
        }
    }
    Ok(())
}
