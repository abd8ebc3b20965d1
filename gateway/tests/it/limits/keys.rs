//! Limits of the requests with an API key.

use super::support::Gateway;
use crate::public::ask;
use serde_json::Value;

const SMALL: &str = r#"
[limits.key]
requests_per_second = 1
requests_burst = 5
[[api_keys]]
name = "busy"
key = "busy-1"
[[api_keys]]
name = "busy"
key = "busy-2"
[[api_keys]]
name = "twin"
key = "twin"
"#;

#[test]
fn requests_above_the_rate_get_429_and_other_keys_are_served() {
    let gateway = Gateway::with(SMALL);
    let request = |key: &str| {
        let lines = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
        ask(gateway.internal, "POST", "/v1/channels/open:a/publications", &lines, r#"{"data":1}"#)
    };
    let mut answers: Vec<_> = (0..20).map(|number| request(if number % 2 == 0 { "busy-1" } else { "busy-2" })).collect();
    answers.retain(|(head, _)| !head.starts_with("http/1.1 200 "));
    // Seconds may pass meanwhile.
    assert!((10..=15).contains(&answers.len()), "{answers:?}");
    for (head, body) in &answers {
        assert!(head.starts_with("http/1.1 429 ") && head.contains("\r\nretry-after: 1\r\n"), "{head}");
        let problem: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&problem["code"], &problem["retryable"]), (&"too_many_requests".into(), &true.into()));
        assert!(problem["retry_after_ms"].as_u64().is_some_and(|pause| (1..=1000).contains(&pause)), "{problem}");
    }
    assert_eq!(gateway.limited("key_requests"), answers.len() as u64);
    assert_eq!(gateway.counted(r#"switchboard_key_requests_limited_total{key="busy"}"#), answers.len() as u64);
    assert_eq!(gateway.counted(r#"switchboard_key_requests_limited_total{key="twin"}"#), 0);
    let (head, _) = request("twin");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let (head, _) = ask(gateway.internal, "GET", "/livez", "", "");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let history = ask(gateway.internal, "GET", "/v1/channels/open:a/publications", "Authorization: Bearer twin\r\n", "").1;
    let history: Value = serde_json::from_str(&history).expect("JSON");
    assert_eq!(history["offset"], 20 - answers.len() as u64 + 1, "refused publishes changed nothing");
}
