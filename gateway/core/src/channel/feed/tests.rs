use super::*;
use crate::model::{
    Data,
    Freshness::{Any, Fresh},
    Tags,
};
use proptest::prelude::*;

fn epoch(name: &str) -> Epoch {
    Epoch::parse(name).expect("eight letters")
}

fn publication(name: &str, offset: u64) -> Arc<Publication> {
    let position = Some(Position { epoch: epoch(name), offset });
    Arc::new(Publication { position, content: Data::null().into(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
}

fn page(name: &str, top: u64, offsets: impl IntoIterator<Item = u64>) -> Page {
    Page { epoch: epoch(name), top, forks: Vec::new(), publications: offsets.into_iter().map(|o| publication(name, o)).collect() }
}

fn without_position() -> Feed {
    Feed::new(GapBufferBudget::new(1 << 20))
}

fn started(offset: u64) -> Feed {
    let mut feed = without_position();
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset }), None);
    feed
}

fn offsets(publications: &[Arc<Publication>]) -> Vec<u64> {
    publications.iter().filter_map(|p| p.position).map(|p| p.offset).collect()
}

// NL-4.2
#[test]
fn the_next_publication_is_delivered_and_an_older_one_is_a_duplicate() {
    let mut feed = started(5);
    assert_eq!(feed.receive(&publication("epoch001", 6)), Disposition::Deliver);
    assert_eq!(feed.receive(&publication("epoch001", 6)), Disposition::Duplicate);
    assert_eq!(feed.receive(&publication("epoch001", 3)), Disposition::Duplicate);
    assert_eq!(feed.receive(&publication("epoch001", 7)), Disposition::Deliver);
}

// NL-4.2
#[test]
fn publications_after_a_gap_are_buffered_and_delivered_in_order_after_the_read() {
    let mut feed = started(5);
    assert_eq!(feed.receive(&publication("epoch001", 8)), Disposition::Gap);
    assert_eq!(feed.receive(&publication("epoch001", 9)), Disposition::Buffered);
    let outcome = feed.apply(page("epoch001", 8, 6..=8));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6, 7, 8, 9], Next::Live));
    assert_eq!(feed.receive(&publication("epoch001", 10)), Disposition::Deliver);
}

// NL-4.5
#[test]
fn reads_continue_until_they_reach_the_buffered_publications() {
    let mut feed = started(0);
    assert_eq!(feed.receive(&publication("epoch001", 5)), Disposition::Gap);
    let outcome = feed.apply(page("epoch001", 5, 1..=2));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![1, 2], Next::Read(2, Any)));
    let outcome = feed.apply(page("epoch001", 5, 3..=5));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![3, 4, 5], Next::Live));
}

#[test]
fn a_required_read_finds_a_loss_that_no_later_publication_shows() {
    let mut feed = started(5);
    assert_eq!(feed.require_read(), Some(5));
    let outcome = feed.apply(page("epoch001", 7, 6..=7));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6, 7], Next::Live));
}

// NL-4.5
#[test]
fn a_loss_during_a_read_requires_another_read() {
    let mut feed = started(5);
    assert_eq!(feed.require_read(), Some(5));
    assert_eq!(feed.require_read(), None, "one read at a time");
    let outcome = feed.apply(page("epoch001", 6, [6]));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6], Next::Read(6, Fresh)));
    let outcome = feed.apply(page("epoch001", 7, [7]));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![7], Next::Live));
}

#[test]
fn a_loss_before_the_first_subscriber_is_read_with_it() {
    let mut feed = without_position();
    assert_eq!(feed.require_read(), None);
    assert_eq!(feed.start(Position { epoch: epoch("epoch001"), offset: 3 }), Some(3));
}

