use super::*;
use crate::{
    broker::{
        BrokerError, RedisAddress,
        redis::{
            commands::job::{Command, Resend},
            schema::slot::{SLOTS, Slot},
            servers::{
                connect::{connect_error::ConnectError, rights::probe::Probe, server_assignment::ServerAssignments, timing::Timeouts},
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

/// A lane of a Redis Cluster with two masters, without connections.
struct Fixture {
    driver: Driver,
    steps: Steps,
    masters: Arc<Masters>,
    health: Arc<Health>,
    limits: LaneLimits,
}

const KEY: &str = "k";

impl Fixture {
    fn new() -> Self {
        let limits = LaneLimits { queue_commands: 8, batch_commands: 4, deadline: Duration::from_secs(5), replicas: None };
        let timeouts = Timeouts { connect: limits.deadline, response: limits.deadline };
        let probe = Probe::new("test:probe".into());
        let assignments = ServerAssignments::new("test:assignment".into(), limits.deadline);
        let settings = Settings::from_toml("redis.url = \"redis+cluster://h:1\"").expect("values of the right type");
        let address = RedisAddress::try_from(&settings.redis).expect("a good address");
        let masters = Masters::new(address, 1, timeouts, probe, &assignments).expect("a good address");
        let (masters, health) = (Arc::new(masters), Arc::new(Health::default()));
        let driver = Driver::new(mpsc::channel(1).1, limits, masters.clone(), health.clone(), Arc::default(), 0);
        let mut fixture = Self { driver, steps: Steps::new(), masters, health, limits };
        fixture.move_slot(1);
        fixture
    }

    /// From now on, the master at this port serves the key's slot; the first master serves all others.
    fn move_slot(&mut self, port: u16) {
        let slot = Slot::of(KEY.as_bytes()).0;
        let at = |port, epoch, slots| SlotReport::new(Endpoint { host: "h".into(), port }, epoch, slots);
        let reports = vec![at(1, 1, vec![(0, SLOTS - 1)]), at(2, 2, Vec::new()), at(port, 3, vec![(slot, slot)])];
        self.masters.apply(reports, &self.health);
        self.driver.apply_topology(&mut self.steps);
    }

    fn master(&self, port: u16) -> Master {
        self.masters.named(&format!("h:{port}"), self.driver.topology.masters()[0]).expect("known")
    }

    fn master_lane(&mut self, port: u16) -> &mut MasterLane {
        let master = self.master(port);
        self.driver.master_lanes.get_mut(&master).expect("the master's lane")
    }

    fn push(&mut self, key: &str, order: u64) -> Answer {
        let (answer, receiver) = oneshot::channel();
        let mut cmd = cmd("GET");
        cmd.arg(key);
        let command = Command { cmd, to: Target::Key, order: Some(order), resend: Resend::UntilDeadline };
        self.driver.push(Job::new(command, Instant::now() + self.limits.deadline, answer));
        receiver
    }

    /// Takes the commands that this master would get now. They count as in flight.
    fn take(&mut self, port: u16) -> Vec<Job> {
        let (busy, redirected) = self.driver.busy_orders(self.master(port));
        let most = self.limits.batch_commands;
        let master_lane = self.master_lane(port);
        let jobs = master_lane.queue.take(most, Instant::now(), |order| busy.contains(&order) || redirected.contains(&order));
        master_lane.in_flight = jobs.iter().filter_map(|job| job.command.order).collect();
        jobs
    }

    /// The master answers each of these commands with a refusal.
    fn refuse(&mut self, port: u16, jobs: Vec<Job>, refusals: &[&str]) {
        let answer = |text: &&str| redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).expect("as Redis sends it");
        let master_lane = self.master_lane(port);
        master_lane.finish_batch();
        master_lane.queue.take_answers(jobs, refusals.iter().map(answer).collect::<Vec<_>>(), Instant::now());
        self.driver.reroute(&mut self.steps);
    }
}

fn numbers<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Vec<u64> {
    jobs.into_iter().map(|job| job.number).collect()
}

// NL-2.14
#[tokio::test(start_paused = true)]
async fn after_a_move_no_command_overtakes_those_in_flight_at_the_old_master() {
    let mut fixture = Fixture::new();
    let _answers = [fixture.push(KEY, 7), fixture.push(KEY, 7)];
    let sent = fixture.take(1);
    assert_eq!(numbers(&sent), [0, 1]);
    let _newer = [fixture.push(KEY, 7), fixture.push(KEY, 8)];
    fixture.move_slot(2);
    assert_eq!(numbers(&fixture.take(2)), [3], "another order continues at once");
    fixture.refuse(1, sent, &["MOVED 7629 h:2", "MOVED 7629 h:2"]);
    assert!(fixture.take(2).is_empty(), "they pause");
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&fixture.take(2)), [0, 1, 2], "all of them at their new master, in their order");
}

#[tokio::test(start_paused = true)]
async fn redirected_commands_keep_their_order() {
    let mut fixture = Fixture::new();
    let _answers = [fixture.push(KEY, 7), fixture.push(KEY, 7), fixture.push(KEY, 8)];
    let sent = fixture.take(1);
    let _newer = fixture.push(KEY, 7);
    let ask = "ASK 7629 h:2";
    fixture.refuse(1, sent, &[ask, "TRYAGAIN later", ask]);
    assert_eq!(fixture.master_lane(2).redirected_queue.len(), 2);
    tokio::time::advance(PAUSE).await;
    assert!(fixture.take(1).is_empty(), "newer commands wait for the redirected one");
    let redirected = fixture.master_lane(2).redirected_queue.take(9, Instant::now(), |_| false);
    assert_eq!(numbers(&redirected), [0, 2]);
    fixture.master_lane(2).in_flight = vec![7, 8];
    fixture.master_lane(2).orders_may_wait_elsewhere = true;
    assert!(fixture.take(1).is_empty(), "also while it is in flight");
    fixture.refuse(2, redirected, &["TRYAGAIN later", "TRYAGAIN later"]);
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&fixture.take(1)), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn no_command_is_redirected_ahead_of_an_older_one() {
    let mut fixture = Fixture::new();
    let _answers = [fixture.push(KEY, 7), fixture.push(KEY, 7)];
    let sent = fixture.take(1);
    fixture.refuse(1, sent, &["TRYAGAIN later", "ASK 7629 h:2"]);
    let there = fixture.master(2);
    assert!(!fixture.driver.master_lanes.contains_key(&there));
    tokio::time::advance(PAUSE).await;
    assert_eq!(numbers(&fixture.take(1)), [0, 1]);
}

#[tokio::test]
async fn commands_of_a_broken_connection_take_no_room_from_other_masters() {
    let mut fixture = Fixture::new();
    fixture.move_slot(2);
    for port in [1, 2] {
        fixture.master_lane(port).is_working = true;
    }
    let _sent: Vec<_> = (0..4).map(|order| fixture.push(KEY, order)).collect();
    let sent = fixture.take(2);
    let _waiting: Vec<_> = (4..8).map(|order| fixture.push(KEY, order)).collect();
    let master_lane = fixture.master_lane(2);
    master_lane.broke(sent);
    assert_eq!((fixture.master_lane(2).len(), fixture.driver.room()), (8, 4));
    let mut rejected = fixture.push(KEY, 8);
    assert!(matches!(rejected.try_recv(), Ok(Err(BrokerError::Unavailable(_)))));
}

#[tokio::test]
async fn an_unusable_master_may_fill_half_of_the_queue() {
    let mut fixture = Fixture::new();
    fixture.move_slot(2);
    fixture.master_lane(1).is_working = true;
    let mut answers: Vec<_> = (0..6).map(|order| fixture.push(KEY, order)).collect();
    assert_eq!(fixture.master_lane(2).len(), 4);
    assert!(answers[..4].iter_mut().all(|answer| answer.try_recv().is_err()), "these wait");
    assert!(answers[4..].iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Err(BrokerError::Unavailable(_))))));
    assert_eq!(fixture.driver.room(), 4);
    let _others: Vec<_> = (0..4).map(|order| fixture.push("other", order)).collect();
    assert_eq!(fixture.driver.room(), 0, "a usable master makes all commands wait instead");
}

