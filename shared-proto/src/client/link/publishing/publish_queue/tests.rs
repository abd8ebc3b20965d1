use super::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap as Map;

const A: LinkId = LinkId(1);
const B: LinkId = LinkId(2);

fn publish(channel: &str) -> Publish {
    let data = RawValue::from_string("1".into()).expect("valid JSON");
    Publish { id: 0, channel: channel.into(), data, tags: Map::new(), ephemeral: false, idempotency_key: None, traceparent: None }
}

fn outbox(links: &[LinkId]) -> Outbox<&'static str> {
    let mut outbox = Outbox::new(10);
    for link in links {
        outbox.link_up(*link, format!("node-{}", link.0), 4);
    }
    outbox
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn sent(outbox: &mut Outbox<&'static str>) -> Vec<(LinkId, u64)> {
    std::iter::from_fn(|| outbox.next_send()).map(|(link, publish)| (link, publish.id)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_channel_sends_one_at_a_time_and_channels_go_side_by_side() {
    let mut outbox = outbox(&[A]);
    for (channel, waiter) in [("x", "x1"), ("x", "x2"), ("y", "y1")] {
        outbox.submit(publish(channel), later(5), waiter);
    }
    assert_eq!(sent(&mut outbox), [(A, 1), (A, 3)]);
    assert_eq!(outbox.ack(A, 1), Some("x1"));
    assert_eq!(sent(&mut outbox), [(A, 2)]);
    assert_eq!(outbox.ack(A, 1), None, "an answer counts once");
    assert_eq!(outbox.ack(B, 2), None, "another link cannot answer for this one");
    assert_eq!((outbox.ack(A, 2), outbox.ack(A, 3)), (Some("x2"), Some("y1")));
    assert!(outbox.is_empty() && outbox.lanes.is_empty() && outbox.heads.is_empty() && outbox.deadlines.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_link_left_unanswered_goes_first_over_another_link() {
    let mut outbox = outbox(&[A]);
    outbox.submit(publish("x"), later(5), "x1");
    assert_eq!(sent(&mut outbox), [(A, 1)]);
    outbox.link_down(A);
    outbox.submit(publish("x"), later(5), "x2");
    assert_eq!(sent(&mut outbox), [], "no link is there");
    outbox.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut outbox), [(B, 1)]);
    assert_eq!(outbox.ack(B, 1), Some("x1"));
    assert_eq!(sent(&mut outbox), [(B, 2)]);
    assert_eq!(outbox.resent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_link_does_not_take_a_channel_over_from_under_what_is_in_flight() {
    let mut outbox = outbox(&[A]);
    for channel in ["a", "b", "c", "d"] {
        outbox.submit(publish(channel), later(5), "first");
        outbox.submit(publish(channel), later(5), "second");
    }
    assert_eq!(sent(&mut outbox).len(), 4);
    outbox.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut outbox), [], "the second ones wait for the first ones' answers");
    for id in [1, 3, 5, 7] {
        assert_eq!(outbox.ack(A, id), Some("first"));
    }
    let links: HashSet<LinkId> = sent(&mut outbox).into_iter().map(|(link, _)| link).collect();
    assert_eq!(links.len(), 2, "afterwards the channels spread");
}

#[tokio::test(start_paused = true)]
async fn a_retryable_refusal_pauses_its_channel_only() {
    let mut outbox = outbox(&[A]);
    outbox.submit(publish("x"), later(50), "x1");
    outbox.submit(publish("x"), later(50), "x2");
    outbox.submit(publish("y"), later(50), "y1");
    sent(&mut outbox);
    let now = Instant::now();
    outbox.retry(A, 1, false, now, |refusals| Duration::from_secs(u64::from(refusals)));
    assert_eq!(sent(&mut outbox), []);
    assert_eq!(outbox.ack(A, 3), Some("y1"));
    assert_eq!(outbox.deadline(), Some(now + Duration::from_secs(1)));
    assert!(outbox.tick(now + Duration::from_secs(1)).is_empty());
    assert_eq!(sent(&mut outbox), [(A, 1)], "in order, under the same id");
    assert_eq!(outbox.refuse(A, 1), Some("x1"));
    assert_eq!(sent(&mut outbox), [(A, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_expires_tells_whether_it_may_have_landed() {
    let mut outbox = outbox(&[A]);
    for (channel, waiter) in [("x", "sent"), ("x", "behind"), ("y", "refused"), ("z", "lost")] {
        outbox.submit(publish(channel), later(1), waiter);
    }
    sent(&mut outbox);
    outbox.retry(A, 3, false, Instant::now(), |_| Duration::from_secs(9));
    let fates: HashMap<_, _> = outbox.tick(later(1)).into_iter().collect();
    let expected =
        [("sent", Expired::Unanswered), ("behind", Expired::NeverTaken), ("refused", Expired::NeverTaken), ("lost", Expired::Unanswered)];
    assert_eq!(fates, expected.into_iter().collect());
    assert!(outbox.is_empty() && outbox.deadline().is_none());
    assert_eq!(outbox.ack(A, 1), None, "a late answer finds nobody");
}

#[tokio::test(start_paused = true)]
async fn a_link_takes_no_more_than_its_window_and_a_draining_one_nothing() {
    let mut outbox = outbox(&[A]);
    for channel in ["a", "b", "c", "d", "e"] {
        outbox.submit(publish(channel), later(5), channel.chars().next().map_or("", |_| "w"));
    }
    let first = sent(&mut outbox);
    assert_eq!(first.len(), 4);
    outbox.link_draining(A);
    outbox.ack(A, first[0].1);
    assert_eq!(sent(&mut outbox), []);
    outbox.link_up(B, "node-2".into(), 4);
    assert_eq!(sent(&mut outbox).len(), 1);
}

#[test]
fn a_node_that_leaves_moves_only_its_own_channels() {
    let links = |nodes: &[u64]| -> BTreeMap<LinkId, Carrier> {
        let carrier = |n: &u64| Carrier { node: format!("node-{n}"), window: 1, in_flight: HashSet::new(), draining: false };
        nodes.iter().map(|n| (LinkId(*n), carrier(n))).collect()
    };
    let (three, two) = (links(&[1, 2, 3]), links(&[1, 2]));
    for n in 0..300 {
        let channel = format!("chat:{n}");
        let (before, after) = (choose(&three, &channel), choose(&two, &channel));
        assert!(before == Some(LinkId(3)) || before == after);
    }
}
