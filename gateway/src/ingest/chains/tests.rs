use super::*;
use gateway_core::queue::{EntryJudgement, EntryPlace, LastEntry};
use proptest::prelude::*;
use shared_proto::content::ContentBody;

fn id(seq: u64) -> EntryId {
    EntryId { ms: 1, seq }
}

fn channel(name: &str) -> ChainName {
    ChainName::Channel(name.parse().expect("valid"))
}

fn publication(name: &str) -> Work {
    let data = ContentBody::Json(serde_json::from_str("1").expect("JSON"));
    Work::Publish(Draft::of(name.parse().expect("valid"), data, std::collections::BTreeMap::default()).expect("valid"))
}

fn problem() -> Problem {
    Problem::new(DeadReason::Unpublishable, &ErrorCode::BadRequest.into())
}

fn chains(name: &str, entries: std::ops::RangeInclusive<u64>, is_pipelined: bool) -> Chains {
    let mut chains = Chains::default();
    for seq in entries {
        chains.push(channel(name), Link { id: id(seq), work: publication(name), is_new: true }, is_pipelined);
    }
    chains
}

/// The steps: for a publication its number and that of the entry before it, for a dead letter its number and 99.
fn steps(chains: &mut Chains, now: Instant) -> Vec<(u64, u64)> {
    let each = |step| match step {
        Step::Publish { id, after, .. } => (id.seq, after.map_or(0, |after| after.seq)),
        Step::DeadLetterEntry { id, .. } => (id.seq, 99),
    };
    chains.steps(100, now).into_iter().map(each).collect()
}

const LATER: Outcome = Outcome::Later { is_uncertain: false };

