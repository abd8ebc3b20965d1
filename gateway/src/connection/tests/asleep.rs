//! A phone that sleeps: it answers no pings, and connects again an hour later.

use super::*;

const HOUR: f32 = 3600.0;

fn bounds() -> Bounds {
    Bounds { ping_interval: Duration::from_secs(25), ..default_bounds() }
}

/// A phone that is subscribed to `kept:a`, whose history is kept for an hour after the last publication. Returns it and its position.
async fn phone(world: &World) -> (Peer, Value) {
    let phone = world.anonymous().await;
    let answer = phone.request(r#"{"id":2,"subscribe":{"channel":"kept:a"}}"#).await;
    (phone, subscribe_result(&answer))
}

/// Connects again and subscribes from the position that the phone has. Returns the answer to the subscribe command and the texts of all
/// publications that follow from it.
async fn awake(world: &World, position: &Value) -> (Value, Vec<String>) {
    let phone = world.anonymous().await;
    let subscribe = json!({"channel": "kept:a", "recover": true, "epoch": position["epoch"], "offset": offset(position)});
    let received = phone.request(&json!({"id": 2, "subscribe": subscribe}).to_string()).await;
    let result = subscribe_result(&received);
    let first_page = result["publications"].as_array().into_iter().flatten();
    let missed = first_page.filter_map(|publication| Some(publication["data"].as_str()?.to_owned())).chain(texts(&received[1..])).collect();
    (result, missed)
}

fn subscribe_result(received: &[String]) -> Value {
    let answer: Value = received.first().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    assert!(answer["subscribe"].is_object(), "{received:?}");
    answer["subscribe"].clone()
}

/// The offset in the answer to a subscribe command. An absent one is 0.
fn offset(result: &Value) -> u64 {
    result["offset"].as_u64().unwrap_or(0)
}

/// Asserts that the gateway gave the reason when it closed the connection, and has nothing left of it.
async fn assert_ended(world: &World, phone: &Peer) {
    let received = phone.receive().await;
    assert_eq!(received.last().map(String::as_str), Some("close 3012 no pong"), "{received:?}");
    assert!(phone.is_finished().await);
    world.assert_empty().await;
}

#[test]
fn a_phone_that_slept_for_an_hour_gets_what_it_missed() {
    run(bounds(), |world| async move {
        let (phone, position) = phone(&world).await;
        let published: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
        for text in &published {
            world.publish("kept:a", text).await;
            elapse(HOUR / 12.0).await;
        }
        assert_ended(&world, &phone).await;
        let (result, missed) = awake(&world, &position).await;
        assert_eq!(result["recovered"], true);
        assert_eq!(missed, published);
    });
}

#[test]
fn a_phone_that_slept_longer_than_the_history_learns_that_something_is_missing() {
    run(bounds(), |world| async move {
        let (phone, position) = phone(&world).await;
        world.publish("kept:a", "gone").await;
        elapse(HOUR + 1.0).await;
        assert_ended(&world, &phone).await;
        let (result, missed) = awake(&world, &position).await;
        assert_eq!(result.get("recovered"), None, "an absent field is false");
        assert!(missed.is_empty(), "{missed:?}");
        assert_eq!((&result["epoch"], offset(&result)), (&position["epoch"], 1), "it continues from here");
    });
}

#[test]
fn a_phone_that_missed_nothing_in_a_long_sleep_has_recovered() {
    run(bounds(), |world| async move {
        world.publish("kept:a", "seen").await;
        let (phone, position) = phone(&world).await;
        elapse(24.0 * HOUR).await;
        assert_ended(&world, &phone).await;
        let (result, missed) = awake(&world, &position).await;
        assert_eq!(result["recovered"], true);
        assert!(missed.is_empty(), "{missed:?}");
    });
}
