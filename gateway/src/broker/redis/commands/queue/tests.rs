use super::*;
use crate::broker::{
    BrokerError,
    redis::commands::job::{Command, Target},
};
use tokio::sync::oneshot;

type Answer = oneshot::Receiver<Result<Value, BrokerError>>;

fn push(queue: &mut Queue, order: u64, resend: Resend) -> Answer {
    push_with_key(queue, order, resend, "")
}

/// Queues a command with this idempotency key.
fn push_with_key(queue: &mut Queue, order: u64, resend: Resend, key: &str) -> Answer {
    let (answer, receiver) = oneshot::channel();
    let mut cmd = redis::cmd("EVALSHA");
    cmd.arg("digest").arg(1).arg(key);
    let command = Command { cmd, to: Target::Key, order: Some(order), resend };
    queue.push(Job::new(command, Instant::now() + Duration::from_secs(5), answer));
    receiver
}

fn take(queue: &mut Queue, most: usize) -> Vec<Job> {
    queue.take(most, Instant::now(), |_| false)
}

/// The connection breaks. `data` was the identity of the server's data when the connection was made.
fn disconnect(queue: &mut Queue, sent: Vec<Job>, data: &str) {
    queue.requeue_unanswered(sent, &data.into());
}

/// The idempotency keys of later commands that each command has.
fn later_keys(jobs: &[Job]) -> Vec<Vec<&str>> {
    jobs.iter().map(|job| job.later_keys.iter().map(AsRef::as_ref).collect()).collect()
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
async fn refused_commands_are_sent_again_in_order_ahead_of_newer_ones() {
    let mut queue = Queue::default();
    let mut answers: Vec<_> = (1..=3).map(|order| push(&mut queue, order, Resend::UntilDeadline)).collect();
    let sent = take(&mut queue, 3);
    let _newer = push(&mut queue, 1, Resend::UntilDeadline);
    assert_eq!(
        queue.take_answers(sent, vec![refused("LOADING"), DONE, refused("LOADING")], Instant::now()).action,
        ConnectionAction::Pause
    );
    assert_eq!(ended(&mut answers[1]), Some(Ok(DONE)));
    let orders: Vec<_> = take(&mut queue, 9).iter().map(|job| job.command.order).collect();
    assert_eq!(orders, [Some(1), Some(3), Some(1)]);
}

// NL-2.6
#[tokio::test]
async fn a_refused_command_fails_if_a_later_one_was_executed() {
    let mut queue = Queue::default();
    let mut first = push(&mut queue, 7, Resend::UntilDeadline);
    let mut other = push(&mut queue, 8, Resend::UntilDeadline);
    let mut second = push(&mut queue, 7, Resend::UntilDeadline);
    let sent = take(&mut queue, 9);
    queue.take_answers(sent, vec![refused("LOADING"), refused("LOADING"), DONE], Instant::now());
    assert!(matches!(ended(&mut first), Some(Err(BrokerError::Unavailable(_)))), "surely not stored");
    assert_eq!(ended(&mut second), Some(Ok(DONE)));
    assert!(ended(&mut other).is_none());
    assert_eq!(queue.len(), 1, "this does not concern another order");
}

// NL-2.8
#[tokio::test]
async fn after_a_lost_answer_the_outcome_is_unknown_until_an_answer_arrives() {
    let mut queue = Queue::default();
    let mut again = push(&mut queue, 1, Resend::Safe);
    let mut never = push(&mut queue, 1, Resend::Never);
    let mut late = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 9);
    disconnect(&mut queue, sent, "data");
    assert_eq!(ended(&mut never), Some(Err(BrokerError::OutcomeUnknown)));
    let mut sent = take(&mut queue, 1);
    assert!(sent[0].is_uncertain());
    sent.extend(take(&mut queue, 0));
    assert_eq!(queue.take_answers(sent, vec![DONE], Instant::now()).action, ConnectionAction::Continue);
    assert_eq!(ended(&mut again), Some(Ok(DONE)));
    queue.expire(Instant::now() + Duration::from_secs(6), "gone");
    assert_eq!(ended(&mut late), Some(Err(BrokerError::OutcomeUnknown)), "the server may have executed it");
}

