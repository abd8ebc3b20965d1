use super::*;
use futures_util::FutureExt;
use std::{
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

const TIME: Duration = Duration::from_secs(2);

/// A service with so much room.
struct Room {
    queue: RoomQueue,
    free: AtomicU32,
}

type Entered = Result<Entry<&'static str>, Refusal>;

impl Room {
    fn new(free: u32) -> Self {
        Self { queue: RoomQueue::default(), free: free.into() }
    }

    fn enter(&self, name: &'static str) -> Pin<Box<impl Future<Output = Entered> + use<'_>>> {
        let take = move || match self.free.load(Relaxed) {
            0 => Err(ErrorCode::Overloaded.into()),
            free => {
                self.free.store(free - 1, Relaxed);
                Ok(name)
            }
        };
        Box::pin(self.queue.enter(Instant::now() + TIME, take))
    }

    fn free_one(&self) {
        self.free.fetch_add(1, Relaxed);
        self.queue.wake();
    }
}

#[tokio::test(start_paused = true)]
async fn with_room_no_question_waits_though_many_come_at_once() {
    let room = Room::new(3);
    let mut all = ["a", "b", "c"].map(|name| room.enter(name));
    let entered = all.each_mut().map(FutureExt::now_or_never);
    assert_eq!(entered, ["a", "b", "c"].map(|name| Some(Ok(Entry::AtOnce(name)))));
    assert!(room.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn questions_get_room_in_the_order_in_which_they_came() {
    let room = Room::new(0);
    let [mut first, mut second, mut third] = ["first", "second", "third"].map(|name| room.enter(name));
    for waiting in [&mut first, &mut second] {
        assert_eq!(waiting.now_or_never(), None);
    }
    room.free_one();
    assert_eq!(third.as_mut().now_or_never(), None, "it comes when there is room, but others wait");
    assert_eq!(second.as_mut().now_or_never(), None);
    let start = Instant::now();
    assert_eq!(first.await, Ok(Entry::AfterWait("first")));
    assert_eq!(start.elapsed(), Duration::ZERO);
    room.free_one();
    room.free_one();
    assert_eq!(third.as_mut().now_or_never(), None);
    assert_eq!(second.await, Ok(Entry::AfterWait("second")));
    assert_eq!(third.await, Ok(Entry::AfterWait("third")), "the second has passed the turn on");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(room.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_given_up_passes_its_turn_on() {
    let room = Room::new(0);
    let [mut first, mut second] = ["first", "second"].map(|name| room.enter(name));
    assert_eq!((first.as_mut().now_or_never(), second.as_mut().now_or_never()), (None, None));
    room.free_one();
    drop(first);
    let start = Instant::now();
    assert_eq!(second.await, Ok(Entry::AfterWait("second")));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_no_longer_than_its_time() {
    let room = Room::new(0);
    let start = Instant::now();
    let (first, second) = tokio::join!(room.enter("first"), room.enter("second"));
    assert_eq!((first, second, start.elapsed()), (Ok(Entry::None), Ok(Entry::None), TIME));
    assert!(room.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn room_of_which_nobody_tells_is_found_soon() {
    let room = Room::new(0);
    let mut first = room.enter("first");
    assert_eq!(first.as_mut().now_or_never(), None);
    room.free.store(1, Relaxed);
    let start = Instant::now();
    assert_eq!(first.await, Ok(Entry::AfterWait("first")));
    assert_eq!(start.elapsed(), LOOK_AGAIN);
}

#[tokio::test(start_paused = true)]
async fn another_error_ends_the_wait_of_all() {
    let room = Room::new(0);
    let gone = std::cell::Cell::new(false);
    let refused = || Err::<(), _>(Refusal::from(if gone.get() { ErrorCode::ServiceUnavailable } else { ErrorCode::Overloaded }));
    let mut all = pin!(futures_util::future::join(
        room.queue.enter(Instant::now() + TIME, refused),
        room.queue.enter(Instant::now() + TIME, refused)
    ));
    assert!(all.as_mut().now_or_never().is_none());
    gone.set(true);
    room.queue.wake();
    let start = Instant::now();
    let unavailable = || Err(ErrorCode::ServiceUnavailable.into());
    assert_eq!(all.await, (unavailable(), unavailable()));
    assert_eq!(start.elapsed(), Duration::ZERO);
}
