use super::*;

/// Two masters with one lane each; all parts are pending.
fn health() -> Health {
    let health = Health::default();
    require(&health, 1);
    require(&health, 2);
    health
}

fn parts(master: Master) -> [HealthPart; 3] {
    [HealthPart::Subscriber(master), HealthPart::Canary(master), HealthPart::Lane(master, 0)]
}

fn require(health: &Health, number: u32) {
    for part in parts(Master(number)) {
        health.require(part, &format!("h{number}"));
    }
}

fn works(health: &Health, number: u32) {
    for part in parts(Master(number)) {
        health.set_working(part);
    }
}

#[track_caller]
fn partly(health: &Health, says: &str) {
    let found = health.readiness();
    assert!(matches!(&found, Readiness::Partly(why) if **why == *says), "{found:?}");
}

#[track_caller]
fn not_ready(health: &Health, says: &str) {
    let found = health.readiness();
    assert!(matches!(&found, Readiness::NotReady(why) if **why == *says), "{found:?}");
}

#[test]
fn at_the_start_each_master_is_pending_until_it_works_or_fails() {
    let health = health();
    not_ready(&health, "connecting to Redis at h1, h2");
    works(&health, 1);
    not_ready(&health, "connecting to Redis at h2");
    health.set_failed(HealthPart::Subscriber(Master(2)), "h2 is down");
    partly(&health, "h2 is down");
    works(&health, 2);
    assert_eq!((health.readiness(), health.count()), (Readiness::Ready, (2, 0)));
}

#[test]
fn a_node_is_partly_ready_while_one_master_works() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    health.set_failed(HealthPart::Lane(Master(2), 0), "h2 is down");
    partly(&health, "h2 is down");
    assert_eq!(health.count(), (1, 1));
    health.set_failed(HealthPart::Canary(Master(1)), "h1 delivers nothing");
    not_ready(&health, "h1 delivers nothing; h2 is down");
    health.set_working(HealthPart::Lane(Master(2), 0));
    partly(&health, "h1 delivers nothing");
}

#[test]
fn a_node_stays_partly_ready_while_a_master_joins() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    require(&health, 3);
    partly(&health, "connecting to Redis at h3");
    for part in parts(Master(3)) {
        health.remove(part);
    }
    assert_eq!(health.readiness(), Readiness::Ready);
    works(&health, 3);
    assert_eq!(health.count(), (2, 0), "parts that are not required do not count");
}

#[test]
fn a_disputed_server_makes_the_node_not_ready() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    health.set_failed(HealthPart::ServerAssignment(Master(2)), "h2 is disputed");
    not_ready(&health, "h2 is disputed");
    health.remove(HealthPart::ServerAssignment(Master(2)));
    assert_eq!(health.readiness(), Readiness::Ready);
}

#[test]
fn a_node_is_partly_ready_while_the_slot_map_lacks_a_slot() {
    let health = Health::default();
    health.require(HealthPart::SlotMap, "h1");
    not_ready(&health, "connecting to Redis at h1");
    health.set_failed(HealthPart::SlotMap, "no server answers");
    not_ready(&health, "no server answers");
    require(&health, 1);
    works(&health, 1);
    health.set_failed(HealthPart::SlotMap, "no master serves slot 7");
    partly(&health, "no master serves slot 7");
    health.set_working(HealthPart::SlotMap);
    assert_eq!(health.readiness(), Readiness::Ready);
}

#[test]
fn a_cause_that_several_parts_share_is_named_once() {
    let health = health();
    for number in [1, 2] {
        works(&health, number);
        health.require(HealthPart::ServerAssignment(Master(number)), &format!("h{number}"));
        // The connections to a server fail with the same error as its assignment.
        health.set_failed(HealthPart::ServerAssignment(Master(number)), &format!("h{number} is disputed"));
        health.set_failed(HealthPart::Subscriber(Master(number)), &format!("h{number} is disputed"));
    }
    not_ready(&health, "h1, h2 is disputed");
    health.set_failed(HealthPart::ServerAssignment(Master(2)), "h2 is suspended");
    health.set_failed(HealthPart::Subscriber(Master(2)), "h2 is suspended");
    not_ready(&health, "h1 is disputed; h2 is suspended");
}

#[test]
fn servers_with_the_same_cause_are_named_together() {
    let health = health();
    not_ready(&health, "connecting to Redis at h1, h2");
    works(&health, 1);
    works(&health, 2);
    health.set_failed(HealthPart::Subscriber(Master(1)), "Redis at h1 cannot be reached: refused");
    health.set_failed(HealthPart::Lane(Master(2), 0), "Redis at h2 cannot be reached: refused");
    not_ready(&health, "Redis at h1, h2 cannot be reached: refused");
    health.set_failed(HealthPart::Lane(Master(2), 0), "Redis at h2 cannot be reached: timed out");
    not_ready(&health, "Redis at h1 cannot be reached: refused; Redis at h2 cannot be reached: timed out");
}
