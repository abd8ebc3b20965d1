use super::*;

/// Two masters with a lane each; both are awaited.
fn health() -> Health {
    let health = Health::default();
    expect(&health, 1);
    expect(&health, 2);
    health
}

fn parts(master: Master) -> [HealthPart; 3] {
    [HealthPart::Listener(master), HealthPart::Canary(master), HealthPart::Lane(master, 0)]
}

fn expect(health: &Health, number: u32) {
    for part in parts(Master(number)) {
        health.expect(part, &format!("h{number}"));
    }
}

fn works(health: &Health, number: u32) {
    for part in parts(Master(number)) {
        health.well(part);
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
fn at_the_start_each_master_is_awaited_until_it_works_or_was_found_not_to() {
    let health = health();
    not_ready(&health, "connecting to Redis at h1; connecting to Redis at h2");
    works(&health, 1);
    not_ready(&health, "connecting to Redis at h2");
    health.trouble(HealthPart::Listener(Master(2)), "h2 is away");
    partly(&health, "h2 is away");
    works(&health, 2);
    assert_eq!((health.readiness(), health.count()), (Readiness::Ready, (2, 0)));
}

#[test]
fn a_node_is_ready_in_part_as_long_as_one_master_serves() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    health.trouble(HealthPart::Lane(Master(2), 0), "h2 is away");
    partly(&health, "h2 is away");
    assert_eq!(health.count(), (1, 1));
    health.trouble(HealthPart::Canary(Master(1)), "h1 is deaf");
    not_ready(&health, "h1 is deaf; h2 is away");
    health.well(HealthPart::Lane(Master(2), 0));
    partly(&health, "h1 is deaf");
}

#[test]
fn a_master_that_joins_is_no_reason_to_be_taken_out_of_service() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    expect(&health, 3);
    partly(&health, "connecting to Redis at h3");
    for part in parts(Master(3)) {
        health.forget(part);
    }
    assert_eq!(health.readiness(), Readiness::Ready);
    works(&health, 3);
    assert_eq!(health.count(), (2, 0), "what is not needed counts for nothing");
}

#[test]
fn a_server_that_is_another_ones_makes_a_node_not_ready() {
    let health = health();
    works(&health, 1);
    works(&health, 2);
    health.trouble(HealthPart::ServerAssignment(Master(2)), "h2 is somebody else's");
    not_ready(&health, "h2 is somebody else's");
    health.forget(HealthPart::ServerAssignment(Master(2)));
    assert_eq!(health.readiness(), Readiness::Ready);
}

#[test]
fn a_map_that_lacks_a_slot_is_no_reason_as_long_as_there_is_one() {
    let health = Health::default();
    health.expect(HealthPart::Map, "h1");
    not_ready(&health, "connecting to Redis at h1");
    health.trouble(HealthPart::Map, "nobody can be asked");
    not_ready(&health, "nobody can be asked");
    expect(&health, 1);
    works(&health, 1);
    health.trouble(HealthPart::Map, "nobody serves slot 7");
    partly(&health, "nobody serves slot 7");
    health.well(HealthPart::Map);
    assert_eq!(health.readiness(), Readiness::Ready);
}
