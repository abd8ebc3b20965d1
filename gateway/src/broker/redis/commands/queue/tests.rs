use super::*;
use crate::broker::{
    BrokerError,
    redis::commands::job::{Command, Target},
};
use tokio::sync::oneshot;

type Answer = oneshot::Receiver<Result<Value, BrokerError>>;

fn push(queue: &mut Queue, order: u64, again: Resend) -> Answer {
    push_once(queue, order, again, "")
}

/// `once`: what remembers that it was carried out.
fn push_once(queue: &mut Queue, order: u64, again: Resend, once: &str) -> Answer {
    let (answer, receiver) = oneshot::channel();
    let mut cmd = redis::cmd("EVALSHA");
    cmd.arg("digest").arg(1).arg(once);
    let command = Command { cmd, to: Target::Key, order: Some(order), again };
    queue.push(Job::new(command, Instant::now() + Duration::from_secs(5), answer));
    receiver
}

fn take(queue: &mut Queue, most: usize) -> Vec<Job> {
    queue.take(most, Instant::now(), |_| false)
}

/// The connection broke; it was made when the server's data had this identity.
fn lose(queue: &mut Queue, sent: Vec<Job>, data: &str) {
    queue.unanswered(sent, &data.into());
}

/// What these must not come behind.
fn later(jobs: &[Job]) -> Vec<Vec<&str>> {
    jobs.iter().map(|job| job.later.iter().map(AsRef::as_ref).collect()).collect()
}

fn orders(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().filter_map(|job| job.command.order).collect()
}

fn ended(answer: &mut Answer) -> Option<Result<Value, BrokerError>> {
    answer.try_recv().ok()
}

fn refused(code: &str) -> Value {
    let mut text = format!("-{code} not now\r\n").into_bytes();
    redis::parse_redis_value(&std::mem::take(&mut text)).expect("an error as Redis sends it")
}

const DONE: Value = Value::Okay;

// NL-2.4, NL-2.12
#[tokio::test]
async fn what_was_not_carried_out_is_sent_again_in_order_ahead_of_what_is_newer() {
    let mut queue = Queue::default();
    let mut answers: Vec<_> = (1..=3).map(|order| push(&mut queue, order, Resend::UntilDeadline)).collect();
    let sent = take(&mut queue, 3);
    let _newer = push(&mut queue, 1, Resend::UntilDeadline);
    assert_eq!(queue.answered(sent, vec![refused("LOADING"), DONE, refused("LOADING")], Instant::now()).after, After::Pause);
    assert_eq!(ended(&mut answers[1]), Some(Ok(DONE)));
    let orders: Vec<_> = take(&mut queue, 9).iter().map(|job| job.command.order).collect();
    assert_eq!(orders, [Some(1), Some(3), Some(1)]);
}

// NL-2.6
#[tokio::test]
async fn what_was_overtaken_fails_instead_of_coming_late() {
    let mut queue = Queue::default();
    let mut first = push(&mut queue, 7, Resend::UntilDeadline);
    let mut other = push(&mut queue, 8, Resend::UntilDeadline);
    let mut second = push(&mut queue, 7, Resend::UntilDeadline);
    let sent = take(&mut queue, 9);
    queue.answered(sent, vec![refused("LOADING"), refused("LOADING"), DONE], Instant::now());
    assert!(matches!(ended(&mut first), Some(Err(BrokerError::Unavailable(_)))), "surely not stored");
    assert_eq!(ended(&mut second), Some(Ok(DONE)));
    assert!(ended(&mut other).is_none());
    assert_eq!(queue.len(), 1, "another order is not concerned");
}

