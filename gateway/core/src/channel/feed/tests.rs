use super::*;
use crate::model::{
    Age::{Any, Fresh},
    Data, Tags,
};
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

fn unknown() -> Feed {
    Feed::new(HoldRoom::new(1 << 20))
}

fn started(offset: u64) -> Feed {
    let mut feed = unknown();
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset }), None);
    feed
}

fn offsets(publications: &[Arc<Publication>]) -> Vec<u64> {
    publications.iter().filter_map(|p| p.position).map(|p| p.offset).collect()
}

// NL-4.2
#[test]
fn lets_through_what_continues_and_drops_what_it_had() {
    let mut feed = started(5);
    assert_eq!(feed.offer(&publication("epoch001", 6)), Offer::Deliver);
    assert_eq!(feed.offer(&publication("epoch001", 6)), Offer::Duplicate);
    assert_eq!(feed.offer(&publication("epoch001", 3)), Offer::Duplicate);
    assert_eq!(feed.offer(&publication("epoch001", 7)), Offer::Deliver);
}

// NL-4.2
#[test]
fn holds_after_a_gap_and_delivers_in_order_once_it_is_read() {
    let mut feed = started(5);
    assert_eq!(feed.offer(&publication("epoch001", 8)), Offer::Gap);
    assert_eq!(feed.offer(&publication("epoch001", 9)), Offer::Held);
    let caught = feed.page(page("epoch001", 8, 6..=8));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6, 7, 8, 9], Next::Live));
    assert_eq!(feed.offer(&publication("epoch001", 10)), Offer::Deliver);
}

// NL-4.5
#[test]
fn reads_on_while_a_page_does_not_reach_what_is_held() {
    let mut feed = started(0);
    assert_eq!(feed.offer(&publication("epoch001", 5)), Offer::Gap);
    let caught = feed.page(page("epoch001", 5, 1..=2));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![1, 2], Next::Read(2, Any)));
    let caught = feed.page(page("epoch001", 5, 3..=5));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![3, 4, 5], Next::Live));
}

#[test]
fn a_lost_tail_is_found_by_the_dirty_mark_alone() {
    let mut feed = started(5);
    assert_eq!(feed.reread(), Some(5));
    let caught = feed.page(page("epoch001", 7, 6..=7));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6, 7], Next::Live));
}

// NL-4.5
#[test]
fn a_mark_during_a_read_has_another_read_follow() {
    let mut feed = started(5);
    assert_eq!(feed.reread(), Some(5));
    assert_eq!(feed.reread(), None, "one read at a time");
    let caught = feed.page(page("epoch001", 6, [6]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Read(6, Fresh)));
    let caught = feed.page(page("epoch001", 7, [7]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![7], Next::Live));
}

#[test]
fn a_mark_before_the_first_attach_is_read_by_it() {
    let mut feed = unknown();
    assert_eq!(feed.reread(), None);
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset: 3 }), Some(3));
}

// NL-4.4
#[test]
fn a_hold_that_overflows_is_read_from_the_stream() {
    let room = HoldRoom::new(10 * publication("epoch001", 1).size());
    let mut feed = Feed { room: room.clone(), ..started(0) };
    for offset in 2..=23 {
        feed.offer(&publication("epoch001", offset));
    }
    assert_eq!(room.dropped(), 22);
    let caught = feed.page(page("epoch001", 23, 1..=10));
    assert_eq!(caught.next, Next::Read(10, Any));
    let caught = feed.page(page("epoch001", 23, 11..=23));
    assert_eq!((caught.deliver.len(), caught.next, room.used()), (13, Next::Live, 0));
}

