use super::*;
use futures_util::{future::poll_fn, task::noop_waker};
use shared_proto::http::Socket;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// A waker that counts its calls.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

fn ping(number: u8) -> [u8; 7] {
    [0x89, 0x81, 0, 0, 0, 0, number]
}

fn pings(numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    numbers.into_iter().flat_map(ping).collect()
}

/// Runs one turn. Returns the payloads of its pings and the result. `next` decides after each ping.
fn turn(wire: &mut Wire<DuplexStream>, wakes: &Arc<Wakes>, bytes: usize, mut next: impl FnMut(usize) -> Next) -> (Vec<u8>, Poll<End>) {
    let counted = wakes.clone().into();
    let mut seen = Vec::new();
    let end = wire.poll_turn(&mut Context::from_waker(&counted), bytes, |event| {
        if let Event::Ping(payload) = event {
            seen.extend_from_slice(payload);
        }
        next(seen.len())
    });
    (seen, end)
}

#[test]
fn a_wire_is_small() {
    assert!(size_of::<Wire<Socket>>() <= 128, "{} bytes", size_of::<Wire<Socket>>());
}

#[tokio::test]
async fn a_turn_ends_with_its_bytes_and_wakes_for_the_next() {
    let (mut peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, b"", Decoder::new(100)), Arc::<Wakes>::default());
    peer.write_all(&pings(0..10)).await.expect("room");
    let (seen, end) = turn(&mut wire, &wakes, 30, |_| Next::Continue);
    assert!(end.is_pending());
    assert_eq!((seen, wakes.take()), ((0..4).collect(), 1), "30 bytes are four pings of seven bytes and two bytes of the fifth");
    assert!(wire.is_mid_message());
    let (seen, end) = turn(&mut wire, &wakes, 100, |_| Next::Continue);
    assert!(end.is_pending());
    assert_eq!((seen, wakes.take()), ((4..10).collect(), 0), "all input is read, so the socket wakes the task");
    peer.write_all(&ping(10)).await.expect("room");
    assert_eq!(wakes.take(), 1);
}

#[tokio::test]
async fn a_receiver_ends_the_turn_and_the_next_turn_continues_in_order() {
    let (mut peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, b"", Decoder::new(100)), Arc::<Wakes>::default());
    peer.write_all(&pings(0..10)).await.expect("room");
    let stop_at = |count| move |seen| if seen == count { Next::Yield } else { Next::Continue };
    assert_eq!(turn(&mut wire, &wakes, 1000, stop_at(3)).0, [0, 1, 2]);
    assert_eq!(wakes.take(), 1, "woken for another turn");
    assert!(wire.buffered() >= 49);
    assert_eq!(turn(&mut wire, &wakes, 1000, |_| Next::Pause).0, [3]);
    assert_eq!(wakes.take(), 0, "after a pause the caller polls without being woken");
    assert_eq!(turn(&mut wire, &wakes, 14, |_| Next::Continue).0, [4, 5], "the limit of a turn includes input of earlier turns");
    assert_eq!(wakes.take(), 1);
    peer.write_all(&ping(10)).await.expect("room");
    assert_eq!(turn(&mut wire, &wakes, 1000, |_| Next::Continue).0, (6..=10).collect::<Vec<_>>());
    assert_eq!(wire.buffered(), 0);
}

#[tokio::test]
async fn a_wait_for_input_decodes_nothing_and_keeps_the_order() {
    let (mut peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, b"", Decoder::new(100)), Arc::<Wakes>::default());
    let counted = wakes.clone().into();
    let mut cx = Context::from_waker(&counted);
    assert!(wire.poll_input(&mut cx).is_pending());
    peer.write_all(&pings(0..100)).await.expect("room");
    assert_eq!(wakes.take(), 1);
    for _ in 0..2 {
        assert!(matches!(wire.poll_input(&mut cx), Poll::Ready(Ok(true))));
        assert!((1..=INPUT_BYTES).contains(&wire.buffered()), "{} bytes", wire.buffered());
    }
    assert_eq!(turn(&mut wire, &wakes, 1000, |_| Next::Continue).0, (0..100).collect::<Vec<_>>());
    assert!(wire.poll_input(&mut cx).is_pending());
    drop(peer);
    assert!(matches!(wire.poll_input(&mut cx), Poll::Ready(Ok(false))));
}

#[tokio::test]
async fn stopping_after_the_last_event_leaves_nothing() {
    let (mut peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, b"", Decoder::new(100)), Arc::<Wakes>::default());
    peer.write_all(&ping(1)).await.expect("room");
    assert_eq!(turn(&mut wire, &wakes, 1000, |_| Next::Pause).0, [1]);
    assert_eq!(wire.buffered(), 0);
    drop(peer);
    assert!(matches!(turn(&mut wire, &wakes, 1000, |_| Next::Continue), (seen, Poll::Ready(End::Eof)) if seen.is_empty()));
}

