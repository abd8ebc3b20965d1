use super::*;
use crate::queues::QueueStore;
use gateway_core::queue::{DeadLetter, DeadReason, EntryId, NewEntry, OwnerId, PartitionId, ReadLimits};
use serde_json::json;

const QUEUE: &str = "/v1/services/bot/queue";
const DEAD: &str = "/v1/services/bot/queue/dead";

fn partition(partition: u16) -> PartitionId {
    PartitionId { queue: QueueName::Service("bot".parse().expect("valid")), partition }
}

impl Fixture {
    /// Stores events with these ids in a partition.
    async fn enqueue(&self, number: u16, ids: &[&str]) {
        for id in ids {
            let event = format!("{{\"id\":\"{id}\"}}").into();
            let entry = NewEntry { id: (*id).into(), key: "k".into(), event, expires_after: None, once: None };
            let stored = self.queues.hand_over(&partition(number), entry).await.expect("handed over").await;
            stored.expect("stored");
        }
    }

    /// Makes all entries of a partition dead letters.
    async fn move_to_dead_letters(&self, number: u16) {
        let (partition, owner) = (partition(number), OwnerId::new("n1"));
        self.queues.acquire(&partition, &owner).await.expect("works").expect("no other owner");
        let limits = ReadLimits { entries: 10, bytes: 1 << 20, entry_bytes: 1 << 20 };
        for entry in self.queues.read_new(&partition, &owner, limits).await.expect("owned") {
            let letter = DeadLetter { id: entry.id, reason: DeadReason::Tries, detail: "It failed.".into(), tries: 3 };
            self.queues.move_to_dead_letters(&partition, &owner, &letter).await.expect("owned");
        }
        self.queues.release(&partition, &owner).await.expect("owned");
    }

    async fn dead_ids(&self, query: &str) -> (Vec<String>, Value) {
        let page = self.ask("GET", &format!("{DEAD}{query}"), "").await.json();
        let ids = page["dead_letters"].as_array().expect("a list").iter().map(|letter| letter["id"].as_str().expect("a text").to_owned());
        (ids.collect(), page["next"].clone())
    }
}

#[actix_web::test]
async fn a_queue_shows_its_partitions() {
    let fixture = Fixture::new();
    fixture.enqueue(1, &["a", "b"]).await;
    fixture.enqueue(0, &["c"]).await;
    let owner = OwnerId::new("n1");
    fixture.queues.acquire(&partition(0), &owner).await.expect("works").expect("no other owner");
    let queue = fixture.ask("GET", QUEUE, "").await.json();
    assert_eq!((&queue["depth"], &queue["dead_letters"], &queue["paused"]), (&json!(3), &json!(0), &json!(false)));
    assert!(queue["oldest_age_ms"].is_u64(), "{queue}");
    let [first, second] = [0, 1].map(|number| &queue["partitions"][number]);
    assert_eq!((&first["partition"], &first["depth"], &first["owner"]), (&json!(0), &json!(1), &json!("n1")));
    assert_eq!((&second["partition"], &second["depth"], &second["owner"]), (&json!(1), &json!(2), &Value::Null));
}

#[actix_web::test]
async fn a_queue_can_be_paused() {
    let fixture = Fixture::new();
    for paused in [true, true, false] {
        let answer = fixture.ask("PATCH", QUEUE, &json!({"paused": paused}).to_string()).await;
        assert_eq!((answer.status, &answer.json()["paused"]), (StatusCode::OK, &json!(paused)));
        let status = fixture.queues.status(&partition(1)).await.expect("works");
        assert_eq!(status.paused, paused);
    }
}