#[tokio::test]
async fn a_master_that_is_unreachable_after_a_reconnect_takes_no_room_from_others() {
    let mut fixture = Fixture::new();
    fixture.move_slot(2);
    for port in [1, 2] {
        fixture.master_lane(port).is_working = true;
    }
    let (master, error) = (fixture.master(2), ConnectError::NoCluster { address: "h:2".into() });
    fixture.driver.complete(master, Done::Connected(Err(error)), &mut fixture.steps);
    let _waiting: Vec<_> = (0..4).map(|order| fixture.push(KEY, order)).collect();
    assert_eq!(fixture.driver.room(), 4, "other masters keep their half");
    assert!(matches!(fixture.push(KEY, 4).try_recv(), Ok(Err(BrokerError::Unavailable(_)))));
}

#[tokio::test]
async fn a_command_of_an_unserved_slot_waits_for_a_master() {
    let mut fixture = Fixture::new();
    let report = SlotReport::new(Endpoint { host: "h".into(), port: 1 }, 1, vec![(0, 1)]);
    fixture.masters.apply(vec![report], &fixture.health);
    fixture.driver.apply_topology(&mut fixture.steps);
    let _answer = fixture.push(KEY, 1);
    assert_eq!(fixture.driver.unserved.len(), 1);
    fixture.move_slot(2);
    assert_eq!(numbers(&fixture.take(2)), [0]);
}