// NL-4.4
#[test]
fn publications_that_exceed_the_budget_are_read_from_the_stream() {
    let budget = GapBufferBudget::new(10 * publication("epoch001", 1).size());
    let mut feed = Feed { budget: budget.clone(), ..started(0) };
    for offset in 2..=23 {
        feed.receive(&publication("epoch001", offset));
    }
    assert_eq!(budget.dropped(), 22);
    let outcome = feed.apply(page("epoch001", 23, 1..=10));
    assert_eq!(outcome.next, Next::Read(10, Any));
    let outcome = feed.apply(page("epoch001", 23, 11..=23));
    assert_eq!((outcome.deliver.len(), outcome.next, budget.used()), (13, Next::Live, 0));
}

// NL-4.9
#[test]
fn two_losses_within_a_second_start_pull_mode_until_a_second_without_loss() {
    let ms = Tick;
    let mut feed = started(5);
    assert_eq!(feed.deliveries_lost(ms(0)), Some(5));
    assert_eq!(feed.apply(page("epoch001", 7, 6..=7)).next, Next::Live);
    assert_eq!(feed.deliveries_lost(ms(999)), Some(7));
    assert_eq!(feed.receive(&publication("epoch001", 9)), Disposition::Buffered);
    assert_eq!(feed.apply(page("epoch001", 8, [8])).next, Next::Read(8, Any), "a publication that arrives in pull mode is read");
    let outcome = feed.apply(page("epoch001", 9, [9]));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![9], Next::Pull));
    assert_eq!(feed.pull(ms(1099)), Next::Pull, "no read is required, but the last loss is less than a second old");
    assert_eq!(feed.receive(&publication("epoch001", 10)), Disposition::Buffered, "pull mode also buffers the next publication");
    assert_eq!(feed.pull(ms(1999)), Next::Read(9, Fresh), "a required read comes first");
    assert_eq!(offsets(&feed.apply(page("epoch001", 10, [10])).deliver), [10]);
    assert_eq!(feed.deliveries_lost(ms(1999)), None);
    assert_eq!(feed.pull(ms(2099)), Next::Read(10, Fresh));
    assert_eq!(feed.apply(page("epoch001", 10, [])).next, Next::Pull);
    assert_eq!(feed.pull(ms(2999)), Next::Live);
    assert_eq!(feed.receive(&publication("epoch001", 11)), Disposition::Deliver);
    assert_eq!(feed.deliveries_lost(ms(9000)), Some(11));
    assert_eq!(feed.apply(page("epoch001", 11, [])).next, Next::Live, "a single loss does not start pull mode");
}

#[test]
fn a_feed_in_pull_mode_notices_a_new_epoch() {
    let mut feed = started(5);
    feed.deliveries_lost(Tick(0));
    feed.deliveries_lost(Tick(1));
    assert_eq!(feed.apply(page("epoch001", 5, [])).next, Next::Read(5, Fresh), "the second loss happened during the read");
    assert_eq!(feed.apply(page("epoch001", 5, [])).next, Next::Pull);
    feed.receive(&publication("epoch002", 6));
    assert_eq!(feed.pull(Tick(5000)), Next::Read(5, Fresh));
    let outcome = feed.apply(Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 5 }], ..page("epoch002", 6, [6]) });
    assert!(matches!(outcome.continuity, Continuity::EpochChanged(_)));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6], Next::Pull));
}

// NL-0.2, NL-4.6
#[test]
fn a_range_that_is_no_longer_stored_breaks_the_continuity() {
    let mut feed = started(5);
    feed.receive(&publication("epoch001", 20));
    assert_eq!(feed.apply(page("epoch001", 20, 10..=20)).continuity, Continuity::Broken);
    assert_eq!(feed.receive(&publication("epoch001", 21)), Disposition::Deliver);
}