#[tokio::test(start_paused = true)]
async fn each_entry_names_the_one_before_it_while_that_is_open() {
    let (now, name) = (Instant::now(), channel("a"));
    let mut chains = chains("a", 1..=3, true);
    assert_eq!(steps(&mut chains, now), [(1, 0), (2, 1), (3, 2)]);
    for entry in [1, 2] {
        chains.answered(&name, id(entry), Outcome::Published, now);
    }
    chains.push(name.clone(), Link { id: id(4), work: publication("a"), is_new: true }, true);
    assert_eq!(steps(&mut chains, now), [(4, 3)]);
    for entry in [3, 4] {
        chains.answered(&name, id(entry), Outcome::Published, now);
    }
    chains.push(name, Link { id: id(5), work: publication("a"), is_new: true }, true);
    assert_eq!(steps(&mut chains, now), [(5, 0)]);
    assert_eq!(chains.take_finished(9), [1, 2, 3, 4].map(id));
    assert_eq!((chains.held(), chains.in_flight()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_chain_goes_on_from_it_once_all_answers_are_there() {
    let (now, name) = (Instant::now(), channel("a"));
    let mut chains = chains("a", 1..=4, true);
    steps(&mut chains, now);
    chains.answered(&name, id(1), Outcome::Published, now);
    chains.answered(&name, id(2), LATER, now);
    chains.answered(&name, id(3), Outcome::Early, now);
    assert_eq!(steps(&mut chains, now), []);
    chains.answered(&name, id(4), Outcome::Early, now);
    assert_eq!(steps(&mut chains, now), [], "there is a pause");
    let then = chains.next_pause_end().expect("a pause");
    assert_eq!(then - now, FIRST_PAUSE);
    assert_eq!(steps(&mut chains, then), [(2, 0), (3, 2), (4, 3)]);
    for entry in 2..=4 {
        chains.answered(&name, id(entry), if entry == 2 { LATER } else { Outcome::Early }, then);
    }
    assert_eq!(chains.next_pause_end().map(|end| end - then), Some(2 * FIRST_PAUSE), "which grows");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_becomes_a_dead_letter_before_the_rest_goes_on() {
    let (now, name) = (Instant::now(), channel("a"));
    let mut chains = chains("a", 1..=3, true);
    steps(&mut chains, now);
    chains.answered(&name, id(1), Outcome::Refused(problem()), now);
    assert_eq!(steps(&mut chains, now), [(1, 99)]);
    for entry in [2, 3] {
        chains.answered(&name, id(entry), Outcome::Early, now);
    }
    assert_eq!(steps(&mut chains, now), []);
    chains.dead_lettered(&name, id(1), false, now);
    assert_eq!(steps(&mut chains, now), [], "there is no place for it");
    let then = now + DEAD_LETTER_PAUSE;
    assert_eq!(steps(&mut chains, then), [(1, 99)]);
    chains.dead_lettered(&name, id(1), true, then);
    assert_eq!(steps(&mut chains, then), [(2, 0), (3, 2)]);
    assert_eq!(chains.take_finished(9), [], "a dead letter is not acknowledged");
}

#[tokio::test(start_paused = true)]
async fn others_go_on_while_a_chain_waits() {
    let now = Instant::now();
    let mut chains = chains("a", 1..=1, true);
    steps(&mut chains, now);
    chains.answered(&channel("a"), id(1), LATER, now);
    chains.push(channel("b"), Link { id: id(2), work: publication("b"), is_new: true }, true);
    chains.push(ChainName::Entry(id(3)), Link { id: id(3), work: Work::DeadLetterEntry(problem()), is_new: true }, true);
    chains.push(channel("a"), Link { id: id(4), work: publication("a"), is_new: true }, true);
    assert_eq!(steps(&mut chains, now), [(2, 0), (3, 99)]);
    assert_eq!(steps(&mut chains, now + FIRST_PAUSE), [(1, 0), (4, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_without_history_gets_one_entry_at_a_time() {
    let (now, name) = (Instant::now(), channel("a"));
    let mut chains = chains("a", 1..=2, false);
    assert_eq!(steps(&mut chains, now), [(1, 0)]);
    chains.answered(&name, id(1), LATER, now);
    assert_eq!(steps(&mut chains, now + FIRST_PAUSE), [(1, 0)]);
    chains.answered(&name, id(1), Outcome::Published, now);
    assert_eq!(steps(&mut chains, now), [(2, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_new_entry_that_was_passed_is_kept_as_a_dead_letter() {
    let (now, name) = (Instant::now(), channel("a"));
    for (is_new, is_uncertain, expected) in [(true, false, vec![(1, 99)]), (true, true, vec![]), (false, false, vec![])] {
        let mut chains = Chains::default();
        chains.push(name.clone(), Link { id: id(1), work: publication("a"), is_new }, true);
        steps(&mut chains, now);
        if is_uncertain {
            chains.answered(&name, id(1), Outcome::Later { is_uncertain }, now);
            steps(&mut chains, now + LONGEST_PAUSE);
        }
        chains.answered(&name, id(1), Outcome::Passed, now);
        assert_eq!(steps(&mut chains, now), expected);
        assert_eq!(chains.has_finished(), expected.is_empty());
    }
}

/// What happens to a publish on its way.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// It was not carried out.
    Failed,
    /// It was carried out, and the answer was lost.
    Unknown,
    /// It is refused for good, for example because its key belongs to another publication.
    Refused,
}

/// Channels that take publications as the brokers do.
#[derive(Default)]
struct Channels(BTreeMap<ChainName, (Option<LastEntry>, Vec<u64>)>);

impl Channels {
    fn publish(&mut self, name: &ChainName, id: EntryId, after: Option<EntryId>, fate: Fate) -> Outcome {
        let place = EntryPlace { partition: 0, epoch: 1, entry: id, after };
        let (known, published) = self.0.entry(name.clone()).or_default();
        if matches!(fate, Fate::Failed) {
            return LATER;
        }
        match place.judge(*known) {
            EntryJudgement::Early => return Outcome::Early,
            EntryJudgement::Passed => return Outcome::Passed,
            EntryJudgement::Stale(_) => unreachable!("one owner"),
            EntryJudgement::Next if matches!(fate, Fate::Refused) => return Outcome::Refused(problem()),
            EntryJudgement::Next => {}
        }
        published.push(id.seq);
        *known = Some(place.record(*known));
        if matches!(fate, Fate::Unknown) { Outcome::Later { is_uncertain: true } } else { Outcome::Published }
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![6 => Just(Fate::Answered), 2 => Just(Fate::Failed), 2 => Just(Fate::Unknown), 1 => Just(Fate::Refused)];
    proptest::collection::vec(fate, 0..80)
}

proptest! {
    // NL-8.12
    /// Whatever fails, and in whatever order the answers come: each entry is published once and in order, or it is a dead letter.
    #[test]
    fn entries_are_published_once_and_in_order(
        names in proptest::collection::vec(0..3usize, 1..30),
        fates in fates(),
        choices in proptest::collection::vec(any::<prop::sample::Index>(), 1..40),
    ) {
        let all = ["a", "b", "c"].map(channel);
        let (mut chains, mut channels, mut now) = (Chains::default(), Channels::default(), Instant::now());
        let (mut fates, mut choices) = (fates.into_iter(), choices.into_iter().cycle());
        let (mut open, mut dead_lettered, mut finished) = (Vec::new(), Vec::new(), Vec::new());
        let mut waiting = names.iter().enumerate().map(|(index, name)| (index as u64 + 1, *name)).collect::<VecDeque<_>>();
        for _ in 0..10_000 {
            for (seq, name) in waiting.drain(..waiting.len().min(3)) {
                let name_text = ["a", "b", "c"][name];
                chains.push(all[name].clone(), Link { id: id(seq), work: publication(name_text), is_new: true }, true);
            }
            for step in chains.steps(4, now) {
                match step {
                    // The broker carries out what is handed over in its order. Answers come in any order.
                    Step::Publish { chain, id, after, .. } => {
                        let outcome = channels.publish(&chain, id, after, fates.next().unwrap_or(Fate::Answered));
                        open.push((chain, id, Some(outcome)));
                    }
                    Step::DeadLetterEntry { chain, id, .. } => open.push((chain, id, None)),
                }
            }
            if !open.is_empty() {
                let index = choices.next().expect("a cycle").index(open.len());
                let (chain, id, outcome) = open.remove(index);
                if let Some(outcome) = outcome {
                    chains.answered(&chain, id, outcome, now);
                } else {
                    chains.dead_lettered(&chain, id, true, now);
                    dead_lettered.push(id.seq);
                }
            } else if let Some(end) = chains.next_pause_end() {
                now = end;
            }
            finished.extend(chains.take_finished(5).iter().map(|id| id.seq));
            if chains.held() == 0 && waiting.is_empty() && open.is_empty() {
                break;
            }
        }
        prop_assert_eq!((chains.held(), chains.in_flight()), (0, 0));
        for (index, name) in all.iter().enumerate() {
            let mine = names.iter().enumerate().filter(|(_, of)| **of == index).map(|(seq, _)| seq as u64 + 1);
            let expected = mine.filter(|seq| !dead_lettered.contains(seq)).collect::<Vec<_>>();
            let published = channels.0.remove(name).map(|(_, published)| published).unwrap_or_default();
            prop_assert_eq!(published, expected);
        }
        finished.sort_unstable();
        let expected = (1..=names.len() as u64).filter(|seq| !dead_lettered.contains(seq)).collect::<Vec<_>>();
        prop_assert_eq!(finished, expected);
    }
}
