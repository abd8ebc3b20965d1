use super::*;

const BREAKER: BreakerLimits = BreakerLimits { failures: 1, open_for: Duration::from_secs(5) };

fn targets(number: usize) -> Targets {
    Targets::new("shop".into(), (0..number).map(|at| format!("http://h{at}/").into()), 100, BREAKER)
}

fn loads(targets: &Targets) -> Vec<usize> {
    targets.summary(Tick(0)).iter().map(|target| target.in_flight).collect()
}

#[test]
fn requests_go_to_the_less_busy_targets_and_end_once() {
    let mut targets = targets(4);
    let all: Vec<_> = (0..100).map(|_| targets.begin(Choice::LessBusy, Tick(0)).expect("room").0).collect();
    let (least, most) = (*loads(&targets).iter().min().expect("four"), *loads(&targets).iter().max().expect("four"));
    assert!(most - least <= 10, "{:?}", loads(&targets));
    for request in all {
        targets.end(request);
        targets.end(request);
    }
    assert_eq!(loads(&targets), [0; 4]);
}

#[test]
fn at_the_limit_requests_are_refused_until_one_ends() {
    let mut targets = Targets::new("shop".into(), ["http://h/".into()], 2, BREAKER);
    let (first, _) = targets.begin(Choice::LessBusy, Tick(0)).expect("room");
    targets.begin(Choice::LessBusy, Tick(0)).expect("room");
    let refusal = targets.begin(Choice::LessBusy, Tick(0)).expect_err("full");
    assert_eq!(refusal.code, ErrorCode::Overloaded);
    assert!(refusal.detail.contains("shop has 2 requests in flight"), "{}", refusal.detail);
    targets.abandon(first, AbandonReason::Cancelled, Tick(0));
    targets.begin(Choice::LessBusy, Tick(0)).expect("room");
}

#[test]
fn another_try_goes_to_another_target_while_there_is_one() {
    for _ in 0..50 {
        let mut targets =
            Targets::new("shop".into(), ["http://a/".into(), "http://b/".into()], 9, BreakerLimits { failures: 9, ..BREAKER });
        let (request, first) = targets.begin(Choice::LessBusy, Tick(0)).expect("room");
        targets.tried(request, Health::Unreached, Tick(0));
        let second = targets.again(request, &[first].into_iter().collect(), Tick(0)).expect("another");
        assert_ne!(first, second);
        assert_eq!(loads(&targets)[second], 1);
        let third = targets.again(request, &[first, second].into_iter().collect(), Tick(0));
        assert!(third.is_some(), "all were tried, so any may be tried again");
        assert_eq!(loads(&targets).iter().sum::<usize>(), 1);
    }
}

#[test]
fn a_failing_target_gets_no_request_until_a_probe_is_answered() {
    let mut targets = targets(1);
    let (request, only) = targets.begin(Choice::LessBusy, Tick(0)).expect("room");
    targets.tried(request, Health::Fails, Tick(0));
    assert_eq!(targets.again(request, &[only].into_iter().collect(), Tick(1)), None);
    targets.end(request);
    assert_eq!(targets.begin(Choice::LessBusy, Tick(4999)).expect_err("open").code, ErrorCode::ServiceUnavailable);
    assert_eq!(targets.summary(Tick(4999))[0].breaker, BreakerState::Open);
    let (probe, _) = targets.begin(Choice::LessBusy, Tick(5000)).expect("a probe");
    assert!(targets.begin(Choice::LessBusy, Tick(5000)).is_err(), "one probe at a time");
    targets.abandon(probe, AbandonReason::Cancelled, Tick(5000));
    let (probe, _) = targets.begin(Choice::LessBusy, Tick(5000)).expect("the next probe");
    targets.tried(probe, Health::Answers, Tick(5001));
    targets.end(probe);
    assert_eq!(targets.summary(Tick(5001))[0].breaker, BreakerState::Closed);
}

#[test]
fn a_passed_deadline_counts_for_the_breaker_and_a_caller_that_left_does_not() {
    for (why, state) in [(AbandonReason::Deadline, BreakerState::Open), (AbandonReason::Cancelled, BreakerState::Closed)] {
        let mut targets = targets(1);
        let (request, _) = targets.begin(Choice::LessBusy, Tick(0)).expect("room");
        targets.abandon(request, why, Tick(0));
        targets.abandon(request, why, Tick(0));
        assert_eq!((targets.summary(Tick(1))[0].breaker, loads(&targets)), (state, vec![0]));
        assert_eq!(targets.again(request, &Tried::new(), Tick(9000)), None, "it has ended");
    }
}

