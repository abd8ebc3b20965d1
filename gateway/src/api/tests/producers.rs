use super::*;
use serde_json::json;

const NEWS: &str = "/v1/channels/news:world/publications";

fn body(epoch: u64, seq: u64) -> String {
    json!({"data": seq, "producer": {"id": "p", "epoch": epoch, "seq": seq}}).to_string()
}

// NL-2.15
#[actix_web::test]
async fn a_producers_publishes_are_carried_out_once_and_in_order() {
    let fixture = Fixture::new();
    for (epoch, seq, status, replayed, member, expected) in [
        (2, 1, 409, false, "expected", json!(0)),
        (2, 0, 200, false, "offset", json!(1)),
        (2, 0, 200, true, "offset", json!(1)),
        (2, 2, 409, false, "expected", json!(1)),
        (2, 1, 200, false, "offset", json!(2)),
        (1, 2, 409, false, "code", json!("producer_fenced")),
        (3, 2, 409, false, "code", json!("sequence_gap")),
        (3, 0, 200, false, "offset", json!(3)),
        (2, 2, 409, false, "expected", Value::Null),
    ] {
        let answer = fixture.ask("POST", NEWS, &body(epoch, seq)).await;
        let what = format!("epoch {epoch}, number {seq}: {}", answer.json());
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed").is_some()), (status, replayed), "{what}");
        assert_eq!(answer.json()[member], expected, "{what}");
        if status == 409 {
            assert_eq!(answer.json()["retryable"], false, "{what}");
        }
    }
    let other = request("POST", NEWS, &body(3, 0)).insert_header(("authorization", "Bearer other"));
    assert_eq!(fixture.send(other).await.json()["offset"], 3, "a producer is the same with every API key");
    for seq in 1..=16 {
        assert_eq!(fixture.ask("POST", NEWS, &body(3, seq)).await.json()["offset"], 3 + seq);
    }
    assert_eq!(
        fixture.ask("POST", NEWS, &body(3, 0)).await.json(),
        json!({"epoch": "", "offset": 0}),
        "done, and the position is forgotten"
    );
}

#[actix_web::test]
async fn each_publication_of_a_batch_may_have_a_producer() {
    let fixture = Fixture::new();
    let item = |channel: &str, seq: u64| json!({"channel": channel, "data": seq, "producer": {"id": "p", "epoch": 0, "seq": seq}});
    let mut results = Vec::new();
    for items in [vec![item("news:a", 0), item("news:a", 1), item("news:b", 1)], vec![item("news:a", 0), item("open:a", 0)]] {
        let answer = fixture.ask("POST", "/v1/publications", &json!({ "publications": items }).to_string()).await.json();
        results.extend_from_slice(answer["results"].as_array().expect("a list"));
    }
    let shown: Vec<_> = results.iter().map(|it| (&it["position"]["offset"], &it["replayed"], &it["error"]["code"])).collect();
    let (none, no, yes) = (&Value::Null, &json!(false), &json!(true));
    assert_eq!(
        shown,
        [
            (&json!(1), no, none),
            (&json!(2), no, none),
            (none, no, &json!("sequence_gap")),
            (&json!(1), yes, none),
            (none, no, &json!("invalid_producer"))
        ]
    );
    assert_eq!(results[2]["error"]["expected"], 0);
}

#[actix_web::test]
async fn a_producer_excludes_a_key_and_needs_a_history() {
    let fixture = Fixture::new();
    let producer = |producer: Value| json!({"data": 1, "producer": producer}).to_string();
    let good = json!({"id": "p", "epoch": 0, "seq": 0});
    let ephemeral = json!({"data": 1, "ephemeral": true, "producer": good}).to_string();
    let too_long = producer(json!({"id": "x".repeat(256), "epoch": 0, "seq": 0}));
    for (path, key, body, status, says) in [
        (NEWS, Some("k"), producer(good.clone()), 422, "Leave out the key"),
        (NEWS, None, ephemeral, 422, "ephemeral"),
        ("/v1/channels/open:a/publications", None, producer(good.clone()), 422, "set history_size"),
        (NEWS, None, too_long, 400, "`producer.id`"),
        (NEWS, None, producer(json!({"id": "", "epoch": 0, "seq": 0})), 400, "`producer.id`"),
        (NEWS, None, producer(json!({"id": "a b", "epoch": 0, "seq": 0})), 400, "`producer.id`"),
        (NEWS, None, producer(json!({"id": "p", "epoch": 1_u64 << 53, "seq": 0})), 400, "`producer.epoch`"),
        (NEWS, None, producer(json!({"id": "p", "epoch": 0, "seq": 1_u64 << 53})), 400, "`producer.seq`"),
        (NEWS, None, producer(json!({"id": "p", "epoch": -1, "seq": 0})), 400, "producer.epoch"),
        (NEWS, None, producer(json!({"id": "p", "epoch": 0, "seq": 0.5})), 400, "producer.seq"),
        (NEWS, None, producer(json!({"id": "p", "epoch": 0})), 400, "missing field `seq`"),
        (NEWS, None, producer(json!({"id": "p", "epoch": 0, "seq": 0, "sequence": 0})), 400, "unknown field `sequence`"),
        (NEWS, None, producer(json!(["p", 0, 0])), 400, "expected an object"),
        (NEWS, None, producer(json!("p")), 400, "expected an object"),
    ] {
        let request = request("POST", path, &body);
        let answer = fixture.send(key.into_iter().fold(request, |it, key| it.insert_header(("idempotency-key", key)))).await;
        let problem = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{body}: {problem}");
        assert_eq!(problem["code"], if status == 422 { "invalid_producer" } else { "bad_request" }, "{body}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{body}: {problem}");
    }
    assert_eq!(fixture.ask("GET", "/v1/channels", "").await.json()["channels"], json!([]), "nothing was published");
    assert_eq!(fixture.ask("POST", NEWS, r#"{"data":1,"producer":null}"#).await.json()["offset"], 1);
    assert_eq!(fixture.ask("POST", NEWS, &producer(good)).await.json()["offset"], 2, "no refused number was taken");
}
