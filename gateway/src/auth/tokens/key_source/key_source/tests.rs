use super::super::super::test_keys::TestKey;
use super::*;
use serde_json::json;
use std::time::Duration;
use tokio::time::{advance, sleep};

const TIMES: KeyTimes = KeyTimes {
    refresh: Duration::from_secs(600),
    interval: Duration::from_secs(10),
    timeout: Duration::from_secs(3),
    stale: Duration::from_secs(3600),
    max_keys: 2,
};

fn source() -> Arc<KeySource> {
    Arc::new(KeySource::new("https://issuer", TIMES))
}

fn document(names: &[&str]) -> Vec<u8> {
    let keys: Vec<_> = names.iter().map(|kid| TestKey::ed25519().jwk(&json!({"kid": kid}))).collect();
    json!({"keys": keys}).to_string().into_bytes()
}

fn away() -> FetchFailure {
    FetchFailure { result: FetchResult::Unreachable, why: "https://issuer/keys: away".into() }
}

async fn waits_for(source: &KeySource, kid: &str) -> Result<(), TokenError> {
    source.prepare(|keys| keys.knows(kid)).await
}

/// Fetches as the task does: it answers `after` this time. Counts the fetches.
async fn serve(source: Arc<KeySource>, after: Duration, answer: impl Fn(u64) -> Option<Vec<u8>>) {
    for number in 1.. {
        source.due().await;
        source.begin();
        sleep(after).await;
        match answer(number) {
            Some(document) => assert_eq!(source.fetched(&document, 0.0), Ok(Vec::new())),
            None => source.failed(away(), 0.0),
        }
    }
}

fn fetches(source: &KeySource) -> Vec<(&'static str, u64)> {
    source.results().filter(|(_, number)| *number > 0).map(|(result, number)| (result.text(), number)).collect()
}

#[tokio::test(start_paused = true)]
async fn any_number_of_tokens_wait_for_one_fetch() {
    let source = source();
    let tokens: Vec<_> = (0..1000)
        .map(|_| {
            tokio::spawn({
                let source = source.clone();
                async move { waits_for(&source, "k").await }
            })
        })
        .collect();
    tokio::spawn(serve(source.clone(), Duration::from_secs(1), |_| Some(document(&["k"]))));
    for token in tokens {
        assert_eq!(token.await.expect("no panic"), Ok(()));
    }
    assert_eq!((fetches(&source), source.refused()), (vec![("fetched", 1)], 0));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_fetched_when_its_first_token_arrives() {
    let source = source();
    tokio::spawn(serve(source.clone(), Duration::from_millis(100), |number| {
        Some(document(if number == 1 { &["old"] } else { &["old", "new"] }))
    }));
    assert_eq!(waits_for(&source, "old").await, Ok(()));
    assert_eq!(waits_for(&source, "new").await, Err(TokenError::KeysAway), "the interval is not over");
    advance(Duration::from_secs(10)).await;
    assert_eq!(waits_for(&source, "new").await, Ok(()));
    assert_eq!((fetches(&source), source.refused()), (vec![("fetched", 2)], 1));
    advance(Duration::from_secs(10)).await;
    assert_eq!(waits_for(&source, "none").await, Ok(()), "the set tells that there is no such key: the signature decides");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_delays_and_refuses_nobody_for_good() {
    let source = source();
    tokio::spawn(serve(source.clone(), Duration::from_secs(3), |number| (number == 3).then(|| document(&["k"]))));
    let begun = Instant::now();
    assert_eq!(waits_for(&source, "k").await, Err(TokenError::KeysAway));
    assert_eq!(begun.elapsed(), TIMES.timeout, "not longer than one fetch");
    sleep(Duration::from_millis(1)).await;
    assert_eq!(
        source.problem().expect("no keys"),
        "There are no keys for tokens of the issuer \"https://issuer\": https://issuer/keys: away."
    );
    assert_eq!(waits_for(&source, "k").await, Err(TokenError::KeysAway));
    assert!(begun.elapsed() < TIMES.timeout + Duration::from_millis(10), "at once");
    sleep(Duration::from_secs(25)).await;
    assert_eq!((source.problem(), waits_for(&source, "k").await), (None, Ok(())), "fetched without a token that needs it");
    assert_eq!((fetches(&source), source.refused()), (vec![("fetched", 1), ("unreachable", 2)], 2));
}

#[tokio::test(start_paused = true)]
async fn without_the_task_a_wait_ends() {
    assert_eq!(waits_for(&source(), "k").await, Err(TokenError::KeysAway));
}

#[tokio::test(start_paused = true)]
async fn keys_are_replaced_as_a_whole_and_a_bad_document_replaces_nothing() {
    let source = source();
    source.begin();
    let old: Vec<u8> = document(&["old"]);
    assert_eq!(source.fetched(&old, 0.0), Ok(Vec::new()));
    source.begin();
    for (bad, why) in [
        (b"{}".to_vec(), NoKeys::NoJwkSet),
        (b"\xff".to_vec(), NoKeys::NoJwkSet),
        (br#"{"keys":[]}"#.to_vec(), NoKeys::Empty),
        (br#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"s"}]}"#.to_vec(), NoKeys::Unusable),
        (document(&["a", "b", "c"]), NoKeys::TooMany(2)),
    ] {
        assert_eq!(source.fetched(&bad, 0.0), Err(why));
        assert!(source.keys().expect("kept").knows("old"));
    }
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
    let mixed = json!({"keys": [TestKey::ed25519().jwk(&json!({"kid": "new"})), secret]}).to_string();
    let skipped = source.fetched(mixed.as_bytes(), 0.0).expect("one is good");
    assert_eq!(
        skipped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["the key s is a secret: only a file of key_files may have it"]
    );
    let keys = source.keys().expect("replaced");
    assert!(keys.knows("new") && !keys.knows("old") && source.key_count() == 1);
}