#[tokio::test]
async fn input_that_followed_the_request_comes_first() {
    let (mut peer, io) = duplex(4096);
    let whole = pings(0..4);
    let (mut wire, wakes) = (Wire::new(io, &whole[..17], Decoder::new(100)), Arc::<Wakes>::default());
    peer.write_all(&whole[17..]).await.expect("room");
    assert_eq!(turn(&mut wire, &wakes, 1000, |_| Next::Continue).0, [0, 1, 2, 3]);
}

#[tokio::test]
async fn after_a_violation_input_is_ignored_until_the_end() {
    let (mut peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, b"", Decoder::new(100)), Arc::<Wakes>::default());
    peer.write_all(&[0x89, 0x00]).await.expect("room");
    assert!(matches!(turn(&mut wire, &wakes, 1000, |_| Next::Continue).1, Poll::Ready(End::Violation(Violation::Unmasked))));
    peer.write_all(&pings(0..10)).await.expect("room");
    assert!(matches!(turn(&mut wire, &wakes, 1000, |_| Next::Continue), (seen, Poll::Pending) if seen.is_empty()));
    drop(peer);
    assert!(matches!(turn(&mut wire, &wakes, 1000, |_| Next::Continue).1, Poll::Ready(End::Eof)));
}

#[tokio::test]
async fn a_violation_in_input_of_an_earlier_turn_is_reported() {
    let (_peer, io) = duplex(4096);
    let (mut wire, wakes) = (Wire::new(io, &[ping(1).as_slice(), &[0xFF]].concat(), Decoder::new(100)), Arc::<Wakes>::default());
    assert!(
        matches!(turn(&mut wire, &wakes, 1000, |_| Next::Continue), (seen, Poll::Ready(End::Violation(Violation::ReservedBits))) if seen == [1])
    );
}

/// A socket that accepts `room` bytes in total and then blocks. Records the written bytes.
#[derive(Default)]
struct Slow {
    room: Cell<usize>,
    calls: RefCell<Vec<Vec<u8>>>,
    flushed: Cell<bool>,
}

impl AsyncWrite for &Slow {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room.get());
        if taken == 0 {
            return Poll::Pending;
        }
        self.room.set(self.room.get() - taken);
        self.calls.borrow_mut().push(bytes[..taken].to_vec());
        self.flushed.set(false);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed.set(true);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn queue(frames: &[&[u8]]) -> VecDeque<Rc<[u8]>> {
    frames.iter().map(|frame| Rc::from(*frame)).collect()
}

#[test]
fn small_frames_are_combined_and_large_ones_written_alone() {
    let slow = Slow { room: Cell::new(usize::MAX), ..Slow::default() };
    let large = vec![7; GATHER_BYTES];
    let mut queue = queue(&[b"one", b"two", &large, b"three", b"four"]);
    let mut wire = Wire::new(&slow, b"", Decoder::new(0));
    let wrote = wire.poll_write(&mut Context::from_waker(&noop_waker()), &mut queue);
    assert!(matches!(wrote, WriteResult { bytes, begun: 0, state: Poll::Ready(Ok(())) } if bytes == 15 + GATHER_BYTES));
    assert!(slow.flushed.get() && queue.is_empty());
    assert_eq!(*slow.calls.borrow(), [b"onetwo".to_vec(), large, b"threefour".to_vec()]);
}

#[test]
fn a_partly_written_frame_is_finished_first() {
    let slow = Slow { room: Cell::new(5), ..Slow::default() };
    let waker = noop_waker();
    let cx = &mut Context::from_waker(&waker);
    let mut frames = queue(&[b"one", b"two", b"three", b"four"]);
    let mut wire = Wire::new(&slow, b"", Decoder::new(0));
    let wrote = wire.poll_write(cx, &mut frames);
    assert!(matches!(wrote, WriteResult { bytes: 3, begun: 1, state: Poll::Pending }));
    assert_eq!(frames.len(), 3, "two bytes of the second frame are written");
    // The queue overflows: all frames that are not started are dropped, and a close frame follows.
    frames.truncate(wrote.begun);
    frames.push_back(Rc::from(&b"CLOSE"[..]));
    slow.room.set(100);
    let wrote = wire.poll_write(cx, &mut frames);
    assert!(matches!(wrote, WriteResult { bytes: 8, begun: 0, state: Poll::Ready(Ok(())) }));
    assert_eq!(slow.calls.borrow().concat(), b"onetwoCLOSE");
}