#[tokio::test]
async fn a_refused_repeat_says_nothing_about_the_first_attempt() {
    let mut queue = Queue::default();
    let mut repeated = push(&mut queue, 1, Resend::UntilDeadline);
    let sent = take(&mut queue, 1);
    disconnect(&mut queue, sent, "data");
    let mut new = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 2);
    assert_eq!(queue.take_answers(sent, vec![refused("LATE"), refused("LATE")], Instant::now()).action, ConnectionAction::Continue);
    assert_eq!(ended(&mut repeated), Some(Err(BrokerError::OutcomeUnknown)), "the server may have executed it and lost it since");
    assert!(matches!(ended(&mut new), Some(Err(BrokerError::Unavailable(_)))));
}

// NL-2.7
#[tokio::test]
async fn a_command_that_was_never_sent_is_unavailable() {
    let mut queue = Queue::default();
    let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
    queue.expire(Instant::now(), "down");
    assert!(ended(&mut answer).is_none(), "not before its deadline");
    queue.expire(queue.deadline().expect("waits"), "down");
    assert_eq!(ended(&mut answer), Some(Err(BrokerError::Unavailable("down".into()))));
    let mut answer = push(&mut queue, 1, Resend::Never);
    queue.close("stopping");
    assert_eq!(ended(&mut answer), Some(Err(BrokerError::Unavailable("stopping".into()))));
}

// NL-2.11, NL-2.12
#[tokio::test]
async fn each_refusal_decides_about_the_connection() {
    for (code, expected, retried) in [
        ("NOSCRIPT", ConnectionAction::LoadScripts, true),
        ("READONLY", ConnectionAction::Reconnect, true),
        ("ERR Error running script (call to f_1): @user_script:9: @user_script: 9: -READONLY", ConnectionAction::Reconnect, true),
        ("BUSY", ConnectionAction::Pause, true),
        ("NOREPLICAS", ConnectionAction::Pause, true),
        ("MOVED", ConnectionAction::Continue, true),
        ("ASK", ConnectionAction::Continue, true),
        ("TRYAGAIN", ConnectionAction::Continue, true),
        ("CLUSTERDOWN", ConnectionAction::Continue, true),
        ("WRONGTYPE", ConnectionAction::Continue, false),
        ("OOM", ConnectionAction::Continue, false),
        ("NOPERM", ConnectionAction::Continue, false),
    ] {
        let mut queue = Queue::default();
        let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
        let sent = take(&mut queue, 1);
        assert_eq!(queue.take_answers(sent, vec![refused(code)], Instant::now()).action, expected, "{code}");
        assert_eq!((queue.len() == 1, ended(&mut answer).is_none()), (retried, retried), "{code}");
    }
}

