//! The queue without tasks and sockets.

use super::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap as Map;

const A: LinkId = LinkId(1);
const B: LinkId = LinkId(2);

fn publish(channel: &str) -> Publish {
    let data = RawValue::from_string("1".into()).expect("valid JSON");
    Publish {
        id: 0,
        channel: channel.into(),
        data: Some(data),
        text: None,
        data_base64: None,
        tags: Map::new(),
        ephemeral: false,
        idempotency_key: None,
        producer: None,
        traceparent: None,
    }
}

fn queue(links: &[LinkId]) -> PublishQueue<&'static str> {
    let mut queue = PublishQueue::new(10);
    for link in links {
        queue.link_up(*link, format!("node-{}", link.0), 4);
    }
    queue
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn sent(queue: &mut PublishQueue<&'static str>) -> Vec<(LinkId, u64)> {
    std::iter::from_fn(|| queue.next_send()).map(|(link, publish)| (link, publish.id)).collect()
}

// NL-8.2
#[tokio::test(start_paused = true)]
async fn each_channel_has_one_publication_in_flight() {
    let mut queue = queue(&[A]);
    for (channel, waiter) in [("x", "x1"), ("x", "x2"), ("y", "y1")] {
        queue.submit(publish(channel), later(5), waiter);
    }
    assert_eq!(sent(&mut queue), [(A, 1), (A, 3)]);
    assert_eq!(queue.ack(A, 1), Some("x1"));
    assert_eq!(sent(&mut queue), [(A, 2)]);
    assert_eq!(queue.ack(A, 1), None, "an answer counts once");
    assert_eq!(queue.ack(B, 2), None, "an answer counts only on the link that carries the publication");
    assert_eq!((queue.ack(A, 2), queue.ack(A, 3)), (Some("x2"), Some("y1")));
    assert!(queue.is_empty() && queue.channels.is_empty() && queue.heads.is_empty() && queue.deadlines.is_empty());
}

// NL-8.3
#[tokio::test(start_paused = true)]
async fn unanswered_publications_of_a_lost_link_are_resent_first() {
    let mut queue = queue(&[A]);
    queue.submit(publish("x"), later(5), "x1");
    assert_eq!(sent(&mut queue), [(A, 1)]);
    queue.link_down(A);
    queue.submit(publish("x"), later(5), "x2");
    assert_eq!(sent(&mut queue), [], "no link is up");
    queue.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut queue), [(B, 1)]);
    assert_eq!(queue.ack(B, 1), Some("x1"));
    assert_eq!(sent(&mut queue), [(B, 2)]);
    assert_eq!(queue.resent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_moves_to_a_new_link_only_when_nothing_is_in_flight() {
    let mut queue = queue(&[A]);
    for channel in ["a", "b", "c", "d"] {
        queue.submit(publish(channel), later(5), "first");
        queue.submit(publish(channel), later(5), "second");
    }
    assert_eq!(sent(&mut queue).len(), 4);
    queue.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut queue), [], "the second publications wait for the answers to the first");
    for id in [1, 3, 5, 7] {
        assert_eq!(queue.ack(A, id), Some("first"));
    }
    let links: HashSet<LinkId> = sent(&mut queue).into_iter().map(|(link, _)| link).collect();
    assert_eq!(links.len(), 2, "the channels are distributed over both links");
}

#[tokio::test(start_paused = true)]
async fn a_temporary_refusal_pauses_only_its_channel() {
    let mut queue = queue(&[A]);
    queue.submit(publish("x"), later(50), "x1");
    queue.submit(publish("x"), later(50), "x2");
    queue.submit(publish("y"), later(50), "y1");
    sent(&mut queue);
    let now = Instant::now();
    queue.retry(A, 1, false, now, |refusals| Duration::from_secs(u64::from(refusals)));
    assert_eq!(sent(&mut queue), []);
    assert_eq!(queue.ack(A, 3), Some("y1"));
    assert_eq!(queue.next_tick(), Some(now + Duration::from_secs(1)));
    assert!(queue.tick(now + Duration::from_secs(1)).is_empty());
    assert_eq!(sent(&mut queue), [(A, 1)], "in order, with the same id");
    assert_eq!(queue.refuse(A, 1), Some("x1"));
    assert_eq!(sent(&mut queue), [(A, 2)]);
}

#[tokio::test(start_paused = true)]
async fn expiry_tells_whether_a_publication_may_be_stored() {
    let mut queue = queue(&[A]);
    for (channel, waiter) in [("x", "sent"), ("x", "behind"), ("y", "refused"), ("z", "lost")] {
        queue.submit(publish(channel), later(1), waiter);
    }
    sent(&mut queue);
    queue.retry(A, 3, false, Instant::now(), |_| Duration::from_secs(9));
    let expired: HashMap<_, _> = queue.tick(later(1)).into_iter().collect();
    let expected = [("sent", Expiry::Unknown), ("behind", Expiry::NotDone), ("refused", Expiry::NotDone), ("lost", Expiry::Unknown)];
    assert_eq!(expired, expected.into_iter().collect());
    assert!(queue.is_empty() && queue.next_tick().is_none());
    assert_eq!(queue.ack(A, 1), None, "a late answer is ignored");
}

#[tokio::test(start_paused = true)]
async fn a_link_gets_at_most_its_window_and_a_draining_link_nothing() {
    let mut queue = queue(&[A]);
    for channel in ["a", "b", "c", "d", "e"] {
        queue.submit(publish(channel), later(5), channel.chars().next().map_or("", |_| "w"));
    }
    let first = sent(&mut queue);
    assert_eq!(first.len(), 4);
    queue.link_draining(A);
    queue.ack(A, first[0].1);
    assert_eq!(sent(&mut queue), []);
    queue.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut queue).len(), 1);
}
