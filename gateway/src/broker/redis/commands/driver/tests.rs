use super::*;
use crate::{
    broker::{
        BrokerError, RedisAddress,
        redis::{
            commands::job::{Command, Resend},
            schema::slot::{SLOTS, Slot},
            servers::{
                connect::{connect_error::ConnectError, probe::Probe, server_assignment::ServerAssignments, timing::Timeouts},
                topology::{Endpoint, SlotReport},
            },
        },
    },
    settings::Settings,
};
use redis::{Value, cmd};
use std::time::Duration;
use tokio::sync::oneshot;

type Answer = oneshot::Receiver<Result<Value, BrokerError>>;

/// A lane of a cluster with two masters; nothing is connected.
struct Bench {
    driver: Driver,
    steps: Steps,
    masters: Arc<Masters>,
    health: Arc<Health>,
    limits: LaneLimits,
}

const KEY: &str = "k";

impl Bench {
    fn new() -> Self {
        let limits = LaneLimits { queue: 8, batch: 4, deadline: Duration::from_secs(5) };
        let timeouts = Timeouts { connect: limits.deadline, response: limits.deadline };
        let probe = Probe::new("test:probe".into());
        let claims = ServerAssignments::new("test:share".into(), limits.deadline);
        let settings = Settings::from_toml("redis.url = \"redis+cluster://h:1\"").expect("values of the right type");
        let address = RedisAddress::try_from(&settings.redis).expect("a good address");
        let masters = Masters::new(address, 1, timeouts, probe, &claims).expect("a good address");
        let (masters, health) = (Arc::new(masters), Arc::new(Health::default()));
        let driver = Driver::new(mpsc::channel(1).1, limits, masters.clone(), health.clone(), 0);
        let mut bench = Self { driver, steps: Steps::new(), masters, health, limits };
        bench.learn(1);
        bench
    }

    /// The slot of the key is served by the master at this port from now on, all others by the first.
    fn learn(&mut self, port: u16) {
        let slot = Slot::of(KEY.as_bytes()).0;
        let at = |port, epoch, slots| SlotReport::new(Endpoint { host: "h".into(), port }, epoch, slots);
        let claims = vec![at(1, 1, vec![(0, SLOTS - 1)]), at(2, 2, Vec::new()), at(port, 3, vec![(slot, slot)])];
        self.masters.adopt(claims, &self.health);
        self.driver.follow(&mut self.steps);
    }

    fn master(&self, port: u16) -> Master {
        self.masters.named(&format!("h:{port}"), self.driver.map.masters()[0]).expect("known")
    }

    fn branch(&mut self, port: u16) -> &mut MasterLane {
        let master = self.master(port);
        self.driver.branches.get_mut(&master).expect("a branch")
    }

    fn push(&mut self, key: &str, order: u64) -> Answer {
        let (answer, receiver) = oneshot::channel();
        let mut cmd = cmd("GET");
        cmd.arg(key);
        let command = Command { cmd, to: Target::Key, order: Some(order), again: Resend::UntilDeadline };
        self.driver.push(Job::new(command, Instant::now() + self.limits.deadline, answer));
        receiver
    }

    /// What this master would be sent now. It counts as under way.
    fn take(&mut self, port: u16) -> Vec<Job> {
        let (busy, aside) = self.driver.busy_beside(self.master(port));
        let most = self.limits.batch;
        let branch = self.branch(port);
        let jobs = branch.queue.take(most, Instant::now(), |order| busy.contains(&order) || aside.contains(&order));
        branch.under_way = jobs.iter().filter_map(|job| job.command.order).collect();
        jobs
    }

    /// The master refuses all of them.
    fn refuse(&mut self, port: u16, jobs: Vec<Job>, refusals: &[&str]) {
        let answer = |text: &&str| redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("as Redis sends it");
        let branch = self.branch(port);
        branch.ended();
        branch.queue.answered(jobs, refusals.iter().map(answer).collect(), Instant::now());
        self.driver.reroute(&mut self.steps);
    }
}

fn numbers<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Vec<u64> {
    jobs.into_iter().map(|job| job.number).collect()
}