/// A socket that takes bytes before it can send them, as TLS does: at most 8 at a time, and none before a flush.
#[derive(Default)]
struct Holding {
    held: Cell<usize>,
    is_open: Cell<bool>,
    sent: RefCell<Vec<u8>>,
}

impl AsyncWrite for &Holding {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let taken = bytes.len().min(8);
        self.held.set(taken);
        self.sent.borrow_mut().extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.held.get() > 0 && !self.is_open.get() {
            return Poll::Pending;
        }
        self.held.set(0);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn frames_stay_queued_until_they_are_flushed() {
    let holding = Holding::default();
    let waker = noop_waker();
    let cx = &mut Context::from_waker(&waker);
    let mut frames = queue(&[b"one", b"two", b"three", b"four"]);
    let mut wire = Wire::new(&holding, b"", Decoder::new(0));
    for _ in 0..2 {
        let wrote = wire.poll_write(cx, &mut frames);
        assert!(matches!(wrote, WriteResult { bytes: 0, begun: 3, state: Poll::Pending }), "{wrote:?}");
        assert_eq!((frames.len(), holding.sent.borrow().as_slice()), (4, &b"onetwoth"[..]), "nothing is sent twice");
    }
    // What is not begun is dropped, and another frame follows.
    frames.truncate(3);
    frames.push_back(Rc::from(&b"CLOSE"[..]));
    holding.is_open.set(true);
    let wrote = wire.poll_write(cx, &mut frames);
    assert!(matches!(wrote, WriteResult { bytes: 16, begun: 0, state: Poll::Ready(Ok(())) }), "{wrote:?}");
    assert_eq!((frames.len(), holding.sent.borrow().as_slice()), (0, &b"onetwothreeCLOSE"[..]));
}

#[tokio::test]
async fn a_slow_peer_reads_exactly_the_queued_frames() {
    let (mut peer, io) = duplex(1000);
    let mut wire = Wire::new(io, b"", Decoder::new(0));
    let frames: Vec<Vec<u8>> =
        (0..200usize).map(|number| vec![number as u8; number * 37 % 3000]).filter(|frame| !frame.is_empty()).collect();
    let mut queue: VecDeque<Rc<[u8]>> = frames.iter().map(|frame| Rc::from(frame.as_slice())).collect();
    let mut left = 0;
    let write = async {
        poll_fn(|cx| {
            let wrote = wire.poll_write(cx, &mut queue);
            left += wrote.bytes;
            wrote.state
        })
        .await
        .expect("the peer reads");
        poll_fn(|cx| wire.poll_shutdown(cx)).await.expect("the peer reads");
    };
    let mut got = Vec::new();
    let ((), read) = tokio::join!(write, peer.read_to_end(&mut got));
    read.expect("the end");
    assert_eq!(got, frames.concat());
    assert_eq!(left, got.len(), "bytes are counted when their frame leaves the queue");
}

/// A peer that floods cannot block the worker: each turn is limited.
#[test]
fn a_flood_never_exceeds_a_turn() {
    struct Flood;
    impl AsyncRead for Flood {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let count = into.remaining() / 7 * 7;
            into.put_slice(&ping(1).repeat(count.max(7) / 7)[..count.max(1)]);
            Poll::Ready(Ok(()))
        }
    }
    let (mut wire, wakes) = (Wire::new(Flood, b"", Decoder::new(100)), Arc::<Wakes>::default());
    let counted = wakes.clone().into();
    let mut events = 0;
    let end = wire.poll_turn(&mut Context::from_waker(&counted), 16 * 1024, |_| {
        events += 1;
        Next::Continue
    });
    assert!(end.is_pending() && wakes.take() == 1);
    assert_eq!(events, 16 * 1024 / 7);
}

/// The shared buffers are free during a call: a receiver may run another wire.
#[tokio::test]
async fn a_receiver_may_use_another_wire() {
    let (_peer, io) = duplex(64);
    let (_other_peer, other_io) = duplex(64);
    let mut outer = Wire::new(io, &ping(1), Decoder::new(100));
    let mut inner = Wire::new(other_io, &ping(2), Decoder::new(100));
    let waker = noop_waker();
    let mut seen = Vec::new();
    let end = outer.poll_turn(&mut Context::from_waker(&waker), 100, |_| {
        let end = inner.poll_turn(&mut Context::from_waker(&waker), 100, |event| {
            seen.push(format!("{event:?}"));
            Next::Continue
        });
        assert!(end.is_pending());
        Next::Continue
    });
    assert!(end.is_pending());
    assert_eq!(seen, ["Ping([2])"]);
}
