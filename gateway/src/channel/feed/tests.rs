use super::*;
use crate::model::{Data, Tags};
use proptest::prelude::*;

fn epoch(name: &str) -> Epoch {
    Epoch::parse(name).expect("eight letters")
}

fn publication(name: &str, offset: u64) -> Arc<Publication> {
    let position = Some(Position { epoch: epoch(name), offset });
    Arc::new(Publication { position, data: Data::null(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
}

fn page(name: &str, top: u64, offsets: impl IntoIterator<Item = u64>) -> Page {
    Page { epoch: epoch(name), top, forks: Vec::new(), publications: offsets.into_iter().map(|o| publication(name, o)).collect() }
}

fn started(offset: u64) -> Feed {
    let mut feed = Feed::default();
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset }), None);
    feed
}

fn offsets(publications: &[Arc<Publication>]) -> Vec<u64> {
    publications.iter().filter_map(|p| p.position).map(|p| p.offset).collect()
}

#[test]
fn lets_through_what_continues_and_drops_what_it_had() {
    let mut feed = started(5);
    assert_eq!(feed.offer(&publication("epoch001", 6)), Offer::Deliver);
    assert_eq!(feed.offer(&publication("epoch001", 6)), Offer::Duplicate);
    assert_eq!(feed.offer(&publication("epoch001", 3)), Offer::Duplicate);
    assert_eq!(feed.offer(&publication("epoch001", 7)), Offer::Deliver);
}

#[test]
fn holds_after_a_gap_and_delivers_in_order_once_it_is_read() {
    let mut feed = started(5);
    assert_eq!(feed.offer(&publication("epoch001", 8)), Offer::Gap);
    assert_eq!(feed.offer(&publication("epoch001", 9)), Offer::Held);
    let caught = feed.page(page("epoch001", 8, 6..=8));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6, 7, 8, 9], Next::Live));
    assert_eq!(feed.offer(&publication("epoch001", 10)), Offer::Deliver);
}

#[test]
fn reads_on_while_a_page_does_not_reach_what_is_held() {
    let mut feed = started(0);
    assert_eq!(feed.offer(&publication("epoch001", 5)), Offer::Gap);
    let caught = feed.page(page("epoch001", 5, 1..=2));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![1, 2], Next::Read(2)));
    let caught = feed.page(page("epoch001", 5, 3..=5));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![3, 4, 5], Next::Live));
}

#[test]
fn a_lost_tail_is_found_by_the_dirty_mark_alone() {
    let mut feed = started(5);
    assert_eq!(feed.dirty(), Some(5));
    let caught = feed.page(page("epoch001", 7, 6..=7));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6, 7], Next::Live));
}

#[test]
fn a_mark_during_a_read_has_another_read_follow() {
    let mut feed = started(5);
    assert_eq!(feed.dirty(), Some(5));
    assert_eq!(feed.dirty(), None, "one read at a time");
    let caught = feed.page(page("epoch001", 6, [6]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Read(6)));
    let caught = feed.page(page("epoch001", 7, [7]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![7], Next::Live));
}

#[test]
fn a_mark_before_the_first_attach_is_read_by_it() {
    let mut feed = Feed::default();
    assert_eq!(feed.dirty(), None);
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset: 3 }), Some(3));
}

#[test]
fn a_hold_that_overflows_is_read_from_the_stream() {
    let mut feed = started(0);
    for offset in 2..=HOLD as u64 + 3 {
        feed.offer(&publication("epoch001", offset));
    }
    let top = HOLD as u64 + 3;
    let caught = feed.page(page("epoch001", top, 1..=10));
    assert_eq!(caught.next, Next::Read(10));
    let caught = feed.page(page("epoch001", top, 11..=top));
    assert_eq!((caught.deliver.len() as u64, caught.next), (top - 10, Next::Live));
}

#[test]
fn a_range_that_is_gone_is_told() {
    let mut feed = started(5);
    feed.offer(&publication("epoch001", 20));
    assert_eq!(feed.page(page("epoch001", 20, 10..=20)).subscribers, Subscribers::Lost);
    assert_eq!(feed.offer(&publication("epoch001", 21)), Offer::Deliver);
}

#[test]
fn a_new_timeline_goes_on_before_the_fork_and_is_told_after_it() {
    let fork = |offset| Page { forks: vec![Position { epoch: epoch("epoch001"), offset }], ..page("epoch002", 8, 6..=8) };
    let mut before = started(5);
    assert_eq!(before.offer(&publication("epoch002", 6)), Offer::Gap, "another epoch is never next");
    let caught = before.page(fork(5));
    let crossed = Subscribers::Cross(Fork { at: Position { epoch: epoch("epoch002"), offset: 5 }, shared: 5 });
    assert_eq!((caught.subscribers, offsets(&caught.deliver), caught.next), (crossed, vec![6, 7, 8], Next::Live));

    let mut after = started(5);
    after.offer(&publication("epoch002", 6));
    assert_eq!(after.page(fork(4)).subscribers, Subscribers::Lost);
}