// NL-4.9
#[test]
fn a_lane_that_loses_again_and_again_is_not_relied_on_until_it_has_calmed_down() {
    let ms = Tick;
    let mut feed = started(5);
    assert_eq!(feed.dirty(ms(0)), Some(5));
    assert_eq!(feed.page(page("epoch001", 7, 6..=7)).next, Next::Live);
    assert_eq!(feed.dirty(ms(999)), Some(7));
    assert_eq!(feed.offer(&publication("epoch001", 9)), Offer::Held);
    assert_eq!(feed.page(page("epoch001", 8, [8])).next, Next::Read(8, Any), "what came is read");
    let caught = feed.page(page("epoch001", 9, [9]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![9], Next::Rest));
    assert_eq!(feed.rested(ms(1099)), Next::Rest, "there is nothing to read");
    assert_eq!(feed.offer(&publication("epoch001", 10)), Offer::Held, "although it is the next");
    assert_eq!(feed.rested(ms(1999)), Next::Read(9, Fresh), "whatever the time");
    assert_eq!(offsets(&feed.page(page("epoch001", 10, [10])).deliver), [10]);
    assert_eq!(feed.dirty(ms(1999)), None);
    assert_eq!(feed.rested(ms(2099)), Next::Read(10, Fresh));
    assert_eq!(feed.page(page("epoch001", 10, [])).next, Next::Rest);
    assert_eq!(feed.rested(ms(2999)), Next::Live);
    assert_eq!(feed.offer(&publication("epoch001", 11)), Offer::Deliver);
    assert_eq!(feed.dirty(ms(9000)), Some(11));
    assert_eq!(feed.page(page("epoch001", 11, [])).next, Next::Live, "once is no habit");
}

#[test]
fn a_feed_that_pulls_learns_of_a_new_timeline() {
    let mut feed = started(5);
    feed.dirty(Tick(0));
    feed.dirty(Tick(1));
    assert_eq!(feed.page(page("epoch001", 5, [])).next, Next::Read(5, Fresh), "the second loss came during the read");
    assert_eq!(feed.page(page("epoch001", 5, [])).next, Next::Rest);
    feed.offer(&publication("epoch002", 6));
    assert_eq!(feed.rested(Tick(5000)), Next::Read(5, Fresh));
    let caught = feed.page(Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 5 }], ..page("epoch002", 6, [6]) });
    assert!(matches!(caught.subscribers, Subscribers::Cross(_)));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Rest));
}

// NL-0.2, NL-4.6
#[test]
fn a_range_that_is_gone_is_told() {
    let mut feed = started(5);
    feed.offer(&publication("epoch001", 20));
    assert_eq!(feed.page(page("epoch001", 20, 10..=20)).subscribers, Subscribers::Lost);
    assert_eq!(feed.offer(&publication("epoch001", 21)), Offer::Deliver);
}

// NL-1.3
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

// NL-1.5
#[test]
fn a_page_of_an_older_timeline_than_what_came_is_followed_by_another() {
    let mut feed = started(5);
    feed.offer(&publication("epoch002", 7));
    let caught = feed.page(page("epoch001", 6, [6]));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![6], Next::Read(6, Fresh)));
    let newer = Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 6 }], ..page("epoch002", 7, [7]) };
    let caught = feed.page(newer);
    assert!(matches!(caught.subscribers, Subscribers::Cross(_)));
    assert_eq!((offsets(&caught.deliver), caught.next), (vec![7], Next::Live));
}

// NL-1.4
#[test]
fn a_place_is_found_again_in_the_current_timeline_alone() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.resume(at("epoch001", 3)), Some(at("epoch001", 3)));
    assert_eq!(feed.resume(at("epoch001", 6)), None, "nobody knows whether there is such a place");
    feed.reread();
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