#[tokio::test]
async fn an_abandoned_command_is_not_sent() {
    let mut queue = Queue::default();
    drop(push(&mut queue, 1, Resend::UntilDeadline));
    let _waits = push(&mut queue, 2, Resend::UntilDeadline);
    assert_eq!(take(&mut queue, 9).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_of_a_moving_slot_pauses_and_later_ones_of_its_order_stay_behind_it() {
    let mut queue = Queue::default();
    let _answers: Vec<_> = [1, 2, 1].map(|order| push(&mut queue, order, Resend::UntilDeadline)).into();
    let sent = take(&mut queue, 2);
    let result = queue.take_answers(sent, vec![refused("MOVED"), DONE], Instant::now());
    assert!(result.is_map_wrong);
    let _newest = push(&mut queue, 3, Resend::UntilDeadline);
    assert!(queue.is_paused());
    assert_eq!(orders(&take(&mut queue, 9)), [3]);
    tokio::time::advance(PAUSE).await;
    assert_eq!(orders(&take(&mut queue, 9)), [1, 1]);
}

#[tokio::test]
async fn commands_of_a_busy_order_stay_in_place() {
    let mut queue = Queue::default();
    let _answers: Vec<_> = [1, 2, 1, 3].map(|order| push(&mut queue, order, Resend::Safe)).into();
    let taken = queue.take(9, Instant::now(), |order| order == 1);
    assert_eq!(orders(&taken), [2, 3]);
    assert_eq!(orders(&take(&mut queue, 9)), [1, 1]);
}

#[tokio::test]
async fn a_redirection_is_followed_once() {
    let mut queue = Queue::default();
    let _answer = push(&mut queue, 1, Resend::UntilDeadline);
    let sent = take(&mut queue, 1);
    let ask = redis::parse_redis_value(b"-ASK 3999 127.0.0.1:6381\r\n").expect("as Redis sends it");
    assert!(queue.take_answers(sent, vec![ask], Instant::now()).is_map_wrong);
    let sent = take(&mut queue, 1);
    assert_eq!(sent[0].redirect.as_deref(), Some("127.0.0.1:6381"));
    disconnect(&mut queue, sent, "data");
    assert_eq!(take(&mut queue, 1)[0].redirect, None, "after a broken connection the master of the slot gets the command again");
}

#[tokio::test]
async fn a_repeated_command_names_all_later_uncertain_ones() {
    let mut queue = Queue::default();
    let _answers: Vec<_> =
        [(1, "a"), (2, "b"), (1, "c"), (1, "d")].map(|(order, key)| push_with_key(&mut queue, order, Resend::UntilDeadline, key)).into();
    let sent = take(&mut queue, 3);
    disconnect(&mut queue, sent, "data");
    let sent = take(&mut queue, 9);
    assert_eq!(later_keys(&sent), [vec!["c"], vec![], vec![], vec![]], "a command that was never sent was not executed");
    disconnect(&mut queue, sent, "data");
    let mut sent = take(&mut queue, 9);
    assert_eq!(later_keys(&sent), [vec!["c", "d"], vec![], vec!["d"], vec![]]);
    sent.truncate(1);
    disconnect(&mut queue, sent, "data");
    assert_eq!(later_keys(&take(&mut queue, 9)), [vec!["c", "d"]], "also if it was sent without them");
}

#[tokio::test]
async fn a_command_that_the_server_reports_out_of_order_is_surely_not_stored() {
    for (identity, is_permanent, is_sure) in [("data", false, true), ("other", false, false), ("data", true, false)] {
        let mut queue = Queue::default();
        let mut answer = push(&mut queue, 1, Resend::UntilDeadline);
        let sent = take(&mut queue, 1);
        disconnect(&mut queue, sent, "data");
        if is_permanent {
            queue.make_uncertainty_permanent();
        }
        let sent = take(&mut queue, 1);
        let refusal = redis::parse_redis_value(format!("-OUTOFORDER {identity}\r\n").as_bytes()).expect("as Redis sends it");
        assert_eq!(queue.take_answers(sent, vec![refusal], Instant::now()).action, ConnectionAction::Continue);
        let answer = ended(&mut answer).expect("it is not sent again");
        assert_eq!(matches!(answer, Err(BrokerError::Unavailable(_))), is_sure, "{identity} {is_permanent}: {answer:?}");
        assert!(answer.is_err());
    }
}

#[tokio::test]
async fn a_batch_contains_at_most_the_maximum_of_one_order() {
    let mut queue = Queue::default();
    let _many: Vec<_> = (0..=MAX_PER_ORDER).map(|_| push(&mut queue, 1, Resend::UntilDeadline)).collect();
    let _other = push(&mut queue, 2, Resend::UntilDeadline);
    let sent = take(&mut queue, 10 * MAX_PER_ORDER);
    assert_eq!((sent.len(), sent.last().and_then(|job| job.command.order)), (MAX_PER_ORDER + 1, Some(2)));
    assert_eq!(orders(&take(&mut queue, 9)), [1]);
}

#[tokio::test]
async fn commands_that_too_few_replicas_have_are_sent_again_in_order_until_their_outcome_is_unknown() {
    let mut queue = Queue::default();
    let mut stored: Vec<_> = ["a", "b"].iter().map(|key| push_with_key(&mut queue, 1, Resend::UntilDeadline, key)).collect();
    let mut refused_now = push_with_key(&mut queue, 2, Resend::UntilDeadline, "c");
    let lacking = |each| Answers { each, are_replicated: false };
    let sent = take(&mut queue, 9);
    let result = queue.take_answers(sent, lacking(vec![DONE, DONE, refused("OOM")]), Instant::now());
    assert_eq!(result.action, ConnectionAction::Pause, "the master does not answer at once");
    assert!(matches!(ended(&mut refused_now), Some(Err(BrokerError::Unavailable(_)))), "it is not stored at the master either");
    let _newer = push_with_key(&mut queue, 1, Resend::UntilDeadline, "d");
    let sent = take(&mut queue, 9);
    assert_eq!(later_keys(&sent), [vec!["b"], vec![], vec![]]);
    queue.take_answers(sent, lacking(vec![DONE, DONE, DONE]), Instant::now());
    assert!(stored.iter_mut().all(|answer| ended(answer).is_none()));
    let sent = take(&mut queue, 1);
    queue.take_answers(sent, vec![DONE], Instant::now());
    assert_eq!(ended(&mut stored[0]), Some(Ok(DONE)));
    queue.expire(Instant::now() + Duration::from_secs(60), "");
    assert_eq!(ended(&mut stored[1]), Some(Err(BrokerError::OutcomeUnknown)), "the master has it");
}