// NL-2.8
#[tokio::test]
async fn after_a_lost_answer_the_outcome_is_unknown_until_it_is_known() {
    let mut queue = Queue::default();
    let mut again = push(&mut queue, 1, Resend::Safe);
    let mut never = push(&mut queue, 1, Resend::Never);
    let mut late = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 9);
    lose(&mut queue, sent, "data");
    assert_eq!(ended(&mut never), Some(Err(BrokerError::OutcomeUnknown)));
    let mut sent = take(&mut queue, 1);
    assert!(sent[0].is_uncertain());
    sent.extend(take(&mut queue, 0));
    assert_eq!(queue.answered(sent, vec![DONE], Instant::now()).after, After::GoOn);
    assert_eq!(ended(&mut again), Some(Ok(DONE)));
    queue.expire(Instant::now() + Duration::from_secs(6), "gone");
    assert_eq!(ended(&mut late), Some(Err(BrokerError::OutcomeUnknown)), "it may have been carried out");
}

#[tokio::test]
async fn a_refused_repeat_tells_nothing_of_the_first_attempt() {
    let mut queue = Queue::default();
    let mut repeated = push(&mut queue, 1, Resend::UntilDeadline);
    let sent = take(&mut queue, 1);
    lose(&mut queue, sent, "data");
    let mut new = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 2);
    assert_eq!(queue.answered(sent, vec![refused("LATE"), refused("LATE")], Instant::now()).after, After::GoOn);
    assert_eq!(ended(&mut repeated), Some(Err(BrokerError::OutcomeUnknown)), "it may have been carried out, and lost since");
    assert!(matches!(ended(&mut new), Some(Err(BrokerError::Unavailable(_)))));
}

// NL-2.7
#[tokio::test]
async fn what_was_never_sent_surely_did_not_happen() {
    let mut queue = Queue::default();
    let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
    queue.expire(Instant::now(), "away");
    assert!(ended(&mut answer).is_none(), "not before its time");
    queue.expire(queue.deadline().expect("waits"), "away");
    assert_eq!(ended(&mut answer), Some(Err(BrokerError::Unavailable("away".into()))));
    let mut answer = push(&mut queue, 1, Resend::Never);
    queue.close("stopping");
    assert_eq!(ended(&mut answer), Some(Err(BrokerError::Unavailable("stopping".into()))));
}

// NL-2.11, NL-2.12
#[tokio::test]
async fn each_refusal_says_what_to_do_with_the_connection() {
    for (code, expected, retried) in [
        ("NOSCRIPT", After::LoadScripts, true),
        ("READONLY", After::Reconnect, true),
        ("ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -READONLY", After::Reconnect, true),
        ("BUSY", After::Pause, true),
        ("NOREPLICAS", After::Pause, true),
        ("MOVED", After::GoOn, true),
        ("ASK", After::GoOn, true),
        ("TRYAGAIN", After::GoOn, true),
        ("CLUSTERDOWN", After::GoOn, true),
        ("WRONGTYPE", After::GoOn, false),
        ("OOM", After::GoOn, false),
        ("NOPERM", After::GoOn, false),
    ] {
        let mut queue = Queue::default();
        let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
        let sent = take(&mut queue, 1);
        assert_eq!(queue.answered(sent, vec![refused(code)], Instant::now()).after, expected, "{code}");
        assert_eq!((queue.len() == 1, ended(&mut answer).is_none()), (retried, retried), "{code}");
    }
}