// NL-1.3
#[test]
fn a_new_epoch_continues_a_position_before_its_fork_only() {
    let fork = |offset| Page { forks: vec![Position { epoch: epoch("epoch001"), offset }], ..page("epoch002", 8, 6..=8) };
    let mut before = started(5);
    assert_eq!(before.receive(&publication("epoch002", 6)), Disposition::Gap, "a publication of another epoch is never the next one");
    let outcome = before.apply(fork(5));
    let changed = Continuity::EpochChanged(EpochChange { position: Position { epoch: epoch("epoch002"), offset: 5 }, fork_offset: 5 });
    assert_eq!((outcome.continuity, offsets(&outcome.deliver), outcome.next), (changed, vec![6, 7, 8], Next::Live));

    let mut after = started(5);
    after.receive(&publication("epoch002", 6));
    assert_eq!(after.apply(fork(4)).continuity, Continuity::Broken);
}

#[test]
fn late_publications_of_the_old_epoch_require_no_read() {
    let mut feed = started(5);
    for offset in [8, 9] {
        feed.receive(&publication("epoch001", offset));
    }
    let fork = |offset| Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 5 }], ..page("epoch002", offset, 6..=offset) };
    let outcome = feed.apply(fork(6));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6], Next::Live));
}

// NL-1.5
#[test]
fn a_page_of_an_older_epoch_than_a_buffered_publication_requires_another_read() {
    let mut feed = started(5);
    feed.receive(&publication("epoch002", 7));
    let outcome = feed.apply(page("epoch001", 6, [6]));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![6], Next::Read(6, Fresh)));
    let newer = Page { forks: vec![Position { epoch: epoch("epoch001"), offset: 6 }], ..page("epoch002", 7, [7]) };
    let outcome = feed.apply(newer);
    assert!(matches!(outcome.continuity, Continuity::EpochChanged(_)));
    assert_eq!((offsets(&outcome.deliver), outcome.next), (vec![7], Next::Live));
}

// NL-1.4
#[test]
fn a_position_is_translated_into_the_current_epoch_up_to_the_fork_only() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.in_current_epoch(at("epoch001", 3)), Some(at("epoch001", 3)));
    assert_eq!(feed.in_current_epoch(at("epoch001", 6)), None, "the position is ahead of the feed");
    feed.require_read();
    let fork = at("epoch001", 6);
    let outcome = feed.apply(Page { forks: vec![fork], ..page("epoch002", 9, 6..=9) });
    assert_eq!(outcome.continuity, Continuity::EpochChanged(EpochChange { position: at("epoch002", 5), fork_offset: 6 }));
    assert_eq!(feed.in_current_epoch(at("epoch001", 6)), Some(at("epoch002", 6)));
    assert_eq!(
        feed.in_current_epoch(at("epoch001", 7)),
        None,
        "offset 7 of the old epoch was lost, and the new epoch has another publication there"
    );
    assert_eq!(feed.in_current_epoch(at("epoch000", 1)), None);
}

#[test]
fn after_a_loss_newer_buffered_publications_are_still_delivered() {
    let mut feed = started(5);
    for offset in [20, 21, 22] {
        feed.receive(&publication("epoch001", offset));
    }
    let outcome = feed.apply(page("epoch001", 21, 15..=21));
    assert_eq!((outcome.continuity, offsets(&outcome.deliver), outcome.next), (Continuity::Broken, vec![22], Next::Live));
}

// NL-1.5
#[test]
fn an_observed_top_ahead_of_the_position_requires_a_read() {
    let at = |name, offset| Position { epoch: epoch(name), offset };
    let mut feed = started(5);
    assert_eq!(feed.observe_top(at("epoch001", 5)), None);
    assert_eq!(feed.observe_top(at("epoch001", 4)), None, "the top was observed before the last delivery");
    assert_eq!(feed.observe_top(at("epoch001", 7)), Some(5));
    assert_eq!(feed.observe_top(at("epoch001", 8)), None, "one read at a time");
    assert_eq!(feed.apply(page("epoch001", 7, 6..=7)).next, Next::Read(7, Any), "reads continue up to the observed top");
    assert_eq!(feed.apply(page("epoch001", 8, [8])).next, Next::Live);
    assert_eq!(feed.observe_top(at("epoch002", 3)), Some(8), "another epoch requires a read");
    let mut feed = without_position();
    assert_eq!(feed.observe_top(at("epoch001", 3)), None);
    assert_eq!(feed.start(at("epoch001", 2)), Some(2));
}