#[actix_web::test]
async fn entries_are_deleted_only_if_no_more_wait_than_the_caller_has_seen() {
    let fixture = Fixture::new();
    fixture.enqueue(0, &["a", "b"]).await;
    fixture.enqueue(1, &["c"]).await;
    let refused = fixture.ask("DELETE", &format!("{QUEUE}/entries?count=2"), "").await;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::CONFLICT, &json!("more_entries")));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("count=3")));
    assert_eq!(fixture.ask("GET", QUEUE, "").await.json()["depth"], 3);
    assert_eq!(fixture.ask("DELETE", &format!("{QUEUE}/entries?count=3"), "").await.json(), json!({"deleted": 3}));
    assert_eq!(fixture.ask("GET", QUEUE, "").await.json()["depth"], 0);
    assert_eq!(fixture.ask("DELETE", &format!("{QUEUE}/entries"), "").await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn dead_letters_are_listed_in_pages_and_can_be_read() {
    let fixture = Fixture::new();
    fixture.enqueue(0, &["a", "b"]).await;
    fixture.enqueue(1, &["c"]).await;
    fixture.move_to_dead_letters(0).await;
    fixture.move_to_dead_letters(1).await;
    let (all, next) = fixture.dead_ids("").await;
    assert_eq!((all.len(), next), (3, Value::Null));
    let (first, next) = fixture.dead_ids("?limit=2").await;
    assert_eq!((&first[..], next.as_str()), (&all[..2], Some(&*all[1])));
    assert_eq!(fixture.dead_ids(&format!("?limit=2&after={}", all[1])).await, (vec![all[2].clone()], Value::Null));
    let letter = fixture.ask("GET", &format!("{DEAD}/{}", all[2]), "").await.json();
    assert_eq!((&letter["reason"], &letter["detail"], &letter["tries"]), (&json!("tries"), &json!("It failed."), &json!(3)));
    assert_eq!((&letter["event"]["id"], &letter["fields"]["key"]), (&json!("c"), &json!("k")));
    for (path, status) in [
        ("?limit=0", StatusCode::UNPROCESSABLE_ENTITY),
        ("?limit=1001", StatusCode::UNPROCESSABLE_ENTITY),
        ("?after=7-0", StatusCode::BAD_REQUEST),
        ("/7-0", StatusCode::BAD_REQUEST),
        ("/1:7-0", StatusCode::NOT_FOUND),
        ("/2:7-0", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(fixture.ask("GET", &format!("{DEAD}{path}"), "").await.status, status, "{path}");
    }
}

#[actix_web::test]
async fn a_dead_letter_is_replayed_or_dropped_once() {
    let fixture = Fixture::new();
    fixture.enqueue(0, &["a", "b"]).await;
    fixture.move_to_dead_letters(0).await;
    let (ids, _) = fixture.dead_ids("").await;
    let replay = format!("{DEAD}/{}/replay", ids[0]);
    assert_eq!(fixture.ask("POST", &replay, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(fixture.ask("POST", &replay, "").await.status, StatusCode::NOT_FOUND);
    let queue = fixture.ask("GET", QUEUE, "").await.json();
    assert_eq!((&queue["depth"], &queue["dead_letters"]), (&json!(1), &json!(1)));
    let dropped = format!("{DEAD}/{}", ids[1]);
    assert_eq!(fixture.ask("DELETE", &dropped, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(fixture.ask("DELETE", &dropped, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(fixture.ask("GET", QUEUE, "").await.json()["dead_letters"], 0);
    let owner = OwnerId::new("n1");
    fixture.queues.acquire(&partition(0), &owner).await.expect("works").expect("no other owner");
    let limits = ReadLimits { entries: 10, bytes: 1 << 20, entry_bytes: 1 << 20 };
    let read = fixture.queues.read_new(&partition(0), &owner, limits).await.expect("owned");
    let field = |name| read[0].fields.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!((read.len(), field("id"), field("key"), field("dead_reason")), (1, Some("a".into()), Some("k".into()), None));
    assert_ne!(read[0].id, EntryId::default());
}

#[actix_web::test]
async fn what_has_no_queue_is_not_found() {
    let fixture = Fixture::new();
    for path in ["/v1/services/other/queue", "/v1/services/other/queue/dead", "/v1/ingest", "/v1/ingest/dead", "/v1/ingest/dead/0:7-0"] {
        let answer = fixture.ask("GET", path, "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
    }
    assert!(fixture.ask("GET", "/v1/ingest", "").await.json()["detail"].as_str().is_some_and(|detail| detail.contains("ingest.channels")));
}
