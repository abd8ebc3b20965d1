//! Round trips of clients that do not take part in the load: commands on WebSockets, or HTTP requests. Each probe has its own thread with
//! real-time priority, so a busy generator hardly delays it. The remaining delay is measured too.

use crate::{
    client::{UPGRADE, text_frame},
    http::parse_head,
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

/// Time between two round trips of one probe, unless the scenario has its own.
const INTERVAL: Duration = Duration::from_millis(10);

/// The command of a probe. Its id is 3.
const PING: &str = r#"{"id":3,"ping":{}}"#;

/// Round-trip times of all probes in one measurement, in milliseconds.
pub(crate) struct RoundTrips {
    /// 99th percentile of the round trips. Each counts from the time at which it was due.
    pub(crate) p99: f64,
    /// The longest round trip.
    pub(crate) max: f64,
    /// 99th percentile of the time by which the generator sent a command too late. The round trips include it.
    pub(crate) send_delay: f64,
}

/// Connections that send commands or requests and wait for the replies, as long as the server runs.
pub(crate) struct Probes {
    histograms: Arc<Mutex<Histograms>>,
}

struct Histograms {
    round_trip: Histogram<u64>,
    send_delay: Histogram<u64>,
    /// Why the first probe that ended did so.
    failure: Option<String>,
}

/// Waits for a reply.
type AwaitReply = fn(&mut TcpStream) -> io::Result<()>;

impl Probes {
    /// Opens probes that send pings.
    pub(crate) fn open(server: &Server, count: usize) -> Result<Self> {
        Self::open_with(server.public, count, PING)
    }

    /// Opens probes that send a ping in each interval.
    pub(crate) fn open_every(server: &Server, count: usize, interval: Duration) -> Result<Self> {
        Self::sockets(server.public, count, PING, interval)
    }

    /// Opens probes that send this command, whose id is 3. Blocks until they are connected.
    pub(crate) fn open_with(server: SocketAddr, count: usize, command: &str) -> Result<Self> {
        Self::sockets(server, count, command, INTERVAL)
    }

    fn sockets(server: SocketAddr, count: usize, command: &str, interval: Duration) -> Result<Self> {
        let streams = (0..count).map(|_| open_connection(server)).collect::<Result<Vec<_>>>()?;
        Self::start(streams, &text_frame(command.as_bytes()), |stream| await_reply(stream, br#""id":3"#), interval)
    }

    /// Opens probes that send this HTTP request. Its answer must be 200.
    pub(crate) fn open_http(server: SocketAddr, count: usize, request: &str) -> Result<Self> {
        let streams = (0..count).map(|_| connect(server)).collect::<Result<Vec<_>>>()?;
        Self::start(streams, request.as_bytes(), await_response, INTERVAL)
    }

    fn start(streams: Vec<TcpStream>, request: &[u8], await_reply: AwaitReply, interval: Duration) -> Result<Self> {
        let histograms = Histograms { round_trip: latency::histogram()?, send_delay: latency::histogram()?, failure: None };
        let histograms = Arc::new(Mutex::new(histograms));
        let (probes, request, count) = (Self { histograms: histograms.clone() }, request.to_vec(), streams.len());
        thread::spawn(move || {
            // The threads of the probes inherit the priority.
            if !set_realtime_priority() {
                eprintln!("the probes have no real-time priority (chrt failed): their round trips include delays of the generator");
            }
            for (number, stream) in (0..).zip(streams) {
                let first = Instant::now() + interval * number / count as u32;
                let (histograms, request) = (histograms.clone(), request.clone());
                thread::spawn(move || {
                    if let Err(error) = probe(stream, &request, await_reply, (first, interval), &histograms) {
                        let mut histograms = histograms.lock().unwrap_or_else(PoisonError::into_inner);
                        histograms.failure.get_or_insert(error.to_string());
                    }
                });
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
        if let Some(failure) = &histograms.failure {
            return Err(format!("a probe failed: {failure}").into());
        }
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
    let mut stream = connect(server)?;
    stream.write_all(UPGRADE)?;
    stream.write_all(&text_frame(br#"{"id":1,"connect":{}}"#))?;
    await_reply(&mut stream, br#""connect":"#)?;
    Ok(stream)
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// `schedule` is the time of the first request, and the time between two.
fn probe(
    mut stream: TcpStream,
    request: &[u8],
    await_reply: AwaitReply,
    schedule: (Instant, Duration),
    histograms: &Mutex<Histograms>,
) -> io::Result<()> {
    let (mut due, interval) = schedule;
    loop {
        let early = due.checked_duration_since(Instant::now());
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        let send_delay = early.map(|_| due.elapsed());
        stream.write_all(request)?;
        await_reply(&mut stream)?;
        // The time counts from when the ping was due, so it includes the wait for a late previous reply.
        let round_trip = due.elapsed();
        let mut histograms = histograms.lock().unwrap_or_else(PoisonError::into_inner);
        histograms.round_trip.saturating_record(round_trip.as_micros() as u64);
        if let Some(send_delay) = send_delay {
            histograms.send_delay.saturating_record(send_delay.as_micros() as u64);
        }
        due += interval;
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

/// Reads a whole response.
fn await_response(stream: &mut TcpStream) -> io::Result<()> {
    let (mut received, mut bytes) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match parse_head(&received).map_err(|error| io::Error::other(error.to_string()))? {
            Some((head, _)) if !received.starts_with(b"HTTP/1.1 200 ") => {
                return Err(io::Error::other(String::from_utf8_lossy(&received[..head]).into_owned()));
            }
            Some((head, length)) if received.len() >= head + length => return Ok(()),
            _ => {}
        }
        match stream.read(&mut bytes)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&bytes[..count]),
        }
    }
}