#[tokio::test]
async fn who_gave_up_before_anything_was_sent_is_left_out() {
    let mut queue = Queue::default();
    drop(push(&mut queue, 1, Resend::UntilDeadline));
    let _waits = push(&mut queue, 2, Resend::UntilDeadline);
    assert_eq!(take(&mut queue, 9).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_slot_moves_rests_and_what_is_newer_of_its_order_stays_behind_it() {
    let mut queue = Queue::default();
    let _answers: Vec<_> = [1, 2, 1].map(|order| push(&mut queue, order, Resend::UntilDeadline)).into();
    let sent = take(&mut queue, 2);
    let round = queue.answered(sent, vec![refused("MOVED"), DONE], Instant::now());
    assert!(round.is_map_wrong);
    let _newest = push(&mut queue, 3, Resend::UntilDeadline);
    assert!(queue.rests());
    assert_eq!(orders(&take(&mut queue, 9)), [3]);
    tokio::time::advance(PAUSE).await;
    assert_eq!(orders(&take(&mut queue, 9)), [1, 1]);
}

#[tokio::test]
async fn what_is_busy_elsewhere_stays_in_its_place() {
    let mut queue = Queue::default();
    let _answers: Vec<_> = [1, 2, 1, 3].map(|order| push(&mut queue, order, Resend::Safe)).into();
    let taken = queue.take(9, Instant::now(), |order| order == 1);
    assert_eq!(orders(&taken), [2, 3]);
    assert_eq!(orders(&take(&mut queue, 9)), [1, 1]);
}

#[tokio::test]
async fn a_server_that_knows_better_is_asked_once() {
    let mut queue = Queue::default();
    let _answer = push(&mut queue, 1, Resend::UntilDeadline);
    let sent = take(&mut queue, 1);
    let ask = redis::parse_redis_value(b"-ASK 3999 127.0.0.1:6381\r\n").expect("as Redis sends it");
    assert!(queue.answered(sent, vec![ask], Instant::now()).is_map_wrong);
    let sent = take(&mut queue, 1);
    assert_eq!(sent[0].aside.as_deref(), Some("127.0.0.1:6381"));
    lose(&mut queue, sent, "data");
    assert_eq!(take(&mut queue, 1)[0].aside, None, "if it cannot be reached, the master of the slot is asked again");
}

#[tokio::test]
async fn what_is_sent_again_names_all_behind_it_that_may_have_been_carried_out() {
    let mut queue = Queue::default();
    let _answers: Vec<_> =
        [(1, "a"), (2, "b"), (1, "c"), (1, "d")].map(|(order, once)| push_once(&mut queue, order, Resend::UntilDeadline, once)).into();
    let sent = take(&mut queue, 3);
    lose(&mut queue, sent, "data");
    let sent = take(&mut queue, 9);
    assert_eq!(later(&sent), [vec!["c"], vec![], vec![], vec![]], "what was never sent was not carried out");
    lose(&mut queue, sent, "data");
    let mut sent = take(&mut queue, 9);
    assert_eq!(later(&sent), [vec!["c", "d"], vec![], vec!["d"], vec![]]);
    sent.truncate(1);
    lose(&mut queue, sent, "data");
    assert_eq!(later(&take(&mut queue, 9)), [vec!["c", "d"]], "also when it was sent without them");
}

#[tokio::test]
async fn what_the_server_knows_to_be_overtaken_is_surely_not_stored() {
    for (told, still_heard, sure) in [("data", false, true), ("other", false, false), ("data", true, false)] {
        let mut queue = Queue::default();
        let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
        let sent = take(&mut queue, 1);
        lose(&mut queue, sent, "data");
        if still_heard {
            queue.doubt_for_good();
        }
        let sent = take(&mut queue, 1);
        let refusal = redis::parse_redis_value(format!("-OVERTAKEN {told}\r\n").as_bytes()).expect("as Redis sends it");
        assert_eq!(queue.answered(sent, vec![refusal], Instant::now()).after, After::GoOn);
        let answer = ended(&mut answer).expect("it is not sent again");
        assert_eq!(matches!(answer, Err(BrokerError::Unavailable(_))), sure, "{told} {still_heard}: {answer:?}");
        assert!(answer.is_err());
    }
}

#[tokio::test]
async fn no_more_of_one_order_are_sent_together_than_can_be_named() {
    let mut queue = Queue::default();
    let _many: Vec<_> = (0..=TOGETHER).map(|_| push(&mut queue, 1, Resend::UntilDeadline)).collect();
    let _other = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 10 * TOGETHER);
    assert_eq!((sent.len(), sent.last().and_then(|job| job.command.order)), (TOGETHER + 1, Some(2)));
    assert_eq!(orders(&take(&mut queue, 9)), [1]);
}