#[test]
fn what_came_late_of_an_older_timeline_is_not_waited_for() {
    let mut feed = started(5);
    for offset in [8, 9] {
        feed.offer(&publication("epoch001", offset));
    }
    let fork = |offset| Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 5 }], ..page("epoch002", offset, 6..=offset) };
    let caught = feed.page(fork(6));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Live));
}

#[test]
fn a_page_of_an_older_timeline_than_what_came_is_followed_by_another() {
    let mut feed = started(5);
    feed.offer(&publication("epoch002", 7));
    let caught = feed.page(page("epoch001", 6, [6]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Read(6)));
    let newer = Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 6 }], ..page("epoch002", 7, [7]) };
    let caught = feed.page(newer);
    assert!(matches!(caught.subscribers, Subscribers::Cross(_)));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![7], Next::Live));
}

#[test]
fn a_place_is_found_again_in_the_current_timeline_alone() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.resume(at("epoch001", 3)), Some(at("epoch001", 3)));
    assert_eq!(feed.resume(at("epoch001", 6)), None, "nobody knows whether there is such a place");
    feed.dirty();
    let fork = at("epoch001", 6);
    let caught = feed.page(Page { forks: vec![fork], ..page("epoch002", 9, 6..=9) });
    assert_eq!(caught.subscribers, Subscribers::Cross(Fork { at: at("epoch002", 5), shared: 6 }));
    assert_eq!(feed.resume(at("epoch001", 6)), Some(at("epoch002", 6)));
    assert_eq!(feed.resume(at("epoch001", 7)), None, "the seventh was lost, and another took its place");
    assert_eq!(feed.resume(at("epoch000", 1)), None);
}

#[test]
fn after_a_loss_what_came_meanwhile_is_still_delivered() {
    let mut feed = started(5);
    for offset in [20, 21, 22] {
        feed.offer(&publication("epoch001", offset));
    }
    let caught = feed.page(page("epoch001", 21, 15..=21));
    assert_eq!((caught.subscribers, offsets(&caught.deliver), caught.next), (Subscribers::Lost, vec![22], Next::Live));
}

#[test]
fn where_the_stream_stands_tells_whether_something_is_missing() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.stands_at(at("epoch001", 5)), None);
    assert_eq!(feed.stands_at(at("epoch001", 4)), None, "it was looked at before the last delivery");
    assert_eq!(feed.stands_at(at("epoch001", 7)), Some(5));
    assert_eq!(feed.stands_at(at("epoch001", 8)), None, "one read at a time");
    assert_eq!(feed.page(page("epoch001", 7, 6..=7)).next, Next::Read(7), "which goes as far as was seen");
    assert_eq!(feed.page(page("epoch001", 8, [8])).next, Next::Live);
    assert_eq!(feed.stands_at(at("epoch002", 3)), Some(8), "another epoch is looked into");
    let mut unknown = Feed::default();
    assert_eq!(unknown.stands_at(at("epoch001", 3)), None);
    assert_eq!(unknown.start(at("epoch001", 2)), Some(2));
}

#[test]
fn what_has_no_position_passes_at_any_time() {
    let mut feed = started(5);
    feed.dirty();
    let ephemeral = Arc::new(Publication { position: None, ..(*publication("epoch001", 1)).clone() });
    assert_eq!(feed.offer(&ephemeral), Offer::Deliver);
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    LostAndMarked,
    ReadBegins,
    ReadEnds,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::LostAndMarked),
        2 => Just(Fate::ReadBegins),
        2 => Just(Fate::ReadEnds),
    ]
}

proptest! {
    /// Whatever the lane loses, and however late a read is answered, everything is delivered exactly once and in order.
    #[test]
    fn nothing_is_lost_doubled_or_reordered(fates in proptest::collection::vec(fate(), 1..200), size in 1u64..8) {
        let mut feed = started(0);
        let (mut top, mut delivered, mut wanted, mut under_way) = (0, Vec::new(), None, None);
        let ending = [Fate::LostAndMarked].into_iter().chain([Fate::ReadBegins, Fate::ReadEnds].into_iter().cycle().take(1000));
        for fate in fates.into_iter().chain(ending) {
            match fate {
                Fate::Arrives => {
                    top += 1;
                    match feed.offer(&publication("epoch001", top)) {
                        Offer::Deliver => delivered.push(top),
                        Offer::Gap => wanted = Some(delivered.len() as u64),
                        Offer::Held => {}
                        Offer::Duplicate => prop_assert!(false, "each arrives once, and no read was ahead of the lane"),
                    }
                }
                Fate::Lost => top += 1,
                Fate::LostAndMarked => {
                    top += 1;
                    wanted = feed.dirty().or(wanted);
                }
                Fate::ReadBegins => if let Some(after) = wanted.take() {
                    under_way = Some(page("epoch001", top, after + 1..=top.min(after + size)));
                }
                Fate::ReadEnds => if let Some(page) = under_way.take() {
                    let caught = feed.page(page);
                    delivered.extend(offsets(&caught.deliver));
                    if let Next::Read(after) = caught.next { wanted = Some(after) }
                }
            }
        }
        prop_assert_eq!(delivered, (1..=top).collect::<Vec<_>>());
    }
}
