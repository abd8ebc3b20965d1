use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

const CLUSTER_NODES: &str = "\
07c37df 127.0.0.1:30004@31004,,tls-port=0,shard-id=1 slave e7d1eec 0 1426238317239 4 connected
67ed2db 127.0.0.1:30002@31002,two.example master - 0 1426238316232 2 connected 5461-10921 [10922-<-e7d1eec]
292f8b3 127.0.0.1:30003@31003 master,fail - 0 1426238318243 3 connected 10922-16382 16383
6ec23923 127.0.0.1:30005@31005,, master - 0 1426238316232 5 connected
824fe116 :0@0 master,noaddr - 0 1426238317741 6 connected 1-2
e7d1eec :30001@31001 myself,master - 0 0 1 connected 0-5460

";

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text, "").expect("valid")
}

fn report(place: &str, epoch: u64, slots: &[(u16, u16)]) -> SlotReport {
    SlotReport::new(endpoint(place), epoch, slots.to_vec())
}

/// Numbers masters by their ports.
fn merged(reports: Vec<SlotReport>) -> Topology {
    Topology::merge(reports, |endpoint| Some(Master(endpoint.port.into())))
}

fn owner(topology: &Topology, slot: u16) -> Option<u32> {
    topology.owner(Slot(slot)).map(|master| master.0)
}

#[test]
fn masters_and_their_slots_are_read_from_the_answer() {
    let reports = slot_reports(CLUSTER_NODES, "reporter.example").expect("a valid answer");
    let expected = [
        SlotReport { by_ip: Some(endpoint("127.0.0.1:30002")), ..report("two.example:30002", 2, &[(5461, 10_921)]) },
        report("127.0.0.1:30003", 3, &[(10_922, 16_382), (16_383, 16_383)]),
        report("127.0.0.1:30005", 5, &[]),
        report("reporter.example:30001", 1, &[(0, 5460)]),
    ];
    assert_eq!(reports, expected, "replicas serve no slots, and a server without an address cannot be reached");
}

#[test]
fn malformed_answers_are_refused() {
    for answer in
        ["nonsense", "a b:1@2 master - 0 0 x connected", "a b:1@2 master - 0 0 1 connected 9-8", "a b:1@2 master - 0 0 1 connected 16384"]
    {
        assert_eq!(slot_reports(answer, "h"), None, "{answer}");
    }
    assert_eq!(slot_reports("", "h"), Some(Vec::new()));
    assert_eq!(Endpoint::parse("::1:6379", "").expect("IPv6").host.as_ref(), "::1");
    for unknown in [":6379", "?:6379"] {
        assert_eq!(Endpoint::parse(unknown, "h").expect("a port").host.as_ref(), "h", "{unknown}");
    }
}

#[test]
fn every_slot_finds_its_master() {
    let topology = merged(slot_reports(CLUSTER_NODES, "h").expect("valid"));
    for (slot, master) in [(0, 30_001), (5460, 30_001), (5461, 30_002), (10_921, 30_002), (10_922, 30_003), (16_383, 30_003)] {
        assert_eq!(owner(&topology, slot), Some(master), "{slot}");
    }
    assert_eq!(topology.masters().len(), 4, "one has no slots yet, and may get some");
    assert_eq!((topology.unserved(), topology.only()), (None, None));
    let first: HashMap<_, _> = topology.serving().iter().map(|(master, slot)| (master.0, slot.0)).collect();
    assert_eq!(first, HashMap::from([(30_001, 0), (30_002, 5461), (30_003, 10_922)]));
}

#[test]
fn the_newest_report_wins_in_any_order() {
    let (old, new) = (report("a:1", 1, &[(0, 16_383)]), report("b:2", 2, &[(7, 9)]));
    for reports in [vec![old.clone(), new.clone()], vec![new, old]] {
        let topology = merged(reports);
        assert_eq!([6, 7, 9, 10].map(|slot| owner(&topology, slot)), [Some(1), Some(2), Some(2), Some(1)]);
    }
}

#[test]
fn an_unserved_slot_is_found() {
    let topology = merged(vec![report("a:1", 1, &[(0, 9), (11, 16_383)])]);
    assert_eq!((topology.unserved(), owner(&topology, 10)), (Some(Slot(10)), None));
    assert_eq!(Topology::default().unserved(), Some(Slot(0)));
    assert_eq!(Topology::default().owner(Slot(5)), None);
}

#[test]
fn a_single_server_serves_all_slots() {
    let topology = Topology::single(Master(3));
    assert_eq!((topology.only(), topology.owner(Slot(77)), topology.unserved()), (Some(Master(3)), Some(Master(3)), None));
}

/// The name of the server of each slot.
fn owner_names(names: &[String]) -> Vec<&str> {
    let topology = Topology::divided((0..).map(Master).zip(names.iter().map(String::as_str)));
    (0..SLOTS).map(|slot| &*names[owner(&topology, slot).expect("served") as usize]).collect()
}

#[test]
fn names_get_the_same_slots_in_all_versions() {
    let names = ["a", "b", "c"].map(String::from);
    assert_eq!([0, 1, 2, 3, 12_182, 16_383].map(|slot| owner_names(&names)[slot]), EXPECTED);
}

/// If these values changed, existing data would belong to other servers.
const EXPECTED: [&str; 6] = ["a", "b", "a", "b", "c", "c"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn servers_divide_the_slots_evenly_in_any_order_and_an_added_one_moves_as_few_as_possible(
        names in prop::collection::hash_set("[a-z0-9.-]{1,12}", 2..12), shuffled in any::<prop::sample::Index>(), added in "[A-Z]{1,8}",
    ) {
        let mut names: Vec<String> = names.into_iter().collect();
        let before: Vec<String> = owner_names(&names).into_iter().map(String::from).collect();
        let fair = f64::from(SLOTS) / names.len() as f64;
        for name in &names {
            let has = before.iter().filter(|owner| *owner == name).count() as f64;
            // Five times the standard deviation that a random choice would have.
            prop_assert!((has - fair).abs() < 5.0 * fair.sqrt(), "{name} has {has} of {fair}");
        }
        let middle = shuffled.index(names.len());
        names.rotate_left(middle);
        names.swap(0, middle);
        prop_assert_eq!(&before, &owner_names(&names), "in another order");

        names.push(added.clone());
        let after = owner_names(&names);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != *after).map(|(_, after)| *after).collect();
        prop_assert!(moved.iter().all(|owner| **owner == added), "nothing moves between the others");
        let fair = f64::from(SLOTS) / names.len() as f64;
        prop_assert!((moved.len() as f64 - fair).abs() < 5.0 * fair.sqrt(), "{} of {fair}", moved.len());
    }
}

#[test]
fn each_server_serves_from_its_first_slot_on() {
    let names = ["a", "b", "c"].map(String::from);
    let topology = Topology::divided((0..).map(Master).zip(names.iter().map(String::as_str)));
    assert_eq!((topology.masters().len(), topology.only(), topology.unserved()), (3, None, None));
    let first: HashSet<_> = topology.serving().iter().map(|(master, slot)| (Some(master.0), owner(&topology, slot.0))).collect();
    assert!(first.len() == 3 && first.iter().all(|(master, owner)| master == owner));
}