#[test]
fn the_same_remark_is_logged_once_in_ten_minutes() {
    let mut targets = targets(2);
    assert!(targets.is_news(0, "refused", Tick(0)));
    assert!(!targets.is_news(0, "refused", Tick(599_999)));
    assert!(targets.is_news(1, "refused", Tick(1)) && targets.is_news(0, "reset", Tick(1)));
    assert!(targets.is_news(0, "refused", Tick(600_000)));
    let logged = (0..100).filter(|number| targets.is_news(1, &number.to_string(), Tick(2))).count();
    assert_eq!(logged, REMARKS - 1, "the number of different remarks is bounded");
}

#[test]
fn a_target_that_an_operator_drains_gets_no_requests() {
    let mut targets = targets(2);
    let (before, at) = targets.begin(Choice::LessBusy, Tick(0)).expect("room");
    let [drained, other] = [at, 1 - at].map(|at| targets.name(at).expect("two"));
    assert!(targets.drain(&drained, DrainAction::Find) && !targets.summary(Tick(0))[at].draining);
    assert!(targets.drain(&drained, DrainAction::Drain));
    for _ in 0..10 {
        assert_ne!(targets.begin(Choice::LessBusy, Tick(0)).expect("the other one").1, at);
    }
    assert!(targets.summary(Tick(0))[at].draining && targets.summary(Tick(0))[at].in_flight == 1, "what is in flight goes on");
    targets.drain(&other, DrainAction::Drain);
    assert_eq!(targets.begin(Choice::LessBusy, Tick(0)).expect_err("none").code, ErrorCode::ServiceUnavailable);
    targets.drain(&drained, DrainAction::Undrain);
    assert_eq!(targets.begin(Choice::LessBusy, Tick(0)).expect("it is used again").1, at);
    targets.end(before);
}

#[test]
fn the_name_of_a_target_finds_it_at_every_place() {
    let node = |urls: &[&str]| Targets::new("shop".into(), urls.iter().map(|&url| url.into()), 9, BREAKER);
    let drained = |node: &Targets| node.summary(Tick(0)).iter().map(|target| target.draining).collect::<Vec<_>>();
    let before = node(&["http://a/", "http://b/", "http://b/"]);
    let mut after = node(&["http://b/", "http://b/", "http://c/"]);
    assert_eq!(before.name(3), None);
    let names = [0, 1, 2].map(|at| before.name(at).expect("three"));
    for (name, is_found, expected) in
        [(&names[0], false, [false, false, false]), (&names[2], true, [false, true, false]), (&names[1], true, [true, true, false])]
    {
        assert_eq!(after.drain(name, DrainAction::Drain), is_found, "{name}");
        assert_eq!(drained(&after), expected, "{name}");
    }
}

fn choose(targets: &mut Targets, key: &str, now: Tick) -> (RequestId, TargetIndex) {
    targets.begin(Choice::OfKey(key), now).expect("room")
}

// NL-8.1
#[test]
fn all_nodes_send_a_key_to_the_same_target_and_then_to_the_same_other_one() {
    let urls = ["http://a/?x", "http://a/?y", "http://b/"].map(|url| Box::from(url.split('?').next().unwrap_or_default()));
    let limits = BreakerLimits { failures: 1, open_for: Duration::from_secs(5) };
    let mut nodes = [(); 2].map(|()| Targets::new("shop".into(), urls.clone(), 1000, limits));
    let keys: Vec<_> = (0..60).map(|key| key.to_string()).collect();
    let mut used = std::collections::HashSet::new();
    for key in &keys {
        let next = nodes.each_mut().map(|node| {
            let (request, first) = choose(node, key, Tick(0));
            let second = node.again(request, &[first].into_iter().collect(), Tick(0)).expect("another one");
            node.end(request);
            (first, second)
        });
        assert_eq!(next[0], next[1], "{key}");
        assert_ne!(next[0].0, next[0].1);
        used.insert(next[0].0);
    }
    assert_eq!(used.len(), 3, "targets that differ in their queries only are used, too");
}