// NL-0.4
#[test]
fn a_publication_without_a_position_is_always_delivered() {
    let mut feed = started(5);
    feed.require_read();
    let ephemeral = Arc::new(Publication { position: None, ..(*publication("epoch001", 1)).clone() });
    assert_eq!(feed.receive(&ephemeral), Disposition::Deliver);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Arrives,
    Lost,
    LossReported,
    /// The feed shares a read that began earlier, if it need not be fresh.
    SharesRead,
    ReadBegins,
    ReadEnds,
    TimePasses,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Arrives),
        1 => Just(Event::Lost),
        1 => Just(Event::LossReported),
        1 => Just(Event::SharesRead),
        1 => Just(Event::ReadBegins),
        2 => Just(Event::ReadEnds),
        1 => Just(Event::TimePasses),
    ]
}

proptest! {
    // NL-0.1
    /// Each publication is delivered exactly once and in order, for any losses of live deliveries, any delay of reads and any budget. A read
    /// that need not be fresh may return a page from before the loss, without any new publication.
    #[test]
    fn each_publication_is_delivered_once_and_in_order(
        events in proptest::collection::vec(event(), 1..200),
        size in 1u64..8,
        buffered in 0usize..6,
    ) {
        let budget = GapBufferBudget::new(buffered * publication("epoch001", 1).size());
        let mut feed = Feed { budget: budget.clone(), ..started(0) };
        let (mut top, mut now, mut delivered, mut next_read, mut current_read, mut pulls) = (0, 0, Vec::new(), None, None, false);
        let quiet = [Event::ReadBegins, Event::ReadEnds, Event::TimePasses].into_iter().cycle().take(1500);
        for event in events.into_iter().chain([Event::LossReported]).chain(quiet) {
            match event {
                Event::Arrives => {
                    top += 1;
                    match feed.receive(&publication("epoch001", top)) {
                        Disposition::Deliver => delivered.push(top),
                        Disposition::Gap => next_read = Some((delivered.len() as u64, Any)),
                        Disposition::Buffered => {}
                        Disposition::Duplicate => prop_assert!(false, "each publication arrives once, and no read was ahead of live deliveries"),
                    }
                }
                Event::Lost => top += 1,
                Event::LossReported => {
                    top += 1;
                    next_read = feed.deliveries_lost(Tick(now)).map(|after| (after, Fresh)).or(next_read);
                }
                Event::SharesRead | Event::ReadBegins => if let Some((after, freshness)) = next_read.take() {
                    let seen = if freshness == Any && matches!(event, Event::SharesRead) { after } else { top };
                    current_read = Some(page("epoch001", seen, after + 1..=seen.min(after + size)));
                }
                Event::ReadEnds => if let Some(page) = current_read.take() {
                    let outcome = feed.apply(page);
                    delivered.extend(offsets(&outcome.deliver));
                    match outcome.next {
                        Next::Read(after, freshness) => next_read = Some((after, freshness)),
                        Next::Pull => pulls = true,
                        Next::Live => {}
                    }
                }
                Event::TimePasses => {
                    now += 400;
                    if std::mem::take(&mut pulls) {
                        match feed.pull(Tick(now)) {
                            Next::Read(after, freshness) => next_read = Some((after, freshness)),
                            Next::Pull => pulls = true,
                            Next::Live => {}
                        }
                    }
                }
            }
        }
        prop_assert_eq!(delivered, (1..=top).collect::<Vec<_>>());
        prop_assert_eq!((budget.used(), pulls, next_read), (0, false, None), "nothing is buffered, and no read is required");
    }
}