// NL-2.14
#[tokio::test(start_paused = true)]
async fn after_a_move_nothing_overtakes_what_is_under_way_at_the_old_place() {
    let mut bench = Bench::new();
    let _answers = [bench.push(KEY, 7), bench.push(KEY, 7)];
    let sent = bench.take(1);
    assert_eq!(numbers(&sent), [0, 1]);
    let _newer = [bench.push(KEY, 7), bench.push(KEY, 8)];
    bench.learn(2);
    assert_eq!(numbers(&bench.take(2)), [3], "another order goes on at once");
    bench.refuse(1, sent, &["MOVED 7629 h:2", "MOVED 7629 h:2"]);
    assert!(bench.take(2).is_empty(), "they rest");
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&bench.take(2)), [0, 1, 2], "all of them at their new home, in their order");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_elsewhere_keeps_its_order() {
    let mut bench = Bench::new();
    let _answers = [bench.push(KEY, 7), bench.push(KEY, 7), bench.push(KEY, 8)];
    let sent = bench.take(1);
    let _newer = bench.push(KEY, 7);
    let ask = "ASK 7629 h:2";
    bench.refuse(1, sent, &[ask, "TRYAGAIN later", ask]);
    assert_eq!(bench.branch(2).asking_queue.len(), 2);
    tokio::time::advance(PAUSE).await;
    assert!(bench.take(1).is_empty(), "what is newer waits for what was asked for elsewhere");
    let asking_queue = bench.branch(2).asking_queue.take(9, Instant::now(), |_| false);
    assert_eq!(numbers(&asking_queue), [0, 2]);
    bench.branch(2).under_way = vec![7, 8];
    bench.branch(2).is_displaced = true;
    assert!(bench.take(1).is_empty(), "also while it is under way there");
    bench.refuse(2, asking_queue, &["TRYAGAIN later", "TRYAGAIN later"]);
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&bench.take(1)), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_elsewhere_ahead_of_what_is_older() {
    let mut bench = Bench::new();
    let _answers = [bench.push(KEY, 7), bench.push(KEY, 7)];
    let sent = bench.take(1);
    bench.refuse(1, sent, &["TRYAGAIN later", "ASK 7629 h:2"]);
    let there = bench.master(2);
    assert!(!bench.driver.branches.contains_key(&there));
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&bench.take(1)), [0, 1]);
}

#[tokio::test]
async fn what_comes_back_from_a_broken_connection_takes_no_room_from_others() {
    let mut bench = Bench::new();
    bench.learn(2);
    for port in [1, 2] {
        bench.branch(port).is_up = true;
    }
    let _sent: Vec<_> = (0..4).map(|order| bench.push(KEY, order)).collect();
    let sent = bench.take(2);
    let _waiting: Vec<_> = (4..8).map(|order| bench.push(KEY, order)).collect();
    let branch = bench.branch(2);
    branch.broke(sent);
    assert_eq!((bench.branch(2).len(), bench.driver.room()), (8, 4));
    let mut further = bench.push(KEY, 8);
    assert!(matches!(further.try_recv(), Ok(Err(BrokerError::Unavailable(_)))));
}

#[tokio::test]
async fn who_cannot_be_used_has_half_of_the_queue_at_most() {
    let mut bench = Bench::new();
    bench.learn(2);
    bench.branch(1).is_up = true;
    let mut away: Vec<_> = (0..6).map(|order| bench.push(KEY, order)).collect();
    assert_eq!(bench.branch(2).len(), 4);
    assert!(away[..4].iter_mut().all(|answer| answer.try_recv().is_err()), "these wait");
    assert!(away[4..].iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Err(BrokerError::Unavailable(_))))));
    assert_eq!(bench.driver.room(), 4);
    let _others: Vec<_> = (0..4).map(|order| bench.push("other", order)).collect();
    assert_eq!(bench.driver.room(), 0, "who keeps up makes all wait instead");
}

#[tokio::test]
async fn who_was_left_and_cannot_be_reached_again_takes_no_room_from_others() {
    let mut bench = Bench::new();
    bench.learn(2);
    for port in [1, 2] {
        bench.branch(port).is_up = true;
    }
    let (master, trouble) = (bench.master(2), ConnectError::NoCluster { address: "h:2".into() });
    bench.driver.settle(master, Done::Connected(Err(trouble)), &mut bench.steps);
    let _waiting: Vec<_> = (0..4).map(|order| bench.push(KEY, order)).collect();
    assert_eq!(bench.driver.room(), 4, "others have their half");
    assert!(matches!(bench.push(KEY, 4).try_recv(), Ok(Err(BrokerError::Unavailable(_)))));
}

#[tokio::test]
async fn a_slot_that_nobody_serves_waits_for_somebody() {
    let mut bench = Bench::new();
    let all_but = |port| SlotReport::new(Endpoint { host: "h".into(), port }, 1, vec![(0, 1)]);
    bench.masters.adopt(vec![all_but(1)], &bench.health);
    bench.driver.follow(&mut bench.steps);
    let _answer = bench.push(KEY, 1);
    assert_eq!(bench.driver.unserved.len(), 1);
    bench.learn(2);
    assert_eq!(numbers(&bench.take(2)), [0]);
}