// NL-1.5
#[test]
fn where_the_stream_stands_tells_whether_something_is_missing() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.stands_at(at("epoch001", 5)), None);
    assert_eq!(feed.stands_at(at("epoch001", 4)), None, "it was looked at before the last delivery");
    assert_eq!(feed.stands_at(at("epoch001", 7)), Some(5));
    assert_eq!(feed.stands_at(at("epoch001", 8)), None, "one read at a time");
    assert_eq!(feed.page(page("epoch001", 7, 6..=7)).next, Next::Read(7, Any), "which goes as far as was seen");
    assert_eq!(feed.page(page("epoch001", 8, [8])).next, Next::Live);
    assert_eq!(feed.stands_at(at("epoch002", 3)), Some(8), "another epoch is looked into");
    let mut unknown = unknown();
    assert_eq!(unknown.stands_at(at("epoch001", 3)), None);
    assert_eq!(unknown.start(at("epoch001", 2)), Some(2));
}

// NL-0.4
#[test]
fn what_has_no_position_passes_at_any_time() {
    let mut feed = started(5);
    feed.reread();
    let ephemeral = Arc::new(Publication { position: None, ..(*publication("epoch001", 1)).clone() });
    assert_eq!(feed.offer(&ephemeral), Offer::Deliver);
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    LostAndMarked,
    /// Where it need not be fresh: one that began long ago serves.
    Joins,
    ReadBegins,
    ReadEnds,
    TimePasses,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::LostAndMarked),
        1 => Just(Fate::Joins),
        1 => Just(Fate::ReadBegins),
        2 => Just(Fate::ReadEnds),
        1 => Just(Fate::TimePasses),
    ]
}

proptest! {
    // NL-0.1
    /// Whatever the lane loses, however late a read is answered, and however little can be held, everything is delivered exactly once and in
    /// order. A read that need not be fresh is of the moment at which somebody first stood where it begins.
    #[test]
    fn nothing_is_lost_doubled_or_reordered(
        fates in proptest::collection::vec(fate(), 1..200),
        size in 1u64..8,
        held in 0usize..6,
    ) {
        let room = HoldRoom::new(held * publication("epoch001", 1).size());
        let mut feed = Feed { room: room.clone(), ..started(0) };
        let (mut top, mut now, mut delivered, mut wanted, mut under_way, mut rests) = (0, 0, Vec::new(), None, None, false);
        let calm = [Fate::ReadBegins, Fate::ReadEnds, Fate::TimePasses].into_iter().cycle().take(1500);
        for fate in fates.into_iter().chain([Fate::LostAndMarked]).chain(calm) {
            match fate {
                Fate::Arrives => {
                    top += 1;
                    match feed.offer(&publication("epoch001", top)) {
                        Offer::Deliver => delivered.push(top),
                        Offer::Gap => wanted = Some((delivered.len() as u64, Any)),
                        Offer::Held => {}
                        Offer::Duplicate => prop_assert!(false, "each arrives once, and no read was ahead of the lane"),
                    }
                }
                Fate::Lost => top += 1,
                Fate::LostAndMarked => {
                    top += 1;
                    wanted = feed.dirty(Tick(now)).map(|after| (after, Fresh)).or(wanted);
                }
                Fate::Joins | Fate::ReadBegins => if let Some((after, age)) = wanted.take() {
                    let seen = if age == Any && matches!(fate, Fate::Joins) { after } else { top };
                    under_way = Some(page("epoch001", seen, after + 1..=seen.min(after + size)));
                }
                Fate::ReadEnds => if let Some(page) = under_way.take() {
                    let caught = feed.page(page);
                    delivered.extend(offsets(&caught.deliver));
                    match caught.next {
                        Next::Read(after, age) => wanted = Some((after, age)),
                        Next::Rest => rests = true,
                        Next::Live => {}
                    }
                }
                Fate::TimePasses => {
                    now += 400;
                    if std::mem::take(&mut rests) {
                        match feed.rested(Tick(now)) {
                            Next::Read(after, age) => wanted = Some((after, age)),
                            Next::Rest => rests = true,
                            Next::Live => {}
                        }
                    }
                }
            }
        }
        prop_assert_eq!(delivered, (1..=top).collect::<Vec<_>>());
        prop_assert_eq!((room.used(), rests, wanted), (0, false, None), "it has calmed down");
    }
}
